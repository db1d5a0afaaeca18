#include "fgw_demand.h"

#include <string.h>

#include "fgw_hash.h"

#define HEAD 5 /* type and length before a value's bytes */
#define ROW_MAX (FGW_DEMAND_PREFIX_MAX + FGW_DEMAND_VALUES_MAX * (HEAD + FGW_DEMAND_VALUE_MAX))
#define HASHED 0x80 /* in the type: the bytes are a hash */

static const uint8_t DIGITS[] = "0123456789abcdef";
static const uint8_t ELLIPSIS[3] = {0xe2, 0x80, 0xa6};

/* FGW_NAME_KEY0 and 1, little-endian, as fgw_hash.h takes a key. */
static const uint8_t NAME_KEY[16] = {
    0x6e, 0x20, 0x77, 0x67, 0x74, 0x73, 0x61, 0x66, 0x31, 0x30, 0x76, 0x20, 0x73, 0x65, 0x6d, 0x61,
};

uint64_t fgw_name_hash(const uint8_t *text, size_t length)
{
    return length ? fgw_siphash64(NAME_KEY, text, length) : 0;
}

/* Bytes of the UTF-8 character at text[0 .. length); 0 if there is none, which would make the JSON
 * invalid. Overlong forms and surrogates count as none. */
static uint32_t character(const uint8_t *text, uint32_t length)
{
    uint8_t first = text[0];
    if (first < 0x80)
        return 1;
    uint32_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || length < bytes)
        return 0;
    for (uint32_t i = 1; i < bytes; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f)
        || (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
        return 0;
    return bytes;
}

