# native/sse.pxd: csrc/fgw_sse.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t

cdef extern from "fgw_sse.h" nogil:
    enum fgw_sse_kind:
        FGW_SSE_MORE
        FGW_SSE_DATA
        FGW_SSE_JOIN
        FGW_SSE_NAME
        FGW_SSE_ID
        FGW_SSE_RETRY
        FGW_SSE_END

    struct fgw_sse_piece:
        const uint8_t *bytes
        size_t length
        uint8_t kind
        uint8_t fresh
        uint8_t dispatch

    struct fgw_sse:
        pass

    void fgw_sse_init(fgw_sse *sse) noexcept
    fgw_sse_kind fgw_sse_next(
        fgw_sse *sse, const uint8_t *input, size_t length, size_t *at, fgw_sse_piece *piece
    ) noexcept
    int fgw_sse_open(const fgw_sse *sse) noexcept
