/* fgw_price.h - what tokens cost, in whole nano-dollars.
 *
 * A price is per million tokens and disjoint class, in nano-dollars, by the length of the prompt:
 * where a request has more input tokens than `above`, all of it is paid at that tier's prices.
 *
 *     tier 0: above 0          tier 1: above 200,000
 *     | input … output | cached … | input … output | …
 *
 * Sums are exact in 128 bits and rounded up once, to the next whole nano-dollar. So a ceiling is
 * never below what it bounds, and a micro-dollar limit is never passed by rounding.
 */
#ifndef FGW_PRICE_H
#define FGW_PRICE_H

#include <stdint.h>

#include "fgw_record.h"

#define FGW_PRICE_CLASSES 8 /* in the order of struct fgw_tokens */
#define FGW_PRICE_TIERS 3
#define FGW_PRICE_MILLION 1000000u
#define FGW_PRICE_UNKNOWN UINT64_MAX /* this class has no price: what uses it has no cost */

enum fgw_price_flag {
    /* The provider knows an output limit of chat by its old name alone, `max_tokens`. */
    FGW_PRICE_OLD_LIMIT_NAME = 1,
};

struct fgw_price_tier {
    uint64_t above; /* input tokens; ascending, 0 in the first tier */
    uint64_t nano_usd[FGW_PRICE_CLASSES]; /* per million tokens; FGW_PRICE_UNKNOWN */
};

struct fgw_price {
    uint32_t version; /* of the table that it stands in */
    uint8_t tiers;    /* 0: the price is unknown; what follows may be known all the same */
    uint8_t flags;    /* enum fgw_price_flag */
    uint8_t reserved[2];
    uint64_t output_max; /* tokens of one answer, reasoning included; 0: unknown */
    uint64_t window;     /* input and output together; 0: unknown */
    struct fgw_price_tier tier[FGW_PRICE_TIERS];
};
_Static_assert(sizeof(struct fgw_price) == 24 + FGW_PRICE_TIERS * 72, "packed by usage/prices.py");

/* What these tokens cost in nano-dollars, rounded up; -1: unknown (`price` may be NULL). More than
 * INT64_MAX (9 billion dollars) is INT64_MAX. */
int64_t fgw_price_cost(const struct fgw_price *price, const struct fgw_tokens *tokens);

/* The most that at most `input` tokens in and `output` tokens out can cost, whichever classes they
 * turn out to be of; -1: unknown. `writes`: the request may write to a cache, which costs more
 * than plain input. */
int64_t fgw_price_ceiling(const struct fgw_price *price, uint64_t input, uint64_t output,
                          int writes);

/* The largest `output` for which the ceiling is within `room_nano`, UINT64_MAX if any is; 0 where
 * the input alone is too dear or the price is unknown. */
uint64_t fgw_price_output_within(const struct fgw_price *price, uint64_t input,
                                 uint64_t room_nano, int writes);

/* Nano-dollars as the limits count them: whole micro-dollars, rounded up. */
static inline uint64_t fgw_price_micro(int64_t nano_usd)
{
    return nano_usd <= 0 ? 0 : ((uint64_t)nano_usd + 999) / 1000;
}

#endif
