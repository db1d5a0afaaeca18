#include "fgw_quotes.h"

#include <string.h>

void fgw_quotes_add(struct fgw_quotes *quotes, const uint8_t *bytes, size_t length)
{
    struct fgw_quote *quote = &quotes->quote[quotes->place];
    size_t room = FGW_QUOTE_MAX - quote->length;

    if (length > room) {
        quote->cut = 1;
        length = room;
    }
    memcpy(quote->bytes + quote->length, bytes, length);
    quote->length = (uint16_t)(quote->length + length);
}

void fgw_quotes_drop(struct fgw_quotes *quotes, int fresh)
{
    if (fresh)
        quotes->place = quotes->keep_first && quotes->quote[0].length;
    quotes->quote[quotes->place].length = quotes->quote[quotes->place].cut = 0;
}

void fgw_quotes_begin(struct fgw_quotes *quotes, const uint8_t *bytes, size_t length)
{
    fgw_quotes_drop(quotes, 1);
    fgw_quotes_add(quotes, bytes, length);
}
