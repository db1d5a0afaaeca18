"""A client's connection: cuts the bytes into requests and hands each, whole, to the journey.

An idle connection holds no buffer. While an answer is pending the client is still read (else its
FIN would go unseen), into a bounded buffer: pipelined requests wait there in order.

          bytes ┌ head ─────┬ body ──────────┬ pipelined ──┐
                0         body_at          taken          used
"""

cimport cython
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

from fastgw.codes cimport (
    CODE_BODY_MALFORMED,
    CODE_BODY_TIMEOUT,
    CODE_BODY_TOO_LARGE,
    CODE_CLIENT_STALLED,
    CODE_CONNECTIONS_FULL,
    CODE_HEAD_TIMEOUT,
)
from fastgw.native.chunk cimport FGW_CHUNK_DATA, FGW_CHUNK_END, fgw_chunk_begin, fgw_chunk_next
from fastgw.native.counters cimport (
    FGW_COUNT_BYTES_FROM_CLIENT,
    FGW_COUNT_CONNECTIONS,
    FGW_COUNT_CONNECTIONS_REFUSED,
    fgw_count,
)
from fastgw.native.http1 cimport (
    FGW_FRAMING_CHUNKED,
    FGW_FRAMING_LENGTH,
    FGW_FRAMING_NONE,
    fgw_http1_begin,
    fgw_http1_request,
    fgw_span,
)
from fastgw.wire.link cimport BLOCK_BYTES

import ipaddress

cdef enum:
    PIPELINED_MAX = 65536          # bytes that may wait behind an unfinished exchange
    LINGER_BYTES = 1 << 20         # law 9
    SECOND = 1000000000

cdef uint64_t HEAD_NS = 60 * <uint64_t>SECOND       # nginx: client_header_timeout
cdef uint64_t IDLE_NS = 75 * <uint64_t>SECOND       # nginx: keepalive_timeout
cdef uint64_t BODY_NS = 60 * <uint64_t>SECOND       # between two reads
cdef uint64_t STALL_NS = 60 * <uint64_t>SECOND      # a client that takes nothing
cdef uint64_t LINGER_NS = 2 * <uint64_t>SECOND
cdef const char *CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def set_deadlines(double head_s=60, double idle_s=75, double body_s=60, double stall_s=60):
    """For this process and those forked from it: tests do not wait a minute."""
    global HEAD_NS, IDLE_NS, BODY_NS, STALL_NS
    HEAD_NS, IDLE_NS = <uint64_t>(head_s * SECOND), <uint64_t>(idle_s * SECOND)
    BODY_NS, STALL_NS = <uint64_t>(body_s * SECOND), <uint64_t>(stall_s * SECOND)


