#include "fgw_price.h"

#include <stddef.h>

typedef unsigned __int128 u128;

enum { INPUT, CACHED_INPUT, CACHE_WRITE, CACHE_WRITE_1H, OUTPUT, REASONING, AUDIO_IN, AUDIO_OUT };

#define HALF (~(u128)0 / 4)
#define OF_INPUT (1u << INPUT | 1u << CACHED_INPUT | 1u << AUDIO_IN)
#define OF_WRITES (1u << CACHE_WRITE | 1u << CACHE_WRITE_1H)
#define OF_OUTPUT (1u << OUTPUT | 1u << REASONING | 1u << AUDIO_OUT)

static int64_t rounded(u128 total)
{
    u128 nano = (total + FGW_PRICE_MILLION - 1) / FGW_PRICE_MILLION;

    return nano > INT64_MAX ? INT64_MAX : (int64_t)nano;
}

static unsigned tiers_of(const struct fgw_price *price)
{
    return price == NULL ? 0 : price->tiers < FGW_PRICE_TIERS ? price->tiers : FGW_PRICE_TIERS;
}

/* Class i of the tokens; they lie in the struct as in the prices. */
static uint64_t count_of(const struct fgw_tokens *tokens, unsigned class)
{
    return (&tokens->input)[class];
}

/* Saturates: more tokens than 2^64 are a defect elsewhere, not a small bill. */
static uint64_t plus(uint64_t sum, uint64_t more)
{
    return sum + more < sum ? UINT64_MAX : sum + more;
}

int64_t fgw_price_cost(const struct fgw_price *price, const struct fgw_tokens *tokens)
{
    unsigned tiers = tiers_of(price), at = 0;
    uint64_t input = 0;
    u128 total = 0;

    if (!tiers)
        return -1;
    for (unsigned class = 0; class < FGW_PRICE_CLASSES; class++)
        if ((OF_INPUT | OF_WRITES) >> class & 1)
            input = plus(input, count_of(tokens, class));
    while (at + 1 < tiers && input > price->tier[at + 1].above)
        at++;
    for (unsigned class = 0; class < FGW_PRICE_CLASSES; class++) {
        uint64_t count = count_of(tokens, class), each = price->tier[at].nano_usd[class];
        if (!count)
            continue;
        if (each == FGW_PRICE_UNKNOWN)
            return -1;
        /* eight products of 64 by 64 bits may pass 128; 2^60 tokens are a defect elsewhere */
        total += (u128)(count < UINT64_MAX / 16 ? count : UINT64_MAX / 16) * each;
    }
    return rounded(total);
}

/* The dearest known price of `classes`. */
static uint64_t dearest(const struct fgw_price_tier *tier, unsigned classes)
{
    uint64_t most = 0;

    for (unsigned class = 0; class < FGW_PRICE_CLASSES; class++)
        if (classes >> class & 1 && tier->nano_usd[class] != FGW_PRICE_UNKNOWN &&
            tier->nano_usd[class] > most)
            most = tier->nano_usd[class];
    return most;
}

/* Tier `at` can be that of a request with at most `input` tokens in. */
static int reachable(const struct fgw_price *price, unsigned at, uint64_t input)
{
    return at == 0 || input > price->tier[at].above;
}

/* The most input that is paid at tier `at`, of at most `input`. */
static uint64_t most_at(const struct fgw_price *price, unsigned tiers, unsigned at, uint64_t input)
{
    return at + 1 < tiers && input > price->tier[at + 1].above ? price->tier[at + 1].above : input;
}

int64_t fgw_price_ceiling(const struct fgw_price *price, uint64_t input, uint64_t output,
                          int writes)
{
    unsigned tiers = tiers_of(price), of_input = writes ? OF_INPUT | OF_WRITES : OF_INPUT;
    u128 most = 0;

    if (!tiers)
        return -1;
    for (unsigned at = 0; at < tiers && reachable(price, at, input); at++) {
        u128 in = (u128)most_at(price, tiers, at, input) * dearest(&price->tier[at], of_input);
        u128 out = (u128)output * dearest(&price->tier[at], OF_OUTPUT);
        if (in / 2 + out / 2 > HALF) /* in halves: the sum itself may not fit */
            return INT64_MAX;
        most = in + out > most ? in + out : most;
    }
    return rounded(most);
}

uint64_t fgw_price_output_within(const struct fgw_price *price, uint64_t input,
                                 uint64_t room_nano, int writes)
{
    unsigned tiers = tiers_of(price), of_input = writes ? OF_INPUT | OF_WRITES : OF_INPUT;
    u128 room = (u128)room_nano * FGW_PRICE_MILLION;
    uint64_t least = UINT64_MAX;

    if (!tiers)
        return 0;
    for (unsigned at = 0; at < tiers && reachable(price, at, input); at++) {
        u128 spent =
            (u128)most_at(price, tiers, at, input) * dearest(&price->tier[at], of_input);
        uint64_t each = dearest(&price->tier[at], OF_OUTPUT);
        if (spent > room)
            return 0;
        if (each && (room - spent) / each < least)
            least = (uint64_t)((room - spent) / each);
    }
    return least;
}
