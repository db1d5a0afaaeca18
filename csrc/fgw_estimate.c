#include "fgw_estimate.h"

#include <stddef.h>
#include <string.h>

#define PRIOR_TOKENS 256      /* the plain guess counts as one small prompt */
#define BELIEVED 4            /* times the guess, or a part of it; what lies beyond is not */
#define PRIOR_PICTURES 2
#define FORGET_TOKENS 1048576 /* sums beyond this are halved: older prompts count less */
#define FORGET_PICTURES 256
#define TOKENS_MAX (UINT64_C(1) << 32) /* more than any model reads or writes: a lie */
#define ONE 1024u                      /* the percentile's unit */
#define PARTS 10u                      /* one answer in so many is longer */
#define QUICK 16u                      /* answers that are learned from in the largest steps, */
#define CALM 64u                       /* and from then on in the smallest */

static uint64_t set_of(uint64_t model)
{
    return model % FGW_ESTIMATE_SETS * FGW_ESTIMATE_WAYS;
}

const struct fgw_estimate *fgw_estimates_find(const struct fgw_estimates *table, uint64_t model)
{
    const struct fgw_estimate *set = table->entry + set_of(model);

    for (unsigned way = 0; way < FGW_ESTIMATE_WAYS; way++)
        if (set[way].model == model)
            return model ? &set[way] : NULL;
    return NULL;
}

struct fgw_estimate *fgw_estimates_place(struct fgw_estimates *table, uint64_t model)
{
    struct fgw_estimate *set = table->entry + set_of(model), *least = set;

    if (!model)
        return NULL;
    for (unsigned way = 0; way < FGW_ESTIMATE_WAYS; way++) {
        if (set[way].model == model)
            return &set[way];
        if (least->model && (!set[way].model || set[way].inputs + set[way].outputs <
                                                    least->inputs + least->outputs))
            least = &set[way];
    }
    /* Whoever stays has to earn it anew, or models of last year would never leave. */
    for (unsigned way = 0; way < FGW_ESTIMATE_WAYS; way++) {
        set[way].inputs -= set[way].inputs / 8;
        set[way].outputs -= set[way].outputs / 8;
    }
    memset(least, 0, sizeof *least);
    least->model = model;
    least->output = (uint64_t)FGW_ESTIMATE_OUTPUT * ONE;
    return least;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* value x up / down, rounded; all are below 2^43, so nothing overflows in 128 bits. */
static uint64_t scaled(uint64_t value, uint64_t up, uint64_t down)
{
    return (uint64_t)(((unsigned __int128)value * up + down / 2) / down);
}

static uint64_t text_of(const struct fgw_estimate *known, uint64_t guess)
{
    if (known == NULL)
        return guess;
    return scaled(guess, known->reported + PRIOR_TOKENS, known->guessed + PRIOR_TOKENS);
}

uint64_t fgw_estimate_input(const struct fgw_estimate *known, uint64_t guess, uint64_t pictures)
{
    uint64_t text = text_of(known, least_of(guess, TOKENS_MAX));

    if (!pictures)
        return text;
    if (known == NULL)
        return text + pictures * FGW_ESTIMATE_PICTURE;
    return text + scaled(least_of(pictures, TOKENS_MAX),
                         known->pictured + PRIOR_PICTURES * FGW_ESTIMATE_PICTURE,
                         known->pictures + PRIOR_PICTURES);
}

uint64_t fgw_estimate_output(const struct fgw_estimate *known)
{
    return known == NULL ? FGW_ESTIMATE_OUTPUT : (known->output + ONE - 1) / ONE;
}

void fgw_estimate_learn_input(struct fgw_estimate *place, uint64_t guess, uint64_t pictures,
                              uint64_t tokens)
{
    if (!tokens || guess > TOKENS_MAX || tokens > TOKENS_MAX || pictures > TOKENS_MAX)
        return;
    if (!pictures) {
        /* What a preamble of the provider's adds to a small prompt says nothing of large ones. */
        uint64_t most = guess * BELIEVED + PRIOR_TOKENS / BELIEVED, least = guess / BELIEVED;
        place->guessed += guess;
        place->reported += tokens > most ? most : tokens < least ? least : tokens;
        while (place->guessed > FORGET_TOKENS || place->reported > FORGET_TOKENS) {
            place->guessed /= 2;
            place->reported /= 2;
        }
    } else {
        uint64_t text = text_of(place, guess);
        place->pictures += pictures;
        place->pictured += tokens > text ? tokens - text : 0;
        while (place->pictures > FORGET_PICTURES) {
            place->pictures /= 2;
            place->pictured /= 2;
        }
    }
    place->inputs += place->inputs < UINT32_MAX / 4;
}

void fgw_estimate_learn_output(struct fgw_estimate *place, uint64_t tokens, uint64_t limit)
{
    uint64_t share = place->outputs < QUICK ? 1 : place->outputs < CALM ? 4 : 16;
    uint64_t step = place->output / share + PARTS;

    if (tokens > TOKENS_MAX || (limit && tokens >= limit && limit * ONE <= place->output))
        return;
    if (tokens * ONE > place->output)
        place->output = least_of(place->output + step * (PARTS - 1) / PARTS, TOKENS_MAX * ONE);
    else if (place->output > ONE + step / PARTS)
        place->output -= step / PARTS;
    else
        place->output = ONE;
    place->outputs += place->outputs < UINT32_MAX / 4;
}
