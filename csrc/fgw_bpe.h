/* fgw_bpe.h - counts the tokens of a text that comes in slices, exactly as tiktoken does.
 *
 *     struct fgw_bpe_count counter = {0};              // zeroed: an empty text; fgw_bpe_start too
 *     fgw_bpe_feed(&counter, vocabulary, slice, n);    // for each slice, cut anywhere
 *     fgw_bpe_tokens(&counter)                         // at least so many, however it goes on
 *     fgw_bpe_now(&counter, vocabulary)                // exactly so many, if it ended here
 *     fgw_bpe_finish(&counter, vocabulary)             // it ends: exactly so many
 *
 * Slices may be cut inside a character. Bytes that are no UTF-8 count as U+FFFD, one for each
 * longest beginning of a character, as Python's "replace" decodes them. Special tokens
 * (<|endoftext|> and the like) are counted as the text that they look like.
 *
 * Text is cut into pieces (fgw_bpe_scan.h) and each is encoded by itself (fgw_bpe_merge.h,
 * fgw_bpe_run.h). What is not decided yet stays in the counter, in a bounded place, without losing
 * exactness:
 *
 *     ... pieces counted ... | tail: at most FGW_BPE_TAIL bytes of an unfinished piece |
 *     ... pieces counted ... | runs: a longer one, as counts of its prefixes | tail: look ahead
 *
 * `whole` runs over the unfinished piece from its start; `rest` from where it may yet be cut (its
 * last line end, or its last caseless letter), and `split` keeps the tokens up to there.
 *
 * Time is linear in the text. Ordinary text takes some 2 to 6 ns a byte, other writings 8 to 14,
 * letters by chance 25; the worst is about 0.5 us a byte (thousands of spaces in one run that come
 * in small slices). 20 KB of stack for a slice. No allocation, no clock; a counter is 2.9 KB of
 * the caller's memory, may be copied and moved, and needs nothing at its end. A vocabulary is only
 * read: threads and forks share it.
 */
#ifndef FGW_BPE_H
#define FGW_BPE_H

#include "fgw_bpe_run.h"

#define FGW_BPE_TAIL 256

struct fgw_bpe_count {
    uint64_t pieces;          /* tokens of the pieces that are finished */
    uint32_t split;           /* long pieces: tokens of what is before `rest` */
    uint16_t tail_length;
    uint8_t state;            /* enum fgw_bpe_state of a long piece; 0: all of it is in the tail */
    uint8_t has_split;
    uint8_t partial_length;   /* of a character that was cut */
    uint8_t partial[3];
    uint8_t blank_length;     /* white space: its last character, */
    uint8_t blank[3];
    uint32_t blanks;          /* and how many there are behind its last line end */
    uint8_t tail[FGW_BPE_TAIL];
    struct fgw_bpe_run whole, rest;
};

void fgw_bpe_start(struct fgw_bpe_count *counter);

/* Takes the next bytes of the text. */
void fgw_bpe_feed(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *vocabulary,
                  const uint8_t *bytes, size_t length);

/* A lower bound of the final count: never more than what fgw_bpe_finish will say, whatever is fed
 * until then. It lags by the tokens of the last word, but for one; O(1), only while a piece of
 * more than FGW_BPE_TAIL bytes lasts 256 steps. */
uint64_t fgw_bpe_tokens(const struct fgw_bpe_count *counter);

/* The count of the text so far, as if it ended here; the counter stays as it is. More text may
 * make it less (by a few: "'l" is two tokens, "'ll" one). Costs a copy and the last word. */
uint64_t fgw_bpe_now(const struct fgw_bpe_count *counter,
                     const struct fgw_bpe_vocabulary *vocabulary);

/* Ends the text. Returns its count, which fgw_bpe_tokens repeats until the next start. */
uint64_t fgw_bpe_finish(struct fgw_bpe_count *counter,
                        const struct fgw_bpe_vocabulary *vocabulary);

#endif