@cython.final
cdef class Downstream(Client):
    def __init__(self, Receiver journey, object listener):
        self.journey = journey
        self.listener = listener
        self.scratch = journey.scratch

    def __dealloc__(self):
        free(self.bytes)
        if self.journey is not None:
            self.journey.disarm(self)  # the wheel holds no reference: nothing may stay in it

    cdef int on_open(self) except -1:
        peer = self.listener.peer(self.transport)
        if peer:
            address = ipaddress.ip_address(peer.partition("%")[0])
            self.address_text = str(address).encode()
            packed = address.packed
            if len(packed) == 4:
                packed = b"\0" * 10 + b"\xff\xff" + packed
            memcpy(self.address, <const uint8_t *>(<bytes>packed), 16)
        else:
            self.address_text = b""
        fgw_count(self.journey.counters, FGW_COUNT_CONNECTIONS, 1)
        self.crowded = not self.listener.opened(self)
        if self.crowded:
            fgw_count(self.journey.counters, FGW_COUNT_CONNECTIONS_REFUSED, 1)
        self.journey.arm(self, self.journey.now_ns + HEAD_NS)
        return 0

    cdef int on_bytes(self, uint8_t *bytes, size_t length) except -1:
        fgw_count(self.journey.counters, FGW_COUNT_BYTES_FROM_CLIENT, length)
        if self.state == LINGER:
            self.lingered += length
            if self.lingered > LINGER_BYTES:
                self.abort()
            return 0
        if self.state == CLOSED:
            return 0
        if bytes != self.bytes + self.used:
            self._need(self.used + length)
            memcpy(self.bytes + self.used, bytes, length)
        self.used += length
        if self.state == IN_JOURNEY:
            self.read_at = NULL
            if self.used - self.taken > PIPELINED_MAX:
                # More than a bounded queue may hold: the answer goes out, the rest is refused.
                self.close_after = True
                self.dropped = True
                self.used = self.taken
            return 0
        return self._advance()

    cdef int _need(self, size_t room) except -1:
        """Make the buffer hold ``room`` bytes."""
        cdef uint8_t *grown
        if room <= self.room:
            return 0
        if room < BLOCK_BYTES:
            room = BLOCK_BYTES
        elif room < 2 * self.room and self.state != READ_BODY:
            room = 2 * self.room
        if self.bytes == NULL and room == BLOCK_BYTES:
            grown = self.scratch.take_block()
        else:
            grown = <uint8_t *>realloc(self.bytes, room)
        if grown == NULL:
            raise MemoryError()
        self.bytes = grown
        self.room = room
        if self.exchange is not None:
            self.exchange.bytes = grown
        return 0

    cdef int _drop_buffer(self) except -1:
        if self.room == BLOCK_BYTES:
            self.scratch.give_block(self.bytes)
        else:
            free(self.bytes)
        self.bytes = NULL
        self.room = 0
        self.read_at = NULL
        return 0

    cdef int _advance(self) except -1:
        """Take as many steps as the bytes allow. Never entered twice: a pipeline is a loop."""
        cdef int more = 1
        if self.advancing:
            return 0
        self.advancing = True
        try:
            while more and self.is_open:
                if self.state == READ_HEAD:
                    more = self._head()
                elif self.state == READ_BODY:
                    more = self._body()
                else:
                    more = 0
        finally:
            self.advancing = False
        return 0

    cdef int _head(self) except -1:
        cdef Exchange x = self.exchange
        cdef int whole
        cdef uint64_t now
        if self.used == 0:
            if x is not None:
                self.exchange = None
                self.journey.give_back(x)
            self._drop_buffer()
            return 0
        if x is None:
            now = self.journey.look()
            x = self.journey.take_exchange(self, now)
            self.exchange = x
            fgw_http1_begin(&x.head)
            self.phase_ns = 0
        x.bytes = self.bytes
        whole = fgw_http1_request(
            &x.head, self.bytes, <unsigned int>self.used, &self.journey.head_limits,
            &self.journey.lines,
        )
        if whole == -2:
            if self.ended:
                self.close()
                return 0
            if self.phase_ns == 0:
                # Slow heads: one deadline for the whole of it, not one a read.
                self.phase_ns = x.began_ns
                self.journey.arm(self, x.began_ns + HEAD_NS)
            self.read_at = NULL
            return 0
        self.close_after = False
        self.whole = False
        self.taken = 0
        if whole < 0:
            self.state = IN_JOURNEY
            self.close_after = True
            self.journey.refuse_head(x)
            return 1
        x.body_at = <size_t>whole
        self.taken = x.body_at
        if not x.head.keep_alive:
            self.close_after = True
        self.state = IN_JOURNEY  # where a refusal finds it
        if self.crowded:
            return self._refuse(CODE_CONNECTIONS_FULL)
        if self.journey.arrive(x):
            return 1
        return self._begin_body()

    cdef int _begin_body(self) except -1:
        cdef Exchange x = self.exchange
        cdef uint64_t length
        self.state = READ_BODY
        if x.head.framing == FGW_FRAMING_LENGTH:
            length = <uint64_t>x.head.content_length
            if length > self.journey.body_max:
                return self._refuse(CODE_BODY_TOO_LARGE)
            self.body_need = x.body_at + <size_t>length
            self._need(self.body_need)
        elif x.head.framing == FGW_FRAMING_CHUNKED:
            fgw_chunk_begin(&self.chunk)
            self.raw_at = x.body_at
        else:
            self.body_need = x.body_at
        if x.head.expect_continue and self.used == x.body_at and x.head.framing:
            self.send_bytes(<const uint8_t *>CONTINUE, 25)
        return 1

    cdef int _refuse(self, int code) except -1:
        self.state = IN_JOURNEY
        self.close_after = True
        self.taken = self.used
        self.journey.refuse(self.exchange, code)
        return 1

    cdef int _body(self) except -1:
        cdef Exchange x = self.exchange
        if x.head.framing == FGW_FRAMING_CHUNKED:
            if not self._chunked_body():
                return self.state == IN_JOURNEY
        elif self.used < self.body_need:
            # The rest comes straight to its place.
            self.read_at = self.bytes + self.used
            self.read_room = self.body_need - self.used
            self.journey.arm(self, self.journey.now_ns + BODY_NS)
            return 0
        else:
            self.taken = self.body_need
            x.body_length = self.body_need - x.body_at
        self.read_at = NULL
        self.whole = True
        self.journey.disarm(self)
        self.state = IN_JOURNEY
        self.journey.decide(x)
        return 1

    cdef int _chunked_body(self) except -1:
        """Decode in place: the body becomes one piece behind the head. Returns 1 when whole."""
        cdef Exchange x = self.exchange
        cdef fgw_span span
        cdef unsigned int at
        cdef int code
        while True:
            at = 0
            code = fgw_chunk_next(
                &self.chunk, self.bytes + self.raw_at,
                <unsigned int>(self.used - self.raw_at), &at, &span,
            )
            if code != FGW_CHUNK_DATA:
                break
            if x.body_length + span.len > self.journey.body_max:
                return self._refuse(CODE_BODY_TOO_LARGE) - 1
            memmove(
                self.bytes + x.body_at + x.body_length, self.bytes + self.raw_at + span.off,
                span.len,
            )
            x.body_length += span.len
            self.raw_at += at
        if code == -1:
            return self._refuse(CODE_BODY_MALFORMED) - 1
        self.raw_at += at
        if code == FGW_CHUNK_END:
            self.taken = self.raw_at
            return 1
        # All consumed: what comes next may overwrite the decoded framing.
        self.used = x.body_at + x.body_length
        self.raw_at = self.used
        self.read_at = NULL
        self.journey.arm(self, self.journey.now_ns + BODY_NS)
        return 0

    cdef int will_refuse(self, Exchange x) except -1:
        """Before a refusal is written: can the connection go on behind it? Sets close_after."""
        if self.journey.draining or not x.head.keep_alive:
            self.close_after = True
        if not self.whole and not self.close_after:
            if x.head.framing == FGW_FRAMING_NONE:
                self.taken = x.body_at
            elif x.head.framing == FGW_FRAMING_LENGTH and (
                self.used - x.body_at >= <uint64_t>x.head.content_length
            ):
                self.taken = x.body_at + <size_t>x.head.content_length
            else:
                self.close_after = True
        return 0

    cdef int leave(self, Exchange x) except -1:
        cdef size_t kept = max(x.body_at, <size_t>BLOCK_BYTES)
        cdef uint8_t *shrunk
        if self.blocked:
            self.abort()  # a close would wait for a reader that is not there
        else:
            self.close()
        if x.asked and self.room > kept:
            # What is left of it serves the records; its body has gone to the provider.
            shrunk = <uint8_t *>realloc(self.bytes, kept)
            if shrunk != NULL:
                self.bytes = x.bytes = shrunk
                self.room = kept
                self.used = self.taken = x.body_at
            x.screened = None
        return 0

    cdef int refused(self, Exchange x) except -1:
        """A refusal was sent, perhaps before the body was read (law 9)."""
        if self.close_after and self.is_open:
            self.exchange = None
            self.journey.give_back(x)
            return self.linger()
        return self.finished(x, x.head.keep_alive)

    cdef int finished(self, Exchange x, bint keep_alive) except -1:
        """The journey is done with ``x`` (settled, recorded): on to the next request, or close."""
        cdef size_t rest = self.used - self.taken
        self.exchange = None
        self.journey.give_back(x)
        if not self.is_open:
            self._drop_buffer()
            self.state = CLOSED
            return 0
        if not keep_alive or self.close_after or self.journey.draining:
            if (rest or self.dropped) and not self.blocked:
                return self.linger()  # bytes unread in the kernel would turn the close into a RST
            self._drop_buffer()
            self.used = 0
            self.state = CLOSED
            self.close()
            if self.blocked:
                self.journey.arm(self, self.journey.now_ns + STALL_NS)
            return 0
        if self.ended and rest == 0:
            self._drop_buffer()
            self.state = CLOSED
            return self.close()
        if rest:
            memmove(self.bytes, self.bytes + self.taken, rest)
        self.used = rest
        self.taken = 0
        self.state = READ_HEAD
        if rest == 0:
            self._drop_buffer()
            self.journey.arm(self, self.journey.now_ns + IDLE_NS)
            return 0
        return self._advance()

    cdef int linger(self) except -1:
        """Answered without having read everything: FIN now, drop what comes, close after 2 s."""
        self._drop_buffer()
        self.used = 0
        self.state = LINGER
        self.shut_write()
        if self.is_open:
            self.journey.arm(self, self.journey.now_ns + LINGER_NS)
        return 0

    cdef int on_writable(self) except -1:
        if self.exchange is not None:
            self.journey.disarm(self)
            self.journey.client_writable(self.exchange)
        return 0

    cdef int on_blocked(self) except -1:
        if self.exchange is not None and self.state == IN_JOURNEY:
            self.stalled_at = <size_t>-1
            self.journey.arm(self, self.journey.now_ns + STALL_NS)
            self.journey.client_blocked(self.exchange)
        return 0

    cdef int on_eof(self) except -1:
        if self.state == IN_JOURNEY and self.exchange is not None:
            # Law 10: FIN after a whole request = the client has gone (as nginx and Envoy).
            if self.journey.half_close:
                self.ended = True
            else:
                self.journey.client_gone(self.exchange)
            return 0
        return self.close()

    cdef int on_closed(self, object why) except -1:
        cdef Exchange x = self.exchange
        self.journey.disarm(self)
        self.listener.closed(self)
        if x is not None:
            if x.live:
                self.journey.client_gone(x)  # also inside its body: it has been counted
            else:
                self.exchange = None
                self.journey.give_back(x)
        self.state = CLOSED
        if self.exchange is None:
            self._drop_buffer()
        return 0

    cdef int on_timer(self, uint64_t now_ns) except -1:
        cdef size_t waits
        if self.state == READ_HEAD:
            if self.exchange is None:
                return self._stop()  # idle: nobody waits for an answer
            return self._refuse(CODE_HEAD_TIMEOUT)
        if self.state == READ_BODY:
            return self._refuse(CODE_BODY_TIMEOUT)
        if self.state == IN_JOURNEY and self.blocked:
            waits = self.untaken()
            if waits < self.stalled_at:
                # Slow, but it reads: what ends a client is a whole deadline without a byte taken.
                self.stalled_at = waits
                return self.journey.arm(self, now_ns + STALL_NS)
            if self.exchange is not None:
                self.exchange.code = CODE_CLIENT_STALLED
                self.journey.client_gone(self.exchange)
            return self.abort()
        if self.state == LINGER or self.state == CLOSED:
            return self._stop()
        return 0

    cdef int _stop(self) except -1:
        """Close; at once where the client does not take what waits for it."""
        if self.blocked or self.state == CLOSED:
            return self.abort()
        return self.close()

    def close_if_idle(self):
        """While draining: nothing has been asked on it."""
        if self.exchange is None and self.state == READ_HEAD and self.used == 0:
            self.close()

    def close_now(self):
        self.abort()

    cdef int on_failure(self, object exception) except -1:
        cdef Exchange x = self.exchange
        if x is not None and self.state == IN_JOURNEY:
            return self.journey.failed(x, exception)
        self.journey.report(exception)
        return self.abort()
