/* fgw_split.h - what the splitters of streams hand out: pieces of their events, as they come.
 *
 * Four framings carry events: lines of server-sent events (fgw_sse.h), lines of JSON
 * (fgw_ndjson.h), the elements of one JSON array (fgw_json_array.h) and AWS's binary frames
 * (fgw_event_stream.h). Each walks its input, keeps nothing of it, and says what it met:
 *
 *     kind = fgw_X_next(&state, input, length, &at, &piece)
 *
 *     DATA DATA NAME DATA END   DATA DATA ... MORE     (the input is used up: feed the next)
 *     `----- an event -----'    ^ fresh: a value begins with this piece
 *
 * A value that is cut by the end of the input comes as several pieces. END stands just past an
 * event, where `*at` is then.
 */
#ifndef FGW_SPLIT_H
#define FGW_SPLIT_H

#include <stddef.h>
#include <stdint.h>

enum fgw_split_kind {
    FGW_SPLIT_MORE = 0, /* the input is used up */
    FGW_SPLIT_DATA,
    FGW_SPLIT_JOIN,  /* a line feed between two data lines (SSE) */
    FGW_SPLIT_NAME,  /* of the event */
    FGW_SPLIT_ID,    /* SSE; with a NUL in it the whole field is to be ignored */
    FGW_SPLIT_RETRY, /* SSE */
    FGW_SPLIT_END,
    FGW_SPLIT_FAULT, /* in place of an END: the framing is broken, nothing more will be read */
};

struct fgw_split_piece {
    const uint8_t *bytes;
    size_t length;
    uint8_t kind;     /* enum fgw_split_kind */
    uint8_t fresh;    /* the value begins here (its length may be 0) */
    uint8_t dispatch; /* END: an event, not only comments, blank lines or brackets */
};

static inline enum fgw_split_kind fgw_split_set(struct fgw_split_piece *piece,
                                                enum fgw_split_kind kind, const uint8_t *bytes,
                                                size_t length, uint8_t fresh)
{
    piece->bytes = bytes;
    piece->length = length;
    piece->kind = (uint8_t)kind;
    piece->fresh = fresh;
    piece->dispatch = 0;
    return kind;
}

static inline enum fgw_split_kind fgw_split_end(struct fgw_split_piece *piece, uint8_t dispatch)
{
    fgw_split_set(piece, FGW_SPLIT_END, NULL, 0, 0);
    piece->dispatch = dispatch;
    return FGW_SPLIT_END;
}

#endif
