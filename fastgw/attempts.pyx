"""Phases UPSTREAM and STREAM: an admitted request's attempts and answers.

``fastgw.journey`` comes first: it decides. Here the decision is carried out, attempt by attempt,
and whatever happens on either side ends in ``fastgw.ending``.
"""

from libc.stdint cimport UINT64_MAX, int64_t, uint16_t, uint64_t, uint8_t
from libc.string cimport memset

from fastgw.codes cimport (
    CODE_ANSWER_DETECTED,
    CODE_CUT_BY_CAP,
    CODE_CUT_BY_DETECT,
    CODE_DRAIN_SECONDS,
    CODE_INTERNAL,
    CODE_LEDGER_FULL,
    CODE_UPSTREAM_CUT,
    CODE_UPSTREAM_FAILED,
    CODE_UPSTREAM_MALFORMED,
    CODE_UPSTREAM_TIMEOUT_CONNECT,
    CODE_UPSTREAM_TIMEOUT_FIRST_BYTE,
    CODE_UPSTREAM_TIMEOUT_IDLE,
    CODE_UPSTREAM_TIMEOUT_TOTAL,
)
from fastgw.detect.detector cimport Asked, ON_EVENT, ON_RESPONSE
from fastgw.exchange cimport Exchange, STREAM, UPSTREAM
from fastgw.leaving cimport Leaving
from fastgw.ledger.entries cimport post_held, post_open
from fastgw.ledger.journal cimport JOURNAL_DROPPED, JOURNAL_FULL
from fastgw.native.bpe cimport fgw_bpe_vocabulary
from fastgw.native.counters cimport (
    FGW_COUNT_ATTEMPTS,
    FGW_COUNT_PAUSES_UPSTREAM,
    FGW_COUNT_RETRIES,
    FGW_COUNT_TIMEOUTS,
    FGW_COUNT_UPSTREAM_ABORTS,
    FGW_COUNT_UPSTREAM_CONNECTS,
    FGW_COUNT_UPSTREAM_CONNECT_FAILURES,
    FGW_COUNT_UPSTREAM_REUSED,
    FGW_GAUGE_UPSTREAM_IDLE,
    FGW_HISTOGRAM_FIRST_BYTE,
    fgw_count,
    fgw_count_time,
)
from fastgw.native.dialect cimport FGW_ASK_STREAM, FGW_ROUTE_METERED
from fastgw.native.dialect_meter cimport (
    FGW_EVENT_DONE,
    FGW_EVENT_ERROR,
    FGW_EVENT_FINISH,
    FGW_STREAM_NONE,
    fgw_meter_end,
    fgw_meter_init,
    fgw_meter_keep,
    fgw_meter_quote,
    fgw_meter_track,
)
from fastgw.native.hold cimport (
    fgw_hold_closed,
    fgw_hold_first_byte,
    fgw_hold_opening,
    fgw_hold_sent,
)
from fastgw.native.http1 cimport FGW_FRAMING_CHUNKED, FGW_FRAMING_LENGTH, FGW_FRAMING_NONE
from fastgw.native.policy cimport fgw_amounts
from fastgw.native.price cimport fgw_price_ceiling, fgw_price_micro
from fastgw.native.record cimport (
    FGW_FATE_CUT_BY_CAP,
    FGW_FATE_DELIVERED,
    FGW_FATE_FAILED_IN_STREAM,
    FGW_FATE_RETRIED_AWAY,
    FGW_NAME_MODEL,
    FGW_UNIT_COST,
    FGW_UNIT_INPUT_TOKENS,
    FGW_UNIT_OUTPUT_TOKENS,
    FGW_UNIT_TOKENS,
    FGW_UNITS,
    fgw_record_close,
)
from fastgw.stream.answer cimport write_answer_head
from fastgw.stream.batch cimport BATCH_HEAD_BYTES
from fastgw.stream.withheld cimport Withheld, is_text, withhold
from fastgw.stream.media cimport CODING_BR, by_event, coding_of, stream_kind
from fastgw.stream.relay cimport (
    FRAMING_CHUNKED,
    FRAMING_CLOSE,
    FRAMING_LENGTH,
    FRAMING_NONE,
    Framing,
    Relay,
)
from fastgw.upstream.provider cimport Provider, ProviderKey
from fastgw.upstream.request cimport (
    PIECES_MAX,
    plan_edits,
    rename_requests,
    write_request,
)
from fastgw.wire.link cimport Link, SENT_CLOSED, SENT_QUEUED, iovec
from fastgw.native.http1 cimport fgw_head
from fastgw.upstream.bounds cimport model_of, price_of
from fastgw.upstream.connection cimport Connection
from fastgw.upstream.route cimport Candidate, Route
from fastgw.usage.account cimport add_earlier

