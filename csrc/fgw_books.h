/* fgw_books.h - what closed attempts come to, for laying two accounts of them side by side: the
 * counters of a worker, and the records that it posted.
 *
 * A worker publishes a *cut* between two callbacks: its counters' sums, and the position of its
 * ring up to which every CLOSE is counted in them. Whoever has read the ring so far sums its
 * CLOSEs up to that position, and both must have grown by the same.
 *
 *     0         8            16         24         32          96      104            112
 *     | version | generation | position | attempts | tokens[8] | cost  | cost unknown | units[6]
 */
#ifndef FGW_BOOKS_H
#define FGW_BOOKS_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_record.h"

struct fgw_books {
    uint64_t attempts; /* closed ones */
    struct fgw_tokens tokens;
    uint64_t cost_nano_usd;
    uint64_t cost_unknown; /* attempts without a price */
    struct fgw_units units;
};
#define FGW_BOOKS_WORDS (11 + FGW_UNITS_WORDS)
_Static_assert(sizeof(struct fgw_books) == 8 * FGW_BOOKS_WORDS, "compared word by word");

struct fgw_cut {
    uint64_t version; /* odd while it is written */
    uint64_t generation;
    uint64_t position;
    struct fgw_books books;
};

/* Adds one CLOSE. */
void fgw_books_close(struct fgw_books *books, const struct fgw_record_close *close);

/* Takes `by` off. */
void fgw_books_less(struct fgw_books *books, const struct fgw_books *by);

/* Adds the CLOSEs of `length` bytes of checked records (8-byte aligned), up to the first one whose
 * sequence is not below `before`. Returns where that stands. */
size_t fgw_books_add(struct fgw_books *books, const uint8_t *records, size_t length,
                     uint64_t before);

/* sum over all words of |(one - one_before) - (other - other_before)|. */
uint64_t fgw_books_apart(const struct fgw_books *one, const struct fgw_books *one_before,
                         const struct fgw_books *other, const struct fgw_books *other_before);

/* The worker's side. What a writer before it left half written is as good as nothing. */
void fgw_cut_write(struct fgw_cut *cut, uint64_t generation, uint64_t position,
                   const struct fgw_books *books);

/* Any reader's. 0: none yet, or it is just being written. */
int fgw_cut_read(const struct fgw_cut *cut, struct fgw_cut *out);

#endif
