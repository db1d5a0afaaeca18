#define _GNU_SOURCE /* memmem */
#include "fgw_cel_machine.h"
#include "fgw_cel_utf8.h"

static struct fgw_value wrong_type(struct fgw_cel *cel)
{
    return cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

static int are(const struct fgw_value *x, uint32_t n, uint32_t type)
{
    for (uint32_t i = 0; i < n; i++)
        if (x[i].type != type)
            return 0;
    return 1;
}

/* What a search costs: memmem may compare up to 256 bytes at each place before it shifts. */
static int pay_search(struct fgw_cel *cel, uint64_t length, uint32_t part)
{
    uint64_t most = part < 256 ? part : 256;
    return cel_pay(cel, length / 3 + length * most / 512);
}

/* Where `part` begins in text[0 .. length), or NULL. Paid for. */
static const uint8_t *search(const uint8_t *text, size_t length, const struct fgw_value *part)
{
    if (part->length == 0)
        return text;
    return length < part->length ? NULL : memmem(text, length, part->bytes, part->length);
}

struct fgw_value fgw_cel_f_SIZE(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    const struct fgw_cel_source *source = cel->run->source;
    (void)n;
    switch (x->type) {
    case FGW_VALUE_STRING:
        return cel_pay_scan(cel, x->length) ? cel_over(cel)
                                            : cel_int(fgw_cel_utf8_count(x->bytes, x->length));
    case FGW_VALUE_BYTES:
    case FGW_VALUE_LIST:
    case FGW_VALUE_MAP:
        return cel_int(x->length);
    case FGW_VALUE_SOURCE:
        return cel_int(source ? source->count(source->owner, (uint32_t)x->as.number) : 0);
    default:
        return fgw_cel_mismatch(cel, x, x);
    }
}

struct fgw_value fgw_cel_f_CONTAINS(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (!are(x, 2, FGW_VALUE_STRING))
        return wrong_type(cel);
    if (pay_search(cel, x->length, x[1].length))
        return cel_over(cel);
    return cel_bool(search(x->bytes, x->length, &x[1]) != NULL || x[1].length == 0);
}

struct fgw_value fgw_cel_f_STARTS_WITH(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (!are(x, 2, FGW_VALUE_STRING))
        return wrong_type(cel);
    if (x[1].length > x->length)
        return cel_bool(0);
    if (cel_pay_bytes(cel, x[1].length))
        return cel_over(cel);
    return cel_bool(cel_same(x->bytes, x[1].bytes, x[1].length));
}

struct fgw_value fgw_cel_f_ENDS_WITH(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (!are(x, 2, FGW_VALUE_STRING))
        return wrong_type(cel);
    if (x[1].length > x->length)
        return cel_bool(0);
    if (cel_pay_bytes(cel, x[1].length))
        return cel_over(cel);
    return cel_bool(
        cel_same(x->bytes + (x->length - x[1].length), x[1].bytes, x[1].length));
}

/* Characters. */

struct fgw_value fgw_cel_f_CHAR_AT(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    uint32_t code;
    (void)n;
    if (x->type != FGW_VALUE_STRING || x[1].type != FGW_VALUE_INT)
        return wrong_type(cel);
    if (cel_pay_scan(cel, x->length))
        return cel_over(cel);
    int64_t at = fgw_cel_utf8_place(x->bytes, x->length, x[1].as.number);
    if (at < 0)
        return cel_fail(cel, FGW_CEL_ERROR_INDEX);
    const uint8_t *p = x->bytes + at, *end = x->bytes + x->length;
    return cel_text(FGW_VALUE_STRING, p, p < end ? fgw_cel_utf8_next(p, end, &code) : 0);
}

struct fgw_value fgw_cel_f_SUBSTRING(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    if (x->type != FGW_VALUE_STRING || !are(x + 1, n - 1, FGW_VALUE_INT))
        return wrong_type(cel);
    if (cel_pay_scan(cel, 2 * (uint64_t)x->length))
        return cel_over(cel);
    int64_t from = fgw_cel_utf8_place(x->bytes, x->length, x[1].as.number);
    int64_t to = n == 2 ? x->length : fgw_cel_utf8_place(x->bytes, x->length, x[2].as.number);
    if (from < 0 || to < from)
        return cel_fail(cel, FGW_CEL_ERROR_INDEX);
    return cel_text(FGW_VALUE_STRING, x->bytes + from, (uint32_t)(to - from));
}

/* The byte where a search for x[1] in x[0] from character x[2] begins; -1: *wrong. */
static int64_t begin(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n, int64_t otherwise,
                     struct fgw_value *wrong)
{
    int64_t at = otherwise;
    if (!are(x, 2, FGW_VALUE_STRING) || (n == 3 && x[2].type != FGW_VALUE_INT)) {
        *wrong = wrong_type(cel);
        return -1;
    }
    if (cel_pay_scan(cel, x->length)) {
        *wrong = cel_over(cel);
        return -1;
    }
    if (n == 3)
        at = fgw_cel_utf8_place(x->bytes, x->length, x[2].as.number);
    if (at < 0)
        *wrong = cel_fail(cel, FGW_CEL_ERROR_INDEX);
    return at;
}

struct fgw_value fgw_cel_f_INDEX_OF(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    struct fgw_value wrong;
    int64_t from = begin(cel, x, n, 0, &wrong);
    if (from < 0)
        return wrong;
    if (pay_search(cel, x->length, x[1].length))
        return cel_over(cel);
    const uint8_t *found = search(x->bytes + from, x->length - (size_t)from, &x[1]);
    if (found == NULL)
        return cel_int(x[1].length ? -1 : 0);
    if (cel_pay_scan(cel, (uint64_t)(found - x->bytes)))
        return cel_over(cel);
    return cel_int(fgw_cel_utf8_count(x->bytes, (uint32_t)(found - x->bytes)));
}

/* The last place not behind `from` where `part` stands, or -1; -2: the run has ended. */
static int64_t search_back(struct fgw_cel *cel, const struct fgw_value *text,
                           const struct fgw_value *part, int64_t from)
{
    int64_t at = (int64_t)text->length - part->length;
    for (at = at < from ? at : from; at >= 0; at--) {
        uint32_t same = 0;
        while (same < part->length && text->bytes[at + same] == part->bytes[same])
            same++;
        if (same == part->length)
            return at;
        if (cel_pay(cel, same / 8 + ((uint64_t)at % 4 == 0)))
            return -2;
    }
    return -1;
}

struct fgw_value fgw_cel_f_LAST_INDEX_OF(struct fgw_cel *cel, const struct fgw_value *x,
                                         uint32_t n)
{
    struct fgw_value wrong;
    int64_t from = begin(cel, x, n, x->length, &wrong);
    if (from < 0)
        return wrong;
    int64_t at = search_back(cel, x, &x[1], from);
    if (at == -2 || (at > 0 && cel_pay_scan(cel, (uint64_t)at)))
        return cel_over(cel);
    return cel_int(at < 0 ? -1 : (int64_t)fgw_cel_utf8_count(x->bytes, (uint32_t)at));
}

/* Lists of strings. */

struct fgw_value fgw_cel_f_JOIN(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    struct fgw_value comma = n == 2 ? x[1] : cel_text(FGW_VALUE_STRING, NULL, 0);
    uint64_t length = 0;
    if (x->type != FGW_VALUE_LIST || comma.type != FGW_VALUE_STRING)
        return wrong_type(cel);
    if (cel_pay(cel, x->length))
        return cel_over(cel);
    for (uint32_t i = 0; i < x->length; i++) {
        if (x->items[i].type != FGW_VALUE_STRING)
            return wrong_type(cel);
        length += x->items[i].length + (i ? comma.length : 0);
    }
    uint8_t *bytes = cel_room(cel, length), *out = bytes;
    if (bytes == NULL)
        return cel_over(cel);
    for (uint32_t i = 0; i < x->length; i++) {
        if (i) {
            cel_copy(out, comma.bytes, comma.length);
            out += comma.length;
        }
        cel_copy(out, x->items[i].bytes, x->items[i].length);
        out += x->items[i].length;
    }
    return cel_text(FGW_VALUE_STRING, bytes, (uint32_t)length);
}

/* The next place that a separator cuts, or NULL: an empty one cuts behind each character, but not
 * behind the last. */
static const uint8_t *next_cut(const uint8_t *p, const uint8_t *end, const struct fgw_value *comma)
{
    uint32_t code;
    if (comma->length)
        return search(p, (size_t)(end - p), comma);
    if (p == end)
        return NULL;
    p += fgw_cel_utf8_next(p, end, &code);
    return p < end ? p : NULL;
}

struct fgw_value fgw_cel_f_SPLIT(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    if (!are(x, 2, FGW_VALUE_STRING) || (n == 3 && x[2].type != FGW_VALUE_INT))
        return wrong_type(cel);
    int64_t limit = n == 3 ? x[2].as.number : -1;
    const uint8_t *p = x->bytes, *end = p + x->length;
    struct fgw_value list = fgw_cel_list_new(cel, 4);
    if (cel->ended || pay_search(cel, x->length, x[1].length))
        return cel_over(cel);
    if (limit == 0 || (x->length == 0 && x[1].length == 0))
        return list;
    while (!cel->ended) {
        const uint8_t *cut = limit == 1 ? NULL : next_cut(p, end, &x[1]);
        struct fgw_value part =
            cel_text(FGW_VALUE_STRING, p, (uint32_t)((cut ? cut : end) - p));
        list = cel_pay(cel, 2) ? cel_over(cel) : fgw_cel_append(cel, &list, &part);
        if (cut == NULL)
            break;
        p = cut + x[1].length;
        limit -= limit > 0;
    }
    return list;
}

/* Where the next `old` begins; an empty one stands before each character and at the end. */
static const uint8_t *next_old(const uint8_t *p, const uint8_t *end, const struct fgw_value *old,
                               int first)
{
    uint32_t code;
    if (old->length)
        return search(p, (size_t)(end - p), old);
    if (first)
        return p;
    return p < end ? p + fgw_cel_utf8_next(p, end, &code) : NULL;
}

/* x[0] with the first `limit` of x[1] replaced by x[2], written to `out`, or (NULL) only measured.
 * -1: the run has ended. */
static int64_t replace(struct fgw_cel *cel, const struct fgw_value *x, int64_t limit, uint8_t *out)
{
    const uint8_t *p = x->bytes, *end = p + x->length, *next = p;
    uint64_t length = 0;
    for (int64_t i = 0; i != limit; i++) {
        const uint8_t *old = next_old(next, end, &x[1], i == 0);
        if (old == NULL)
            break;
        if (cel_pay(cel, 1 + (out ? x[2].length / 8u : 0)))
            return -1;
        if (out) {
            cel_copy(out + length, p, (size_t)(old - p));
            cel_copy(out + length + (old - p), x[2].bytes, x[2].length);
        }
        length += (uint64_t)(old - p) + x[2].length;
        next = p = old + x[1].length;
    }
    if (out)
        cel_copy(out + length, p, (size_t)(end - p));
    return (int64_t)(length + (uint64_t)(end - p));
}

struct fgw_value fgw_cel_f_REPLACE(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    if (!are(x, 3, FGW_VALUE_STRING) || (n == 4 && x[3].type != FGW_VALUE_INT))
        return wrong_type(cel);
    int64_t limit = n == 4 && x[3].as.number >= 0 ? x[3].as.number : -1;
    if (pay_search(cel, 2 * (uint64_t)x->length, x[1].length))
        return cel_over(cel);
    int64_t length = replace(cel, x, limit, NULL);
    uint8_t *bytes = length < 0 ? NULL : cel_room(cel, (uint64_t)length);
    if (bytes == NULL || replace(cel, x, limit, bytes) < 0)
        return cel_over(cel);
    return cel_text(FGW_VALUE_STRING, bytes, (uint32_t)length);
}

/* Unicode's White_Space, which is what trim() takes away. */
static int is_space(uint32_t code)
{
    return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0
           || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028
           || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

struct fgw_value fgw_cel_f_TRIM(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type != FGW_VALUE_STRING)
        return wrong_type(cel);
    if (cel_pay_scan(cel, x->length))
        return cel_over(cel);
    const uint8_t *p = x->bytes, *end = p + x->length, *first = NULL, *last = p;
    while (p < end) {
        uint32_t code, length = fgw_cel_utf8_next(p, end, &code);
        if (!is_space(code)) {
            first = first ? first : p;
            last = p + length;
        }
        p += length;
    }
    return cel_text(FGW_VALUE_STRING, first ? first : end, first ? (uint32_t)(last - first) : 0);
}

/* x with the letters from `first` (and 25 more) in the other case. */
static struct fgw_value recased(struct fgw_cel *cel, const struct fgw_value *x, uint8_t first)
{
    if (x->type != FGW_VALUE_STRING)
        return wrong_type(cel);
    uint8_t *bytes = cel_room(cel, x->length);
    if (bytes == NULL || cel_pay_scan(cel, x->length))
        return cel_over(cel);
    for (uint32_t i = 0; i < x->length; i++)
        bytes[i] = (uint8_t)(x->bytes[i] ^ ((uint8_t)(x->bytes[i] - first) < 26 ? 0x20 : 0));
    return cel_text(FGW_VALUE_STRING, bytes, x->length);
}

struct fgw_value fgw_cel_f_LOWER_ASCII(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return recased(cel, x, 'A');
}

struct fgw_value fgw_cel_f_UPPER_ASCII(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return recased(cel, x, 'a');
}

static struct fgw_value reversed_list(struct fgw_cel *cel, const struct fgw_value *x)
{
    if (cel_pay(cel, x->length))
        return cel_over(cel);
    struct fgw_value list = fgw_cel_list_new(cel, x->length);
    for (uint32_t i = x->length; !cel->ended && i-- > 0;)
        list = fgw_cel_append(cel, &list, &x->items[i]);
    return list;
}

struct fgw_value fgw_cel_f_REVERSE(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type == FGW_VALUE_LIST)
        return reversed_list(cel, x);
    if (x->type != FGW_VALUE_STRING)
        return wrong_type(cel);
    uint8_t *bytes = cel_room(cel, x->length);
    if (bytes == NULL || cel_pay_scan(cel, x->length))
        return cel_over(cel);
    const uint8_t *p = x->bytes, *end = p + x->length;
    for (uint8_t *out = bytes + x->length; p < end;) {
        uint32_t code, length = fgw_cel_utf8_next(p, end, &code);
        out -= length;
        memcpy(out, p, length);
        p += length;
    }
    return cel_text(FGW_VALUE_STRING, bytes, x->length);
}

