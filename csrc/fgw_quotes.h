/* fgw_quotes.h - the provider's own words about what an answer used, byte for byte.
 *
 * What the ledger sums are classes that this gateway made of them; where the two are doubted, or a
 * provider tells what no class has, its usage object is what there is to look at. So the objects
 * are kept as they came, and posted beside the attempt's CLOSE:
 *
 *     data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}
 *                                 [ place 0: the latest object             ]
 *
 * Anthropic tells the input as its answer begins, and the output as it ends; such an answer keeps
 * its first object in place 0, and the latest of the others in place 1.
 */
#ifndef FGW_QUOTES_H
#define FGW_QUOTES_H

#include <stddef.h>
#include <stdint.h>

#define FGW_QUOTE_MAX 1536u /* bytes of an object that are kept */
#define FGW_QUOTE_PLACES 2u

struct fgw_quote {
    uint16_t length; /* 0: nothing was quoted */
    uint8_t cut;     /* 1: it was longer */
    uint8_t bytes[FGW_QUOTE_MAX];
};

struct fgw_quotes {
    uint8_t place;      /* of the object that is being read, or was read last */
    uint8_t keep_first; /* the caller's */
    struct fgw_quote quote[FGW_QUOTE_PLACES];
};

static inline void fgw_quotes_start(struct fgw_quotes *quotes)
{
    quotes->place = 0;
    quotes->keep_first = 0;
    for (unsigned i = 0; i < FGW_QUOTE_PLACES; i++)
        quotes->quote[i].length = quotes->quote[i].cut = 0;
}

/* An object begins with these bytes. */
void fgw_quotes_begin(struct fgw_quotes *quotes, const uint8_t *bytes, size_t length);

/* And goes on with these. */
void fgw_quotes_add(struct fgw_quotes *quotes, const uint8_t *bytes, size_t length);

/* The object that was read last is none after all; `fresh`: not even its begin was told. */
void fgw_quotes_drop(struct fgw_quotes *quotes, int fresh);

#endif
