#include "fgw_json_string.h"

#include <string.h>

static void pour_key(struct fgw_json *json, const uint8_t *bytes, size_t length)
{
    size_t room = FGW_JSON_KEY_MAX + 1u - json->key_length;

    if (length > room)
        length = room;
    memcpy(json->key + json->key_length, bytes, length);
    json->key_length = (uint8_t)(json->key_length + length);
}

static void pour_slot(struct fgw_json *json, const uint8_t *bytes, size_t length)
{
    uint8_t index = node_of(json)->slot;
    struct fgw_json_slot *slot = &json->slots[index];
    const struct fgw_json_room *room = &json->spec->rooms[index];
    size_t left = (size_t)room->room - slot->copied;

    if (length > left)
        length = left;
    memcpy(json->copy + room->at + slot->copied, bytes, length);
    slot->copied = (uint16_t)(slot->copied + length);
}

static void pour_head(struct fgw_json *json, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length && json->head_length < FGW_JSON_HEAD_MAX; i++)
        json->head[json->head_length++] = (char)bytes[i];
}

void fgw_json_sink(struct fgw_json *json, const uint8_t *bytes, size_t length)
{
    if (json->sink == SINK_TEXT) { /* most of what answers have */
        json->text_ear(json->text_listener, bytes, length);
        return;
    }
    if (json->sink & SINK_KEY)
        pour_key(json, bytes, length);
    if (json->sink & SINK_SLOT)
        pour_slot(json, bytes, length);
    if (json->sink & SINK_HEAD)
        pour_head(json, bytes, length);
    if (json->sink & SINK_EAR)
        json->ear(json->listener, bytes, length);
    if (json->sink & SINK_TEXT)
        json->text_ear(json->text_listener, bytes, length);
}

static void pour_character(struct fgw_json *json, uint32_t character)
{
    uint8_t bytes[4];
    size_t length;

    if (character < 0x80) {
        bytes[0] = (uint8_t)character;
        length = 1;
    } else if (character < 0x800) {
        bytes[0] = (uint8_t)(0xc0 | character >> 6);
        bytes[1] = (uint8_t)(0x80 | (character & 0x3f));
        length = 2;
    } else if (character < 0x10000) {
        bytes[0] = (uint8_t)(0xe0 | character >> 12);
        bytes[1] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
        bytes[2] = (uint8_t)(0x80 | (character & 0x3f));
        length = 3;
    } else {
        bytes[0] = (uint8_t)(0xf0 | character >> 18);
        bytes[1] = (uint8_t)(0x80 | (character >> 12 & 0x3f));
        bytes[2] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
        bytes[3] = (uint8_t)(0x80 | (character & 0x3f));
        length = 4;
    }
    pour(json, bytes, length);
}

/* Half of a surrogate pair, without the other: nobody's character. */
static int pour_half(struct fgw_json *json)
{
    json->high = 0;
    if (!json->spec->lenient) {
        fail(json, FGW_JSON_ESCAPE);
        return -1;
    }
    pour_character(json, 0xfffd);
    json->state = STRING;
    return 0;
}

/* What stands behind a backslash for one byte; 0: for none, or for something else. */
static const uint8_t ESCAPED[256] = {
    ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
};

/* The byte after a backslash. */
static inline const uint8_t *in_escape(struct fgw_json *json, const uint8_t *p)
{
    if (*p == 'u') {
        json->unit = 0;
        json->hex_left = 4;
        json->state = HEX;
        return p + 1;
    }
    if (!ESCAPED[*p])
        return fail(json, FGW_JSON_ESCAPE);
    pour(json, &ESCAPED[*p], 1);
    json->state = STRING;
    return p + 1;
}

