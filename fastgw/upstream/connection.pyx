"""Phase UPSTREAM: one connection to a provider, from connect to the end of an answer.

The answer's framing is decided here and nowhere else; the receiver gets the decoded body as slices
of the read buffer, and beside them the raw bytes they came in, which a relay may pass on as they
are when they parsed strictly.
"""

import socket
import ssl

cimport cython
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from fastgw.codes cimport (
    CODE_UPSTREAM_CONNECT,
    CODE_UPSTREAM_CUT,
    CODE_UPSTREAM_MALFORMED,
    CODE_UPSTREAM_NAME,
    CODE_UPSTREAM_TLS,
)
from fastgw.errors import UpstreamError
from fastgw.native.chunk cimport (
    FGW_CHUNK_DATA,
    FGW_CHUNK_END,
    fgw_chunk_begin,
    fgw_chunk_mark,
    fgw_chunk_next,
)
from fastgw.native.counters cimport (
    FGW_COUNT_BYTES_FROM_UPSTREAM,
    FGW_GAUGE_UPSTREAM_CONNECTIONS,
    FGW_GAUGE_UPSTREAM_IDLE,
    FGW_HISTOGRAM_CONNECT,
    fgw_count,
    fgw_count_time,
)
from fastgw.native.http1 cimport (
    FGW_FRAMING_CHUNKED,
    FGW_FRAMING_LENGTH,
    FGW_FRAMING_NONE,
    fgw_http1_begin,
    fgw_http1_limits,
    fgw_http1_response,
    fgw_span,
)

cdef extern from "<sys/socket.h>" nogil:
    ssize_t recv(int fd, void *into, size_t length, int flags)
    int MSG_DONTWAIT


# Of an answer's head: nginx gives 4-8 KiB, providers send 1-3.
cdef fgw_http1_limits LIMITS
LIMITS.head_max = 65535
LIMITS.target_max = 8192
LIMITS.headers_max = 100


cdef int connect_code(object error):
    if isinstance(error, ssl.SSLError):
        return CODE_UPSTREAM_TLS
    if isinstance(error, socket.gaierror):
        return CODE_UPSTREAM_NAME
    return CODE_UPSTREAM_CONNECT


