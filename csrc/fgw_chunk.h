/* fgw_chunk.h - the chunked transfer coding, decoded in place, resumable at any byte.
 *
 *     5 ; e x t \r\n h e l l o \r\n  0 \r\n  T : v \r\n  \r\n
 *     size |         data             last  trailer      end
 *          extension
 *
 * Data is handed out as spans of the input, never copied. Extensions must follow their grammar
 * (but no white space before the first ';') and trailers that of fields; both are bounded and
 * dropped. Nothing but CRLF ends a line.
 *
 * A relay may send whole chunks on as the bytes they came in, where they are *plain*: no
 * extension, no leading zero, no trailer. It marks each read, decodes all of it, and then finds
 * the first unbroken run of whole plain chunks; data outside the run is framed anew
 * (fgw_chunk_reframe):
 *
 *     ..rest\r\n 5\r\nhello\r\n 3\r\nabc\r\n 10\r\nonly pa
 *     ^ mark     ^ plain_from            ^ plain_to
 *     anew       as it came              anew
 *
 * All three parts may be empty. One copy of the decoder, taken at the mark, reframes both outer
 * parts: what lies between begins and ends at a boundary.
 */
#ifndef FGW_CHUNK_H
#define FGW_CHUNK_H

#include <stdint.h>

#include "fgw_http1.h"

enum {
    FGW_CHUNK_EXTRA_MAX = 16384, /* bytes of extensions and leading zeros in one message */
    FGW_CHUNK_TRAILER_MAX = 8192 /* bytes of trailers in one message */
};

/* fgw_chunk_next: one of these, -1 (invalid) or -2 (all input consumed, more to come). */
enum {
    FGW_CHUNK_END = 0, /* the body is complete; *pos is behind its last byte */
    FGW_CHUNK_DATA = 1
};

enum fgw_chunk_error {
    FGW_CHUNK_E_NONE,
    FGW_CHUNK_E_SIZE,       /* not 1*HEXDIG, or followed by something else than CRLF or ';' */
    FGW_CHUNK_E_OVERFLOW,   /* size or sum beyond 2^63 - 1 */
    FGW_CHUNK_E_EXTENSION,  /* outside its grammar */
    FGW_CHUNK_E_LINE_END,   /* not CRLF */
    FGW_CHUNK_E_TRAILER,    /* not a field line */
    FGW_CHUNK_E_TOO_LARGE   /* FGW_CHUNK_EXTRA_MAX or FGW_CHUNK_TRAILER_MAX passed */
};

/* Zeroed memory is a decoder at the beginning of a body. */
struct fgw_chunk {
    uint64_t remaining;   /* data bytes of the current chunk not yet handed out */
    uint64_t total;       /* data bytes handed out */
    uint32_t extra;       /* counted against FGW_CHUNK_EXTRA_MAX */
    uint32_t trailer;     /* counted against FGW_CHUNK_TRAILER_MAX */
    uint32_t plain_from, plain_to; /* the run: offsets in the buffer of the last mark */
    uint8_t state;
    uint8_t plain;        /* the run may still grow */
    uint8_t error;        /* enum fgw_chunk_error */
};

void fgw_chunk_begin(struct fgw_chunk *chunk);

/* 1 between two chunks (or before the first one), else 0. */
int fgw_chunk_at_boundary(const struct fgw_chunk *chunk);

/* Call before decoding a read that begins at offset pos: [plain_from, plain_to) is of this read.
 * At END the run takes in the end of the body if *pos == plain_to. */
void fgw_chunk_mark(struct fgw_chunk *chunk, uint32_t pos);

/* Decodes buf[*pos, len) up to the next piece of data, and moves *pos behind what was consumed.
 * DATA: *span is a piece of the body (len > 0), call again. END, -1, -2 as above; after -1 and END
 * the same is returned for ever, with *pos unmoved. */
int32_t fgw_chunk_next(struct fgw_chunk *chunk, const uint8_t *buf, uint32_t len, uint32_t *pos,
                       struct fgw_span *span);

/* Decodes buf[from, to) and writes its data as chunks of our own: size line, data, CRLF, and the
 * last chunk where the body ends. `*chunk` is the decoder as it was at `from`, or a copy of it.
 * Returns the bytes written, at most to - from + FGW_CHUNK_REFRAME_EXTRA, or -1: cap is too small
 * or the coding invalid (chunk->error). */
enum { FGW_CHUNK_REFRAME_EXTRA = 48 };
int32_t fgw_chunk_reframe(struct fgw_chunk *chunk, uint8_t *out, uint32_t cap, const uint8_t *buf,
                          uint32_t from, uint32_t to);

#endif
