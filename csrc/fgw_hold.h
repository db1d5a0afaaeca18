/* fgw_hold.h - what a running request has taken, and how far it has come: all that another
 * process must know to settle its limits and close its attempt when the worker is killed.
 *
 * A worker has an arena of holds in the segment and alone writes there, until it is reaped; then
 * the sweeper goes on as the dead owner. Layout (bytes):
 *
 *     0   state  attempt  open  n_limits | request id | wall start | attempt's wall start
 *         | deadline | provider key | close sequence                              (64)
 *     64  progress: input, output, events, bytes in, bytes out, first byte,
 *         earlier attempts' input and output                                       (64)
 *     128 dims (80) | input high | output high | input estimate | cost held
 *         | open sequence | 0                                                      (128)
 *     256 limits[8], 80 each                                                       (640)
 *     896 end
 *
 * One limit of a hold goes  FREE -> ADDING -> TAKEN -> SETTLING -> FREE  (INTENT+ and INTENT- in
 * DESIGN), its state word stored before and after the one atomic change of the shared word:
 *
 *     state = seq (48) << 8 | which << 4 | phase      seq: the change's number (fgw_word.h)
 *
 * amount[which] is what is held; while ADDING or SETTLING, amount[1 - which] is what will be held
 * once the change numbered seq has happened. So one store of the state word makes it so. A TAKEN
 * cap goes through DRAWING to hold more (or, undone, less) and is TAKEN again either way. Before
 * the last CLOSE is posted a cap becomes WANTED, with what it will be settled to: who dies between
 * the two leaves a word that the sweep makes what the CLOSE says.
 */
#ifndef FGW_HOLD_H
#define FGW_HOLD_H

#include <stdatomic.h>
#include <stdint.h>

#include "fgw_record.h"
#include "fgw_table.h"

enum fgw_hold_phase {
    FGW_HOLD_FREE = 0,
    FGW_HOLD_ADDING = 1,
    FGW_HOLD_TAKEN = 2,
    FGW_HOLD_SETTLING = 3,
    FGW_HOLD_WANTED = 4, /* TAKEN, and a settling is due, or was begun but has not happened */
    FGW_HOLD_DRAWING = 5, /* amount[which] is held, and amount[1 - which] if it has happened */
};

/* What of a limit's configuration its settling must know. */
enum fgw_hold_flag {
    FGW_HOLD_CEILING = 1,  /* a ceiling is held: it may be drawn on */
    FGW_HOLD_PROGRESS = 2, /* of a dead worker: settled at progress; else what is held stays */
    FGW_HOLD_SLIDING = 4,
    FGW_HOLD_CLUSTER = 8, /* no more than was granted (fgw_cluster_key) may be in use */
};

struct fgw_hold_limit {
    _Atomic uint64_t state;
    uint64_t amount[2];
    uint64_t owed_until_ns; /* bucket; of a window: when that began which was taken from */
    uint64_t identity[2];   /* as in the table: the entry may have been evicted since */
    uint64_t capacity;
    uint64_t period_ns;     /* bucket, window */
    uint32_t entry;         /* of the table */
    uint8_t unit;           /* enum fgw_unit */
    uint8_t cell;           /* enum fgw_cell_kind */
    uint8_t enforced;
    uint8_t flags; /* enum fgw_hold_flag */
    union {
        uint64_t ns_per_unit; /* bucket; 0: not a whole number */
        uint64_t wall_ahead_ns; /* window: CLOCK_REALTIME less CLOCK_BOOTTIME, when taken */
    };
};
_Static_assert(sizeof(struct fgw_hold_limit) == 80, "layout is shared between processes");

struct fgw_progress {
    /* The attempt's, each stored before the event that it counts is sent to the client. */
    _Atomic uint64_t input_tokens;  /* normalised, by the provider; 0: not yet known */
    _Atomic uint64_t output_tokens; /* delivered, a lower bound */
    _Atomic uint64_t events;
    _Atomic uint64_t bytes_in;  /* request body sent to the provider */
    _Atomic uint64_t bytes_out; /* response body delivered to the client */
    _Atomic uint64_t first_byte_ns; /* when the provider's first byte came; 0: not yet */
    /* Of the request's earlier attempts, already closed: what they used. */
    uint64_t earlier_input;
    uint64_t earlier_output;
};

