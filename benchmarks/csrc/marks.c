/* marks.c - tells callgrind where a measured stretch begins and ends.
 *
 * Outside valgrind each request is a few register rotations and does nothing.
 */
#include <valgrind/callgrind.h>

/* Instrumentation is off until here, so that start-up and set-up run fast. */
void bench_mark_start(void);
void bench_mark_dump(const char *name);

void bench_mark_start(void)
{
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

/* Writes the costs since the last dump (or start) into a part of their own, and zeroes them. */
void bench_mark_dump(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
