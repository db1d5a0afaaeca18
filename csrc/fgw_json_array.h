/* fgw_json_array.h - the elements of one streamed JSON array (Gemini without alt=sse), at any cut.
 *
 *     [{"candidates":[...]}\n,\r\n{"usageMetadata":{...}}\n]
 *      `----- DATA -------'^      `------- DATA --------'^  ^
 *                         END                           END END (dispatch 0)
 *
 * Only strings and the depth of brackets are followed; whether an element is JSON is for the scan
 * of the element to say. What stands between elements belongs to the event behind it: a stream
 * that ends before an event ends just past a whole element. An outermost object in place of the
 * array, which is how some errors come, is one element; so is anything else there, up to the next
 * comma, bracket or white space.
 */
#ifndef FGW_JSON_ARRAY_H
#define FGW_JSON_ARRAY_H

#include "fgw_split.h"

/* Zero-fill before the first use. */
struct fgw_json_array {
    uint8_t state;
    uint8_t opened;   /* 1: the array's `[` has passed */
    uint8_t closed;   /* 1: and its `]` */
    uint32_t depth;   /* open brackets inside the element; saturated */
};

void fgw_json_array_init(struct fgw_json_array *array);

/* The next piece of `input`, from `*at` on, which moves past it: DATA, END or MORE. */
enum fgw_split_kind fgw_json_array_next(struct fgw_json_array *array, const uint8_t *input,
                                        size_t length, size_t *at, struct fgw_split_piece *piece);

/* 1 if the input so far ends inside an element. */
int fgw_json_array_open(const struct fgw_json_array *array);

#endif
