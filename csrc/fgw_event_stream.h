/* fgw_event_stream.h - AWS's application/vnd.amazon.eventstream, split at any cut.
 *
 *      0        4        8        12
 *     +--------+--------+--------+------------------+--------- ... ---------+--------+
 *     | total  | header | CRC of |     headers      |        payload        | CRC of |
 *     | length | length | 0..8   |                  |                       | 0..end |
 *     +--------+--------+--------+------------------+--------- ... ---------+--------+
 *                                  NAME                DATA  DATA ...         END
 *
 *     header: name length (1), name, type (1), value: by type 0, 1, 2, 4, 8, 16 bytes, or its
 *             length (2) and so many
 *
 * Numbers are big-endian. NAME is the value of `:event-type`, `:exception-type` or `:error-code`.
 * Lengths are believed once the prelude's CRC is right, the payload once END says that the
 * message's is: whoever reads DATA before must be able to forget it at a FAULT. After a FAULT
 * nothing says where a message begins, so all further input passes unread.
 */
#ifndef FGW_EVENT_STREAM_H
#define FGW_EVENT_STREAM_H

#include "fgw_split.h"

/* What AWS's own decoders accept at most (botocore/eventstream.py). */
#define FGW_EVENT_STREAM_HEADERS_MAX (128u << 10)
#define FGW_EVENT_STREAM_PAYLOAD_MAX (24u << 20)

enum fgw_event_stream_error {
    FGW_EVENT_STREAM_OK = 0,
    FGW_EVENT_STREAM_PRELUDE_CRC, /* the CRC over both lengths is wrong */
    FGW_EVENT_STREAM_TOO_SHORT,   /* total length has no room for what must be there */
    FGW_EVENT_STREAM_TOO_LONG,    /* headers or payload are over their bound */
    FGW_EVENT_STREAM_HEADERS,     /* a header is cut by the end of the headers, or of no type */
    FGW_EVENT_STREAM_MESSAGE_CRC, /* the CRC over the message is wrong */
    FGW_EVENT_STREAM_TRUNCATED,   /* the input ended inside a message */
};

/* The value of `:message-type`. */
enum fgw_event_stream_message {
    FGW_EVENT_STREAM_OTHER = 0,
    FGW_EVENT_STREAM_EVENT,
    FGW_EVENT_STREAM_EXCEPTION, /* modelled by the service: the payload tells of it */
    FGW_EVENT_STREAM_FAILURE,   /* "error": not modelled, headers tell of it */
};

/* Zero-fill before the first use. */
struct fgw_event_stream {
    uint8_t error;        /* enum fgw_event_stream_error; others than OK are for good */
    uint8_t message_type; /* enum fgw_event_stream_message, of the message that just ended */
    /* What follows is the splitter's own. */
    uint8_t state;
    uint8_t header;     /* enum header: whose value is being read */
    uint8_t fresh;      /* its NAME begins with the next piece */
    uint8_t word_bytes; /* in word[] */
    uint8_t text_bytes; /* in text[], saturated at its size + 1 */
    uint8_t name_left;  /* of a header's name */
    uint8_t word[12];   /* a number or prelude being read */
    char text[15];      /* a header's name, then the message type */
    uint32_t value_left;   /* bytes of a header's value */
    uint32_t headers_left; /* of the message */
    uint32_t payload_left;
    uint32_t crc; /* of the message so far */
};

void fgw_event_stream_init(struct fgw_event_stream *stream);

/* The next piece of `input`, from `*at` on, which moves past it: NAME, DATA, END, FAULT (the
 * header says why: `error`) or MORE. */
enum fgw_split_kind fgw_event_stream_next(struct fgw_event_stream *stream, const uint8_t *input,
                                          size_t length, size_t *at,
                                          struct fgw_split_piece *piece);

/* The input has ended: OK if between two messages, else what is wrong. */
enum fgw_event_stream_error fgw_event_stream_end(struct fgw_event_stream *stream);

#endif
