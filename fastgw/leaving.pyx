"""Clients that go before their answer has ended (DESIGN promise 6).

Most providers tell what they bill only at the end, so an answer that is cut off has an interval
for its books. Where a rule says `on-abort: drain` the answer is read on for nobody: metered, never
kept. Holds stay, progress words go on, and it is settled to the provider's own number. What that
may cost is bounded: so many tokens more, so many seconds, so many answers at once over all
workers; beyond any of them, at a cap's edge, at the deadline of a shutdown or when the provider
breaks off, the books are what they would have been without.

A request whose bytes had not gone to a provider yet is over: nothing was spent. After the client
has gone nothing is asked a second time.
"""

from libc.stdint cimport UINT64_MAX, uint32_t, uint64_t

from fastgw.codes cimport (
    CODE_CLIENT_GONE,
    CODE_DRAINED,
    CODE_DRAIN_FULL,
    CODE_DRAIN_TOKENS,
)
from fastgw.native.counters cimport (
    FGW_COUNT_CLIENT_ABORTS,
    FGW_COUNT_DRAINS,
    FGW_COUNT_DRAIN_FULL,
    FGW_GAUGE_DRAINS,
    fgw_count,
    fgw_drain_begin,
)
from fastgw.native.dialect cimport FGW_ROUTE_METERED
from fastgw.native.dialect_meter cimport FGW_EVENT_DONE, fgw_meter_told_output
from fastgw.native.policy cimport fgw_drain
from fastgw.native.record cimport FGW_FATE_CUT_BY_CLIENT, FGW_FATE_DELIVERED
from fastgw.upstream.connection cimport Connection

cdef enum:
    BYTES_PER_TOKEN = 4   # of text, where nothing better is known: a drain's bound is no bill
    PLAIN_PER_TOKEN = 4096   # bytes of a whole answer: pictures have 700 to 7,000 a token
    PLAIN_MIN = 1 << 20      # bytes of it that any drain reads

cdef uint64_t TOKENS_MAX = <uint64_t>1 << 40   # more is no bound


cdef class Leaving(Endings):
    """What becomes of an answer whose client has gone."""

    cdef int _belong(self, Segment segment, int slot) except -1:
        self._segment = segment
        self.counters = segment.counters_of(slot)
        self.workers = segment.counters_of(0)
        self.n_workers = segment.map.workers
        self.slot = <uint32_t>slot
        return 0

    cdef int client_gone(self, Exchange x) except -1:
        """The client is not there any more. Its answer is cut off, unless a rule lets it end."""
        cdef int fate = FGW_FATE_CUT_BY_CLIENT
        if not x.live or x.drains:
            return 0
        x.client_gone = True
        fgw_count(self.counters, FGW_COUNT_CLIENT_ABORTS, 1)
        self.batch.forget()
        if x.metered and x.meter.ever & FGW_EVENT_DONE and not (
            x.unsent or x.client.bytes_queued
        ):
            fate = FGW_FATE_DELIVERED  # it had read the last event: FIN after it is no abort
        elif x.effects.drain != NULL and self._begin_drain(x):
            return 0
        elif x.code == 0:
            x.code = CODE_CLIENT_GONE
        self._drop_connection(x)
        if fate != FGW_FATE_DELIVERED:
            self._count_prompt(x)  # its body goes now
        x.client.leave(x)
        return self._settle(x, fate)

    cdef bint _begin_drain(self, Exchange x) except -1:
        """Reads the answer on, if it tells anything and the bound lets it."""
        cdef const fgw_drain *drain = x.effects.drain
        cdef Connection connection = <Connection>x.connection
        cdef Relay relay = <Relay>x.relay
        cdef uint64_t read = 0
        if not x.asked or not x.generates or connection is None:
            return False
        if x.first_byte_ns and not (x.metered and relay.readable()):
            return False
        if not x.route.flags & FGW_ROUTE_METERED:
            return False
        if not fgw_drain_begin(self.workers, self.n_workers, self.slot, drain):
            fgw_count(self.counters, FGW_COUNT_DRAIN_FULL, 1)
            if x.code == 0:
                x.code = CODE_DRAIN_FULL
            return False
        x.drains = True
        self._stream(x, False)
        fgw_count(self.counters, FGW_COUNT_DRAINS, 1)
        fgw_count(self.counters, FGW_GAUGE_DRAINS, 1)
        x.drain_until_ns = self.look() + drain.max_ns
        if x.first_byte_ns:
            read = self._tokens_read(x)
            relay.detach()
        x.drain_edge = read + drain.max_tokens
        x.drain_bytes = max(
            <uint64_t>PLAIN_MIN, min(drain.max_tokens, TOKENS_MAX) * PLAIN_PER_TOKEN
        )
        self.disarm(x.client)
        x.client.leave(x)
        connection.resume_read()
        self.on_wait(x, connection, self.now_ns)  # one bound more to its deadline
        return True

    cdef uint64_t _tokens_read(self, Exchange x) noexcept:
        """Output tokens so far, roughly."""
        cdef uint64_t told = fgw_meter_told_output(&x.meter)
        cdef uint64_t seen = x.output_delivered
        if x.edge_output == UINT64_MAX:
            seen = max(x.meter.text_events, x.meter.output_bytes // BYTES_PER_TOKEN)
        return max(told, seen)

    cdef int _drain_answer(self, Exchange x, Relay relay) except -1:
        """The head of an answer whose client has gone already."""
        if not relay.readable():
            return self._end_drain(x, CODE_CLIENT_GONE)  # it will not tell what it costs
        relay.detach()
        return self.on_wait(x, <Connection>x.connection, self.now_ns)

    cdef int _read_on(self, Exchange x) except -1:
        """More of it was read."""
        cdef Relay relay = <Relay>x.relay
        if not x.metered:
            return 0  # its head has not come yet
        relay.progress(x)
        if not relay.readable():
            return self._end_drain(x, CODE_CLIENT_GONE)
        if self._tokens_read(x) > x.drain_edge or x.drain_bytes == 0:
            return self._end_drain(x, CODE_DRAIN_TOKENS)
        return 0

    cdef int _drain_bytes(self, Exchange x, size_t length) except -1:
        """A whole answer tells its tokens at its end: bytes bound what of it is read."""
        if x.metered and not x.meter.streaming:
            x.drain_bytes -= length if length < x.drain_bytes else x.drain_bytes
        return 0

    cdef int _drained(self, Exchange x, Relay relay) except -1:
        """The provider has said all that it had to say."""
        cdef Connection connection = <Connection>x.connection
        relay.finish(x)
        if relay.cut:
            return self.on_cut(x)
        relay.progress(x)
        self.disarm(connection)
        x.connection = None
        connection.release()
        x.whole = True
        return self._end_drain(x, CODE_DRAINED)
