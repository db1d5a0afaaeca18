#define _GNU_SOURCE
#include "fgw_clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t fgw_clock_now_ns(void) { return read_ns(CLOCK_BOOTTIME); }

uint64_t fgw_clock_wall_ns(void) { return read_ns(CLOCK_REALTIME); }