@cython.final
cdef class Connection(Link):
    def __init__(self, Provider provider, Receiver receiver, Exchange exchange, scratch):
        self.provider = provider
        self.receiver = receiver
        self.exchange = exchange
        self.scratch = scratch
        self.state = CONNECTING

    def __dealloc__(self):
        free(self.partial)
        if self.receiver is not None:
            self.receiver.disarm(self)  # the wheel holds no reference: nothing may stay in it

    cdef int connect(self, object loop) except -1:
        """Begin to connect. on_connected or on_connect_failed of the receiver follows."""
        self.activity_ns = self.receiver.look()
        self.task = loop.create_task(self._connect(loop))
        return 0

    async def _connect(self, loop):
        provider = self.provider
        try:
            await loop.create_connection(
                lambda: self, provider.host, provider.port, ssl=provider.tls,
                server_hostname=provider.host if provider.tls is not None else None,
            )
        except Exception as error:  # OSError mostly; UnicodeError of a name that is none
            self._refused(connect_code(error), error)
        finally:
            self.task = None

    cdef int _refused(self, int code, object why) except -1:
        cdef Exchange x = self.exchange
        self.exchange = None
        if x is not None:
            try:
                self.receiver.on_connect_failed(x, code, why)
            except Exception as exception:
                self.receiver.failed(x, exception)
        return 0

    cdef int on_open(self) except -1:
        cdef uint64_t began_ns = self.activity_ns
        self.activity_ns = self.receiver.look()
        self.counted = True
        fgw_count(self.receiver.counters, FGW_GAUGE_UPSTREAM_CONNECTIONS, 1)
        fgw_count_time(
            self.receiver.counters, FGW_HISTOGRAM_CONNECT, self.activity_ns - began_ns
        )
        self.state = IDLE
        if self.exchange is None:
            return self.abort()  # whoever asked for it is gone
        return self.receiver.on_connected(self.exchange)

    cdef int begin(self, Exchange x, iovec *pieces, int count) except -1:
        """Send a request. Returns a value of ``Sent``."""
        cdef int sent
        self.exchange = x
        self.answered = False
        self.keep = True
        self.partial_length = 0
        self.state = AWAIT_HEAD
        fgw_http1_begin(&self.head)
        self.activity_ns = self.receiver.now_ns
        sent = self.send(pieces, count)
        self.sent = sent == 0
        return sent

    cdef int last_words(self) except -1:
        """Sending broke off: the provider may have answered before it closed on us.

        A refusal from the head alone (413, 401) is followed by a RST, for our body was not read.
        What had come before that is still in the kernel, but uvloop reports the error alone.
        """
        cdef Exchange x = self.exchange
        cdef ssize_t got
        cdef int fd
        if x is None or self.sent or self.transport is None or self.provider.secure:
            return 0
        fd = self.transport.get_extra_info("socket").fileno()
        while fd >= 0 and self.exchange is x:
            got = recv(fd, self.scratch.bytes, self.scratch.size, MSG_DONTWAIT)
            if got <= 0:
                break
            self.on_bytes(self.scratch.bytes, <size_t>got)
        return 0

    cdef int release(self) except -1:
        """The exchange is over: back to the pool if the connection is clean, else away with it."""
        self.exchange = None
        if self.state == FINISHED and self.keep and self.sent and self.is_open:
            self.resume_read()
            self.state = IDLE
            self.reused = True
            self.idle_next = <Connection>self.provider.idle
            self.provider.idle = self
            fgw_count(self.receiver.counters, FGW_GAUGE_UPSTREAM_IDLE, 1)
            return 0
        return self.discard()

    cdef int discard(self) except -1:
        """Away with it, whatever it carries: nobody is told."""
        self.exchange = None
        if self.task is not None and self.transport is None:
            # Only before connection_made: afterwards uvloop would close the descriptor under us,
            # without connection_lost, and what we sent on it could reach who has its number then.
            self.task.cancel()
        self.task = None
        return self.abort()

    cdef int on_bytes(self, uint8_t *bytes, size_t length) except -1:
        cdef size_t used = 0
        cdef Exchange x = self.exchange
        self.activity_ns = self.receiver.look()
        fgw_count(self.receiver.counters, FGW_COUNT_BYTES_FROM_UPSTREAM, length)
        if self.state == IDLE or self.state == FINISHED or x is None:
            # Bytes that nobody asked for: a second answer, or garbage. Never into the next
            # exchange.
            self.keep = False
            if self.state == IDLE:
                self._forget()
                return self.abort()
            return 0
        self.answered = True
        while self.state == AWAIT_HEAD and length:
            if not self._read_head(bytes, length, &used):
                return 0
            if self.exchange is not x:
                return 0
            bytes += used
            length -= used
        if length and self.state != AWAIT_HEAD:
            self._read_body(bytes, length)
        if self.exchange is x and self.state != FINISHED:
            self.receiver.on_flush(x)
        return 0

    cdef int _read_head(self, const uint8_t *bytes, size_t length, size_t *used) except -1:
        """Returns 1 when a head is whole (``used`` bytes of this read belong to it), else 0."""
        cdef int whole
        cdef uint8_t *grown
        cdef size_t before = self.partial_length
        cdef const uint8_t *base = bytes
        if before:
            if before + length > self.partial_room:
                self.partial_room = 2 * (before + length)
                grown = <uint8_t *>realloc(self.partial, self.partial_room)
                if grown == NULL:
                    raise MemoryError()
                self.partial = grown
            memcpy(self.partial + before, bytes, length)
            base = self.partial
        whole = fgw_http1_response(
            &self.head, base, <unsigned int>(before + length), &LIMITS, &self.receiver.lines,
            self.exchange.head.method,
        )
        if whole == -2:
            if not before:
                self.partial_room = length if length > 2048 else 2048
                grown = <uint8_t *>realloc(self.partial, self.partial_room)
                if grown == NULL:
                    raise MemoryError()
                self.partial = grown
                memcpy(self.partial, bytes, length)
            self.partial_length = before + length
            return 0
        if whole < 0:
            self._lost(CODE_UPSTREAM_MALFORMED, None)
            return 0
        used[0] = <size_t>whole - before
        self.partial_length = 0
        self._accept_head(base, used[0] < length)
        if before:
            free(self.partial)
            self.partial = NULL
            self.partial_room = 0
        return 1

    cdef int _accept_head(self, const uint8_t *bytes, bint more) except -1:
        """``more``: bytes of the same read follow it."""
        cdef Exchange x
        if self.head.interim:
            # 100, 103 …: the gateway's own business; the final head follows.
            fgw_http1_begin(&self.head)
            return 0
        if self.head.status == 101:
            # Nobody asked for an upgrade: what follows would not be HTTP.
            return self._lost(CODE_UPSTREAM_MALFORMED, None)
        if not self.head.keep_alive:
            self.keep = False
        self.remaining = 0
        if self.head.framing == FGW_FRAMING_NONE:
            self.state = BODY_LENGTH
            if more:
                self.keep = False  # no body was to come: it would be read as the next answer
        elif self.head.framing == FGW_FRAMING_LENGTH:
            self.state = BODY_LENGTH
            self.remaining = <uint64_t>self.head.content_length
        elif self.head.framing == FGW_FRAMING_CHUNKED:
            self.state = BODY_CHUNKED
            fgw_chunk_begin(&self.chunk)
        else:
            self.state = BODY_CLOSE
            self.keep = False
        x = self.exchange
        self.receiver.on_head(x, &self.head, bytes)
        if self.exchange is x and self.state == BODY_LENGTH and self.remaining == 0:
            self._finish()
        return 0

    cdef int _read_body(self, uint8_t *bytes, size_t length) except -1:
        cdef Exchange x = self.exchange
        cdef size_t take = length
        if self.state == BODY_CHUNKED:
            return self._read_chunks(bytes, length)
        if self.state == FINISHED:
            self.keep = False
            return 0
        if self.state == BODY_LENGTH and take > self.remaining:
            take = <size_t>self.remaining
            self.keep = False
        self.receiver.on_body(x, bytes, take)
        if self.exchange is not x:
            return 0
        if self.state == BODY_LENGTH:
            self.remaining -= take
            if self.remaining == 0:
                self._finish()
        return 0

    cdef int _read_chunks(self, uint8_t *bytes, size_t length) except -1:
        cdef Exchange x = self.exchange
        cdef fgw_span span
        cdef unsigned int at = 0
        cdef int code
        fgw_chunk_mark(&self.chunk, 0)
        while True:
            code = fgw_chunk_next(&self.chunk, bytes, <unsigned int>length, &at, &span)
            if code != FGW_CHUNK_DATA:
                break
            self.receiver.on_body(x, bytes + span.off, span.len)
            if self.exchange is not x:
                return 0
        if code == -1:
            # What came before the fault was data: it goes out before the answer is cut.
            self.receiver.on_flush(x)
            if self.exchange is x:
                self._lost(CODE_UPSTREAM_MALFORMED, None)
            return 0
        if self.chunk.plain_from == 0 and self.chunk.plain_to:
            # The read begins with whole plain chunks: they may leave as they came.
            self.receiver.on_raw(
                x, bytes, self.chunk.plain_to,
                code == FGW_CHUNK_END and self.chunk.plain_to == at,
            )
        if code == FGW_CHUNK_END:
            if at < length:
                self.keep = False
            self._finish()
        return 0

    cdef int _finish(self) except -1:
        self.state = FINISHED
        return self.receiver.on_end(self.exchange)

    cdef int _lost(self, int code, object why) except -1:
        cdef Exchange x = self.exchange
        self.exchange = None
        self.keep = False
        self.abort()
        if x is not None:
            try:
                self.receiver.on_lost(x, code, why)
            except Exception as exception:  # (on_failure would not know whose it is any more)
                self.receiver.failed(x, exception)
        return 0

    cdef int on_writable(self) except -1:
        self.sent = True
        return 0

    cdef int on_eof(self) except -1:
        # uvloop's TLS says so of a close_notify alone: a FIN below it could be anybody's.
        self.took_leave = True
        return self.on_closed(None)

    cdef int on_closed(self, object why) except -1:
        cdef Exchange x
        if self.counted:
            self.counted = False
            fgw_count(self.receiver.counters, FGW_GAUGE_UPSTREAM_CONNECTIONS, <uint64_t>-1)
        self.last_words()
        x = self.exchange
        self._forget()
        if x is None:
            return self.abort()
        if self.state == BODY_CLOSE and self.took_leave:
            self.state = FINISHED
            self.keep = False
            self.receiver.on_end(x)
            return 0
        return self._lost(CODE_UPSTREAM_CUT, why)

    cdef int on_timer(self, uint64_t now_ns) except -1:
        cdef Exchange x = self.exchange
        if x is not None:
            try:
                return self.receiver.on_wait(x, self, now_ns)
            except Exception as exception:
                return self.receiver.failed(x, exception)
        self._forget()
        return self.abort()

    cdef int _forget(self) except -1:
        """Out of the pool, if it is in it."""
        cdef Connection before = None
        cdef Connection at = <Connection>self.provider.idle
        while at is not None and at is not self:
            before, at = at, at.idle_next
        if at is None:
            return 0
        if before is None:
            self.provider.idle = self.idle_next
        else:
            before.idle_next = self.idle_next
        self.idle_next = None
        fgw_count(self.receiver.counters, FGW_GAUGE_UPSTREAM_IDLE, <uint64_t>-1)
        return 0

    cdef int on_failure(self, object exception) except -1:
        cdef Exchange x = self.exchange
        if isinstance(exception, UpstreamError):
            return self._lost(CODE_UPSTREAM_MALFORMED, exception)
        self.exchange = None
        if x is not None:
            return self.receiver.failed(x, exception)
        self.receiver.report(exception)
        return self.abort()
