#include "fgw_hold.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

void fgw_hold_begin(struct fgw_hold *hold, const struct fgw_request_id *id, uint64_t wall_ns)
{
    /* The limits need no wiping: n_limits says which of them mean anything. */
    memset(hold, 0, offsetof(struct fgw_hold, limits));
    hold->id = *id;
    hold->wall_ns = wall_ns;
    atomic_store_explicit(&hold->live, 1, memory_order_release);
}

void fgw_hold_end(struct fgw_hold *hold)
{
    atomic_store_explicit(&hold->live, 0, memory_order_release);
}

void fgw_hold_open(struct fgw_hold *hold, uint8_t attempt, uint64_t wall_ns)
{
    fgw_hold_opening(hold, attempt, wall_ns, 0);
}

void fgw_hold_opening(struct fgw_hold *hold, uint8_t attempt, uint64_t wall_ns,
                      uint64_t open_sequence)
{
    struct fgw_progress *progress = &hold->progress;
    progress->earlier_input += atomic_load(&progress->input_tokens);
    progress->earlier_output += atomic_load(&progress->output_tokens);
    atomic_store_explicit(&progress->first_byte_ns, 0, memory_order_release);
    atomic_store_explicit(&progress->bytes_in, 0, memory_order_release);
    fgw_hold_progress(hold, 0, 0, 0, 0);
    hold->attempt = attempt;
    hold->open_wall_ns = wall_ns;
    hold->open_sequence = open_sequence;
    hold->close_sequence = 0;
    atomic_store_explicit(&hold->open_attempt, 1, memory_order_release);
}

void fgw_hold_look(struct fgw_hold *hold, uint64_t ring_head)
{
    const int posted = hold->open_sequence == 0 || hold->open_sequence < ring_head;
    const int ended = hold->close_sequence != 0 && hold->close_sequence < ring_head;
    /* (Sent all the same: the ledger was full, and told to drop.) */
    const int dropped = hold->sent && hold->attempt == 1;
    if (fgw_hold_is_open(hold) && (ended || (!posted && !dropped)))
        fgw_hold_closed(hold);
}

void fgw_hold_closing(struct fgw_hold *hold, uint64_t close_sequence)
{
    hold->close_sequence = close_sequence;
    atomic_thread_fence(memory_order_release); /* before the ring's head moves past it */
}

void fgw_hold_closed(struct fgw_hold *hold)
{
    atomic_store_explicit(&hold->open_attempt, 0, memory_order_release);
}

void fgw_hold_read_progress(const struct fgw_hold *hold, struct fgw_progress_seen *seen)
{
    const struct fgw_progress *from = &hold->progress;
    seen->input_tokens = atomic_load_explicit(&from->input_tokens, memory_order_acquire);
    seen->output_tokens = atomic_load_explicit(&from->output_tokens, memory_order_acquire);
    seen->events = atomic_load_explicit(&from->events, memory_order_acquire);
    seen->bytes_in = atomic_load_explicit(&from->bytes_in, memory_order_acquire);
    seen->bytes_out = atomic_load_explicit(&from->bytes_out, memory_order_acquire);
    seen->first_byte_ns = atomic_load_explicit(&from->first_byte_ns, memory_order_acquire);
    seen->earlier_input = from->earlier_input;
    seen->earlier_output = from->earlier_output;
}

int fgw_hold_is_live(const struct fgw_hold *hold)
{
    return atomic_load_explicit(&hold->live, memory_order_acquire) != 0;
}

int fgw_hold_is_open(const struct fgw_hold *hold)
{
    return atomic_load_explicit(&hold->open_attempt, memory_order_acquire) != 0;
}

uint64_t fgw_hold_amount(const struct fgw_hold_limit *limit)
{
    uint64_t state = atomic_load_explicit(&limit->state, memory_order_acquire);
    unsigned phase = (unsigned)(state & 15);
    return phase == FGW_HOLD_TAKEN || phase == FGW_HOLD_DRAWING || phase == FGW_HOLD_WANTED
               ? limit->amount[state >> 4 & 1]
               : 0;
}

uint64_t fgw_hold_settled(const struct fgw_hold_limit *limit)
{
    uint64_t state = atomic_load_explicit(&limit->state, memory_order_acquire);
    unsigned which = (unsigned)(state >> 4 & 1);
    /* Taking leaves `which` at 1 and each draw puts it to the other; a shadow that was never
     * taken has 0, and nothing there. */
    return which == 1 || limit->amount[0] != 0 ? limit->amount[1 - which] : 0;
}

void fgw_hold_reset(struct fgw_hold *hold) { memset(hold, 0, sizeof *hold); }
