# csrc/fgw_clock.h, name for name. No logic lives here.
from libc.stdint cimport uint64_t


cdef extern from "fgw_clock.h" nogil:
    uint64_t fgw_clock_now_ns() noexcept
    uint64_t fgw_clock_wall_ns() noexcept