from fastgw.errors import UpstreamError

cdef enum:
    SLICE = 1024             # output tokens drawn at a time

cdef inline uint64_t earlier(uint64_t one, uint64_t other) noexcept:
    return one if one < other else other


cdef inline Framing framing_of(Exchange x, const fgw_head *head, bint resized) noexcept:
    """How the client is told where the body ends. ``resized``: not where the provider says."""
    if head.framing == FGW_FRAMING_NONE:
        return FRAMING_LENGTH if head.content_length == 0 else FRAMING_NONE
    if head.framing == FGW_FRAMING_LENGTH and not resized:
        return FRAMING_LENGTH
    return FRAMING_CHUNKED if x.head.minor == 1 else FRAMING_CLOSE


cdef inline int fault_of(Exchange x) noexcept:
    """What is wrong with an answer that began well and came to its end; 0: nothing. Text without
    the end that every dialect gives it is a provider that died between two events."""
    if not x.metered or x.upstream_status >= 300:
        return 0
    if x.meter.ever & FGW_EVENT_ERROR:
        return CODE_UPSTREAM_FAILED
    if (x.meter.streaming and x.meter.output_bytes
            and not x.meter.ever & (FGW_EVENT_FINISH | FGW_EVENT_DONE)):
        return CODE_UPSTREAM_CUT
    return 0


