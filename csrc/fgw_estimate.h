/* fgw_estimate.h - how many tokens a request will be, as learned from what providers reported.
 *
 * Per model, in a table of fixed size in the worker's own memory:
 *
 *     input    a plain guess by bytes (fgw_dialect_ask.h) x a ratio, reported / guessed, of sums
 *              that forget by halves, no observation beyond 1/4 … 4; and so much for each picture
 *     output   the 90th percentile of one answer's tokens, by stochastic approximation: a step up
 *              by nine parts where an answer was longer, down by one part where it was not; so it
 *              stands still where one answer in ten is longer. Steps are a share of the value:
 *              all of it at first, a quarter, a sixteenth in the end
 *
 * A model gets its place when a provider has answered for it, so names that clients make up take
 * none. A set of four is full: who has learned least gives way.
 */
#ifndef FGW_ESTIMATE_H
#define FGW_ESTIMATE_H

#include <stdint.h>

#define FGW_ESTIMATE_SETS 64
#define FGW_ESTIMATE_WAYS 4

/* Before anything is learned. */
#define FGW_ESTIMATE_OUTPUT 512u
#define FGW_ESTIMATE_PICTURE 800u

struct fgw_estimate {
    uint64_t model;    /* name hash; 0: free */
    uint64_t guessed;  /* sum of plain guesses, text alone */
    uint64_t reported; /* sum of what providers said of them */
    uint64_t pictures; /* sum of pictures, */
    uint64_t pictured; /* and of what was reported beyond the text beside them */
    uint64_t output;   /* the percentile, in 1/1024 tokens */
    uint32_t inputs;   /* answers learned from */
    uint32_t outputs;
    uint64_t reserved;
};
_Static_assert(sizeof(struct fgw_estimate) == 64, "one cache line");

struct fgw_estimates {
    struct fgw_estimate entry[FGW_ESTIMATE_SETS * FGW_ESTIMATE_WAYS];
};

/* What is known of a model, or NULL. */
const struct fgw_estimate *fgw_estimates_find(const struct fgw_estimates *table, uint64_t model);

/* The place of a model to be learned about; made if it has none. `model` 0: NULL. */
struct fgw_estimate *fgw_estimates_place(struct fgw_estimates *table, uint64_t model);

/* Input tokens of a request whose text is guessed at `guess` tokens and that bears `pictures`.
 * `known` may be NULL here and below. */
uint64_t fgw_estimate_input(const struct fgw_estimate *known, uint64_t guess, uint64_t pictures);

/* Output tokens that one answer will hardly pass. */
uint64_t fgw_estimate_output(const struct fgw_estimate *known);

/* A provider reported `tokens` of input where text was guessed at `guess`. */
void fgw_estimate_learn_input(struct fgw_estimate *place, uint64_t guess, uint64_t pictures,
                              uint64_t tokens);

/* One answer had `tokens`. `limit`: the output limit it ran under, 0: none. An answer that its
 * limit ended says only that it would have been longer. */
void fgw_estimate_learn_output(struct fgw_estimate *place, uint64_t tokens, uint64_t limit);

#endif
