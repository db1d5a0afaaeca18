#include "fgw_chunk.h"

#include <string.h>

#include "fgw_ascii.h"
#include "fgw_http1_write.h"

/* In the order of the wire. SIZE_FIRST is 0: zeroed memory is a decoder. */
enum state {
    SIZE_FIRST,
    SIZE,
    EXT_START,  /* behind ';' */
    EXT_NAME,
    EXT_NAME_SPACE,
    EXT_VALUE_START, /* behind '=' */
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_QUOTE_END,
    EXT_VALUE_SPACE,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    END,
    INVALID
};

void fgw_chunk_begin(struct fgw_chunk *chunk) { memset(chunk, 0, sizeof *chunk); }

int fgw_chunk_at_boundary(const struct fgw_chunk *chunk) { return chunk->state == SIZE_FIRST; }

void fgw_chunk_mark(struct fgw_chunk *chunk, uint32_t pos)
{
    chunk->plain = chunk->state == SIZE_FIRST;
    chunk->plain_from = chunk->plain_to = pos;
}

static uint8_t invalid(struct fgw_chunk *chunk, uint8_t error)
{
    chunk->error = error;
    return INVALID;
}

static int is_space(uint8_t byte) { return byte == ' ' || byte == '\t'; }

/* Counts a byte that a relay must not pass on. */
static uint8_t spend(struct fgw_chunk *chunk, uint8_t next)
{
    chunk->plain = 0;
    if (next != INVALID && ++chunk->extra > FGW_CHUNK_EXTRA_MAX)
        return invalid(chunk, FGW_CHUNK_E_TOO_LARGE);
    return next;
}

static uint8_t size_digit(struct fgw_chunk *chunk, uint8_t byte)
{
    if (chunk->remaining > (uint64_t)INT64_MAX >> 4)
        return invalid(chunk, FGW_CHUNK_E_OVERFLOW);
    const int padded = chunk->state == SIZE && chunk->remaining == 0;
    chunk->remaining = chunk->remaining << 4 | fgw_ascii_hex(byte);
    return padded ? spend(chunk, SIZE) : SIZE;
}

static uint8_t size_byte(struct fgw_chunk *chunk, uint8_t byte)
{
    if (fgw_ascii_is(byte, FGW_ASCII_HEX))
        return size_digit(chunk, byte);
    if (chunk->state == SIZE_FIRST)
        return invalid(chunk, FGW_CHUNK_E_SIZE);
    if (byte == '\r')
        return SIZE_LF;
    if (byte == ';')
        return spend(chunk, EXT_START);
    return invalid(chunk, FGW_CHUNK_E_SIZE);
}

/* chunk-ext = *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ), but no white space
 * behind the size: h11 and llhttp refuse it too, and it has been used to smuggle. */
static uint8_t extension_byte(struct fgw_chunk *chunk, uint8_t byte)
{
    const int token = fgw_ascii_is(byte, FGW_ASCII_TOKEN);
    switch (chunk->state) {
    case EXT_START:
        if (is_space(byte))
            return EXT_START;
        return token ? EXT_NAME : INVALID;
    case EXT_NAME:
        if (byte == '\r')
            return SIZE_LF;
        if (token)
            return EXT_NAME;
        /* fall through */
    case EXT_NAME_SPACE:
        if (is_space(byte))
            return EXT_NAME_SPACE;
        return byte == ';' ? EXT_START : byte == '=' ? EXT_VALUE_START : INVALID;
    case EXT_VALUE_START:
        if (is_space(byte))
            return EXT_VALUE_START;
        return byte == '"' ? EXT_QUOTED : token ? EXT_TOKEN : INVALID;
    case EXT_QUOTED:
        if (byte == '"')
            return EXT_QUOTE_END;
        if (byte == '\\')
            return EXT_ESCAPED;
        return fgw_ascii_is(byte, FGW_ASCII_VALUE) ? EXT_QUOTED : INVALID;
    case EXT_ESCAPED:
        return fgw_ascii_is(byte, FGW_ASCII_VALUE) ? EXT_QUOTED : INVALID;
    case EXT_TOKEN:
        if (token)
            return EXT_TOKEN;
        /* fall through */
    case EXT_QUOTE_END:
        if (byte == '\r')
            return SIZE_LF;
        /* fall through */
    default: /* EXT_VALUE_SPACE */
        if (is_space(byte))
            return EXT_VALUE_SPACE;
        return byte == ';' ? EXT_START : INVALID;
    }
}