cdef class Attempts(Leaving):
    """What the journey does once a request is admitted."""

    # ------------------------------------------------------------------ UPSTREAM
    cdef int _attempt(self, Exchange x) except -1:
        """Open an attempt at x.candidate: its record first, then a connection."""
        cdef Candidate candidate = <Candidate>x.candidate
        cdef Provider provider = candidate.provider
        cdef ProviderKey key = provider.choose_key()
        cdef int opened
        x.phase = UPSTREAM
        x.attempt += 1
        x.provider_key = key
        x.asked = False
        x.sent_bytes = 0
        x.upstream_status = 0
        x.first_byte_ns = 0
        x.metered = False
        x.price = price_of(x, candidate)
        x.provider_line = provider.answer_line
        x.model_line = candidate.answer_line
        rename_requests(x)
        plan_edits(x)
        x.attempt_wall_ns = self.now_ns + self.wall_offset_ns
        x.hold.dims = x.dims
        x.hold.provider_key = key.name_hash if key is not None else 0
        x.hold.input_high = x.input_bound
        x.hold.output_high = x.output_bound
        x.hold.input_estimate = x.input_estimate
        # The hold knows of the OPEN before it is posted: a death in between closes it too.
        fgw_hold_opening(
            x.hold, <uint8_t>x.attempt, x.attempt_wall_ns, self.journal.main._ring.head
        )
        opened = post_open(x, self.journal, x.hold.provider_key, x.room)
        if opened == JOURNAL_FULL:
            fgw_hold_closed(x.hold)
            x.attempt -= 1
            return self._give_up(x, CODE_LEDGER_FULL)
        x.room = opened
        x.attempt_open = True
        fgw_count(self.counters, FGW_COUNT_ATTEMPTS, 1)
        return self._reach(x, provider)

    cdef int _turn_to(self, Exchange x, Candidate candidate) except -1:
        """Who is asked next, for the records: a request counts where it is asked first."""
        cdef const uint8_t *name
        cdef size_t length
        x.candidate = candidate
        x.dims.provider = candidate.provider.name_hash
        x.dims.upstream_model = x.dims.model
        if candidate.model:
            x.dims.upstream_model = candidate.model_hash
        elif x.split_model or x.ask.model_bytes == 0:
            name = model_of(x, candidate, &length)
            if length:
                x.dims.upstream_model = self.journal.name(FGW_NAME_MODEL, name, length)
        return 0

    cdef int _reach(self, Exchange x, Provider provider) except -1:
        """An idle connection of this provider, else a new one."""
        cdef Connection connection
        while provider.idle is not None and not x.fresh:
            connection = <Connection>provider.idle
            provider.idle = connection.idle_next
            connection.idle_next = None
            fgw_count(self.counters, FGW_GAUGE_UPSTREAM_IDLE, <uint64_t>-1)
            if connection.is_open:
                fgw_count(self.counters, FGW_COUNT_UPSTREAM_REUSED, 1)
                x.connection = connection
                return self._send(x)
        fgw_count(self.counters, FGW_COUNT_UPSTREAM_CONNECTS, 1)
        connection = Connection(provider, self, x, self.scratch)
        x.connection = connection
        connection.connect(self.loop)
        return self.arm(connection, earlier(
            self.now_ns + provider.connect_ns, x.began_ns + provider.total_ns
        ))

    cdef int _send(self, Exchange x) except -1:
        """Write the request anew and send it on x.connection."""
        cdef Connection connection = <Connection>x.connection
        cdef iovec pieces[PIECES_MAX]
        cdef uint64_t body = 0
        cdef int count = write_request(x, self.batch.head, BATCH_HEAD_BYTES, pieces, &body)
        if count < 0:
            self._drop_connection(x)
            return self._give_up(x, CODE_INTERNAL)
        x.asked = True
        x.sent_bytes = body
        fgw_hold_sent(x.hold, body)
        x.sent_ns = x.decided_ns
        if connection.begin(x, pieces, count) == SENT_CLOSED:
            if not connection.reused:
                connection.last_words()
            if x.connection is not connection:
                return 0  # it had answered
            connection.exchange = None  # what it may still report is nobody's
            return self.on_lost(x, CODE_UPSTREAM_CUT, None)
        return self.arm(connection, earlier(
            connection.activity_ns + connection.provider.first_byte_ns,
            x.began_ns + connection.provider.total_ns,
        ))

    cdef int on_connected(self, Exchange x) except -1:
        return self._send(x)

    cdef int on_connect_failed(self, Exchange x, int code, object why) except -1:
        fgw_count(self.counters, FGW_COUNT_UPSTREAM_CONNECT_FAILURES, 1)
        self._drop_connection(x)
        return self._again(x, code, (<Candidate>x.candidate).provider.retry_connect)

    cdef int on_lost(self, Exchange x, int code, object why) except -1:
        """The connection broke, or what came on it was no HTTP."""
        cdef Connection connection = <Connection>x.connection
        cdef bint stale = connection is not None and connection.reused and not connection.answered
        x.connection = None
        if connection is not None:
            self.disarm(connection)
        if not stale:
            fgw_count(self.counters, FGW_COUNT_UPSTREAM_ABORTS, 1)
        if x.drains:
            return self._end_drain(x, code)
        if x.head_sent:
            return self._break(x, code)
        if stale:
            # Closed while idle, just as we took it: nobody has failed, so neither the number of
            # retries nor their budget has a say. A new connection cannot be stale.
            x.fresh = True
            return self._retry(x, <Candidate>x.candidate, code)
        return self._again(x, code, False)

    cdef int _again(self, Exchange x, int code, bint same) except -1:
        """Before the first byte to the client: another attempt, or the end.

        ``same``: the candidate itself may be asked again, for it was never reached.
        """
        cdef Candidate candidate = self._next(x, same)
        if candidate is None:
            return self._give_up(x, code)
        return self._retry(x, candidate, code)

    cdef Candidate _next(self, Exchange x, bint same):
        """The candidate for a further attempt, or None. ``same``: the failed one if no other."""
        cdef Candidate failed = <Candidate>x.candidate
        cdef Candidate candidate
        if x.attempt > failed.provider.retries_max or x.client_gone:
            return None
        candidate = (<Route>x.path).choose(x.route.dialect, &x.passed)
        if candidate is None and same:
            candidate = failed
        if candidate is not None and candidate.provider is failed.provider:
            # The budget keeps retries from adding to a provider's trouble; others have none.
            if self.retry_credit < 1:
                return None
            self.retry_credit -= 1
        return candidate

    cdef int _retry(self, Exchange x, Candidate candidate, int code) except -1:
        cdef fgw_record_close close
        fgw_count(self.counters, FGW_COUNT_RETRIES, 1)
        x.code = <uint16_t>code
        x.status = x.upstream_status
        self._close_attempt(x, FGW_FATE_RETRIED_AWAY, False, &close)
        add_earlier(x, &close)
        x.code = x.status = 0
        x.room = JOURNAL_DROPPED
        self._turn_to(x, candidate)
        return self._attempt(x)

    cdef int _give_up(self, Exchange x, int code) except -1:
        """No byte went to the client, and none will come from a provider."""
        return self.refuse(x, code)

    # ------------------------------------------------------------------ STREAM
    cdef int on_head(self, Exchange x, fgw_head *head, const uint8_t *bytes) except -1:
        cdef Connection connection = <Connection>x.connection
        cdef Provider provider = connection.provider
        cdef Relay relay = <Relay>x.relay
        cdef Framing framing
        cdef bint events, hide, capped = False
        cdef Asked asked
        cdef int coding, kind
        asked.look = 0
        x.upstream_status = head.status
        x.first_byte_ns = connection.activity_ns
        fgw_hold_first_byte(x.hold, x.first_byte_ns)
        fgw_count_time(self.counters, FGW_HISTOGRAM_FIRST_BYTE, x.first_byte_ns - x.decided_ns)
        if head.status >= 400 and self._tries_another(x, head.status):
            return 0
        self.arm(connection, earlier(
            connection.activity_ns + provider.idle_ns, x.began_ns + provider.total_ns
        ))
        if self._look_at_answer(x, head, bytes):
            return 0
        kind = stream_kind(&x.route, head, bytes, x.ask.flags & FGW_ASK_STREAM)
        events = kind != FGW_STREAM_NONE
        coding = coding_of(head, bytes)
        hide = x.edits.hide_usage and events and head.status < 300
        x.metered = x.route.flags & FGW_ROUTE_METERED and head.status < 300
        if x.metered and events:
            x.edge_output = self.limits.edge(
                x.hold, x.ceiling.by_unit[<int>FGW_UNIT_INPUT_TOKENS], x.output_bound
            )
            capped = x.edge_output != UINT64_MAX
        if x.effects.detects and not x.drains and head.framing != FGW_FRAMING_NONE and (
            events or is_text(head, bytes)
        ):
            asked = self.detector.asked(x, ON_EVENT if by_event(kind) else ON_RESPONSE)
        if (capped or asked.look) and coding >= CODING_BR and not x.drains:
            # What cannot be read cannot be kept below a cap, nor looked at.
            self._drop_connection(x)
            return self._give_up(x, CODE_UPSTREAM_MALFORMED)
        framing = framing_of(x, head, hide or capped or (by_event(kind) and asked.look != 0))
        x.client.close_after = x.client.close_after or framing == FRAMING_CLOSE
        if x.metered:
            fgw_meter_init(&x.meter, x.route.dialect, x.route.operation, kind)
            x.meter.names = &self.members
            x.meter.hide_usage = hide
            fgw_meter_keep(&x.meter, &relay.sample)
            fgw_meter_quote(&x.meter, &relay.quotes)
            if capped:
                self._track(x, relay)
        relay.begin(
            x, framing, head.framing == FGW_FRAMING_CHUNKED, x.metered, hide, capped, coding
        )
        if x.drains:
            return self._drain_answer(x, relay)
        self._stream(x, events)
        if asked.look and self._look(x, relay, asked, head, bytes, coding, kind):
            return 0  # the head goes with the body, once that is whole
        if not self._push_head(x, head, bytes, framing, relay.inflating):
            self._drop_connection(x)
            return self._give_up(x, CODE_UPSTREAM_MALFORMED)
        return 0

    cdef bint _tries_another(self, Exchange x, int status) except -1:
        """An answer that its provider's `retries` name, and there is who else to ask."""
        cdef Candidate candidate
        if status not in (<Connection>x.connection).provider.retry_statuses:
            return False
        candidate = self._next(x, False)
        if candidate is None:
            return False
        self._drop_connection(x)
        self._retry(x, candidate, 0)
        return True

    cdef bint _push_head(self, Exchange x, const fgw_head *head, const uint8_t *bytes,
                         Framing framing, bint inflated) except -1:
        """The head goes to the client with what follows. False: it is too large."""
        cdef Py_ssize_t length
        x.client.close_after = x.client.close_after or self.draining
        length = write_answer_head(
            x, self.texts, head, bytes, self.batch.head, BATCH_HEAD_BYTES, framing,
            x.client.close_after, inflated,
        )
        if length < 0:
            return False
        self.batch.push(self.batch.head, <size_t>length)
        x.head_sent = True
        return True

    cdef int _look(self, Exchange x, Relay relay, Asked asked, const fgw_head *head,
                   const uint8_t *bytes, int coding, int kind) except -1:
        """The answer is looked at: event by event, and then it may have to be ended; or as a
        whole, kept back until then (1)."""
        if not by_event(kind):
            relay.withheld = withhold(head, bytes, coding)
            return 1
        if not x.metered:  # the meter also knows where events end
            fgw_meter_init(&x.meter, x.route.dialect, x.route.operation, kind)
        if asked.deny and not x.meter.tracked:
            fgw_meter_track(&x.meter)
        return relay.look(self.detector.job, asked.look, asked.redact, asked.deny, coding)

    cdef int _pass_withheld(self, Exchange x) except -1:
        """An answer that was kept back is whole. Returns 1 where it is denied. Explains 403."""
        cdef Relay relay = <Relay>x.relay
        cdef Withheld withheld = relay.withheld
        cdef Connection connection = <Connection>x.connection
        cdef bytes body = withheld.take()
        relay.withheld = None
        if x.metered:
            fgw_meter_end(&x.meter)
        body = self.detector.answer(x, body)
        self._record_findings(x, ON_RESPONSE, &self.detector.report)
        if body is None:
            self.disarm(connection)
            x.connection = None
            connection.release()
            self.refuse(x, CODE_ANSWER_DETECTED)
            return 1
        withheld.head.content_length = <int64_t>len(body)
        relay.framing = FRAMING_LENGTH
        if not self._push_head(x, &withheld.head, withheld.source, FRAMING_LENGTH, withheld.coded):
            raise UpstreamError("an answer whose head is too large to be passed on")
        self.batch.keep.append(body)
        self.batch.push(body, <size_t>len(body))
        relay.sent_bytes = <uint64_t>len(body)
        relay.ended = True
        return 0

    cdef bint _look_at_answer(self, Exchange x, fgw_head *head, const uint8_t *bytes) except -1:
        """The rules of the response phase; True where one of them refused the answer."""
        cdef int code = 0
        x.phase = STREAM
        if x.drains:
            return False
        x.status = head.status
        if x.said is not None:
            code = self.sayings.before_answer(x, head, bytes)
        if code:
            self._drop_connection(x)
            self._give_up(x, code)
        return code != 0

    cdef int _track(self, Exchange x, Relay relay) except -1:
        """A stream that may have to be ended at its cap's edge."""
        cdef const fgw_bpe_vocabulary *vocabulary
        cdef bint known = False
        fgw_meter_track(&x.meter)
        vocabulary = self._vocabulary_of(x, &known)
        if vocabulary != NULL:
            relay.listen(x, vocabulary, known)
        return 0

    cdef int on_body(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        if x.drains:
            self._drain_bytes(x, length)
        return (<Relay>x.relay).body(x, bytes, length)

    cdef int on_edge(self, Exchange x, uint64_t count) except -1:
        """The provider goes on beyond what is held: more is drawn from the caps, or it ends."""
        cdef uint64_t needed = count - x.edge_output
        if needed < SLICE and self._draw(x, SLICE):
            return 1
        return self._draw(x, needed)

    cdef int _draw(self, Exchange x, uint64_t tokens) except -1:
        cdef fgw_amounts more
        cdef uint64_t edge = x.edge_output
        cdef int unit, room
        memset(&more, 0, sizeof(more))
        more.by_unit[<int>FGW_UNIT_OUTPUT_TOKENS] = tokens
        more.by_unit[<int>FGW_UNIT_TOKENS] = tokens
        more.by_unit[<int>FGW_UNIT_COST] = fgw_price_micro(
            fgw_price_ceiling(x.price, x.ask.tiers, x.input_bound, edge + tokens, 0, True)
            - fgw_price_ceiling(x.price, x.ask.tiers, x.input_bound, edge, 0, True)
        )
        room = self.journal.reserve_held()
        if room == JOURNAL_FULL:
            return 0
        if self.limits.draw(x.hold, &more, self.now_ns):
            self.journal.abandon_held(room)
            return 0
        for unit in range(<int>FGW_UNITS):
            x.ceiling.by_unit[unit] += more.by_unit[unit]
        x.output_bound += tokens
        x.hold.output_high += tokens
        x.hold.cost_held += more.by_unit[<int>FGW_UNIT_COST]
        x.edge_output = edge + tokens
        # Before any of it is passed on: a ledger that caps are rebuilt from knows of it.
        post_held(x, self.journal, room, self.now_ns + self.wall_offset_ns)
        return 1

    cdef int on_raw(self, Exchange x, const uint8_t *raw, size_t plain_to, bint ends) except -1:
        return (<Relay>x.relay).end_of_read(x, raw, plain_to, ends)

    cdef int on_flush(self, Exchange x) except -1:
        cdef int sent
        if x.drains:
            return self._read_on(x)
        if not x.head_sent:
            return 0
        sent = (<Relay>x.relay).flush(x)
        if sent == SENT_QUEUED:
            fgw_count(self.counters, FGW_COUNT_PAUSES_UPSTREAM, 1)
            (<Connection>x.connection).pause_read()
        elif sent == SENT_CLOSED:
            x.unsent = True
            self.client_gone(x)
        return 0

    cdef int on_end(self, Exchange x) except -1:
        """The provider's answer is whole."""
        cdef Relay relay = <Relay>x.relay
        cdef Connection connection = <Connection>x.connection
        cdef int sent
        if x.drains:
            return self._drained(x, relay)
        if relay.withheld is not None:
            if self._pass_withheld(x):
                return 0
        else:
            relay.finish(x)
            if relay.cut:
                return self.on_cut(x)
        sent = relay.flush(x)
        self.disarm(connection)
        x.connection = None
        connection.release()
        x.whole = True
        if sent == SENT_CLOSED:
            x.unsent = True
            return self.client_gone(x)
        x.answered = True
        if sent == SENT_QUEUED:
            return 0  # delivered is what the client's socket took: client_writable goes on
        return self._settle_whole(x)

    cdef int _settle_whole(self, Exchange x) except -1:
        """All that the provider had to say is out, be it that it failed."""
        cdef int fault = fault_of(x)
        if fault and not x.code:
            x.code = <uint16_t>fault
            return self._settle(x, FGW_FATE_FAILED_IN_STREAM)
        return self._settle(x, FGW_FATE_DELIVERED)

    # ------------------------------------------------------------------ the client's side of it
    cdef int client_blocked(self, Exchange x) except -1:
        if x.connection is not None and not x.drains:
            (<Connection>x.connection).pause_read()
        return 0

    cdef int client_writable(self, Exchange x) except -1:
        if x.answered:
            if x.code in (CODE_CUT_BY_CAP, CODE_CUT_BY_DETECT):
                return self._settle(x, FGW_FATE_CUT_BY_CAP)
            return self._settle_whole(x)
        if x.connection is not None:
            (<Connection>x.connection).resume_read()
        return 0

    cdef int on_wait(self, Exchange x, Link link, uint64_t now_ns) except -1:
        """The connection's time-out: find out which, and whether it is really over."""
        cdef Connection connection = <Connection>link
        cdef Provider provider = connection.provider
        cdef uint64_t deadline
        cdef int code
        if not connection.is_open:
            deadline, code = 0, CODE_UPSTREAM_TIMEOUT_CONNECT
        elif not connection.answered:
            deadline = connection.activity_ns + provider.first_byte_ns
            code = CODE_UPSTREAM_TIMEOUT_FIRST_BYTE
        else:
            deadline = connection.activity_ns + provider.idle_ns
            code = CODE_UPSTREAM_TIMEOUT_IDLE
            if not connection.reading:
                deadline = now_ns + provider.idle_ns  # it is we who do not read
        if x.began_ns + provider.total_ns < deadline:
            deadline = x.began_ns + provider.total_ns
            code = CODE_UPSTREAM_TIMEOUT_TOTAL
        if x.drains and x.drain_until_ns < deadline:
            deadline, code = x.drain_until_ns, CODE_DRAIN_SECONDS
        if deadline > now_ns:
            return self.arm(connection, deadline)
        if x.drains:
            return self._end_drain(x, code)
        fgw_count(self.counters, FGW_COUNT_TIMEOUTS, 1)
        if not connection.is_open:
            fgw_count(self.counters, FGW_COUNT_UPSTREAM_CONNECT_FAILURES, 1)
        self._drop_connection(x)
        if x.head_sent:
            return self._break(x, code)
        return self._again(x, code, False)
