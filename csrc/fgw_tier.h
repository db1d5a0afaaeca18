/* fgw_tier.h - at whose price a request may be answered, and was.
 *
 *     request   service_tier  speed  inference_geo ──► the tiers that its answer may come at
 *     answer    the same words                     ──► the one it came at (enum fgw_tier)
 *
 * Every vendor has words of its own for the same few things; a word that is unknown here is
 * FGW_TIER_OTHER, which nothing has a price of.
 */
#ifndef FGW_TIER_H
#define FGW_TIER_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_record.h"

#define FGW_TIER_UNTOLD 255     /* no tier was named: absent, empty, "auto" */
#define FGW_TIER_WORD_MAX 32    /* bytes of a word that are looked at */
#define FGW_TIER_BIT(tier) (1u << (tier))

/* The three places that words stand in. */
enum fgw_tier_place {
    FGW_TIER_SERVICE = 0,
    FGW_TIER_SPEED,
    FGW_TIER_PLACE, /* where it is computed */
    FGW_TIER_PLACES
};

/* What was named so far; zeros: nothing. */
struct fgw_tier_said {
    uint8_t told[FGW_TIER_PLACES]; /* enum fgw_tier + 1 */
};

/* Takes a word, in whatever case; one that names no tier changes nothing. Of one with more bytes
 * than FGW_TIER_WORD_MAX nothing is read. */
void fgw_tier_say(struct fgw_tier_said *said, enum fgw_tier_place place, const char *word,
                  size_t length);

/* enum fgw_tier of all that was said together, or FGW_TIER_UNTOLD. Two that differ from the
 * standard are FGW_TIER_OTHER. */
uint8_t fgw_tier_of(const struct fgw_tier_said *said);

#endif
