#include "fgw_tier.h"

#include <string.h>

struct word {
    const char *text; /* in lower case */
    uint8_t tier;
};

static const struct word SERVICES[] = {
    {"auto", FGW_TIER_UNTOLD},
    {"unspecified", FGW_TIER_UNTOLD},
    {"service_tier_unspecified", FGW_TIER_UNTOLD},
    {"default", FGW_TIER_STANDARD},
    {"standard", FGW_TIER_STANDARD},
    {"standard_only", FGW_TIER_STANDARD},
    {"on_demand", FGW_TIER_STANDARD},
    {"service_tier_standard", FGW_TIER_STANDARD},
    {"flex", FGW_TIER_FLEX},
    {"on_demand_flex", FGW_TIER_FLEX},
    {"service_tier_flex", FGW_TIER_FLEX},
    {"priority", FGW_TIER_PRIORITY},
    {"fast", FGW_TIER_PRIORITY}, /* OpenAI answers it with "priority" */
    {"on_demand_priority", FGW_TIER_PRIORITY},
    {"service_tier_priority", FGW_TIER_PRIORITY},
    {"batch", FGW_TIER_BATCH},
    {"scale", FGW_TIER_RESERVED},
    {"reserved", FGW_TIER_RESERVED},
    {"provisioned_throughput", FGW_TIER_RESERVED},
};

static const struct word SPEEDS[] = {
    {"standard", FGW_TIER_STANDARD},
    {"fast", FGW_TIER_FAST},
};

static const struct word REGIONS[] = {
    {"global", FGW_TIER_STANDARD},
    {"not_available", FGW_TIER_STANDARD}, /* models without a choice of it */
    {"us", FGW_TIER_REGION},
};

static const struct {
    const struct word *words;
    size_t count;
} PLACES[FGW_TIER_PLACES] = {
    [FGW_TIER_SERVICE] = {SERVICES, sizeof SERVICES / sizeof *SERVICES},
    [FGW_TIER_SPEED] = {SPEEDS, sizeof SPEEDS / sizeof *SPEEDS},
    [FGW_TIER_PLACE] = {REGIONS, sizeof REGIONS / sizeof *REGIONS},
};

static int same(const char *word, size_t length, const char *text)
{
    for (size_t i = 0; i < length; i++) {
        char byte = word[i] >= 'A' && word[i] <= 'Z' ? (char)(word[i] + 32) : word[i];
        if (!text[i] || byte != text[i])
            return 0;
    }
    return text[length] == '\0';
}

void fgw_tier_say(struct fgw_tier_said *said, enum fgw_tier_place place, const char *word,
                  size_t length)
{
    uint8_t tier = FGW_TIER_OTHER;

    if (!length)
        return;
    for (size_t i = 0; length <= FGW_TIER_WORD_MAX && i < PLACES[place].count; i++)
        if (same(word, length, PLACES[place].words[i].text)) {
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
