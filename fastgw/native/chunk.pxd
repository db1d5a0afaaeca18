# csrc/fgw_chunk.h, name for name. No logic lives here.
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from fastgw.native.http1 cimport fgw_span


cdef extern from "fgw_chunk.h" nogil:
    const int FGW_CHUNK_EXTRA_MAX
    const int FGW_CHUNK_TRAILER_MAX
    const int FGW_CHUNK_END
    const int FGW_CHUNK_DATA
    const int FGW_CHUNK_REFRAME_EXTRA

    enum fgw_chunk_error:
        FGW_CHUNK_E_NONE
        FGW_CHUNK_E_SIZE
        FGW_CHUNK_E_OVERFLOW
        FGW_CHUNK_E_EXTENSION
        FGW_CHUNK_E_LINE_END
        FGW_CHUNK_E_TRAILER
        FGW_CHUNK_E_TOO_LARGE

    struct fgw_chunk:
        uint64_t remaining
        uint64_t total
        uint32_t plain_from
        uint32_t plain_to
        uint8_t plain
        uint8_t error

    void fgw_chunk_begin(fgw_chunk *chunk) noexcept
    int fgw_chunk_at_boundary(const fgw_chunk *chunk) noexcept
    void fgw_chunk_mark(fgw_chunk *chunk, uint32_t pos) noexcept
    int32_t fgw_chunk_next(
        fgw_chunk *chunk, const uint8_t *buf, uint32_t len, uint32_t *pos, fgw_span *span
    ) noexcept
    int32_t fgw_chunk_reframe(
        fgw_chunk *chunk, uint8_t *out, uint32_t cap, const uint8_t *buf, uint32_t start,
        uint32_t to
    ) noexcept
