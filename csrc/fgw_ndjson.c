#include "fgw_ndjson.h"

#include <string.h>

void fgw_ndjson_init(struct fgw_ndjson *lines) { memset(lines, 0, sizeof *lines); }

int fgw_ndjson_open(const struct fgw_ndjson *lines) { return lines->begun; }

enum fgw_split_kind fgw_ndjson_next(struct fgw_ndjson *lines, const uint8_t *input, size_t length,
                                    size_t *at, struct fgw_split_piece *piece)
{
    const uint8_t *p = input + *at, *end = input + length;
    uint8_t fresh = !lines->begun;

    if (fresh)
        while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
            p++;
    if (p == end) {
        *at = length;
        return FGW_SPLIT_MORE;
    }
    if (*p == '\n') {
        uint8_t dispatch = lines->begun;
        lines->begun = 0;
        *at = (size_t)(p + 1 - input);
        return fgw_split_end(piece, dispatch);
    }
    const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
    if (!stop)
        stop = end;
    lines->begun = 1;
    *at = (size_t)(stop - input);
    return fgw_split_set(piece, FGW_SPLIT_DATA, p, (size_t)(stop - p), fresh);
}
