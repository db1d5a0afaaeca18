/* What the storm programs share: a segment in shared anonymous memory, workers behind a gate. */
#ifndef LIMIT_STORM_H
#define LIMIT_STORM_H

#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fgw_limit.h"

#define NOW UINT64_C(1000000000000)
#define DAY UINT64_C(86400000000000)
#define WALL (20000 * DAY + DAY / 3) /* CLOCK_REALTIME */

#define CHECK(what)                                                                    \
    do {                                                                               \
        if (!(what)) {                                                                 \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);         \
            exit(1);                                                                   \
        }                                                                              \
    } while (0)

static inline void *shared(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static inline struct fgw_segment make_segment(uint32_t workers, uint32_t holds, uint32_t entries)
{
    struct fgw_segment plan, segment;
    uint8_t boot[16] = {1}, secret[16] = "fifteen letters";
    CHECK(fgw_segment_plan(&plan, workers, holds, fgw_segment_groups(entries)) == 0);
    plan.base = shared(plan.size);
    fgw_segment_make(&plan, boot, secret, getuid(), 1);
    CHECK(fgw_segment_check(&segment, plan.base, plan.size, boot, getuid()) == 0);
    return segment;
}

static inline struct fgw_limits limits_of(const struct fgw_segment *segment, uint32_t worker,
                                          const struct fgw_limit_spec *specs, uint32_t n)
{
    return (struct fgw_limits){specs, n, worker, fgw_segment_table(segment),
                               fgw_segment_dones(segment), fgw_segment_slot(segment, worker),
                               fgw_segment_board(segment), 0, {0}};
}

static inline struct fgw_limit_spec spec_of(uint8_t unit, uint8_t algorithm, uint64_t capacity)
{
    struct fgw_limit_spec spec = {.unit = unit, .algorithm = algorithm, .enforced = 1};
    CHECK(fgw_quota_init(&spec.quota, capacity, DAY) == 0);
    if (algorithm == FGW_ALGORITHM_CAP) {
        spec.holds = 1;
        spec.window_start_ns = 20000 * DAY;
        spec.window_end_ns = 20001 * DAY;
    }
    return spec;
}

/* A starting gate: all wait in read() until the parent closes its end. Without it the first
 * worker is done before the last is born, and a mutant survives. */
struct gate {
    int in[2];
};

static inline struct gate make_gate(void)
{
    struct gate gate;
    CHECK(pipe(gate.in) == 0);
    return gate;
}

static inline void wait_at(struct gate gate)
{
    char byte;
    close(gate.in[1]);
    CHECK(read(gate.in[0], &byte, 1) == 0);
}

static inline void open_gate(struct gate gate)
{
    close(gate.in[0]);
    close(gate.in[1]);
}

static inline void reap_all(uint32_t workers)
{
    for (uint32_t worker = 0; worker < workers; worker++) {
        int status;
        CHECK(wait(&status) > 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* xorshift: every process has its own, from a printed seed. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
