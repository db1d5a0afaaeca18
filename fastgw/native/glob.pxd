# native/glob.pxd: csrc/fgw_glob.h, name for name. No logic lives here.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t


cdef extern from "fgw_glob.h" nogil:
    int fgw_glob_match(const uint8_t *pattern, size_t pattern_length, const uint8_t *text,
                       size_t text_length) noexcept
