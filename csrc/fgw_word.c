#include "fgw_word.h"

#include <stdatomic.h>

/* The pair is read and swapped as one; its halves are also read one by one. */
typedef fgw_u128 __attribute__((may_alias)) shared_u128;

int fgw_swap16(void *at, fgw_u128 *expected, fgw_u128 desired)
{
#ifdef FGW_MUTANT_NO_CAS /* what the race tests must catch */
    fgw_u128 seen = *expected;
    *(volatile shared_u128 *)at = desired;
#else
    /* __sync, not __atomic: only this one is inlined as cmpxchg16b / casp; the other calls
     * libatomic, which may lock (a lock that a killed worker would keep). */
    fgw_u128 seen = __sync_val_compare_and_swap((shared_u128 *)at, *expected, desired);
#endif
    if (seen == *expected)
        return 1;
    *expected = seen;
    return 0;
}

fgw_u128 fgw_read16(void *at)
{
#ifdef FGW_MUTANT_NO_CAS
    return *(volatile shared_u128 *)at;
#else
    return __sync_val_compare_and_swap((shared_u128 *)at, (fgw_u128)0, (fgw_u128)0);
#endif
}

struct pair {
    uint64_t value, tag;
};

static fgw_u128 as_u128(struct pair pair)
{
    union {
        struct pair pair;
        fgw_u128 whole;
    } both = {.pair = pair};
    return both.whole;
}

static struct pair as_pair(fgw_u128 whole)
{
    union {
        fgw_u128 whole;
        struct pair pair;
    } both = {.whole = whole};
    return both.pair;
}

/* No tag comes twice, so a value between two readings of one tag is that tag's. */
static struct pair read_pair(const struct fgw_word *word)
{
    struct pair pair;
    uint64_t tag = atomic_load_explicit(&word->tag, memory_order_acquire);
    do {
        pair.tag = tag;
        pair.value = atomic_load_explicit(&word->value, memory_order_acquire);
        tag = atomic_load_explicit(&word->tag, memory_order_acquire);
    } while (tag != pair.tag);
    return pair;
}

static uint64_t seq_of(uint64_t tag) { return tag & FGW_WORD_SEQ_MAX; }

static struct fgw_done *done_of(struct fgw_dones dones, uint64_t tag)
{
    uint64_t owner = tag >> FGW_WORD_SEQ_BITS;
    return owner >= 1 && owner <= dones.n ? &dones.of[owner - 1] : 0;
}

static void note_done(struct fgw_dones dones, uint64_t tag)
{
    struct fgw_done *done = done_of(dones, tag);
    if (done == 0)
        return;
    uint64_t seq = seq_of(tag);
    uint64_t seen = atomic_load_explicit(&done->seq, memory_order_relaxed);
    while (seen < seq && !atomic_compare_exchange_weak(&done->seq, &seen, seq))
        ;
}

static int swap(struct fgw_word *word, struct fgw_dones dones, struct pair *seen,
                struct pair desired)
{
    note_done(dones, seen->tag);
    fgw_u128 expected = as_u128(*seen);
    if (fgw_swap16(word, &expected, as_u128(desired)))
        return 1;
    *seen = as_pair(expected);
    return 0;
}

int fgw_word_add(struct fgw_word *word, struct fgw_dones dones, uint64_t amount, uint64_t limit,
                 uint64_t tag, uint64_t *value)
{
    struct pair seen = read_pair(word);
    for (;;) {
        *value = seen.value;
        if (seen.tag == FGW_WORD_DEAD)
            return FGW_WORD_GONE;
        if (seen.value > limit || amount > limit - seen.value)
            return FGW_WORD_SHORT;
        if (swap(word, dones, &seen, (struct pair){seen.value + amount, tag})) {
            *value += amount;
            return 0;
        }
    }
}

int fgw_word_settle(struct fgw_word *word, struct fgw_dones dones, uint64_t before,
                    uint64_t after, uint64_t tag, uint64_t *value)
{
    struct pair seen = read_pair(word);
    for (;;) {
        if (seen.tag == FGW_WORD_DEAD)
            return FGW_WORD_GONE;
        uint64_t rest = seen.value > before ? seen.value - before : 0;
        *value = rest + after < rest ? UINT64_MAX : rest + after;
        if (swap(word, dones, &seen, (struct pair){*value, tag}))
            return 0;
    }
}

int fgw_word_happened(const struct fgw_word *word, struct fgw_dones dones, uint64_t tag)
{
    /* First the word, then done[]: whoever overwrites the tag in between has noted it before. */
    if (atomic_load(&word->tag) == tag)
        return 1;
    struct fgw_done *done = done_of(dones, tag);
    return done != 0 && atomic_load(&done->seq) >= seq_of(tag);
}

uint64_t fgw_word_value(const struct fgw_word *word)
{
    return atomic_load_explicit(&word->value, memory_order_relaxed);
}

int fgw_word_bury(struct fgw_word *word, struct fgw_dones dones)
{
    struct pair seen = read_pair(word);
    return seen.tag != FGW_WORD_DEAD && seen.value == 0 &&
           swap(word, dones, &seen, (struct pair){0, FGW_WORD_DEAD});
}

int fgw_word_forget(struct fgw_word *word)
{
    fgw_u128 nothing = 0;
    return fgw_swap16(word, &nothing, as_u128((struct pair){0, FGW_WORD_DEAD}));
}

int fgw_word_end(struct fgw_word *word, struct fgw_dones dones)
{
    struct pair seen = read_pair(word);
    while (seen.tag != FGW_WORD_DEAD)
        if (swap(word, dones, &seen, (struct pair){0, FGW_WORD_DEAD}))
            return 1;
    return 0;
}

int fgw_word_set(struct fgw_word *word, struct fgw_dones dones, uint64_t value, uint64_t tag)
{
    struct pair seen = read_pair(word);
    while (seen.tag != FGW_WORD_DEAD)
        if (swap(word, dones, &seen, (struct pair){value, tag}))
            return 0;
    return FGW_WORD_GONE;
}
