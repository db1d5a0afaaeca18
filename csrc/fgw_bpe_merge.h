/* fgw_bpe_merge.h - one piece of text to the number of its tokens; not for callers.
 *
 * Byte-pair encoding merges, again and again, the neighbours whose merge has the least rank, the
 * leftmost first. Done as written that is quadratic in the length of the piece; so only short
 * pieces are (fgw_bpe_merge).
 *
 * Long pieces go byte by byte through a *run*. Of every prefix of a piece the encoding is its
 * last token behind the encoding of the prefix before it, and two tokens may be neighbours where
 * their merges, undone from the last to the first, never show a pair across the border that
 * should have been merged earlier. Exactly one token can be last; so a run needs to know the
 * last tokens and the counts of FGW_BPE_TOKEN_MAX prefixes only, whatever the length: 1.3 KB, no
 * allocation, at most FGW_BPE_TOKEN_MAX steps a byte.
 *
 *     piece   ... h e l l o w o r l d ...
 *     last         he  ell? hello  ... one per byte
 *     count        7    8     7
 */
#ifndef FGW_BPE_MERGE_H
#define FGW_BPE_MERGE_H

#include "fgw_bpe_vocabulary.h"

#define FGW_BPE_SHORT 256 /* bytes: longest piece that is merged as written */

struct fgw_bpe_run {
    uint64_t length;                      /* bytes so far */
    uint32_t last[FGW_BPE_TOKEN_MAX];     /* by length of the prefix modulo the array's */
    uint32_t count[FGW_BPE_TOKEN_MAX];    /* tokens of the prefix; the empty one has 0 */
    uint8_t bytes[2 * FGW_BPE_TOKEN_MAX]; /* the latest; begins anew when full */
    uint32_t filled;
};

/* Encodes `length` bytes, 1 to FGW_BPE_SHORT, to `tokens`, which has room for as many. Returns how
 * many there are. */
size_t fgw_bpe_merge(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes, size_t length,
                     uint32_t *tokens);

/* Empties a run. */
void fgw_bpe_run_start(struct fgw_bpe_run *run);

/* Takes the next bytes of the piece; at most 2^32 - 1 in all. */
void fgw_bpe_run_feed(struct fgw_bpe_run *run, const struct fgw_bpe_vocabulary *v,
                      const uint8_t *bytes, size_t length);

/* Tokens, if the piece ends here. */
static inline uint32_t fgw_bpe_run_tokens(const struct fgw_bpe_run *run)
{
    return run->count[run->length % FGW_BPE_TOKEN_MAX];
}

/* Tokens that it has at least, however it goes on. */
uint32_t fgw_bpe_run_least(const struct fgw_bpe_run *run);

/* Tokens of a whole piece of any length. */
uint64_t fgw_bpe_piece_tokens(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes,
                              size_t length);

#endif
