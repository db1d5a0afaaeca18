#include "fgw_bedrock_chunk.h"

#include <string.h>

enum state { BETWEEN = 0, KEY, KEY_ESCAPE, BYTES, OTHER, OTHER_ESCAPE };

static int digit_of(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

/* One byte outside strings. */
static void between(struct fgw_bedrock_chunk *chunk, uint8_t byte)
{
    switch (byte) {
    case '{':
    case '[':
        chunk->depth = (uint8_t)(chunk->depth + (chunk->depth < UINT8_MAX));
        chunk->value = byte == '[';
        break;
    case '}':
    case ']':
        chunk->depth = (uint8_t)(chunk->depth - (chunk->depth > 0));
        break;
    case ',':
        chunk->value = 0;
        break;
    case ':':
        chunk->value = 1;
        break;
    case '"':
        if (!chunk->value) {
            chunk->state = KEY;
            chunk->key_bytes = 0;
        } else if (chunk->depth == 1 && chunk->key_bytes == sizeof chunk->key &&
                   !memcmp(chunk->key, "bytes", sizeof chunk->key)) {
            chunk->state = BYTES;
            chunk->digits = 0;
            chunk->bits = 0;
        } else {
            chunk->state = OTHER;
        }
        break;
    default:
        break;
    }
}

static void in_key(struct fgw_bedrock_chunk *chunk, uint8_t byte)
{
    if (byte == '"') {
        chunk->state = BETWEEN;
        return;
    }
    if (byte == '\\')
        chunk->state = KEY_ESCAPE;
    if (chunk->key_bytes < sizeof chunk->key)
        chunk->key[chunk->key_bytes] = (char)byte;
    chunk->key_bytes = (uint8_t)(chunk->key_bytes + (chunk->key_bytes <= sizeof chunk->key));
}

/* One byte of the base64. Returns how many bytes it gives. */
static size_t in_bytes(struct fgw_bedrock_chunk *chunk, uint8_t byte, uint8_t *out)
{
    int digit = digit_of(byte); /* a backslash stands at most before `/` */

    if (byte == '"') {
        chunk->state = BETWEEN;
        if (chunk->digits < 2)
            return 0;
        chunk->bits <<= 6 * (4 - chunk->digits); /* padding is no digit */
        out[0] = (uint8_t)(chunk->bits >> 16);
        out[1] = (uint8_t)(chunk->bits >> 8);
        return chunk->digits - 1u;
    }
    if (digit < 0)
        return 0;
    chunk->bits = chunk->bits << 6 | (uint32_t)digit;
    if (++chunk->digits < 4)
        return 0;
    out[0] = (uint8_t)(chunk->bits >> 16);
    out[1] = (uint8_t)(chunk->bits >> 8);
    out[2] = (uint8_t)chunk->bits;
    chunk->digits = 0;
    chunk->bits = 0;
    return 3;
}

size_t fgw_bedrock_chunk_next(struct fgw_bedrock_chunk *chunk, const uint8_t *payload,
                              size_t length, size_t *at, uint8_t *out, size_t room)
{
    size_t used = 0, i = *at;

    for (; i < length && room - used >= 3; i++) {
        uint8_t byte = payload[i];
        switch (chunk->state) {
        case BETWEEN:
            between(chunk, byte);
            break;
        case KEY:
            in_key(chunk, byte);
            break;
        case KEY_ESCAPE:
            chunk->state = KEY;
            break;
        case BYTES:
            used += in_bytes(chunk, byte, out + used);
            break;
        case OTHER:
            if (byte == '"')
                chunk->state = BETWEEN;
            else if (byte == '\\')
                chunk->state = OTHER_ESCAPE;
            break;
        default:
            chunk->state = OTHER;
        }
    }
    *at = i;
    return used;
}
