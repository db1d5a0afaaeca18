/* fgw_word.h - a counted word: an amount that several processes add to and take from, and that
 * stays right when any of them is killed between any two instructions.
 *
 *     0                8      14       16
 *     | value (64)     | seq (48) | owner (16) |      changed only by one 16-byte CAS
 *                      '-------- tag ----------'
 *
 * `tag` says who changed the word last: a worker slot (+ 1; 0: nobody yet) and the number of that
 * worker's change. A worker numbers its changes upwards and makes one at a time. Before a tag is
 * overwritten, its seq is stored (max) in done[owner]. So, of a worker that died in the middle of
 * change s, one can tell afterwards whether s happened: its tag still stands in the word, or
 * done[owner] >= s. The order of that question matters: first the word, then done[].
 */
#ifndef FGW_WORD_H
#define FGW_WORD_H

#include <stdint.h>

#define FGW_CACHE_LINE 64

__extension__ typedef unsigned __int128 fgw_u128;

struct fgw_word {
    _Alignas(16) _Atomic uint64_t value;
    _Atomic uint64_t tag;
};
_Static_assert(sizeof(struct fgw_word) == 16, "layout is shared between processes");

/* The greatest change of one worker that was seen and overwritten. One cache line each. */
struct fgw_done {
    _Alignas(FGW_CACHE_LINE) _Atomic uint64_t seq;
};
_Static_assert(sizeof(struct fgw_done) == FGW_CACHE_LINE, "layout is shared between processes");

struct fgw_dones {
    struct fgw_done *of; /* by worker slot */
    uint32_t n;
};

#define FGW_WORD_SEQ_BITS 48
#define FGW_WORD_SEQ_MAX ((UINT64_C(1) << FGW_WORD_SEQ_BITS) - 1)
#define FGW_WORD_DEAD UINT64_MAX /* tag of an evicted word */

#define FGW_WORD_SHORT (-1) /* refused: value + amount > limit */
#define FGW_WORD_GONE (-2)  /* evicted from the table: look the key up again */

static inline uint64_t fgw_word_tag(uint32_t slot, uint64_t seq)
{
    return (uint64_t)(slot + 1) << FGW_WORD_SEQ_BITS | (seq & FGW_WORD_SEQ_MAX);
}

/* Adds `amount` if the sum stays <= limit. Returns 0, FGW_WORD_SHORT or FGW_WORD_GONE.
 * *value: after the change, or what stood in the way. */
int fgw_word_add(struct fgw_word *word, struct fgw_dones dones, uint64_t amount, uint64_t limit,
                 uint64_t tag, uint64_t *value);

/* Replaces a part: value - before + after, whatever the limit (never below 0).
 * Returns 0 or FGW_WORD_GONE. */
int fgw_word_settle(struct fgw_word *word, struct fgw_dones dones, uint64_t before,
                    uint64_t after, uint64_t tag, uint64_t *value);

/* 1 if the change with this tag has happened to this word. Ask only when its worker is reaped. */
int fgw_word_happened(const struct fgw_word *word, struct fgw_dones dones, uint64_t tag);

uint64_t fgw_word_value(const struct fgw_word *word);

/* For eviction: a word of value 0 becomes FGW_WORD_DEAD. Returns 1 if so, 0 if in use. */
int fgw_word_bury(struct fgw_word *word, struct fgw_dones dones);

/* For the eviction of a window that is over: whatever its value, FGW_WORD_DEAD. Returns 1, 0 if it
 * is dead already. */
int fgw_word_end(struct fgw_word *word, struct fgw_dones dones);

/* Sets the value, whatever it was. Returns 0 or FGW_WORD_GONE. */
int fgw_word_set(struct fgw_word *word, struct fgw_dones dones, uint64_t value, uint64_t tag);

/* The same of a word that nobody has ever changed: no value, no tag. */
int fgw_word_forget(struct fgw_word *word);

/* One 16-byte compare-and-swap, full barrier. Returns 1 if swapped; else *expected is what stood
 * there. `at` must be 16-byte aligned and writable. */
int fgw_swap16(void *at, fgw_u128 *expected, fgw_u128 desired);

/* Reads 16 bytes as one, full barrier; the memory must be as for a swap. */
fgw_u128 fgw_read16(void *at);

#endif