/* Field lines, dropped. What they say is never looked at, so no name is forbidden here. */
static uint8_t trailer_byte(struct fgw_chunk *chunk, uint8_t byte)
{
    switch (chunk->state) {
    case TRAILER_START:
        if (byte == '\r')
            return END_LF;
        chunk->plain = 0;
        return fgw_ascii_is(byte, FGW_ASCII_TOKEN) ? TRAILER_NAME : INVALID;
    case TRAILER_NAME:
        if (byte == ':')
            return TRAILER_VALUE;
        return fgw_ascii_is(byte, FGW_ASCII_TOKEN) ? TRAILER_NAME : INVALID;
    case TRAILER_VALUE:
        if (byte == '\r')
            return TRAILER_LF;
        return fgw_ascii_is(byte, FGW_ASCII_VALUE) ? TRAILER_VALUE : INVALID;
    default: /* TRAILER_LF */
        return byte == '\n' ? TRAILER_START : INVALID;
    }
}

/* Behind the LF of a size line. */
static uint8_t size_known(struct fgw_chunk *chunk)
{
    if (chunk->remaining == 0)
        return TRAILER_START;
    if (chunk->remaining > (uint64_t)INT64_MAX - chunk->total)
        return invalid(chunk, FGW_CHUNK_E_OVERFLOW);
    return DATA;
}

static uint8_t step(struct fgw_chunk *chunk, uint8_t byte)
{
    uint8_t next;
    if (chunk->state <= SIZE)
        return size_byte(chunk, byte);
    switch (chunk->state) {
    case SIZE_LF:
        return byte == '\n' ? size_known(chunk) : invalid(chunk, FGW_CHUNK_E_LINE_END);
    case DATA_CR:
        return byte == '\r' ? DATA_LF : invalid(chunk, FGW_CHUNK_E_LINE_END);
    case DATA_LF:
        return byte == '\n' ? SIZE_FIRST : invalid(chunk, FGW_CHUNK_E_LINE_END);
    case END_LF:
        return byte == '\n' ? END : invalid(chunk, FGW_CHUNK_E_LINE_END);
    case TRAILER_START:
    case TRAILER_NAME:
    case TRAILER_VALUE:
    case TRAILER_LF:
        next = trailer_byte(chunk, byte);
        if (next == INVALID)
            return invalid(chunk, FGW_CHUNK_E_TRAILER);
        return ++chunk->trailer > FGW_CHUNK_TRAILER_MAX ? invalid(chunk, FGW_CHUNK_E_TOO_LARGE)
                                                        : next;
    default:
        next = extension_byte(chunk, byte);
        return next == INVALID ? invalid(chunk, FGW_CHUNK_E_EXTENSION) : spend(chunk, next);
    }
}

static void note_boundary(struct fgw_chunk *chunk, uint32_t pos)
{
    if (chunk->plain)
        chunk->plain_to = pos;
    else if (chunk->plain_from == chunk->plain_to && chunk->state == SIZE_FIRST)
        fgw_chunk_mark(chunk, pos);
}

int32_t fgw_chunk_next(struct fgw_chunk *chunk, const uint8_t *buf, uint32_t len, uint32_t *pos,
                       struct fgw_span *span)
{
    while (chunk->state < END && *pos < len) {
        if (chunk->state == DATA) {
            const uint32_t room = len - *pos;
            const uint32_t take = chunk->remaining < room ? (uint32_t)chunk->remaining : room;
            *span = (struct fgw_span){*pos, take};
            chunk->remaining -= take;
            chunk->total += take;
            *pos += take;
            if (chunk->remaining == 0)
                chunk->state = DATA_CR;
            return FGW_CHUNK_DATA;
        }
        chunk->state = step(chunk, buf[*pos]);
        if (chunk->state == INVALID)
            return -1;
        ++*pos;
        if (chunk->state == SIZE_FIRST || chunk->state == END)
            note_boundary(chunk, *pos);
    }
    return chunk->state == END ? FGW_CHUNK_END : chunk->state == INVALID ? -1 : -2;
}

/* Appends bytes at out + *at. 0, or -1 without room. */
static int append(uint8_t *out, uint32_t cap, uint32_t *at, const void *bytes, uint32_t len)
{
    const int32_t put = fgw_http1_put_bytes(out + *at, cap - *at, bytes, len);
    if (put < 0)
        return -1;
    *at += (uint32_t)put;
    return 0;
}

int32_t fgw_chunk_reframe(struct fgw_chunk *chunk, uint8_t *out, uint32_t cap, const uint8_t *buf,
                          uint32_t from, uint32_t to)
{
    uint32_t pos = from, at = 0;
    struct fgw_span span;
    int32_t got;
    if (chunk->state == END)
        return 0;
    while ((got = fgw_chunk_next(chunk, buf, to, &pos, &span)) == FGW_CHUNK_DATA) {
        const int32_t line = fgw_http1_put_chunk_size(out + at, cap - at, span.len);
        if (line < 0)
            return -1;
        at += (uint32_t)line;
        if (append(out, cap, &at, buf + span.off, span.len) || append(out, cap, &at, "\r\n", 2))
            return -1;
    }
    if (got == -1 || (got == FGW_CHUNK_END && append(out, cap, &at, "0\r\n\r\n", 5)))
        return -1;
    return (int32_t)at;
}
