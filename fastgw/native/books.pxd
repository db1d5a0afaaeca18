# csrc/fgw_books.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.native.record cimport fgw_record_close, fgw_tokens, fgw_units


cdef extern from "fgw_books.h" nogil:
    struct fgw_books:
        uint64_t attempts
        fgw_tokens tokens
        uint64_t cost_nano_usd
        uint64_t cost_unknown
        fgw_units units

    struct fgw_cut:
        uint64_t version
        uint64_t generation
        uint64_t position
        fgw_books books

    void fgw_books_close(fgw_books *books, const fgw_record_close *close) noexcept
    void fgw_books_less(fgw_books *books, const fgw_books *by) noexcept
    size_t fgw_books_add(fgw_books *books, const uint8_t *records, size_t length,
                         uint64_t before) noexcept
    uint64_t fgw_books_apart(
        const fgw_books *one, const fgw_books *one_before, const fgw_books *other,
        const fgw_books *other_before) noexcept
    void fgw_cut_write(fgw_cut *cut, uint64_t generation, uint64_t position,
                       const fgw_books *books) noexcept
    int fgw_cut_read(const fgw_cut *cut, fgw_cut *out) noexcept
