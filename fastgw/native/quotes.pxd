# csrc/fgw_quotes.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint16_t


cdef extern from "fgw_quotes.h" nogil:
    enum:
        FGW_QUOTE_PLACES

    struct fgw_quote:
        uint16_t length
        uint8_t cut
        uint8_t *bytes

    struct fgw_quotes:
        uint8_t keep_first
        fgw_quote *quote

    void fgw_quotes_start(fgw_quotes *quotes) noexcept
