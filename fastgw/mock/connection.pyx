"""The mock's connection: a Protocol on uvloop that reads requests and walks their plans.

Why `data_received` and not a buffered protocol: requests are small and come whole, so the one
copy into `bytes` that the loop makes is cheaper than two calls for the buffer. Why not the
gateway's parser: see `fastgw.mock`.
"""

import socket
import struct
import time
from email.utils import formatdate

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdio cimport snprintf
from libc.string cimport memcpy

import orjson

from fastgw.mock.head cimport Span, parse_chunk_line, parse_head
from fastgw.mock.plan cimport CLOSE, RESET, STALL
from fastgw.native.clock cimport fgw_clock_now_ns, fgw_clock_wall_ns

cdef enum:
    HEAD_MAX = 64 * 1024
    BODY_MAX = 64 * 1024 * 1024
    AHEAD_MAX = 1024 * 1024             # unread requests behind the one under way
    BLOCK = 64 * 1024                   # of an answer without pace, in one write
    PLANS_MAX = 16 * 1024 * 1024        # bytes of requests remembered with their plans

cdef double LINGER_S = 2.0              # an early answer is read before the close kills it

cdef bytes LINGER_NOT = struct.pack("ii", 1, 0)   # a close is an RST

cdef bytes CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


cdef bytes plain_answer(str status, str why):
    return (f"HTTP/1.1 {status}\r\ncontent-type: text/plain\r\nconnection: close\r\n"
            f"content-length: {len(why)}\r\n\r\n{why}").encode()


cdef inline bytes piece(const char *text, Span span):
    return None if span.at + span.length == 0 else text[span.at:span.at + span.length]


