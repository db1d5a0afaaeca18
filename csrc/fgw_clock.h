/* fgw_clock.h - the two clocks of the gateway.
 *
 * Kernels never look at a clock: callers read one here and pass the instant.
 * Limits and time-outs count CLOCK_BOOTTIME (it never jumps, and goes on while
 * the machine sleeps); records are stamped with CLOCK_REALTIME.
 */
#ifndef FGW_CLOCK_H
#define FGW_CLOCK_H

#include <stdint.h>

/* Nanoseconds since boot. Same value in every process of one boot. */
uint64_t fgw_clock_now_ns(void);

/* Nanoseconds since 1970-01-01T00:00:00Z, as the wall clock has it. */
uint64_t fgw_clock_wall_ns(void);

#endif
