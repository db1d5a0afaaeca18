#include "fgw_price.h"

#include <stddef.h>

typedef unsigned __int128 u128;

enum {
    INPUT,
    CACHED_INPUT,
    CACHE_WRITE,
    CACHE_WRITE_1H,
    OUTPUT,
    REASONING,
    AUDIO_IN,
    AUDIO_OUT,
    IMAGE_IN,
    IMAGE_OUT,
    IMAGES,
    AUDIO_MS,
    CHARACTERS,
    SEARCHES,
    TOKENS = IMAGES, /* classes below are tokens */
};
#define OF_TOKENS 8 /* of them in struct fgw_tokens */

#define OF_INPUT (1u << INPUT | 1u << CACHED_INPUT | 1u << AUDIO_IN | 1u << IMAGE_IN)
#define OF_WRITES (1u << CACHE_WRITE | 1u << CACHE_WRITE_1H)
#define OF_OUTPUT (1u << OUTPUT | 1u << REASONING | 1u << AUDIO_OUT | 1u << IMAGE_OUT)

/* Sums are of nano-dollars by the PARTS-th, so that a price by the million and one by the hour can
 * be added exactly. */
#define PARTS 18000000u /* the least that both divide */
#define PER_MILLION (PARTS / FGW_PRICE_MILLION)
#define PER_HOUR (PARTS / FGW_PRICE_HOUR_MS)
#define MOST (~(u128)0 / 4)

static int64_t rounded(u128 total)
{
    if (total <= UINT64_MAX - PARTS) /* a thousand dollars: no long division */
        return (int64_t)(((uint64_t)total + PARTS - 1) / PARTS);
    u128 nano = (total + PARTS - 1) / PARTS;
    return nano > INT64_MAX ? INT64_MAX : (int64_t)nano;
}

/* Saturates: sums that pass this are INT64_MAX anyway. */
static u128 plus(u128 sum, u128 more)
{
    return sum > MOST - more ? MOST : sum + more;
}

static u128 product(uint64_t count, uint64_t each, unsigned parts)
{
    u128 whole = (u128)count * each;

    return whole > MOST / PER_MILLION ? MOST : whole * parts;
}

static unsigned rows_of(const struct fgw_price *price)
{
    return price == NULL ? 0 : price->rows < FGW_PRICE_ROWS ? price->rows : FGW_PRICE_ROWS;
}

int fgw_price_has(const struct fgw_price *price, uint8_t tier)
{
    for (unsigned at = 0; at < rows_of(price); at++)
        if (price->row[at].tier == (tier == FGW_TIER_UNTOLD ? FGW_TIER_STANDARD : tier))
            return 1;
    return 0;
}

/* Classes lie in the structs as in the prices. */
static uint64_t count_of(const struct fgw_tokens *tokens, const struct fgw_units *units,
                         unsigned class)
{
    if (class < OF_TOKENS)
        return (&tokens->input)[class];
    return units == NULL ? 0 : (&units->image_input)[class - OF_TOKENS];
}

/* The row of a tier for that many input tokens; NULL: it has none. */
static const struct fgw_price_row *row_for(const struct fgw_price *price, uint8_t tier,
                                           uint64_t input)
{
    const struct fgw_price_row *found = NULL;

    for (unsigned at = 0; at < rows_of(price); at++) {
        const struct fgw_price_row *row = &price->row[at];
        if (row->tier == tier && (found == NULL || input > row->above))
            found = row;
    }
    return found;
}

static uint64_t price_of_picture(const struct fgw_price *price, uint64_t kind)
{
    for (unsigned at = 0; at < price->pictures && at < FGW_PRICE_PICTURES; at++)
        if (price->picture[at].kind == kind)
            return price->picture[at].nano_usd;
    return FGW_PRICE_UNKNOWN;
}

static uint64_t all_input(const struct fgw_tokens *tokens, const struct fgw_units *units)
{
    u128 input = 0;

    for (unsigned class = 0; class < TOKENS; class++)
        if ((OF_INPUT | OF_WRITES) >> class & 1)
            input += count_of(tokens, units, class);
    return input > UINT64_MAX ? UINT64_MAX : (uint64_t)input;
}

