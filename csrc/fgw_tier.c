#include "fgw_tier.h"

#include <string.h>

struct word {
    const char *text; /* in lower case */
    uint8_t length;
    uint8_t tier;
};
#define WORD(text, tier) {text, sizeof(text) - 1, tier}

static const struct word SERVICES[] = {
    WORD("auto", FGW_TIER_UNTOLD),
    WORD("unspecified", FGW_TIER_UNTOLD),
    WORD("service_tier_unspecified", FGW_TIER_UNTOLD),
    WORD("default", FGW_TIER_STANDARD),
    WORD("standard", FGW_TIER_STANDARD),
    WORD("standard_only", FGW_TIER_STANDARD),
    WORD("on_demand", FGW_TIER_STANDARD),
    WORD("service_tier_standard", FGW_TIER_STANDARD),
    WORD("flex", FGW_TIER_FLEX),
    WORD("on_demand_flex", FGW_TIER_FLEX),
    WORD("service_tier_flex", FGW_TIER_FLEX),
    WORD("priority", FGW_TIER_PRIORITY),
    WORD("fast", FGW_TIER_PRIORITY), /* OpenAI answers it with "priority" */
    WORD("on_demand_priority", FGW_TIER_PRIORITY),
    WORD("service_tier_priority", FGW_TIER_PRIORITY),
    WORD("batch", FGW_TIER_BATCH),
    WORD("scale", FGW_TIER_RESERVED),
    WORD("reserved", FGW_TIER_RESERVED),
    WORD("provisioned_throughput", FGW_TIER_RESERVED),
};

static const struct word SPEEDS[] = {
    WORD("standard", FGW_TIER_STANDARD),
    WORD("fast", FGW_TIER_FAST),
};

static const struct word REGIONS[] = {
    WORD("global", FGW_TIER_STANDARD),
    WORD("not_available", FGW_TIER_STANDARD), /* models without a choice of it */
    WORD("us", FGW_TIER_REGION),
};

static const struct {
    const struct word *words;
    size_t count;
} PLACES[FGW_TIER_PLACES] = {
    [FGW_TIER_SERVICE] = {SERVICES, sizeof SERVICES / sizeof *SERVICES},
    [FGW_TIER_SPEED] = {SPEEDS, sizeof SPEEDS / sizeof *SPEEDS},
    [FGW_TIER_PLACE] = {REGIONS, sizeof REGIONS / sizeof *REGIONS},
};

/* Whether the word, in whatever case, is `text`. */
static int same(const char *word, size_t length, const char *text)
{
    for (size_t i = 0; i < length; i++) {
        char byte = word[i] >= 'A' && word[i] <= 'Z' ? (char)(word[i] + 32) : word[i];
        if (byte != text[i])
            return 0;
    }
    return 1;
}

void fgw_tier_say(struct fgw_tier_said *said, enum fgw_tier_place place, const char *word,
                  size_t length)
{
    uint8_t tier = FGW_TIER_OTHER;

    if (!length)
        return;
    for (size_t i = 0; length <= FGW_TIER_WORD_MAX && i < PLACES[place].count; i++)
        if (length == PLACES[place].words[i].length &&
            same(word, length, PLACES[place].words[i].text)) {
            tier = PLACES[place].words[i].tier;
            break;
        }
    if (tier != FGW_TIER_UNTOLD)
        said->told[place] = (uint8_t)(tier + 1);
}

uint8_t fgw_tier_of(const struct fgw_tier_said *said)
{
    uint8_t tier = FGW_TIER_UNTOLD;

    for (unsigned place = 0; place < FGW_TIER_PLACES; place++) {
        uint8_t told = (uint8_t)(said->told[place] - 1); /* 0 is UNTOLD */
        if (told == FGW_TIER_UNTOLD || (told == FGW_TIER_STANDARD && tier != FGW_TIER_UNTOLD))
            continue;
        tier = tier == FGW_TIER_UNTOLD || tier == FGW_TIER_STANDARD ? told : FGW_TIER_OTHER;
    }
    return tier;
}
