# csrc/fgw_window.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint16_t, uint64_t


cdef extern from "fgw_window.h" nogil:
    const uint64_t FGW_WINDOW_DEAD

    struct fgw_window:
        pass  # opaque: only C touches the atomic pair

    struct fgw_window_rule:
        uint64_t capacity
        uint64_t period_ns
        int sliding

    int fgw_window_check(uint64_t capacity, uint64_t period_ns) noexcept
    int64_t fgw_window_take(
        fgw_window *window, const fgw_window_rule *rule, uint64_t units, uint64_t wall_ns,
        uint64_t *began_ns) noexcept
    int64_t fgw_window_try(
        const fgw_window *window, const fgw_window_rule *rule, uint64_t units,
        uint64_t wall_ns) noexcept
    int fgw_window_charge(
        fgw_window *window, const fgw_window_rule *rule, uint64_t units,
        uint64_t wall_ns) noexcept
    int fgw_window_refund(
        fgw_window *window, const fgw_window_rule *rule, uint64_t units,
        uint64_t began_ns) noexcept
    void fgw_window_peek(
        const fgw_window *window, const fgw_window_rule *rule, uint64_t wall_ns, uint64_t *used,
        uint64_t *reset_ns) noexcept
    void fgw_window_read(const fgw_window *window, uint64_t *halves) noexcept
    void fgw_window_restore(fgw_window *window, const uint64_t *halves) noexcept
    int fgw_window_set(fgw_window *window, const uint64_t *halves) noexcept
    uint16_t fgw_window_span(const fgw_window_rule *rule) noexcept
    int fgw_window_bury(fgw_window *window, uint16_t span, uint64_t wall_ns) noexcept
