"""Heads of HTTP/1.1 messages as tests and cold code see them; the hot path uses fgw_head."""

import cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.http1 cimport (
    FGW_DROP_REQUEST,
    FGW_DROP_RESPONSE,
    FGW_HEAD_BYTES,
    FGW_HEADERS_MAX,
    FGW_M_DELETE,
    FGW_M_GET,
    FGW_M_HEAD,
    FGW_M_OPTIONS,
    FGW_M_PATCH,
    FGW_M_POST,
    FGW_M_PUT,
    FGW_TARGET_BYTES,
    fgw_http1_begin,
    fgw_http1_copy_fields,
    fgw_http1_error_name,
    fgw_http1_field_id,
    fgw_http1_find,
    fgw_http1_put_chunk_size,
    fgw_http1_put_end,
    fgw_http1_put_field,
    fgw_http1_put_hex,
    fgw_http1_put_number,
    fgw_http1_put_request_line,
    fgw_http1_put_status,
    fgw_http1_request,
    fgw_http1_response,
)

DROP_REQUEST = FGW_DROP_REQUEST
DROP_RESPONSE = FGW_DROP_RESPONSE
FRAMINGS = ("none", "length", "chunked", "close")
METHODS = {
    "GET": FGW_M_GET, "HEAD": FGW_M_HEAD, "POST": FGW_M_POST, "PUT": FGW_M_PUT,
    "PATCH": FGW_M_PATCH, "DELETE": FGW_M_DELETE, "OPTIONS": FGW_M_OPTIONS,
}