/* base64: the standard alphabet; with padding or without, as the conformance cases take it. */

struct fgw_value fgw_cel_f_BASE64_ENCODE(struct fgw_cel *cel, const struct fgw_value *x,
                                         uint32_t n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (void)n;
    if (!cel_is_text(x))
        return wrong_type(cel);
    uint64_t length = ((uint64_t)x->length + 2) / 3 * 4;
    uint8_t *bytes = cel_room(cel, length), *out = bytes;
    if (bytes == NULL || cel_pay_scan(cel, length))
        return cel_over(cel);
    for (uint32_t i = 0; i < x->length; i += 3, out += 4) {
        uint32_t left = x->length - i;
        uint32_t second = left > 1 ? x->bytes[i + 1] : 0, third = left > 2 ? x->bytes[i + 2] : 0;
        uint32_t group = (uint32_t)x->bytes[i] << 16 | second << 8 | third;
        for (uint32_t j = 0; j < 4; j++)
            out[j] = j > left ? '=' : (uint8_t)alphabet[group >> (18 - 6 * j) & 63];
    }
    return cel_text(FGW_VALUE_STRING, bytes, (uint32_t)length);
}

static int digit64(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

struct fgw_value fgw_cel_f_BASE64_DECODE(struct fgw_cel *cel, const struct fgw_value *x,
                                         uint32_t n)
{
    uint32_t length = x->length, group = 0, written = 0;
    (void)n;
    if (x->type != FGW_VALUE_STRING)
        return wrong_type(cel);
    if (length && length % 4 == 0 && x->bytes[length - 1] == '=')
        length -= x->bytes[length - 2] == '=' ? 2 : 1;
    uint8_t *bytes = cel_room(cel, length);
    if (bytes == NULL || cel_pay_scan(cel, length))
        return cel_over(cel);
    for (uint32_t i = 0; i < length; i++) {
        int digit = digit64(x->bytes[i]);
        if (digit < 0)
            return cel_fail(cel, FGW_CEL_ERROR_PARSE);
        group = (group & 0x3FFFF) << 6 | (uint32_t)digit;
        if (i % 4)
            bytes[written++] = (uint8_t)(group >> (6 - 2 * (i % 4)));
    }
    return length % 4 == 1 ? cel_fail(cel, FGW_CEL_ERROR_PARSE)
                           : cel_text(FGW_VALUE_BYTES, bytes, written);
}
