/* fgw_bedrock_chunk.h - the model's own event inside a `chunk` of invoke-with-response-stream.
 *
 *     {"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0=","p":"abcdef"}   payload of a frame
 *               {"type":"message_stop"}                            what comes out
 *
 * Decodes the member `bytes` at any cut, in whatever order the members stand; whether payload and
 * result are JSON is for others to say. What is not base64 is left out.
 */
#ifndef FGW_BEDROCK_CHUNK_H
#define FGW_BEDROCK_CHUNK_H

#include <stddef.h>
#include <stdint.h>

/* Zero-fill before each payload. */
struct fgw_bedrock_chunk {
    uint8_t state;
    uint8_t depth;     /* open brackets, saturated */
    uint8_t value;     /* 1: the next string is a member's value */
    uint8_t key_bytes; /* in key[], saturated at its size + 1 */
    uint8_t digits;    /* of base64 in `bits`, 0 to 3 */
    char key[5];
    uint32_t bits;
};

/* Decodes on from payload[*at], which moves past what was read, into at most `room` >= 3 bytes at
 * `out`. Returns how many were written; all is read when *at is `length`. */
size_t fgw_bedrock_chunk_next(struct fgw_bedrock_chunk *chunk, const uint8_t *payload,
                              size_t length, size_t *at, uint8_t *out, size_t room);

#endif