static inline int digit_of(uint8_t byte)
{
    const uint8_t letter = byte | 0x20;

    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Four hexadecimal digits, or -1. */
static inline int32_t four_digits(const uint8_t *p)
{
    const int a = digit_of(p[0]), b = digit_of(p[1]), c = digit_of(p[2]), d = digit_of(p[3]);

    return (a | b | c | d) < 0 ? -1 : (int32_t)(a << 12 | b << 8 | c << 4 | d);
}

static const uint8_t *in_hex(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    for (; json->hex_left && p < end; p++, json->hex_left--) {
        const int digit = digit_of(*p);
        if (digit < 0)
            return fail(json, FGW_JSON_ESCAPE);
        json->unit = (uint16_t)(json->unit << 4 | digit);
    }
    if (json->hex_left)
        return p;

    int is_low = (json->unit & 0xfc00) == 0xdc00;
    if ((json->high != 0) != is_low) {
        if (pour_half(json))
            return NULL;
        if (is_low)
            return p;
    }
    if (is_low) {
        pour_character(json, 0x10000u + ((json->high & 0x3ffu) << 10) + (json->unit & 0x3ffu));
        json->high = 0;
    } else if ((json->unit & 0xfc00) == 0xd800) {
        json->high = json->unit;
        json->state = LOW_BACKSLASH;
        return p;
    } else {
        pour_character(json, json->unit);
    }
    json->state = STRING;
    return p;
}

/* The bytes that may follow a UTF-8 lead byte: how many, and the bounds of the first (which rule
 * out overlong forms, surrogates and what lies beyond U+10FFFF). Returns 0 for a byte that leads
 * none. */
static inline unsigned utf8_expect(uint8_t lead, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 1;
    if ((lead & 0xf0) == 0xe0) {
        if (lead == 0xe0)
            *low = 0xa0;
        else if (lead == 0xed)
            *high = 0x9f;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        if (lead == 0xf0)
            *low = 0x90;
        else if (lead == 0xf4)
            *high = 0x8f;
        return 3;
    }
    return 0;
}

/* Bytes of the character at p, of four that may be read; 0: not of two or three, or not valid. */
static inline unsigned utf8_short(const uint8_t *p)
{
    const uint32_t two = (uint32_t)p[0] << 8 | p[1], third = p[2];

    if ((two & 0xe0c0) == 0xc080)
        return two >= 0xc200 ? 2 : 0;
    /* Neither E0 80..9F, which is too long a form, nor ED A0..BF, a surrogate. */
    const uint32_t bounds = two & 0x0f20;
    return (two & 0xf0c0) == 0xe080 && (third & 0xc0) == 0x80 && bounds && bounds != 0x0d20 ? 3
                                                                                            : 0;
}

/* A run of bytes >= 0x80 inside a string, up to the first ASCII byte: as they stand. */
static const uint8_t *in_utf8(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    uint8_t low, high;

    while (p < end && *p >= 0x80) {
        unsigned more = end - p >= 4 ? utf8_short(p) : 0;
        if (more) {
            p += more;
            continue;
        }
        more = utf8_expect(*p, &low, &high);
        if (!more) {
            if (!json->spec->lenient)
                return fail(json, FGW_JSON_UTF8);
            p++;
            continue;
        }
        if ((size_t)(end - p) <= more) { /* broken by the cut: go on byte by byte */
            json->utf8_left = (uint8_t)more;
            json->utf8_low = low;
            json->utf8_high = high;
            json->state = CONTINUATION;
            return p + 1;
        }
        if (p[1] < low || p[1] > high || (more > 1 && (p[2] & 0xc0) != 0x80) ||
            (more > 2 && (p[3] & 0xc0) != 0x80)) {
            if (!json->spec->lenient)
                return fail(json, FGW_JSON_UTF8);
            more = 0; /* a byte by itself */
        }
        p += more + 1;
    }
    return p;
}

static const uint8_t *in_continuation(struct fgw_json *json, const uint8_t *p)
{
    if (*p < json->utf8_low || *p > json->utf8_high) {
        if (!json->spec->lenient)
            return fail(json, FGW_JSON_UTF8);
        json->state = STRING;
        return p;
    }
    json->utf8_low = 0x80;
    json->utf8_high = 0xbf;
    if (!--json->utf8_left)
        json->state = STRING;
    pour(json, p, 1);
    return p + 1;
}

/* `run`: from there on nothing is poured yet, and all is as it stands. */
static inline const uint8_t *in_text(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *run = p, *next;

    while (p < end) {
        p = plain_end(p, end);
        if (p < end && *p >= 0x80) {
            next = in_utf8(json, p, end);
            if (next && json->state == STRING) {
                p = next;
                continue;
            }
            pour(json, run, (size_t)((next ? next : p) - run));
            return next;
        }
        pour(json, run, (size_t)(p - run));
        if (p == end || *p == '"')
            return p;
        if (*p < 0x20)
            return fail(json, FGW_JSON_SYNTAX);
        if (++p < end && ESCAPED[*p]) {
            pour(json, &ESCAPED[*p], 1);
            run = ++p;
            continue;
        }
        const int32_t unit = end - p > 4 && *p == 'u' ? four_digits(p + 1) : -1;
        if (unit < 0 || (unit & 0xf800) == 0xd800) {
            json->state = ESCAPE;
            return p < end ? in_escape(json, p) : p;
        }
        pour_character(json, (uint32_t)unit);
        run = p += 5;
    }
    pour(json, run, (size_t)(p - run));
    return p;
}

const uint8_t *fgw_json_in_string(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    while (p && p < end) {
        switch (json->state) {
        case STRING:
            p = in_text(json, p, end);
            if (p && p < end && json->state == STRING)
                return p; /* at the quote */
            break;
        case ESCAPE:
            p = in_escape(json, p);
            break;
        case HEX:
            p = in_hex(json, p, end);
            break;
        case LOW_BACKSLASH:
            json->state = LOW_U;
            if (*p == '\\')
                p++;
            else if (pour_half(json))
                return NULL;
            break;
        case LOW_U:
            if (*p != 'u' && pour_half(json))
                return NULL;
            p = in_escape(json, p);
            break;
        default:
            p = in_continuation(json, p);
            break;
        }
    }
    return p;
}
