/* fgw_price.h - what an answer costs, in whole nano-dollars.
 *
 * A price has rows: one for each service tier that is priced and, within a tier, for each length
 * of the prompt: where a request has more input tokens than `above`, all of it is paid at that
 * row's prices. A tier without a row has no price.
 *
 *     standard, above 0        standard, above 200,000   flex, above 0
 *     | input … output | …     | input … output | …      | input … output | …
 *
 * Prices are per million of each disjoint class, those of sound per hour. Sums are exact in 128
 * bits and rounded up once, to the next whole nano-dollar. So a ceiling is never below what it
 * bounds, and a micro-dollar limit is never passed by rounding.
 */
#ifndef FGW_PRICE_H
#define FGW_PRICE_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_record.h"
#include "fgw_tier.h"

#define FGW_PRICE_CLASSES 14 /* in the order of struct fgw_tokens, then of struct fgw_units */
#define FGW_PRICE_ROWS 12
#define FGW_PRICE_PICTURES 8
#define FGW_PRICE_MILLION 1000000u
#define FGW_PRICE_HOUR_MS 3600000u
#define FGW_PRICE_UNKNOWN UINT64_MAX /* this class has no price: what uses it has no cost */

enum fgw_price_flag {
    /* The provider knows an output limit of chat by its old name alone, `max_tokens`. */
    FGW_PRICE_OLD_LIMIT_NAME = 1,
    /* Searches are paid by the answer that has any, not one by one. */
    FGW_PRICE_SEARCHED_ONCE = 2,
};

struct fgw_price_row {
    uint64_t above; /* input tokens; ascending within a tier, 0 in its first row */
    uint8_t tier;   /* enum fgw_tier; rows of one tier stand together, the standard ones first */
    uint8_t reserved[7];
    uint64_t nano_usd[FGW_PRICE_CLASSES]; /* per million, of audio_ms per hour */
};

/* What a picture costs by its quality and size, where not all cost the same. */
struct fgw_price_picture {
    uint64_t kind;     /* fgw_price_kind */
    uint64_t nano_usd; /* per million pictures */
};

struct fgw_price {
    uint32_t version; /* of the table that it stands in */
    uint8_t rows;     /* 0: the price is unknown; what follows may be known all the same */
    uint8_t flags;    /* enum fgw_price_flag */
    uint8_t pictures; /* of `picture`; 0: the rows tell */
    uint8_t reserved;
    uint64_t output_max; /* tokens of one answer, reasoning included; 0: unknown */
    uint64_t window;     /* input and output together; 0: unknown */
    struct fgw_price_row row[FGW_PRICE_ROWS];
    struct fgw_price_picture picture[FGW_PRICE_PICTURES];
};
_Static_assert(sizeof(struct fgw_price) == 24 + FGW_PRICE_ROWS * 128 + FGW_PRICE_PICTURES * 16,
               "packed by usage/prices.py");

/* Whether a tier has a price (`price` may be NULL); FGW_TIER_UNTOLD is the standard one. */
int fgw_price_has(const struct fgw_price *price, uint8_t tier);

/* What an answer at `tier` costs in nano-dollars, rounded up; -1: unknown (`price` may be NULL).
 * `units` NULL: none. `picture`: the kind of its pictures, where those are told apart. More than
 * INT64_MAX (9 billion dollars) is INT64_MAX. */
int64_t fgw_price_cost(const struct fgw_price *price, uint8_t tier,
                       const struct fgw_tokens *tokens, const struct fgw_units *units,
                       uint64_t picture);

/* The most that at most `input` tokens in and `output` tokens out can cost, whichever classes they
 * turn out to be of, at the dearest of `tiers` (FGW_TIER_BIT of each) that has a price; -1:
 * unknown. `writes`: the request may write to a cache, which costs more than plain input.
 * `searches`: no more than so many. */
int64_t fgw_price_ceiling(const struct fgw_price *price, unsigned tiers, uint64_t input,
                          uint64_t output, uint64_t searches, int writes);

/* The largest `output` for which the ceiling is within `room_nano`, UINT64_MAX if any is; 0 where
 * the rest alone is too dear or the price is unknown. */
uint64_t fgw_price_output_within(const struct fgw_price *price, unsigned tiers, uint64_t input,
                                 uint64_t searches, uint64_t room_nano, int writes);

/* Names what kind of picture is asked for, by two words of the request: FNV-1a of "quality/size",
 * as usage/prices.py has it. */
static inline uint64_t fgw_price_kind(const char *quality, size_t quality_bytes, const char *size,
                                      size_t size_bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < quality_bytes + 1 + size_bytes; i++) {
        char byte = i < quality_bytes    ? quality[i]
                    : i == quality_bytes ? '/'
                                         : size[i - quality_bytes - 1];
        hash = (hash ^ (uint8_t)byte) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Nano-dollars as the limits count them: whole micro-dollars, rounded up. */
static inline uint64_t fgw_price_micro(int64_t nano_usd)
{
    return nano_usd <= 0 ? 0 : ((uint64_t)nano_usd + 999) / 1000;
}

#endif