struct fgw_hold {
    _Alignas(FGW_CACHE_LINE) _Atomic uint32_t live; /* 0: free */
    uint8_t attempt;                                /* 1, 2, …; 0: none yet */
    _Atomic uint8_t open_attempt; /* 1: an OPEN record is posted, its CLOSE is not */
    uint8_t n_limits;
    uint8_t sent; /* 1: bytes went to a provider in some attempt: input is spent */
    struct fgw_request_id id;
    uint64_t wall_ns;       /* admission */
    uint64_t open_wall_ns;  /* the attempt's OPEN */
    uint64_t deadline_ns;   /* CLOCK_BOOTTIME; 0: none. For people: nothing expires by it */
    uint64_t provider_key;
    uint64_t close_sequence; /* of the ring: the CLOSE's, stored just before it is posted */
    struct fgw_progress progress;
    struct fgw_dims dims;
    uint64_t input_high;
    uint64_t output_high;
    uint64_t input_estimate;
    uint64_t cost_held; /* micro-dollars */
    uint64_t open_sequence; /* of the ring: the OPEN's; 0: it is surely posted */
    uint8_t reserved[8];
    struct fgw_hold_limit limits[FGW_LIMITS_MAX];
};
_Static_assert(sizeof(struct fgw_hold) == 896, "layout is shared between processes");
_Static_assert(sizeof(struct fgw_progress) == 64, "one cache line");

/* Makes a free hold live, empty but for its id. */
void fgw_hold_begin(struct fgw_hold *hold, const struct fgw_request_id *id, uint64_t wall_ns);

/* The hold's last act. Limits must be settled. */
void fgw_hold_end(struct fgw_hold *hold);

/* To be called just before an attempt's OPEN is posted, with the ring's head: the sequence that it
 * gets. dims, provider_key, input_high and output_high are set before. Progress starts anew; what
 * the last attempt used is added to earlier_*. If posting fails: fgw_hold_closed. */
void fgw_hold_opening(struct fgw_hold *hold, uint8_t attempt, uint64_t wall_ns,
                      uint64_t open_sequence);

/* The same for an OPEN that was posted already; a death in between leaves it without a CLOSE. */
void fgw_hold_open(struct fgw_hold *hold, uint8_t attempt, uint64_t wall_ns);

/* The sweeper's: no attempt is open whose OPEN the worker's ring, which got as far as ring_head,
 * does not have (nothing was asked of a provider by it), or whose CLOSE it has. */
void fgw_hold_look(struct fgw_hold *hold, uint64_t ring_head);

/* To be called just before (with the ring's head) and just after the attempt's CLOSE is posted. */
void fgw_hold_closing(struct fgw_hold *hold, uint64_t close_sequence);
void fgw_hold_closed(struct fgw_hold *hold);

/* The attempt's totals so far, to be stored before the event is sent on. */
static inline void fgw_hold_progress(struct fgw_hold *hold, uint64_t input_tokens,
                                     uint64_t output_tokens, uint64_t events, uint64_t bytes_out)
{
    struct fgw_progress *to = &hold->progress;
    atomic_store_explicit(&to->input_tokens, input_tokens, memory_order_release);
    atomic_store_explicit(&to->output_tokens, output_tokens, memory_order_release);
    atomic_store_explicit(&to->events, events, memory_order_release);
    atomic_store_explicit(&to->bytes_out, bytes_out, memory_order_release);
}

static inline void fgw_hold_sent(struct fgw_hold *hold, uint64_t bytes_in)
{
    atomic_store_explicit(&hold->progress.bytes_in, bytes_in, memory_order_release);
    hold->sent = 1;
}

static inline void fgw_hold_first_byte(struct fgw_hold *hold, uint64_t now_ns)
{
    atomic_store_explicit(&hold->progress.first_byte_ns, now_ns, memory_order_release);
}

/* A copy of the progress words, for readers in any process. */
struct fgw_progress_seen {
    uint64_t input_tokens, output_tokens, events, bytes_in, bytes_out, first_byte_ns;
    uint64_t earlier_input, earlier_output;
};
void fgw_hold_read_progress(const struct fgw_hold *hold, struct fgw_progress_seen *seen);

int fgw_hold_is_live(const struct fgw_hold *hold);
int fgw_hold_is_open(const struct fgw_hold *hold);

/* What a limit of a hold holds now; 0 once settled. For readers in any process. */
uint64_t fgw_hold_amount(const struct fgw_hold_limit *limit);

/* What a limit of a hold was settled to: for the sweeper, of a limit that is FREE. */
uint64_t fgw_hold_settled(const struct fgw_hold_limit *limit);

/* Zeroes a hold, whatever it held: for the supervisor, before a swept slot gets a new worker. */
void fgw_hold_reset(struct fgw_hold *hold);

#endif