@cython.final
cdef class Head:
    """One head. Feed it the whole buffer again each time the buffer has grown."""

    def __cinit__(
        self,
        *,
        uint32_t head_max=FGW_HEAD_BYTES,
        uint32_t target_max=FGW_TARGET_BYTES,
        uint32_t headers_max=FGW_HEADERS_MAX,
    ):
        self.limits.head_max = head_max
        self.limits.target_max = target_max
        self.limits.headers_max = headers_max
        self.begin()

    def begin(self):
        self.raw = b""
        fgw_http1_begin(&self.head)

    def request(self, buffer):
        """Bytes of the request head (> 0), -2 incomplete, -1 invalid: see error and status."""
        return self._parse(buffer, -1)

    def response(self, buffer, method="GET"):
        """The same for the response to a request of this method."""
        return self._parse(buffer, METHODS.get(method, 0))

    def _parse(self, buffer, int method):
        cdef Py_buffer view
        cdef int32_t read
        PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
        try:
            if view.len > 0x7fffffff:
                raise ValueError("a head is not that long")
            if method < 0:
                read = fgw_http1_request(
                    &self.head, <const uint8_t *>view.buf, <uint32_t>view.len, &self.limits,
                    NULL,
                )
            else:
                read = fgw_http1_response(
                    &self.head, <const uint8_t *>view.buf, <uint32_t>view.len, &self.limits,
                    NULL, <uint8_t>method,
                )
        finally:
            PyBuffer_Release(&view)
        if read > 0:
            self.raw = bytes(buffer[:read])
        return read

    cdef bytes _span(self, unsigned int off, unsigned int length):
        return self.raw[off : off + length]

    @property
    def method(self):
        return self._span(self.head.method_text.off, self.head.method_text.len).decode("ascii")

    @property
    def target(self):
        return self._span(self.head.target.off, self.head.target.len)

    @property
    def path(self):
        return self._span(self.head.path.off, self.head.path.len)

    @property
    def query(self):
        """What stands behind '?', or None if the target has none."""
        if not self.head.query.off:
            return None
        return self._span(self.head.query.off, self.head.query.len)

    @property
    def authority(self):
        if not self.head.authority.off:
            return None
        return self._span(self.head.authority.off, self.head.authority.len)

    @property
    def reason(self):
        return self._span(self.head.reason.off, self.head.reason.len)

    @property
    def minor(self):
        return self.head.minor

    @property
    def status(self):
        return self.head.status

    @property
    def error(self):
        """The broken rule in words, or None."""
        if not self.head.error:
            return None
        return fgw_http1_error_name(self.head.error).decode("ascii")

    @property
    def content_length(self):
        return None if self.head.content_length < 0 else self.head.content_length

    @property
    def framing(self):
        return FRAMINGS[self.head.framing]

    @property
    def keep_alive(self):
        return bool(self.head.keep_alive)

    @property
    def expect_continue(self):
        return bool(self.head.expect_continue)

    @property
    def upgrade(self):
        return bool(self.head.upgrade)

    @property
    def interim(self):
        return bool(self.head.interim)

    def fields(self):
        """(name, value) of every field, as received."""
        return [
            (
                self._span(self.head.headers[i].name_off, self.head.headers[i].name_len),
                self._span(self.head.headers[i].value_off, self.head.headers[i].value_len),
            )
            for i in range(self.head.n_headers)
        ]

    def dropped(self):
        """Names of the fields that Connection nominated to be dropped."""
        return [
            self._span(self.head.headers[i].name_off, self.head.headers[i].name_len)
            for i in range(self.head.n_headers)
            if self.head.headers[i].nominated
        ]

    def find(self, name):
        """First value of a field that has an id, or None; KeyError for a name without one."""
        cdef bytes text = name
        cdef uint8_t number = fgw_http1_field_id(text, <uint32_t>len(text))
        if number == 0:
            raise KeyError(name)
        cdef int32_t index = fgw_http1_find(&self.head, number)
        if index < 0:
            return None
        return self._span(self.head.headers[index].value_off, self.head.headers[index].value_len)

    def repeats(self, name):
        """Whether a field that has an id came more than once."""
        cdef bytes text = name
        return bool(self.head.repeated >> fgw_http1_field_id(text, <uint32_t>len(text)) & 1)

    def copy_fields(self, uint64_t drop_mask, uint32_t room=65536):
        cdef bytearray out = bytearray(room)
        cdef int32_t put = fgw_http1_copy_fields(out, room, &self.head, self.raw, drop_mask)
        return _written(out, put)

    def request_line(self, uint32_t room=65536):
        cdef bytearray out = bytearray(room)
        cdef int32_t put = fgw_http1_put_request_line(out, room, &self.head, self.raw)
        return _written(out, put)


cdef bytes _written(bytearray out, int32_t put):
    if put < 0:
        raise ValueError("no room, or a byte that may not stand there")
    return bytes(out[:put])


def field_id(bytes name not None):
    return fgw_http1_field_id(name, <uint32_t>len(name))


def put_status(uint16_t status, uint32_t room=64):
    cdef bytearray out = bytearray(room)
    return _written(out, fgw_http1_put_status(out, room, status))


def put_field(bytes name not None, bytes value not None, room=None):
    cdef uint32_t cap = <uint32_t>(len(name) + len(value) + 4) if room is None else <uint32_t>room
    cdef bytearray out = bytearray(cap)
    return _written(
        out,
        fgw_http1_put_field(out, cap, name, <uint32_t>len(name), value, <uint32_t>len(value)),
    )


def put_number(bytes name not None, uint64_t value, uint32_t room=128):
    cdef bytearray out = bytearray(room)
    return _written(out, fgw_http1_put_number(out, room, name, <uint32_t>len(name), value))


def put_chunk_size(uint64_t size, uint32_t room=18):
    cdef bytearray out = bytearray(room)
    return _written(out, fgw_http1_put_chunk_size(out, room, size))


def put_hex(uint32_t number):
    cdef uint8_t out[8]
    fgw_http1_put_hex(out, number)
    return out[:8]


def put_end(uint32_t room=2):
    cdef bytearray out = bytearray(room)
    return _written(out, fgw_http1_put_end(out, room))
