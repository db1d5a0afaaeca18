/* fgw_bpe_long.h - pieces that outgrow the tail of a counter; not for callers. */
#ifndef FGW_BPE_LONG_H
#define FGW_BPE_LONG_H

#include "fgw_bpe.h"
#include "fgw_bpe_scan.h"

/* Begins a long piece: p[0, body) is what `open` says, valid UTF-8, whole characters. */
void fgw_bpe_long_start(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                        const struct fgw_bpe_open *open, const uint8_t *p);

/* Goes on with whole characters. Returns how many bytes were taken; fewer than n where the piece
 * has ended before them (state is FGW_BPE_BRIEF then, and what does not belong to it may lie in
 * the tail, before the bytes not taken) or where p ends in a look ahead (state is unchanged). */
size_t fgw_bpe_long_feed(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                         const uint8_t *p, size_t n);

/* Ends the text in, or right behind, a long piece whose look ahead is p[0, n). Returns how many
 * bytes of that belong to it. */
size_t fgw_bpe_long_end(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                        const uint8_t *p, size_t n);

/* Tokens that the long piece has at least. */
uint32_t fgw_bpe_long_least(const struct fgw_bpe_count *counter);

#endif
