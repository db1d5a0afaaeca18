# native/dialect_form.pxd: csrc/fgw_dialect_form.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t

from fastgw.native.dialect cimport fgw_ask, fgw_route

cdef extern from "fgw_dialect_form.h" nogil:
    bint fgw_ask_is_form(const uint8_t *type, size_t length) noexcept
    int fgw_ask_form(
        fgw_ask *ask, const fgw_route *route, const uint8_t *type, size_t type_bytes,
        const uint8_t *body, size_t length
    ) noexcept
