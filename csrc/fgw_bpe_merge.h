/* fgw_bpe_merge.h - a short piece of text to its tokens; not for callers.
 *
 * Byte-pair encoding merges, again and again, the neighbours whose merge has the least rank, the
 * leftmost first. Here each merge looks at all that are left, eight at once; that is quadratic in
 * the length of the piece, so only short ones are encoded so.
 *
 * It begins with bytes, and with those characters that are sure to become one token, or one and
 * single bytes, before their neighbours can touch them (`letters` of the vocabulary): nearly all,
 * which leaves a third of the parts and a few merges.
 */
#ifndef FGW_BPE_MERGE_H
#define FGW_BPE_MERGE_H

#include "fgw_bpe_pair.h"

#define FGW_BPE_SHORT 256 /* bytes */

/* Encodes `length` bytes, 1 to FGW_BPE_SHORT, to `tokens`, grains (fgw_bpe_pair.h), which has room
 * for as many. Returns how many there are. */
size_t fgw_bpe_merge(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes, size_t length,
                     uint32_t *tokens);

/* The same, but only how many there are. */
size_t fgw_bpe_merge_count(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes,
                           size_t length);

/* Whether two grains, each the encoding of its bytes, are the encoding of both together. A row of
 * tokens of which all neighbours are so is the encoding of the whole. */
int fgw_bpe_neighbours(const struct fgw_bpe_vocabulary *v, uint32_t left, uint32_t right);

#endif
