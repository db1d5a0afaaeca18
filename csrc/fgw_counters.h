/* fgw_counters.h - what each worker counts, summed by whoever reads.
 *
 * One block per worker slot, one writer each: counting is a plain load, add and relaxed store, and
 * no cache line is shared between writers. A block outlives its worker: the next one in the slot
 * counts on. Gauges (from FGW_GAUGES on) are set back to 0 when a dead worker is swept.
 *
 *     0          1024      2048              3584         3840       4096         7168 7328 … 8192
 *     | value[128] codes[64] histograms[6][32] ratios[2][16] drains[32] shadows[128] cut | (0) |
 */
#ifndef FGW_COUNTERS_H
#define FGW_COUNTERS_H

#include <stdint.h>

#include "fgw_books.h"
#include "fgw_policy.h"
#include "fgw_record.h"

enum fgw_counter {
    FGW_COUNT_REQUESTS = 0, /* heads that were read whole */
    FGW_COUNT_ALLOWED = 1,
    FGW_COUNT_DENIED = 2,
    FGW_COUNT_STATUS_1XX = 3, /* answers by class, 1xx … 5xx */
    FGW_COUNT_STATUS_2XX = 4,
    FGW_COUNT_STATUS_3XX = 5,
    FGW_COUNT_STATUS_4XX = 6,
    FGW_COUNT_STATUS_5XX = 7,
    FGW_COUNT_ATTEMPTS = 8,
    FGW_COUNT_RETRIES = 9,
    FGW_COUNT_FATE = 10, /* + enum fgw_fate, 8 of them */
    FGW_COUNT_EVENTS = 18,
    FGW_COUNT_BYTES_FROM_CLIENT = 19, /* as read: heads and framing, too */
    FGW_COUNT_BYTES_TO_CLIENT = 20, /* bodies of answers */
    FGW_COUNT_BYTES_FROM_UPSTREAM = 21, /* as read */
    FGW_COUNT_BYTES_TO_UPSTREAM = 22, /* bodies of requests */
    FGW_COUNT_TOKENS = 23, /* + index in struct fgw_tokens, 8 of them */
    FGW_COUNT_COST_NANO_USD = 31,
    FGW_COUNT_COST_UNKNOWN = 32, /* attempts without a price */
    FGW_COUNT_INTERVALS = 33,    /* attempts whose provider's number was not read */
    FGW_COUNT_INTERVAL_WIDTH = 34, /* sum of their high - low, input and output tokens */
    FGW_COUNT_OVERRUN_TOKENS = 35,
    FGW_COUNT_REFUSALS_SAMPLED_OUT = 38, /* counted exactly, no record of their own */
    FGW_COUNT_CONNECTIONS = 39, /* of clients, accepted */
    FGW_COUNT_CONNECTIONS_REFUSED = 40, /* of them, one too many */
    FGW_COUNT_UPSTREAM_CONNECTS = 41,
    FGW_COUNT_UPSTREAM_CONNECT_FAILURES = 42,
    FGW_COUNT_UPSTREAM_REUSED = 43,
    FGW_COUNT_TIMEOUTS = 44,
    FGW_COUNT_CLIENT_ABORTS = 45,
    FGW_COUNT_UPSTREAM_ABORTS = 46, /* connections lost under an exchange */
    FGW_COUNT_PAUSES_UPSTREAM = 48, /* back-pressure: reading was stopped */
    FGW_COUNT_LIMITS_TAKEN = 49,
    FGW_COUNT_LIMITS_REFUSED = 50,
    FGW_COUNT_TABLE_INSERTS = 53, /* buckets that began */
    FGW_COUNT_HOLDS_FULL = 54,
    FGW_COUNT_EXCEPTIONS = 55, /* exchanges ended by a defect of ours */
    FGW_COUNT_CODES_LOST = 56, /* refusals whose code found no place */
    FGW_COUNT_OVERRUN_NANO_USD = 64,
    FGW_COUNT_LIMITS_FITTED = 65, /* output limits made smaller so that a cap is kept */
    FGW_COUNT_UNBOUNDED = 66,     /* requests without a bound that a cap let pass */
    FGW_COUNT_SHADOWS = 67,       /* actions not enforced that would have acted */
    FGW_COUNT_SHADOW_LIMITS = 68, /* limits not enforced that would have refused */
    FGW_COUNT_UNITS = 69,         /* + index in struct fgw_units, 6 of them */
    FGW_COUNT_DRAINS = 80, /* answers read on without their client, */
    FGW_COUNT_DRAINED = 81, /* of them to their end, */
    FGW_COUNT_DRAIN_TOKENS = 82, /* as far as max_tokens, */
    FGW_COUNT_DRAIN_SECONDS = 83, /* as long as max_seconds, */
    FGW_COUNT_DRAIN_BROKEN = 84, /* until something else ended them */
    FGW_COUNT_DRAIN_FULL = 85, /* answers not read on, as max_concurrent were already */
    /* + enum fgw_dialect_id, 8 of them: attempts whose provider told a total that is not the sum
     * of the input and output which were read of it */
    FGW_COUNT_TOTALS_UNEQUAL = 86,
    FGW_COUNT_UNREAD = 94, /* + enum fgw_unread, 5 of them: attempts whose answer was not read */
    FGW_GAUGES = 112,
    FGW_GAUGE_CONNECTIONS = 112, /* open now */
    FGW_GAUGE_REQUESTS = 113,
    FGW_GAUGE_STREAMS = 114, /* answers that pass as they come, to a client that is there */
    FGW_GAUGE_UPSTREAM_CONNECTIONS = 115, /* open, */
    FGW_GAUGE_UPSTREAM_IDLE = 116,        /* of them in pools */
    FGW_GAUGE_BUFFERED_BYTES = 117, /* of requests under way, and what clients have not taken */
    FGW_GAUGE_WAITING = 119, /* for a slot of a concurrency limit */
    FGW_GAUGE_DRAINS = 120, /* answers being read on without their client */
    FGW_COUNTERS = 128,
};

