/* fgw_sample.h - some of a text that passes, kept so that its tokens can be estimated afterwards.
 *
 * Whether a provider will tell how many tokens an answer had is known when it has ended, so of
 * each answer a little is kept: all of a short one, and of a long one ever rarer windows, because
 * a text that begins as prose may go on as code.
 *
 *     bytes of text   0 ......... 512        1024 .. 1280        2048 .. 2304      4096 ..
 *     kept            [  the first  ]        [ window ]          [ window ]        [ window ]
 *
 * 512 bytes are some hundred tokens, whose mean length is that of the text to about 5 %.
 */
#ifndef FGW_SAMPLE_H
#define FGW_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#define FGW_SAMPLE_FIRST 512u
#define FGW_SAMPLE_WINDOW 256u
#define FGW_SAMPLE_MAX 2048u

struct fgw_sample {
    uint64_t at;   /* where in the text the bytes that are heard next stand */
    uint64_t next; /* where the next window opens; 0: one is open */
    uint16_t left; /* bytes that it still wants */
    uint16_t length;
    uint8_t fresh; /* nothing is in the open window yet, which may begin inside a character */
    uint8_t bytes[FGW_SAMPLE_MAX];
};

static inline void fgw_sample_start(struct fgw_sample *sample)
{
    sample->at = sample->next = 0;
    sample->left = FGW_SAMPLE_FIRST;
    sample->length = 0;
    sample->fresh = 0;
}

/* Whether what stands at `at` is to be heard at all. */
static inline int fgw_sample_listens(const struct fgw_sample *sample, uint64_t at)
{
    return at >= sample->next;
}

/* The text goes on with these. */
void fgw_sample_hear(struct fgw_sample *sample, const uint8_t *bytes, size_t length);

#endif
