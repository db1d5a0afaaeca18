#include "fgw_event_stream.h"

#include <string.h>

#include "fgw_crc32.h"

enum state {
    PRELUDE = 0,
    NAME_LENGTH,
    NAME,
    TYPE,
    VALUE_LENGTH,
    VALUE,
    PAYLOAD,
    TRAILER,
    BROKEN,
};

enum { PRELUDE_BYTES = 12, TRAILER_BYTES = 4, LEAST_BYTES = PRELUDE_BYTES + TRAILER_BYTES };

/* Types of values that are read; the others are passed over by their length. */
enum { TYPE_BYTES = 6, TYPE_STRING = 7, TYPES = 10 };
static const uint8_t VALUE_BYTES[TYPES] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};

enum header { HEADER_OTHER = 0, HEADER_MESSAGE_TYPE, HEADER_NAME };

void fgw_event_stream_init(struct fgw_event_stream *stream) { memset(stream, 0, sizeof *stream); }

static inline uint32_t number(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

static void fail(struct fgw_event_stream *stream, enum fgw_event_stream_error error)
{
    stream->error = (uint8_t)error;
    stream->state = BROKEN;
}

/* Reads on in a number of `size` bytes. Returns 1 once word[] has it, ready for the next. */
static int gather(struct fgw_event_stream *stream, const uint8_t **at, const uint8_t *end,
                  uint8_t size)
{
    uint8_t now = (uint8_t)least((size_t)(end - *at), (size_t)(size - stream->word_bytes));

    memcpy(stream->word + stream->word_bytes, *at, now);
    *at += now;
    stream->word_bytes = (uint8_t)(stream->word_bytes + now);
    if (stream->word_bytes < size)
        return 0;
    stream->word_bytes = 0;
    return 1;
}

/* At the border of two headers, or of the last one and the payload. */
static void next_header(struct fgw_event_stream *stream)
{
    if (stream->headers_left)
        stream->state = NAME_LENGTH;
    else
        stream->state = stream->payload_left ? PAYLOAD : TRAILER;
    stream->fresh = 1;
}

static void take_prelude(struct fgw_event_stream *stream)
{
    uint32_t total = number(stream->word), headers = number(stream->word + 4);

    if (number(stream->word + 8) != fgw_crc32(0, stream->word, 8)) {
        fail(stream, FGW_EVENT_STREAM_PRELUDE_CRC);
    } else if (total < LEAST_BYTES || headers > total - LEAST_BYTES) {
        fail(stream, FGW_EVENT_STREAM_TOO_SHORT);
    } else if (headers > FGW_EVENT_STREAM_HEADERS_MAX ||
               total - LEAST_BYTES - headers > FGW_EVENT_STREAM_PAYLOAD_MAX) {
        fail(stream, FGW_EVENT_STREAM_TOO_LONG);
    } else {
        stream->headers_left = headers;
        stream->payload_left = total - LEAST_BYTES - headers;
        stream->message_type = FGW_EVENT_STREAM_OTHER;
        next_header(stream);
    }
}

/* Takes `bytes` off what is left of the headers; a header that needs more is cut by their end. */
static int claim(struct fgw_event_stream *stream, uint32_t bytes)
{
    if (bytes > stream->headers_left) {
        fail(stream, FGW_EVENT_STREAM_HEADERS);
        return 0;
    }
    stream->headers_left -= bytes;
    return 1;
}

static int text_is(const struct fgw_event_stream *stream, const char *word)
{
    size_t length = strlen(word);

    return stream->text_bytes == length && !memcmp(stream->text, word, length);
}

/* Notes bytes of a header's name or of the message type; of one that is longer than any that is
 * known, only that it is. */
static void note(struct fgw_event_stream *stream, const uint8_t *bytes, size_t length)
{
    size_t used = least(stream->text_bytes, sizeof stream->text);
    size_t now = least(length, sizeof stream->text - used);

    memcpy(stream->text + used, bytes, now);
    stream->text_bytes = (uint8_t)least(used + length, sizeof stream->text + 1);
}

static void begin_value(struct fgw_event_stream *stream, uint32_t length)
{
    if (!claim(stream, length))
        return;
    stream->value_left = length;
    stream->state = VALUE;
    if (!length)
        next_header(stream);
}

static void take_type(struct fgw_event_stream *stream, uint8_t type)
{
    if (type >= TYPES) {
        fail(stream, FGW_EVENT_STREAM_HEADERS);
        return;
    }
    stream->header = HEADER_OTHER;
    if (type == TYPE_STRING && text_is(stream, ":message-type"))
        stream->header = HEADER_MESSAGE_TYPE;
    else if (type == TYPE_STRING && (text_is(stream, ":event-type") ||
                                     text_is(stream, ":exception-type") ||
                                     text_is(stream, ":error-code")))
        stream->header = HEADER_NAME;
    stream->text_bytes = 0;
    if (type == TYPE_BYTES || type == TYPE_STRING) {
        if (claim(stream, 2))
            stream->state = VALUE_LENGTH;
    } else {
        begin_value(stream, VALUE_BYTES[type]);
    }
}

static void take_message_type(struct fgw_event_stream *stream)
{
    if (text_is(stream, "event"))
        stream->message_type = FGW_EVENT_STREAM_EVENT;
    else if (text_is(stream, "exception"))
        stream->message_type = FGW_EVENT_STREAM_EXCEPTION;
    else if (text_is(stream, "error"))
        stream->message_type = FGW_EVENT_STREAM_FAILURE;
}

static enum fgw_split_kind pass_value(struct fgw_event_stream *stream, const uint8_t **at,
                                      const uint8_t *end, struct fgw_split_piece *piece)
{
    const uint8_t *from = *at;
    size_t now = least((size_t)(end - from), stream->value_left);
    uint8_t fresh = stream->fresh;

    *at += now;
    stream->fresh = 0;
    stream->value_left -= (uint32_t)now;
    if (stream->header == HEADER_MESSAGE_TYPE)
        note(stream, from, now);
    if (!stream->value_left) {
        if (stream->header == HEADER_MESSAGE_TYPE)
            take_message_type(stream);
        next_header(stream);
    }
    if (stream->header != HEADER_NAME)
        return FGW_SPLIT_MORE;
    return fgw_split_set(piece, FGW_SPLIT_NAME, from, now, fresh);
}

static enum fgw_split_kind pass_payload(struct fgw_event_stream *stream, const uint8_t **at,
                                        const uint8_t *end, struct fgw_split_piece *piece)
{
    const uint8_t *from = *at;
    size_t now = least((size_t)(end - from), stream->payload_left);
    uint8_t fresh = stream->fresh;

    *at += now;
    stream->fresh = 0;
    stream->payload_left -= (uint32_t)now;
    if (!stream->payload_left)
        stream->state = TRAILER;
    return fgw_split_set(piece, FGW_SPLIT_DATA, from, now, fresh);
}

/* One step through the headers, with at least one byte at *at. */
static void pass_header(struct fgw_event_stream *stream, const uint8_t **at, const uint8_t *end)
{
    size_t now;

    switch (stream->state) {
    case NAME_LENGTH:
        /* A name of no bytes is none. Behind the name its type must follow. */
        stream->name_left = **at;
        stream->text_bytes = 0;
        if (!stream->name_left)
            fail(stream, FGW_EVENT_STREAM_HEADERS);
        else if (claim(stream, 1u + stream->name_left + 1u))
            stream->state = NAME;
        ++*at;
        break;
    case NAME:
        now = least((size_t)(end - *at), stream->name_left);
        note(stream, *at, now);
        *at += now;
        stream->name_left = (uint8_t)(stream->name_left - now);
        if (!stream->name_left)
            stream->state = TYPE;
        break;
    case TYPE:
        take_type(stream, *(*at)++);
        break;
    default:
        if (gather(stream, at, end, 2))
            begin_value(stream, (uint32_t)stream->word[0] << 8 | stream->word[1]);
    }
}

static enum fgw_split_kind step(struct fgw_event_stream *stream, const uint8_t **at,
                                const uint8_t *end, struct fgw_split_piece *piece)
{
    switch (stream->state) {
    case PRELUDE:
        if (gather(stream, at, end, PRELUDE_BYTES))
            take_prelude(stream);
        return FGW_SPLIT_MORE;
    case VALUE:
        return pass_value(stream, at, end, piece);
    case PAYLOAD:
        return pass_payload(stream, at, end, piece);
    default:
        pass_header(stream, at, end);
        return FGW_SPLIT_MORE;
    }
}

static enum fgw_split_kind pass_trailer(struct fgw_event_stream *stream, const uint8_t **at,
                                        const uint8_t *end, struct fgw_split_piece *piece)
{
    if (!gather(stream, at, end, TRAILER_BYTES))
        return FGW_SPLIT_MORE;
    if (number(stream->word) != stream->crc) {
        fail(stream, FGW_EVENT_STREAM_MESSAGE_CRC);
        return FGW_SPLIT_MORE;
    }
    stream->state = PRELUDE;
    stream->crc = 0;
    return fgw_split_end(piece, 1);
}

enum fgw_split_kind fgw_event_stream_next(struct fgw_event_stream *stream, const uint8_t *input,
                                          size_t length, size_t *at,
                                          struct fgw_split_piece *piece)
{
    const uint8_t *p = input + *at, *end = input + length;
    enum fgw_split_kind kind = FGW_SPLIT_MORE;

    if (stream->state == BROKEN) {
        *at = length;
        return FGW_SPLIT_MORE;
    }
    while (kind == FGW_SPLIT_MORE && p < end && stream->state != BROKEN) {
        const uint8_t *from = p;
        if (stream->state == TRAILER) {
            kind = pass_trailer(stream, &p, end, piece);
            continue;
        }
        /* All that lies in this input before the next piece, or the trailer, is summed at once. */
        do
            kind = step(stream, &p, end, piece);
        while (kind == FGW_SPLIT_MORE && p < end && stream->state < TRAILER);
        stream->crc = fgw_crc32(stream->crc, from, (size_t)(p - from));
    }
    *at = (size_t)(p - input);
    return stream->state == BROKEN ? fgw_split_set(piece, FGW_SPLIT_FAULT, NULL, 0, 0) : kind;
}

enum fgw_event_stream_error fgw_event_stream_end(struct fgw_event_stream *stream)
{
    if (stream->state != BROKEN && (stream->state != PRELUDE || stream->word_bytes))
        fail(stream, FGW_EVENT_STREAM_TRUNCATED);
    return (enum fgw_event_stream_error)stream->error;
}