@cython.final
cdef class House:
    def __init__(self, loop, Books books, planner, int worker):
        self.loop = loop
        self.books = books
        self.pacer = Pacer(loop)
        self.planner = planner
        self.plans = {}
        self.id_prefix = b"%02x%010x" % (worker & 255, time.time_ns() // 1_000_000 & 0xFFFFFFFFFF)
        self.open = set()

    cdef const char *date_now(self) except NULL:
        cdef int64_t now = fgw_clock_wall_ns() // 1000000000
        if now != self.date_s:
            self.date_s = now
            self.date = formatdate(now, usegmt=True).encode()
        return PyBytes_AS_STRING(self.date)

    cdef Plan plan_for(self, const char *text, Head *head, bytes body):
        """The plan of a request: remembered by all that it depends on, or made anew."""
        cdef bytes credential = piece(text, head.authorization)
        cdef bytes x_mock = piece(text, head.x_mock)
        cdef bytes method = piece(text, head.method)
        cdef bytes target = piece(text, head.target)
        cdef bytes encoding = piece(text, head.content_encoding)
        if credential is None:
            credential = piece(text, head.api_key)
        key = (target, body, credential, x_mock, method, bool(head.anthropic), bool(head.old),
               encoding, bool(head.google))
        cdef Plan plan = <Plan>self.plans.get(key)
        if plan is not None:
            return plan
        plan = self.planner(method, target, credential, bool(head.anthropic), bool(head.old),
                            x_mock, piece(text, head.tag), encoding, body,
                            bool(head.google))
        if plan.cacheable:
            self.plans_size += 512 + (0 if body is None else PyBytes_GET_SIZE(body))
            if self.plans_size > PLANS_MAX:
                self.plans.clear()
                self.plans_size = 0
            self.plans[key] = plan
        return plan


@cython.final
cdef class Connection(Turn):
    def __init__(self, House house):
        self.house = house
        self.pending = bytearray()

    # ---- what the loop calls

    def connection_made(self, transport):
        self.transport = transport
        # Not paused means: every byte is in the socket, so "written" has no grey zone.
        transport.set_write_buffer_limits(high=0)
        self.house.open.add(self)

    def connection_lost(self, exc):
        self.gone = True
        self.house.open.discard(self)
        if self.busy:
            self.end(True)
        self.transport = None

    def eof_received(self):
        """A client that closes its side is gone, as for the gateway: the transport closes."""
        return False

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False
        if self.busy and (self.starving or self.step >= self.plan.steps):
            self.starving = False
            self.pump()

    def data_received(self, bytes arrived):
        if self.ending:
            return
        if PyByteArray_GET_SIZE(self.pending) == 0 and not self.busy:
            self.consume(PyBytes_AS_STRING(arrived), PyBytes_GET_SIZE(arrived))
            return
        self.pending += arrived
        if self.busy:
            if PyByteArray_GET_SIZE(self.pending) > AHEAD_MAX:
                self.transport.abort()
        elif PyByteArray_GET_SIZE(self.pending) >= self.need:
            self._go_on()

    def _go_on(self):
        """Reads on in what stands in `pending`."""
        cdef bytearray text
        if not self.busy and not self.ending and not self.gone and self.pending:
            text, self.pending = self.pending, bytearray()
            self.consume(PyByteArray_AS_STRING(text), PyByteArray_GET_SIZE(text))

    def _pump_on(self):
        if self.busy and not self.gone:
            self.pump()

    def leave(self):
        """Drain: closes at once when idle, else after the answer."""
        self.closes = True
        if not self.busy and self.transport is not None:
            self.transport.close()

    # ---- reading

    cdef int consume(self, const char *text, Py_ssize_t size) except -1:
        """Takes whole requests until one is under way; keeps what is left."""
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t used
        while at < size and not self.busy and not self.ending and not self.gone:
            used = self.take_request(text + at, size - at)
            if used == 0:
                break
            at += used
        if at < size and not self.ending:
            self.pending += text[at:size]
        return 0

    cdef Py_ssize_t take_request(self, const char *text, Py_ssize_t size) except -1:
        """Begins the request at text; its bytes, or 0 when it is not whole yet (or refused)."""
        cdef Py_ssize_t used
        cdef bytes body = b""
        if self.head_size == 0:
            used = parse_head(text, size, &self.head)
            if used == -1:
                return self.refuse(plain_answer("400 Bad Request", "this is no HTTP/1.1 request"))
            if (used == -2 and size > HEAD_MAX) or used > HEAD_MAX:
                return self.refuse(plain_answer("431 Request Header Fields Too Large", "head"))
            if used == -2:
                return 0
            if self.head.content_length > BODY_MAX:
                return self.refuse(plain_answer("413 Content Too Large", "body"))
            self.head_size = used
            self.chunk_at = used
            self.chunks = bytearray() if self.head.chunked else None
            if self.head.x_mock.length > 4 and b"early" in piece(text, self.head.x_mock):
                self.head_size = 0
                self.begin(text, None)
                return size
        if self.head.chunked:
            used = self.take_chunks(text, size)
            if used == -1:
                return self.refuse(plain_answer("400 Bad Request", "a chunk is malformed"))
            body = bytes(self.chunks) if used > 0 else None
        else:
            used = self.head_size
            if self.head.content_length > 0:
                used += self.head.content_length
                body = text[self.head_size:used] if used <= size else None
            self.need = used
            used = used if used <= size else 0
        if used == 0:
            if self.head.expects:
                self.head.expects = False
                self.transport.write(CONTINUE)
            return 0
        self.head_size = 0
        self.need = 0
        self.begin(text, body)
        return used

    cdef Py_ssize_t take_chunks(self, const char *text, Py_ssize_t size) except -2:
        """Bytes of the whole request, 0 when chunks are missing, -1 when one is malformed."""
        cdef int64_t chunk
        cdef Py_ssize_t line, start
        while True:
            line = parse_chunk_line(text + self.chunk_at, size - self.chunk_at, &chunk)
            if line < 0:
                return -1 if line == -1 else 0
            start = self.chunk_at + line
            if chunk == 0:
                return self.take_trailers(text, size, start)
            if PyByteArray_GET_SIZE(self.chunks) + chunk > BODY_MAX:
                return -1
            self.need = start + chunk + 2
            if self.need > size:
                return 0
            if text[start + chunk] != 13 or text[start + chunk + 1] != 10:
                return -1
            self.chunks += text[start:start + chunk]
            self.chunk_at = self.need

    cdef Py_ssize_t take_trailers(self, const char *text, Py_ssize_t size,
                                  Py_ssize_t at) except -2:
        """Drops trailer lines up to the empty one; counted as take_chunks counts."""
        cdef bytes rest = text[at:size if size - at < HEAD_MAX else at + HEAD_MAX]
        cdef Py_ssize_t end
        if rest.startswith(b"\r\n"):
            return at + 2
        end = rest.find(b"\r\n\r\n")
        if end < 0:
            return -1 if len(rest) >= HEAD_MAX else 0
        return at + end + 4

    cdef int refuse(self, bytes answer) except -1:
        """Answers what is not HTTP, closes, and hears nothing more."""
        self.ending = True
        self.transport.write(answer)
        self.transport.close()
        return 0

    # ---- answering

    cdef int begin(self, const char *text, bytes body) except -1:
        cdef Plan plan = self.house.plan_for(text, &self.head, body)
        self.plan = plan
        self.busy = True
        self.unread = body is None
        self.counted = False
        self.starving = False
        self.at = 0
        self.step = 0
        self.closes = self.closes or self.head.closes
        self.house.calls += 1
        memcpy(self.id, PyBytes_AS_STRING(self.house.id_prefix), 12)
        snprintf(self.id + 12, 13, b"%012llx", <unsigned long long>self.house.calls)
        self.request_id = piece(text, self.head.request_id)
        self.attempt = piece(text, self.head.attempt)
        self.tag = piece(text, self.head.tag)
        self.record = None
        if self.head.x_mock.length > 5 and b"record" in piece(text, self.head.x_mock):
            self.record = b',"head":%b,"body":%b' % (
                orjson.dumps(text[:self.head.size].decode("latin-1")),
                orjson.dumps((body or b"").decode("utf-8", "replace")))
        if plan.delay_ns > 0:
            return self.house.pacer.wait(self, fgw_clock_now_ns(), plan.delay_ns)
        return self.pump()

    cdef int turn(self) except -1:
        if not self.busy:
            return 0
        if self.paused:
            self.starving = True
            return 0
        return self.pump()

    cdef int pump(self) except -1:
        """Writes steps until the plan says wait, the socket is full or the answer is out."""
        cdef Plan plan = self.plan
        while self.step < plan.steps:
            if self.paused:
                self.starving = True
                return 0
            self.put(self.block_end())
            if self.gone:
                return 0
            if self.step >= plan.steps:
                break
            if plan.drip:
                self.house.loop.call_soon(self._pump_on)
                return 0
            if self.step >= plan.tail:
                continue
            if plan.pace_ns > 0:
                return self.house.pacer.wait(
                    self, self.due_ns if self.step > 1 else fgw_clock_now_ns(), plan.pace_ns)
            self.house.loop.call_soon(self._pump_on)
            return 0
        if plan.finish == STALL or self.paused:
            return 0                            # until the client goes, or takes the last byte
        return self.end(False)

    cdef Py_ssize_t block_end(self) noexcept:
        """Where the next write ends."""
        cdef Plan plan = self.plan
        cdef Py_ssize_t step = self.step
        cdef Py_ssize_t batch = plan.batch
        if plan.drip:
            return self.at + 1
        if plan.pace_ns > 0 and (batch == 0 or step == 0):
            batch = 1
        if batch == 0:
            while step + 1 < plan.steps and plan.ends[step + 1] - self.at <= BLOCK:
                step += 1
        elif step < plan.tail and step + batch - 1 < plan.tail:
            step += batch - 1
        elif step < plan.tail:
            step = plan.tail - 1
        else:
            step = plan.steps - 1
        return plan.ends[step]

    cdef int put(self, Py_ssize_t end) except -1:
        """Hands wire[at:end] to the socket; what is whole by then is generated."""
        cdef Plan plan = self.plan
        cdef Py_ssize_t start = self.at
        if end >= plan.ends[plan.steps - 1] and plan.finish != STALL:
            self.count(plan.output_tokens)
        # A step counts from its first byte on.
        self.at = end
        while self.step < plan.steps and plan.ends[self.step] <= end:
            self.step += 1
        self.transport.write(plan.cut(start, end, self.id, self.house.date_now()))
        return 0

    cdef int count(self, int64_t output) except -1:
        cdef int64_t reasoning = self.plan.reasoning_tokens
        if self.counted:
            return 0
        self.counted = True
        if self.plan.billed:
            self.house.books.count(self.plan, output, reasoning if reasoning < output else output)
        return 0

    cdef int64_t generated(self) noexcept:
        cdef Plan plan = self.plan
        cdef Py_ssize_t step = self.step
        if plan.bill_all:
            return plan.output_tokens
        if step < plan.steps and self.at > (plan.ends[step - 1] if step else 0):
            return plan.outputs[step]
        return plan.outputs[step - 1] if step else 0

    cdef int end(self, bint aborted) except -1:
        """The call is over: books it, then the connection goes as the plan says."""
        cdef Plan plan = self.plan
        cdef int64_t output = self.generated()
        cdef int64_t reasoning = plan.reasoning_tokens
        self.busy = False
        self.count(output)
        if plan.booked:
            if not plan.billed:
                output = reasoning = 0
            self.house.books.line(
                plan, self.id, aborted, plan.input_tokens if plan.billed else 0, output,
                reasoning if reasoning < output else output,
                self.request_id, self.attempt, self.tag, self.record)
        self.plan = None
        if aborted or self.gone:
            return 0
        if plan.finish == RESET:
            self.ending = True
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            self.transport.abort()
        elif plan.finish == CLOSE or self.closes:
            self.hang_up()
        elif PyByteArray_GET_SIZE(self.pending):
            self.house.loop.call_soon(self._go_on)
        return 0

    cdef int hang_up(self) except -1:
        """FIN now; the close a little later where a body is unread: it would lose the answer."""
        self.ending = True
        if self.unread:
            self.transport.write_eof()
            self.house.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()
        return 0
