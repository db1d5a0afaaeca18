/* fgw_bucket.h - a token bucket in one word of shared memory (GCRA).
 *
 * The word is an instant: when the bucket will next be full. The level is never stored, so
 * nothing has to refill it and it cannot go stale. Taking units moves the instant later; a take
 * that would move it more than one period past now is refused; a charge may (debt).
 *
 *          now           full_at           now + period
 *     ------|--- spent ----|----- room -----|--------> time
 *
 * Zeroed memory is a full bucket. No allocation, no lock, no clock: the caller owns the memory
 * and says what time it is (CLOCK_BOOTTIME: it never goes back).
 *
 * Exactness. One unit costs period / capacity nanoseconds, which is seldom a whole number, and
 * rounding each take would drift. So the instant moves along a grid, g(n) = ceil(n * period /
 * capacity): n units from cell k to cell k + n, the place within the cell kept. With capacity <=
 * period: (1) g(n + capacity) = g(n) + period, so from a full bucket exactly `capacity` takes of
 * 1 pass; (2) over any stretch of time t, whatever the order of takes, never more than
 * capacity + (t + 2 ns) * capacity / period units pass: the rounding is paid once, not per take.
 * Where capacity divides period all of it is exact.
 */
#ifndef FGW_BUCKET_H
#define FGW_BUCKET_H

#include <stdint.h>

struct fgw_bucket {
    _Atomic uint64_t full_at_ns;
};
_Static_assert(sizeof(struct fgw_bucket) == 8, "layout is shared between processes");

/* `capacity` units per `period_ns`, all of them at once if the bucket is full. */
struct fgw_quota {
    uint64_t capacity;    /* 1 <= capacity <= period_ns */
    uint64_t period_ns;   /* < 2^62 */
    uint64_t ns_per_unit; /* period / capacity where that is whole, else 0 */
};

#define FGW_BUCKET_NEVER (-1) /* more units than the bucket can ever hold */
#define FGW_BUCKET_GONE (-2)  /* evicted from the table: look the key up again */

/* What an evicted bucket's word holds until its entry is zeroed. */
#define FGW_BUCKET_DEAD UINT64_MAX

/* Returns 0, or -1 for a quota that cannot be kept: zero, or capacity > period_ns. */
int fgw_quota_init(struct fgw_quota *quota, uint64_t capacity, uint64_t period_ns);

/* Returns 0 if taken, the wait in ns if short, FGW_BUCKET_NEVER or FGW_BUCKET_GONE. When taken,
 * *owed_until_ns is the instant at which time alone will have repaid these units: the hold keeps
 * it for refund. A take of 0 units waits for a debt as any other does. */
int64_t fgw_bucket_take(struct fgw_bucket *bucket, const struct fgw_quota *quota,
                        uint64_t units, uint64_t now_ns, uint64_t *owed_until_ns);

/* What take would return now, without taking. */
int64_t fgw_bucket_try(const struct fgw_bucket *bucket, const struct fgw_quota *quota,
                       uint64_t units, uint64_t now_ns);

/* Charges units used beyond those taken; never refuses and never clamps: they are spent already.
 * Returns 0, or FGW_BUCKET_GONE. */
int fgw_bucket_charge(struct fgw_bucket *bucket, const struct fgw_quota *quota, uint64_t units,
                      uint64_t now_ns);

/* Gives units back, at most what time has not repaid by now: else a long hold followed by a
 * refund would mint units. Returns 0, or FGW_BUCKET_GONE. */
int fgw_bucket_refund(struct fgw_bucket *bucket, const struct fgw_quota *quota, uint64_t units,
                      uint64_t owed_until_ns, uint64_t now_ns);

/* Units spent and not yet repaid (above capacity: debt) and ns until full again. */
void fgw_bucket_peek(const struct fgw_bucket *bucket, const struct fgw_quota *quota,
                     uint64_t now_ns, uint64_t *used, uint64_t *reset_ns);

/* For a bucket that another segment or a snapshot held: full no earlier than then. */
void fgw_bucket_restore(struct fgw_bucket *bucket, uint64_t full_at_ns);

/* Puts the word to an instant, earlier or later; 0: full. Returns 0, or FGW_BUCKET_GONE. */
int fgw_bucket_set(struct fgw_bucket *bucket, uint64_t full_at_ns);

/* For eviction: a full bucket's word becomes FGW_BUCKET_DEAD. Returns 1 if so, 0 if not full. */
int fgw_bucket_bury(struct fgw_bucket *bucket, uint64_t now_ns);

#endif
