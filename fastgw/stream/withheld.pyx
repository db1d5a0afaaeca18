"""Phase STREAM: an answer that is kept back as a whole until it has been looked at."""

import zlib

cimport cython

from fastgw.errors import UpstreamError
from fastgw.native.http1 cimport FGW_H_CONTENT_TYPE, fgw_http1_find
from fastgw.stream.media cimport inflater_of, inflates

# Ends of media types that are no text/…, but text all the same.
TEXTS = (b"+json", b"ndjson", b"/xml", b"+xml", b"yaml", b"javascript", b"urlencoded")

cdef enum:
    BODY_MAX = 1 << 25       # 32 MiB, inflated


@cython.final
cdef class Withheld:
    cdef int add(self, const uint8_t *bytes, size_t length) except -1:
        if <size_t>len(self._body) + length > BODY_MAX:
            raise UpstreamError("an answer larger than 32 MiB cannot be looked at")
        self._body += bytes[:length]
        return 0

    cdef bytes take(self):
        if not self.coded:
            return bytes(self._body)
        left, body = bytes(self._body), b""
        while left:  # of several members, as RFC 1952 section 2.2 allows, each
            inflater = inflater_of(left, self.coding)
            try:
                body += inflater.decompress(left, BODY_MAX + 1 - len(body))
            except zlib.error as error:
                raise UpstreamError(str(error)) from None
            if not inflater.eof or len(body) > BODY_MAX:
                raise UpstreamError("a compressed answer that breaks off, or is too large")
            left = inflater.unused_data
        return body


cdef Withheld withhold(const fgw_head *head, const uint8_t *bytes, int coding):
    cdef Withheld withheld = Withheld.__new__(Withheld)
    cdef size_t i, end = 0
    withheld.head = head[0]
    for i in range(head.n_headers):
        end = max(end, head.headers[i].name_off + head.headers[i].name_len)
        end = max(end, head.headers[i].value_off + head.headers[i].value_len)
    withheld.source = bytes[:end]
    withheld._body = bytearray()
    withheld.coding = coding
    withheld.coded = inflates(coding)
    return withheld


cdef bint is_text(const fgw_head *head, const uint8_t *bytes) noexcept:
    cdef int at = fgw_http1_find(head, FGW_H_CONTENT_TYPE)
    cdef object kind
    if at < 0:
        return True
    kind = (bytes + head.headers[at].value_off)[:head.headers[at].value_len]
    kind = kind.partition(b";")[0].rstrip().lower()
    return kind.startswith((b"text/", b"application/json")) or kind.endswith(TEXTS)
