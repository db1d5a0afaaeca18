/* fgw_sse.h - server-sent events, exact by WHATWG at any cut, kept nowhere.
 *
 * The scanner walks the input and hands out *pieces* of it; it buffers no data,
 * so an event of 8 MiB costs no more per byte than a small one.
 *
 *     event: delta\n  data: {"a":\n  data: 1}\n  \n
 *            ^^^^^          ^^^^^        ^^    ^
 *            NAME           DATA    JOIN DATA  END (offset just past it)
 *
 * A value that is cut by the end of the input comes as several pieces; the
 * first has `fresh` set. JOIN stands for the line feed between two data lines.
 * END ends a block; `dispatch` says whether there were data lines (without, the
 * rules drop it). CR, LF and CRLF end lines; a CRLF whose LF is in the next
 * input ends at its CR, and that LF is swallowed (it ends nothing, and belongs
 * to no event: harmless on either side of a cut).
 */
#ifndef FGW_SSE_H
#define FGW_SSE_H

#include "fgw_split.h"

/* Zero-fill before the first use. */
struct fgw_sse {
    uint8_t state;
    uint8_t field;     /* enum fgw_split_kind of the value being read; MORE: nobody wants it */
    uint8_t lines;     /* 1: this block has had a data line, */
    uint8_t inside;    /* 1: or any other */
    uint8_t started;   /* 1: past the place of a byte order mark */
    uint8_t name_length;
    uint8_t fresh;
    char name[6];
};

void fgw_sse_init(struct fgw_sse *sse);

/* The next piece of `input`, from `*at` on, which moves past it. Returns its kind; FGW_SPLIT_MORE
 * when all `length` bytes are used. For END `*at` is the offset just after the event. */
enum fgw_split_kind fgw_sse_next(struct fgw_sse *sse, const uint8_t *input, size_t length,
                                 size_t *at, struct fgw_split_piece *piece);

/* 1 if the input so far ends inside an event that has data lines, which a reader by the rules
 * would drop at the end of the stream; accounting may still want it. */
int fgw_sse_open(const struct fgw_sse *sse);

/* The byte with which an event's first line begins at input[at], a line feed that ends what was
 * before passed over; -1: no event begins there, or not in this input. */
int fgw_sse_first(const struct fgw_sse *sse, const uint8_t *input, size_t length, size_t at);

#endif
