# csrc/fgw_form.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t


cdef extern from "fgw_form.h" nogil:
    const int FGW_BOUNDARY_MAX

    struct fgw_form:
        uint8_t ended

    struct fgw_form_part:
        size_t name_at
        size_t name_bytes
        size_t value_at
        size_t value_bytes
        uint8_t file

    size_t fgw_form_boundary(const uint8_t *type, size_t length, char *boundary) noexcept
    int fgw_form_begin(
        fgw_form *form, const uint8_t *body, size_t length, const char *boundary,
        size_t boundary_bytes
    ) noexcept
    int fgw_form_next(fgw_form *form, fgw_form_part *part) noexcept
