/* fgw_http1_lines.h - field lines that were read before.
 *
 * A client's heads are nearly the same from request to request, and those of one SDK from client
 * to client. A line that is, byte for byte, one that was kept is cut as that was:
 *
 *     hash of its first 24 bytes --> one of 256 places: line with its CR LF | where its parts lie
 *
 * What a field means in its message (a second Host, how long a body is) is no part of that and is
 * judged each time. Only fields that hold nothing secret are kept, for how long a comparison takes
 * tells how far two clients' lines agree.
 *
 * Zeroed memory is empty. The caller owns it; one worker's connections may share it.
 */
#ifndef FGW_HTTP1_LINES_H
#define FGW_HTTP1_LINES_H

#include <stdint.h>

#include "fgw_http1.h"

enum {
    FGW_LINES = 256,
    FGW_LINE_HASHED = 24, /* bytes that the hash looks at; others may follow the line's own */
    FGW_LINE_MIN = 8,     /* a kept line's bytes, */
    FGW_LINE_MAX = 59     /* so that its place is one cache line */
};

struct fgw_line {
    uint8_t bytes[FGW_LINE_MAX];
    uint8_t len;       /* 0: nothing is kept here */
    uint8_t name_len;  /* the name begins the line */
    uint8_t value_off; /* from the line's first byte */
    uint8_t value_len;
    uint8_t id;        /* enum fgw_field, never FGW_H_OTHER */
};
_Static_assert(sizeof(struct fgw_line) == 64, "one cache line");

struct fgw_lines {
    struct fgw_line line[FGW_LINES];
};

/* The kept line that [p, end) begins with, or NULL. */
const struct fgw_line *fgw_lines_find(const struct fgw_lines *lines, const uint8_t *p,
                                      const uint8_t *end);

/* Keeps the line at p, which ends at `next` <= end and was cut into `header` (offsets are from
 * `buf`), if its field is one that may be kept. */
void fgw_lines_keep(struct fgw_lines *lines, const uint8_t *p, const uint8_t *next,
                    const uint8_t *end, const struct fgw_header *header, const uint8_t *buf);

#endif
