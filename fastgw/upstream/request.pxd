# The request as the provider gets it: written anew, with the operator's key.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.exchange cimport Exchange
from fastgw.wire.link cimport iovec

cdef enum:
    PIECES_MAX = 10    # the head, and FGW_SLICES_MAX slices of an edited body

# Writes a batch of embeddings anew where x.candidate has another name for their model.
cdef int rename_requests(Exchange x) except -1

# Plans what is changed in the body for x.candidate: model, output limit, usage chunk.
cdef void plan_edits(Exchange x) noexcept

# The whole request as pieces, the head written to `out`; *body: bytes of the body. The number of
# pieces, or -1 where there is no room for the head.
cdef int write_request(Exchange x, uint8_t *out, size_t room, iovec *pieces,
                       uint64_t *body) noexcept

# Request ids as text: "%08x-%02x-%010x", 22 bytes or more.
cdef size_t write_id(Exchange x, uint8_t *out) noexcept
