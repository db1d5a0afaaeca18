/* fgw_bpe_run.h - a piece of text of any length to the number of its tokens; not for callers.
 *
 * A piece that is there as a whole is encoded in windows. The last tokens of a window are given
 * up, since what follows may change them, and the next one begins behind those that are kept; if
 * its first token and the last kept one are such as may be neighbours (fgw_bpe_neighbours), all
 * before and all behind are the encoding of the whole, else the window begins a token earlier:
 *
 *     window       | he | llo | wor | ld |
 *     the next one            | wor | lds | and |     "llo" and "wor" may be neighbours
 *
 * A piece that is not yet whole goes byte by byte through a *run*. Of every prefix of a piece the
 * encoding is its last token behind the encoding of the prefix before it. Exactly one token can be
 * last; so a run needs to know the last tokens and the counts of FGW_BPE_TOKEN_MAX prefixes only,
 * whatever the length: 1.3 KB, no allocation, at most FGW_BPE_TOKEN_MAX steps a byte.
 *
 *     piece   ... h e l l o w o r l d ...
 *     last         he  ell? hello  ... one per byte
 *     count        7    8     7
 */
#ifndef FGW_BPE_RUN_H
#define FGW_BPE_RUN_H

#include "fgw_bpe_merge.h"

struct fgw_bpe_run {
    uint64_t length;                      /* bytes so far */
    uint32_t last[FGW_BPE_TOKEN_MAX];     /* by length of the prefix modulo the array's */
    uint32_t count[FGW_BPE_TOKEN_MAX];    /* tokens of the prefix; the empty one has 0 */
    uint8_t bytes[2 * FGW_BPE_TOKEN_MAX]; /* the latest; begins anew when full */
    uint32_t filled;
};

/* Empties a run. */
void fgw_bpe_run_start(struct fgw_bpe_run *run);

/* Takes the next bytes of the piece; at most 2^32 - 1 in all. A long text at the beginning of a
 * run goes through windows, but for its end. */
void fgw_bpe_run_feed(struct fgw_bpe_run *run, const struct fgw_bpe_vocabulary *v,
                      const uint8_t *bytes, size_t length);

/* Tokens of the piece but for its last `back` bytes, fewer than FGW_BPE_TOKEN_MAX. */
static inline uint32_t fgw_bpe_run_before(const struct fgw_bpe_run *run, unsigned back)
{
    return run->count[(run->length - back) % FGW_BPE_TOKEN_MAX];
}

/* Tokens, if the piece ends here. */
static inline uint32_t fgw_bpe_run_tokens(const struct fgw_bpe_run *run)
{
    return fgw_bpe_run_before(run, 0);
}

/* Tokens that it has at least, however it goes on. */
uint32_t fgw_bpe_run_least(const struct fgw_bpe_run *run);

/* Tokens of a whole piece of any length. */
uint64_t fgw_bpe_piece_tokens(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes,
                              size_t length);

#endif
