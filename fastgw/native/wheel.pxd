# csrc/fgw_wheel.h, name for name. No logic lives here.
from libc.stdint cimport uint32_t, uint64_t


cdef extern from "fgw_wheel.h" nogil:
    const int FGW_WHEEL_SLOTS
    const uint64_t FGW_WHEEL_TICK_NS

    struct fgw_timer:
        uint64_t deadline_tick
        void *owner
        uint32_t kind

    struct fgw_wheel:
        uint64_t tick
        uint64_t armed

    void fgw_wheel_init(fgw_wheel *wheel, uint64_t now_ns) noexcept
    void fgw_wheel_arm(fgw_wheel *wheel, fgw_timer *timer, uint64_t deadline_ns) noexcept
    void fgw_wheel_disarm(fgw_wheel *wheel, fgw_timer *timer) noexcept
    bint fgw_timer_is_armed(const fgw_timer *timer) noexcept
    void fgw_wheel_advance(fgw_wheel *wheel, uint64_t now_ns) noexcept
    fgw_timer *fgw_wheel_pop(fgw_wheel *wheel) noexcept