/* The longest start of text that is at most `most` bytes and ends between characters. */
static uint32_t cut(const uint8_t *text, uint32_t length, uint32_t most)
{
    if (length <= most)
        return length;
    while (most > 0 && (text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

struct row {
    uint8_t bytes[ROW_MAX];
    size_t used;
};

static void put_value(struct row *row, uint32_t type, const uint8_t *bytes, uint32_t length)
{
    uint8_t *at = row->bytes + row->used;
    uint64_t hash[2];
    if (length > FGW_DEMAND_VALUE_MAX) {
        fgw_siphash128(NAME_KEY, bytes, length, hash);
        bytes = (const uint8_t *)hash;
        length = sizeof hash;
        type |= HASHED;
    }
    at[0] = (uint8_t)type;
    at[1] = (uint8_t)(length >> 24);
    at[2] = (uint8_t)(length >> 16);
    at[3] = (uint8_t)(length >> 8);
    at[4] = (uint8_t)length;
    if (length)
        memcpy(at + HEAD, bytes, length);
    row->used += HEAD + length;
}

struct text {
    uint8_t *bytes;
    size_t capacity;
    size_t used;
    int whole; /* 0: something did not fit */
};

static void put(struct text *text, const void *bytes, size_t length)
{
    if (length > text->capacity - text->used) {
        text->whole = 0;
        return;
    }
    memcpy(text->bytes + text->used, bytes, length);
    text->used += length;
}

/* How many bytes from text[0] on stand in JSON as they are: printable ASCII, nearly always all. */
static uint32_t plain(const uint8_t *text, uint32_t length)
{
    uint32_t i = 0;
    while (i < length && text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' && text[i] != '\\')
        i++;
    return i;
}

static void put_string(struct text *text, const uint8_t *bytes, uint32_t length)
{
    uint32_t shown = cut(bytes, length, FGW_DEMAND_SHOWN_MAX);
    put(text, "\"", 1);
    for (uint32_t i = 0; i < shown;) {
        uint32_t run = plain(bytes + i, shown - i);
        if (run) {
            put(text, bytes + i, run);
            i += run;
            continue;
        }
        uint32_t size = character(bytes + i, shown - i);
        if (size == 0) {
            put(text, "?", 1);
            size = 1;
        } else if (bytes[i] < 0x20 || bytes[i] == 0x7f) {
            const uint8_t escaped[6] = {'\\', 'u', '0', '0', DIGITS[bytes[i] >> 4],
                                        DIGITS[bytes[i] & 15]};
            put(text, escaped, sizeof escaped);
        } else {
            if (bytes[i] == '"' || bytes[i] == '\\')
                put(text, "\\", 1);
            put(text, bytes + i, size);
        }
        i += size;
    }
    if (shown < length)
        put(text, ELLIPSIS, sizeof ELLIPSIS);
    put(text, "\"", 1);
}

/* One group of an IPv6 address: up to 4 hex digits at text[*at]. Returns it, -1 for none. */
static int32_t group(const uint8_t *text, uint32_t length, uint32_t *at)
{
    int32_t number = 0;
    uint32_t start = *at;
    for (; *at < length && *at - start < 4; (*at)++) {
        uint8_t digit = text[*at] | 0x20;
        if (digit >= '0' && digit <= '9')
            number = number * 16 + (digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            number = number * 16 + (digit - 'a' + 10);
        else
            break;
    }
    return *at > start ? number : -1;
}

/* The eight groups of an IPv6 address without a dotted end; 0 if it is none. */
static int groups(const uint8_t *text, uint32_t length, uint16_t address[8])
{
    uint32_t at = 0, n = 0, gap = 8; /* gap: the group before which :: stands */
    if (length >= 2 && text[0] == ':' && text[1] == ':') {
        gap = 0;
        at = 2;
    }
    while (at < length) {
        int32_t number = group(text, length, &at);
        if (number < 0 || n == 8)
            return 0;
        address[n++] = (uint16_t)number;
        if (at == length)
            break;
        if (text[at++] != ':' || at == length)
            return 0;
        if (text[at] == ':') {
            if (gap < 8)
                return 0;
            gap = n;
            at++;
        }
    }
    if (gap == 8)
        return n == 8;
    if (n == 8)
        return 0;
    memmove(address + 8 - (n - gap), address + gap, (n - gap) * sizeof *address);
    memset(address + gap, 0, (8 - n) * sizeof *address);
    return 1;
}

#define NETWORK_MAX 32

/* An IPv6 address to its /64, "2001:db8::/64", in `buffer`; one that maps IPv4 to that; anything
 * else stays as it is. */
static struct fgw_value network(const struct fgw_value *value, uint8_t buffer[NETWORK_MAX])
{
    static const uint8_t mapped[7] = "::ffff:";
    struct fgw_value result = *value;
    uint16_t address[8];
    if (value->type != FGW_VALUE_STRING || value->length < 2 || value->length > 45)
        return result;
    if (value->length > sizeof mapped && memcmp(value->bytes, mapped, sizeof mapped) == 0
        && memchr(value->bytes, '.', value->length)) {
        result.bytes += sizeof mapped;
        result.length -= (uint32_t)sizeof mapped;
        return result;
    }
    if (!memchr(value->bytes, ':', value->length) || !groups(value->bytes, value->length, address))
        return result;
    uint32_t used = 0, last = 4;
    while (last > 0 && address[last - 1] == 0)
        last--;
    for (uint32_t i = 0; i < last; i++) {
        int leading = 1;
        for (int shift = 12; shift >= 0; shift -= 4) {
            uint8_t digit = (uint8_t)(address[i] >> shift & 15);
            leading = leading && digit == 0 && shift > 0;
            if (!leading)
                buffer[used++] = DIGITS[digit];
        }
        if (i + 1 < last)
            buffer[used++] = ':';
    }
    memcpy(buffer + used, "::/64", 5);
    result.bytes = buffer;
    result.length = used + 5;
    return result;
}

static void put_one(const struct fgw_value *value, struct row *row, struct text *text)
{
    uint8_t number[32];
    switch (value->type) {
    case FGW_VALUE_STRING:
        put_value(row, value->type, value->bytes, value->length);
        put_string(text, value->bytes, value->length);
        break;
    case FGW_VALUE_BOOL:
    case FGW_VALUE_INT: {
        uint32_t length = fgw_value_text(value, number, sizeof number);
        put_value(row, value->type, number, length);
        put(text, number, length);
        break;
    }
    default:
        put_value(row, FGW_VALUE_ABSENT, NULL, 0);
        put(text, "null", 4);
    }
}

int fgw_demand_key(const uint8_t *prefix, size_t prefix_length, const struct fgw_value *values,
                   uint32_t n_values, uint32_t addresses, uint64_t identity[2], uint8_t *text,
                   size_t capacity)
{
    struct row row;
    struct text shown = {text, capacity, 0, 1};
    uint8_t address[NETWORK_MAX];
    if (prefix_length > FGW_DEMAND_PREFIX_MAX || n_values > FGW_DEMAND_VALUES_MAX)
        return -1;
    if (prefix_length)
        memcpy(row.bytes, prefix, prefix_length);
    row.used = prefix_length;

    put(&shown, "[", 1);
    for (uint32_t i = 0; i < n_values; i++) {
        struct fgw_value value = values[i];
        if (addresses >> i & 1)
            value = network(&value, address);
        if (i)
            put(&shown, ",", 1);
        put_one(&value, &row, &shown);
    }
    put(&shown, "]", 1);
    fgw_siphash128(NAME_KEY, row.bytes, row.used, identity);

    if (!shown.whole) {
        shown.used = 0;
        shown.whole = 1;
        put(&shown, "[\"\xe2\x80\xa6\"]", 7);
    }
    return shown.whole ? (int)shown.used : 0;
}

/* The digits of a number to the end of `buffer`; returns where they begin. */
static const uint8_t *decimal(int64_t number, uint8_t buffer[20])
{
    uint8_t *at = buffer + 20;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        *--at = DIGITS[rest % 10];
    while (rest /= 10);
    if (number < 0)
        *--at = '-';
    return at;
}

uint32_t fgw_value_text(const struct fgw_value *value, uint8_t *out, uint32_t capacity)
{
    uint8_t number[20]; /* INT64_MIN has 20 characters */
    const uint8_t *text;
    uint32_t length;
    switch (value->type) {
    case FGW_VALUE_STRING:
        text = value->bytes;
        length = cut(text, value->length, capacity);
        break;
    case FGW_VALUE_BOOL:
        text = (const uint8_t *)(value->as.number ? "true" : "false");
        length = value->as.number ? 4 : 5;
        break;
    case FGW_VALUE_INT:
        text = decimal(value->as.number, number);
        length = (uint32_t)(number + sizeof number - text);
        break;
    default:
        return 0;
    }
    if (length == 0 || length > capacity)
        return 0;
    memcpy(out, text, length);
    return length;
}

/* A number below 64 that depends on the ends of a text, and on `more`. */
static inline size_t spot(const uint8_t *text, size_t length, uint64_t more)
{
    uint64_t head = 0, tail = 0;
    if (length >= 8) {
        memcpy(&head, text, 8);
        memcpy(&tail, text + length - 8, 8);
    } else if (length >= 4) {
        memcpy(&head, text, 4);
        memcpy(&tail, text + length - 4, 4);
    } else if (length) {
        head = text[0];
        tail = (uint64_t)text[length / 2] << 8 | text[length - 1];
    }
    return (head ^ (tail << 29 | tail >> 35) ^ more) * 0x9e3779b97f4a7c15u >> 58;
}
_Static_assert(FGW_KNOWN_KEYS == 64 && FGW_KNOWN_NAMES == 64, "as spot has it");

int fgw_demand_recall(const struct fgw_known_keys *known, const void *limit,
                      const struct fgw_value *value, uint64_t identity[2], uint8_t *text,
                      size_t capacity)
{
    if (value->type != FGW_VALUE_STRING)
        return -1;
    const struct fgw_known_key *key =
        &known->key[spot(value->bytes, value->length, (uint64_t)(uintptr_t)limit)];
    if (key->limit != limit || key->value_length != value->length ||
        (value->length && memcmp(key->value, value->bytes, value->length) != 0) ||
        key->text_length > capacity)
        return -1;
    identity[0] = key->identity[0];
    identity[1] = key->identity[1];
    memcpy(text, key->text, key->text_length);
    return key->text_length;
}

void fgw_demand_keep(struct fgw_known_keys *known, const void *limit,
                     const struct fgw_value *value, const uint64_t identity[2],
                     const uint8_t *text, int text_length, size_t capacity)
{
    /* (A character is six at most, escaped.) */
    if (value->type != FGW_VALUE_STRING || value->length > FGW_KNOWN_VALUE_MAX ||
        capacity < 6 * FGW_KNOWN_VALUE_MAX + 4 || text_length <= 0 ||
        text_length > FGW_KNOWN_TEXT_MAX)
        return;
    struct fgw_known_key *key =
        &known->key[spot(value->bytes, value->length, (uint64_t)(uintptr_t)limit)];
    key->limit = limit;
    key->identity[0] = identity[0];
    key->identity[1] = identity[1];
    key->value_length = (uint8_t)value->length;
    key->text_length = (uint8_t)text_length;
    if (value->length)
        memcpy(key->value, value->bytes, value->length);
    memcpy(key->text, text, (size_t)text_length);
}

uint64_t fgw_name_recall(struct fgw_known_names *known, const uint8_t *text, size_t length)
{
    if (length == 0 || length > FGW_KNOWN_NAME_MAX)
        return fgw_name_hash(text, length);
    struct fgw_known_name *name = &known->name[spot(text, length, length)];
    if (name->length == length && memcmp(name->text, text, length) == 0)
        return name->hash;
    name->hash = fgw_name_hash(text, length);
    name->length = (uint8_t)length;
    memcpy(name->text, text, length);
    return name->hash;
}