enum fgw_histogram {
    FGW_HISTOGRAM_OVERHEAD = 0, /* in the gateway before the upstream is asked */
    FGW_HISTOGRAM_CONNECT = 1, /* to a provider, name and TLS included; where it succeeded */
    FGW_HISTOGRAM_FIRST_BYTE = 2, /* request sent until the provider's first byte */
    FGW_HISTOGRAM_TOTAL = 3,      /* head read until last byte sent */
    FGW_HISTOGRAM_REFUSAL = 4,    /* head read until a refusal is sent */
    FGW_HISTOGRAM_LOOP = 5,       /* how late a timer of 100 ms is: what kept the event loop */
    FGW_HISTOGRAMS = 6,
};

/* Bucket b counts times below 2^b us (b = 0: below 1 us); the last also everything above. */
#define FGW_HISTOGRAM_BUCKETS 31

/* How far estimates are from what providers report: reported / estimated. */
enum fgw_ratio {
    FGW_RATIO_INPUT = 0,
    FGW_RATIO_OUTPUT = 1,
    FGW_RATIOS = 2,
};

/* Upper bounds of the buckets in hundredths; the last bucket has everything above. */
#define FGW_RATIO_BOUNDS {10, 25, 50, 70, 80, 90, 95, 100, 105, 110, 125, 150, 200, 400}
#define FGW_RATIO_BUCKETS 15

struct fgw_code_count {
    uint64_t code; /* FGW code; 0: free */
    uint64_t count;
};
#define FGW_CODES 64

struct fgw_shadow_count {
    uint64_t rule;    /* name hash; 0: free */
    uint64_t actions; /* that would have acted */
    uint64_t limits;  /* that would have refused */
};
#define FGW_SHADOW_RULES 128

struct fgw_counters {
    _Alignas(64) uint64_t value[FGW_COUNTERS];
    struct fgw_code_count codes[FGW_CODES]; /* refusals; in order of first use */
    struct fgw_counted_times {
        uint64_t bucket[FGW_HISTOGRAM_BUCKETS];
        uint64_t sum_us;
    } histograms[FGW_HISTOGRAMS];
    struct fgw_counted_ratios {
        uint64_t bucket[FGW_RATIO_BUCKETS];
        uint64_t sum; /* in hundredths */
    } ratios[FGW_RATIOS];
    uint64_t drains[FGW_DRAINS_MAX]; /* running now, by number of their action; a gauge */
    struct fgw_shadow_count shadows[FGW_SHADOW_RULES]; /* in order of first use */
    struct fgw_cut cut;
    uint8_t reserved[8192 - 7168 - sizeof(struct fgw_cut)];
};
_Static_assert(sizeof(struct fgw_counters) == 8192, "layout is shared between processes");

/* The writer's side. `n` may be "negative" (wraps) for gauges. */
static inline void fgw_count(struct fgw_counters *counters, unsigned which, uint64_t n)
{
    if (which < FGW_COUNTERS)
        __atomic_store_n(&counters->value[which], counters->value[which] + n, __ATOMIC_RELAXED);
}

/* Counts a refusal by its FGW code. */
void fgw_count_code(struct fgw_counters *counters, uint16_t code);

/* Counts a shadow of a rule, in all and (while there is a place) by the rule: of an action that
 * would have acted, or of a `limit` that would have refused. */
void fgw_count_shadow(struct fgw_counters *counters, uint64_t rule, int limit);

/* Counts a time span in a histogram. */
void fgw_count_time(struct fgw_counters *counters, unsigned histogram, uint64_t ns);

/* Counts reported / estimated; an estimate of 0 is one of 1. */
void fgw_count_ratio(struct fgw_counters *counters, unsigned ratio, uint64_t reported,
                     uint64_t estimated);

/* What the attempts that this worker's block counted come to. */
void fgw_counters_books(const struct fgw_counters *counters, struct fgw_books *books);

/* A worker begins a drain: `all` are the blocks of all workers, `own` is the index of its own.
 * Returns 0 where max_concurrent are running. Each worker shows its own before it looks at the
 * others', so of those that begin at once the last to look sees all: never more than the bound
 * run, though two that meet at it may both stand back. */
int fgw_drain_begin(struct fgw_counters *all, uint32_t workers, uint32_t own,
                    const struct fgw_drain *drain);
void fgw_drain_end(struct fgw_counters *own, const struct fgw_drain *drain);

/* The reader's side: adds one worker's block to `sum`, private memory that began as zeroes. */
void fgw_counters_sum(struct fgw_counters *sum, const struct fgw_counters *counters);

/* The sweeper's side. */
void fgw_counters_reset_gauges(struct fgw_counters *counters);

#endif
