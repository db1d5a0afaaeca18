/* fgw_ndjson.h - newline-delimited JSON (Ollama, Cohere v1), split at any cut.
 *
 *     {"message":{"content":"a"}}\n  \r\n  {"done":true}\n
 *     `----------- DATA ---------'^  `-^   `--- DATA ---'^
 *                                END  END (dispatch 0)   END
 *
 * A line ends at its line feed alone: a CR before it is white space of JSON and passed on with
 * the data, and no string of JSON can hold a raw line feed. Lines of white space are no events.
 */
#ifndef FGW_NDJSON_H
#define FGW_NDJSON_H

#include "fgw_split.h"

/* Zero-fill before the first use. */
struct fgw_ndjson {
    uint8_t begun; /* 1: this line has a byte that is not white space */
};

void fgw_ndjson_init(struct fgw_ndjson *lines);

/* The next piece of `input`, from `*at` on, which moves past it: DATA, END or MORE. White space
 * before the first byte of a line's value is not handed out. */
enum fgw_split_kind fgw_ndjson_next(struct fgw_ndjson *lines, const uint8_t *input, size_t length,
                                    size_t *at, struct fgw_split_piece *piece);

/* 1 if the input so far ends inside a line with a value: the last line may lack its line feed. */
int fgw_ndjson_open(const struct fgw_ndjson *lines);

#endif
