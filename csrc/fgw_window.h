/* fgw_window.h - a fixed or sliding window in one cell of shared memory.
 *
 *      low   | current (44) | stamp, low 20 bits  |     changed only together, by one
 *      high  | previous (44) | stamp, high 20 bits |     16-byte CAS
 *
 * Windows begin at multiples of the period since 1970 (CLOCK_REALTIME). `current` was used in the
 * window that `stamp` names, `previous` in the one before it; nothing has to reset them: whoever
 * finds an old stamp reads the cell as it would be now.
 *
 *      |--- previous ---|---- current ----|            fixed: only current counts
 *                 |.....|.....now                       sliding: and the part of previous that a
 *                                                       period reaching back from now still sees
 *
 * What was settled above capacity is debt: it goes on into the next windows, and each repays one
 * capacity of it. So nothing is forgiven at a window's end. Zeroed memory is nothing used. A word
 * without owner tags: what a killed worker leaves in doubt, the windows' end heals.
 *
 * stamp = start >> shift with 2^shift <= period < 2^(shift + 1): no two windows share one.
 */
#ifndef FGW_WINDOW_H
#define FGW_WINDOW_H

#include <stdint.h>

#include "fgw_bucket.h"

struct fgw_window {
    _Alignas(16) _Atomic uint64_t low;
    _Atomic uint64_t high;
};
_Static_assert(sizeof(struct fgw_window) == 16, "layout is shared between processes");

#define FGW_WINDOW_CAPACITY_MAX (UINT64_C(1) << 43)
#define FGW_WINDOW_PERIOD_MIN (UINT64_C(1) << 21) /* 2.1 ms: the stamp has 40 bits */
#define FGW_WINDOW_DEAD UINT64_MAX                /* both halves of an evicted cell */

/* How a window is judged. */
struct fgw_window_rule {
    uint64_t capacity;  /* 1 .. FGW_WINDOW_CAPACITY_MAX */
    uint64_t period_ns; /* FGW_WINDOW_PERIOD_MIN .. 2^61 */
    int sliding;
};

/* Returns 0, or -1 for a rule that cannot be kept. */
int fgw_window_check(uint64_t capacity, uint64_t period_ns);

/* Returns 0 if taken, the wait in ns if short, FGW_BUCKET_NEVER or FGW_BUCKET_GONE. When taken,
 * *began_ns is the start of the window that it was taken from: the hold keeps it for refund. */
int64_t fgw_window_take(struct fgw_window *window, const struct fgw_window_rule *rule,
                        uint64_t units, uint64_t wall_ns, uint64_t *began_ns);

/* What take would return now, without taking. */
int64_t fgw_window_try(const struct fgw_window *window, const struct fgw_window_rule *rule,
                       uint64_t units, uint64_t wall_ns);

/* The same three, for who has the start of the window that wall_ns lies in: a division less. */
static inline uint64_t fgw_window_start(const struct fgw_window_rule *rule, uint64_t wall_ns)
{
    return wall_ns - wall_ns % rule->period_ns;
}
int64_t fgw_window_take_in(struct fgw_window *window, const struct fgw_window_rule *rule,
                           uint64_t units, uint64_t wall_ns, uint64_t start_ns,
                           uint64_t *began_ns);
int64_t fgw_window_try_in(const struct fgw_window *window, const struct fgw_window_rule *rule,
                          uint64_t units, uint64_t wall_ns, uint64_t start_ns);
void fgw_window_peek_in(const struct fgw_window *window, const struct fgw_window_rule *rule,
                        uint64_t wall_ns, uint64_t start_ns, uint64_t *used, uint64_t *reset_ns);

/* Charges units used beyond those taken; never refuses. Returns 0, or FGW_BUCKET_GONE. */
int fgw_window_charge(struct fgw_window *window, const struct fgw_window_rule *rule,
                      uint64_t units, uint64_t wall_ns);

/* Gives units back to the window that they were taken from, as long as that still counts. Returns
 * 0, or FGW_BUCKET_GONE. */
int fgw_window_refund(struct fgw_window *window, const struct fgw_window_rule *rule,
                      uint64_t units, uint64_t began_ns);

/* Units that count now (above capacity: debt), and ns until none of them does. */
void fgw_window_peek(const struct fgw_window *window, const struct fgw_window_rule *rule,
                     uint64_t wall_ns, uint64_t *used, uint64_t *reset_ns);

/* Both halves, as they stand: for snapshots and for another segment. */
void fgw_window_read(const struct fgw_window *window, uint64_t halves[2]);

/* Puts back what fgw_window_read gave, unless something later or more stands there. */
void fgw_window_restore(struct fgw_window *window, const uint64_t halves[2]);

/* Puts both halves to what is given, 0 and 0: nothing used. Returns 0, or FGW_BUCKET_GONE. */
int fgw_window_set(struct fgw_window *window, const uint64_t halves[2]);

/* What the table remembers of a rule, so that a cell can be evicted without configuration. */
uint16_t fgw_window_span(const struct fgw_window_rule *rule);

/* For eviction: a cell whose windows and debts are over (by `span`) becomes FGW_WINDOW_DEAD.
 * Returns 1 if so, 0 if in use. */
int fgw_window_bury(struct fgw_window *window, uint16_t span, uint64_t wall_ns);

#endif
