#include "fgw_cluster.h"

int fgw_store_answers(const struct fgw_board *board, uint64_t now_ns)
{
    uint64_t beat = atomic_load_explicit(&board->beat_ns, memory_order_relaxed);
    return atomic_load_explicit(&board->state, memory_order_relaxed) != FGW_STORE_LOST &&
           now_ns < beat + FGW_LESSEE_DEAD_NS;
}

uint64_t fgw_grant_limit(const struct fgw_board *board, const union fgw_cell *grant,
                         uint64_t now_ns, uint64_t *meta)
{
    uint64_t granted = fgw_grant_read(grant, meta);
    if (*meta & FGW_GRANT_DEGRADED && *meta != FGW_WORD_DEAD)
        return granted;
    return now_ns < atomic_load_explicit(&board->lease_until_ns, memory_order_acquire) ? granted
                                                                                       : 0;
}

static int post(struct fgw_board *board, uint32_t entry, uint64_t need)
{
    need = need < FGW_NEED_MAX ? need : FGW_NEED_MAX;
    uint64_t demand = (uint64_t)entry << FGW_NEED_BITS | need;
    uint32_t at = atomic_fetch_add_explicit(&board->head, 1, memory_order_relaxed);
    uint64_t nobody = 0;
    return atomic_compare_exchange_strong(&board->demands[at % FGW_DEMANDS], &nobody, demand);
}

int fgw_grant_ask(struct fgw_board *board, union fgw_cell *grant, uint32_t entry, uint32_t spec,
                  uint32_t window, uint64_t need)
{
    uint64_t seen = atomic_load_explicit(&grant->word.tag, memory_order_acquire), wanted;
    if (seen == FGW_WORD_DEAD || (seen & FGW_GRANT_WANTED) || entry >> (64 - FGW_NEED_BITS))
        return 0;
    /* need 0 would make entry 0's demand look like a free place. */
    if (!post(board, entry, need ? need : 1))
        return 0;
    do {
        if (seen == FGW_WORD_DEAD)
            return 0;
        wanted = fgw_grant_meta(spec, seen ? fgw_grant_window(seen) : window, fgw_grant_low(seen),
                                (uint32_t)(seen & 255) | FGW_GRANT_WANTED);
    } while (!atomic_compare_exchange_weak(&grant->word.tag, &seen, wanted));
    return 1;
}

int fgw_board_take(struct fgw_board *board, uint32_t *at, uint32_t *entry, uint64_t *need)
{
    for (; *at < FGW_DEMANDS; ++*at) {
        if (atomic_load_explicit(&board->demands[*at], memory_order_relaxed) == 0)
            continue;
        uint64_t demand = atomic_exchange(&board->demands[(*at)++], 0);
        *entry = (uint32_t)(demand >> FGW_NEED_BITS);
        *need = demand & FGW_NEED_MAX;
        return 1;
    }
    return 0;
}

int fgw_grant_set(union fgw_cell *grant, uint64_t granted, uint64_t meta)
{
    union {
        uint64_t half[2];
        fgw_u128 whole;
    } seen, wanted = {.half = {granted, meta}};
    seen.half[1] = fgw_grant_read(grant, &seen.half[0]);
    fgw_u128 expected = (fgw_u128)seen.half[0] << 64 | seen.half[1];
    for (;;) {
        if ((uint64_t)(expected >> 64) == FGW_WORD_DEAD)
            return 0;
        if (fgw_swap16(grant, &expected, wanted.whole))
            return 1;
    }
}

void fgw_grant_release(union fgw_cell *grant, uint32_t flags)
{
    uint64_t seen = atomic_load_explicit(&grant->word.tag, memory_order_acquire);
    uint32_t kept = FGW_GRANT_DEGRADED;
    while (seen != FGW_WORD_DEAD && seen != 0 &&
           !atomic_compare_exchange_weak(
               &grant->word.tag, &seen,
               fgw_grant_meta(fgw_grant_spec(seen), fgw_grant_window(seen), fgw_grant_low(seen),
                              ((uint32_t)seen & kept) | flags)))
        ;
}

void fgw_board_say(struct fgw_board *board, uint32_t state, uint32_t nodes, uint64_t until_ns)
{
    atomic_store_explicit(&board->nodes, nodes, memory_order_relaxed);
    atomic_store_explicit(&board->lease_until_ns, until_ns, memory_order_release);
    atomic_store_explicit(&board->state, state, memory_order_release);
}

void fgw_board_beat(struct fgw_board *board, uint64_t now_ns)
{
    atomic_store_explicit(&board->beat_ns, now_ns, memory_order_relaxed);
}

void fgw_board_read(const struct fgw_board *board, uint32_t *state, uint32_t *nodes,
                    uint64_t *until_ns, uint64_t *beat_ns)
{
    *state = atomic_load_explicit(&board->state, memory_order_acquire);
    *nodes = atomic_load_explicit(&board->nodes, memory_order_relaxed);
    *until_ns = atomic_load_explicit(&board->lease_until_ns, memory_order_acquire);
    *beat_ns = atomic_load_explicit(&board->beat_ns, memory_order_relaxed);
}
