# native/regex.pxd: csrc/fgw_regex.h, name for name. No logic lives here.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t


cdef extern from "fgw_regex.h" nogil:
    const int FGW_REGEX_ROOM

    struct fgw_regex_error:
        uint32_t offset
        uint32_t length
        uint32_t fault

    const char *fgw_regex_fault_text(uint32_t fault) noexcept
    int64_t fgw_regex_compile(const uint8_t *pattern, size_t length, uint8_t *out, size_t room,
                              fgw_regex_error *error) noexcept