int64_t fgw_price_cost(const struct fgw_price *price, uint8_t tier,
                       const struct fgw_tokens *tokens, const struct fgw_units *units,
                       uint64_t picture)
{
    uint64_t input = rows_of(price) > 1 ? all_input(tokens, units) : 0;
    const struct fgw_price_row *row = row_for(price, tier, input);
    u128 total = 0;

    if (row == NULL)
        return -1;
    for (unsigned class = 0; class < FGW_PRICE_CLASSES; class++) {
        uint64_t count = count_of(tokens, units, class), each = row->nano_usd[class];
        if (!count)
            continue;
        if (class == IMAGES && price->pictures)
            each = price_of_picture(price, picture);
        if (class == SEARCHES && price->flags & FGW_PRICE_SEARCHED_ONCE)
            count = 1;
        if (each == FGW_PRICE_UNKNOWN)
            return -1;
        total = plus(total, product(count, each, class == AUDIO_MS ? PER_HOUR : PER_MILLION));
    }
    return rounded(total);
}

/* The dearest known price of `classes`. */
static uint64_t dearest(const struct fgw_price_row *row, unsigned classes)
{
    uint64_t most = 0;

    for (; classes; classes &= classes - 1) {
        uint64_t each = row->nano_usd[__builtin_ctz(classes)];
        if (each != FGW_PRICE_UNKNOWN && each > most)
            most = each;
    }
    return most;
}

/* What a request can come to at one row, but for its output. */
struct spent {
    u128 parts;
    int reachable; /* by a request with so few tokens in, at these tiers */
};

static struct spent spent_at(const struct fgw_price *price, unsigned at, unsigned tiers,
                             uint64_t input, uint64_t searches, int writes)
{
    const struct fgw_price_row *row = &price->row[at], *next = row + 1;
    struct spent spent = {0, 0};
    uint64_t most = input;

    if (!(row->tier < FGW_TIERS && tiers >> row->tier & 1) || (row->above && input <= row->above))
        return spent;
    spent.reachable = 1;
    if (at + 1 < rows_of(price) && next->tier == row->tier && input > next->above)
        most = next->above; /* more of it is paid at the next row's prices */
    spent.parts = product(most, dearest(row, writes ? OF_INPUT | OF_WRITES : OF_INPUT),
                          PER_MILLION);
    spent.parts = plus(spent.parts,
                       product(searches, dearest(row, 1u << SEARCHES), PER_MILLION));
    return spent;
}

int64_t fgw_price_ceiling(const struct fgw_price *price, unsigned tiers, uint64_t input,
                          uint64_t output, uint64_t searches, int writes)
{
    u128 most = 0;
    int known = 0;

    for (unsigned at = 0; at < rows_of(price); at++) {
        struct spent spent = spent_at(price, at, tiers, input, searches, writes);
        if (!spent.reachable)
            continue;
        u128 all = plus(spent.parts,
                        product(output, dearest(&price->row[at], OF_OUTPUT), PER_MILLION));
        most = all > most ? all : most;
        known = 1;
    }
    return known ? rounded(most) : -1;
}

uint64_t fgw_price_output_within(const struct fgw_price *price, unsigned tiers, uint64_t input,
                                 uint64_t searches, uint64_t room_nano, int writes)
{
    u128 room = (u128)room_nano * PARTS;
    uint64_t least = UINT64_MAX;
    int known = 0;

    for (unsigned at = 0; at < rows_of(price); at++) {
        struct spent spent = spent_at(price, at, tiers, input, searches, writes);
        uint64_t each = dearest(&price->row[at], OF_OUTPUT);
        if (!spent.reachable)
            continue;
        known = 1;
        if (spent.parts > room)
            return 0;
        u128 left = each ? (room - spent.parts) / ((u128)each * PER_MILLION) : UINT64_MAX;
        least = left < least ? (uint64_t)left : least;
    }
    return known ? least : 0;
}
