#include "fgw_cel_decimal.h"
#include "fgw_cel_machine.h"
#include "fgw_cel_utf8.h"

#define PRECISION_MAX 1000 /* digits that a clause may ask for */
#define PAY_DOUBLE 600     /* steps of a double's digits */

/* A text that grows at the end of the arena; nothing else takes memory meanwhile. */
struct writer {
    struct fgw_cel *cel;
    uint8_t *bytes;
    uint64_t length;
    enum fgw_cel_error why; /* 0: fine so far */
};

static void put(struct writer *writer, const uint8_t *bytes, uint64_t length)
{
    struct fgw_cel *cel = writer->cel;
    uint64_t used = (writer->length + 7) & ~7ull, whole = (writer->length + length + 7) & ~7ull;
    if (cel->ended || writer->why || cel_pay(cel, 1 + length / 8))
        return;
    if (whole > used && cel_take(cel, whole - used) == NULL)
        return;
    cel_copy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static void put_word(struct writer *writer, const char *word)
{
    put(writer, (const uint8_t *)word, strlen(word));
}

static void put_repeated(struct writer *writer, uint8_t byte, int64_t times)
{
    uint8_t row[32];
    memset(row, byte, sizeof row);
    for (; times > 0 && !writer->cel->ended; times -= (int64_t)sizeof row)
        put(writer, row, times < (int64_t)sizeof row ? (uint64_t)times : sizeof row);
}

static void begin(struct writer *writer, struct fgw_cel *cel)
{
    *writer = (struct writer){.cel = cel, .bytes = cel->run->arena + cel->run->arena_used};
}

static struct fgw_value finish(const struct writer *writer)
{
    if (writer->cel->ended)
        return cel_over(writer->cel);
    if (writer->why)
        return cel_fail(writer->cel, writer->why);
    return cel_text(FGW_VALUE_STRING, writer->bytes, (uint32_t)writer->length);
}

/* %s: any value as people write it. */

static void put_value(struct writer *writer, const struct fgw_value *x);

static void put_list(struct writer *writer, const struct fgw_value *x)
{
    put_word(writer, "[");
    for (uint32_t i = 0; i < x->length && !writer->cel->ended; i++) {
        if (i)
            put_word(writer, ", ");
        put_value(writer, &x->items[i]);
    }
    put_word(writer, "]");
}

/* A key's text, for the order of a map's entries. `room` takes a number's. */
static struct fgw_value key_text(const struct fgw_value *key, uint8_t *room)
{
    uint32_t n = 0;
    if (key->type == FGW_VALUE_STRING)
        return *key;
    if (key->type == FGW_VALUE_BOOL)
        return key->as.number ? cel_text(FGW_VALUE_STRING, (const uint8_t *)"true", 4)
                              : cel_text(FGW_VALUE_STRING, (const uint8_t *)"false", 5);
    int negative = key->type == FGW_VALUE_INT && key->as.number < 0;
    if (negative)
        room[n++] = '-';
    n += fgw_cel_digits(negative ? 0 - cel_bits(key) : cel_bits(key), room + n);
    return cel_text(FGW_VALUE_STRING, room, n);
}

/* Whether key i comes before key j: by text, then by place. */
static int before(struct fgw_cel *cel, const struct fgw_value *map, uint32_t i, uint32_t j)
{
    uint8_t a_room[24], b_room[24];
    struct fgw_value a = key_text(&map->items[2 * (size_t)i], a_room);
    struct fgw_value b = key_text(&map->items[2 * (size_t)j], b_room);
    if (cel_pay(cel, 4))
        return 0;
    int which = fgw_cel_order(cel, &a, &b);
    return which < 0 || (which == 0 && i < j);
}

/* Entries in the order of their keys, each found by a search: n x n, but without memory, which is
 * the writer's meanwhile; and paid for. */
static void put_map(struct writer *writer, const struct fgw_value *x)
{
    struct fgw_cel *cel = writer->cel;
    uint32_t last = UINT32_MAX;
    put_word(writer, "{");
    for (uint32_t n = 0; n < x->length && !cel->ended; n++) {
        uint32_t next = UINT32_MAX;
        for (uint32_t i = 0; i < x->length && !cel->ended; i++)
            if ((last == UINT32_MAX || (i != last && before(cel, x, last, i)))
                && (next == UINT32_MAX || before(cel, x, i, next)))
                next = i;
        if (next == UINT32_MAX)
            break;
        if (n)
            put_word(writer, ", ");
        put_value(writer, &x->items[2 * (size_t)next]);
        put_word(writer, ": ");
        put_value(writer, &x->items[2 * (size_t)next + 1]);
        last = next;
    }
    put_word(writer, "}");
}

static void put_real(struct writer *writer, double real)
{
    uint8_t text[FGW_CEL_DOUBLE_TEXT];
    if (cel_pay(writer->cel, PAY_DOUBLE) == 0)
        put(writer, text, fgw_cel_double_write(real, text));
}

static void put_integer(struct writer *writer, const struct fgw_value *x)
{
    uint8_t text[24];
    struct fgw_value digits = key_text(x, text);
    put(writer, digits.bytes, digits.length);
}

static void put_nested(struct writer *writer, const struct fgw_value *x)
{
    if (writer->cel->depth > FGW_CEL_DEPTH) {
        writer->why = FGW_CEL_ERROR_DEPTH;
        return;
    }
    writer->cel->depth++;
    if (x->type == FGW_VALUE_LIST) {
        put_list(writer, x);
    } else if (x->type == FGW_VALUE_MAP) {
        put_map(writer, x);
    } else {
        put_word(writer, x->items ? "optional(" : "optional.none()");
        if (x->items) {
            put_value(writer, x->items);
            put_word(writer, ")");
        }
    }
    writer->cel->depth--;
}

static void put_value(struct writer *writer, const struct fgw_value *x)
{
    uint8_t text[FGW_CEL_NET_TEXT];
    if (writer->why || writer->cel->ended)
        return;
    switch (x->type) {
    case FGW_VALUE_STRING:
    case FGW_VALUE_BYTES:
        put(writer, x->bytes, x->length);
        break;
    case FGW_VALUE_BOOL:
    case FGW_VALUE_INT:
    case FGW_VALUE_UINT:
        put_integer(writer, x);
        break;
    case FGW_VALUE_DOUBLE:
        put_real(writer, x->as.real);
        break;
    case FGW_VALUE_NULL:
        put_word(writer, "null");
        break;
    case FGW_VALUE_TYPE:
        put_word(writer, fgw_cel_type_name(x->as.number));
        break;
    case FGW_VALUE_TIMESTAMP:
        put(writer, text, fgw_cel_time_write(x, text));
        break;
    case FGW_VALUE_DURATION:
        put(writer, text, fgw_cel_duration_write(x, text));
        break;
    case FGW_VALUE_IP:
    case FGW_VALUE_CIDR:
        put(writer, text, fgw_cel_net_write(x, text));
        break;
    case FGW_VALUE_LIST:
    case FGW_VALUE_MAP:
    case FGW_VALUE_OPTIONAL:
        put_nested(writer, x);
        break;
    default:
        writer->why = FGW_CEL_ERROR_TYPE;
    }
}

/* The other verbs. */

/* %f and %e of a finite number. */
static void put_decimal(struct writer *writer, double real, int64_t precision, int scientific)
{
    struct fgw_cel_decimal d;
    if (cel_pay(writer->cel, PAY_DOUBLE + (uint64_t)precision / 8))
        return;
    fgw_cel_decimal_of(real, &d);
    fgw_cel_decimal_round(&d, scientific ? precision + 1 : d.point + precision);
    if (d.negative)
        put_word(writer, "-");
    int64_t count = d.count, whole = scientific ? (count > 0) : d.point;
    int32_t exponent = count ? d.point - 1 : 0;
    if (whole <= 0)
        put_word(writer, "0");
    else
        put(writer, d.digits, (uint64_t)(count < whole ? count : whole));
    put_repeated(writer, '0', whole - count);
    if (precision > 0) {
        int64_t zeros = whole < 0 ? -whole : 0, from = whole < 0 ? 0 : whole;
        int64_t digits = count > from ? count - from : 0;
        if (zeros > precision)
            zeros = precision;
        put_word(writer, ".");
        put_repeated(writer, '0', zeros);
        put(writer, d.digits + from, (uint64_t)digits);
        put_repeated(writer, '0', precision - zeros - digits);
    }
    if (scientific) {
        uint8_t text[24];
        uint32_t size = (uint32_t)(exponent < 0 ? -exponent : exponent);
        put_word(writer, exponent < 0 ? "e-" : "e+");
        if (size < 10)
            put_word(writer, "0");
        put(writer, text, fgw_cel_digits(size, text));
    }
}

static void put_float(struct writer *writer, const struct fgw_value *x, int64_t precision,
                      int scientific)
{
    double real = x->type == FGW_VALUE_INT    ? (double)x->as.number
                  : x->type == FGW_VALUE_UINT ? (double)cel_bits(x)
                                              : x->as.real;
    if (x->type != FGW_VALUE_INT && x->type != FGW_VALUE_UINT && x->type != FGW_VALUE_DOUBLE)
        writer->why = FGW_CEL_ERROR_TYPE;
    else if (real - real != 0) /* infinite, or no number */
        put_real(writer, real);
    else
        put_decimal(writer, real, precision < 0 ? 6 : precision, scientific);
}

/* An integer to the base 2^bits; negative ones with their sign. */
static void put_base(struct writer *writer, const struct fgw_value *x, uint32_t bits,
                     const char *alphabet)
{
    uint8_t text[65];
    uint32_t n = sizeof text;
    int negative = x->type != FGW_VALUE_UINT && x->as.number < 0;
    uint64_t number = negative ? 0 - cel_bits(x) : cel_bits(x);
    do {
        text[--n] = (uint8_t)alphabet[number & ((1u << bits) - 1)];
        number >>= bits;
    } while (number);
    if (negative)
        put_word(writer, "-");
    put(writer, text + n, sizeof text - n);
}

static void put_hex(struct writer *writer, const struct fgw_value *x, int upper)
{
    const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    if (x->type == FGW_VALUE_INT || x->type == FGW_VALUE_UINT) {
        put_base(writer, x, 4, alphabet);
        return;
    }
    if (!cel_is_text(x))
        writer->why = FGW_CEL_ERROR_TYPE;
    for (uint32_t i = 0; cel_is_text(x) && i < x->length && !writer->cel->ended; i++) {
        uint8_t pair[2] = {(uint8_t)alphabet[x->bytes[i] >> 4],
                           (uint8_t)alphabet[x->bytes[i] & 15]};
        put(writer, pair, 2);
    }
}

static void put_clause(struct writer *writer, uint8_t verb, const struct fgw_value *x,
                       int64_t precision)
{
    int integer = x->type == FGW_VALUE_INT || x->type == FGW_VALUE_UINT;
    switch (verb) {
    case 's':
        put_value(writer, x);
        break;
    case 'd':
        if (integer || x->type == FGW_VALUE_DOUBLE)
            put_value(writer, x);
        else
            writer->why = FGW_CEL_ERROR_TYPE;
        break;
    case 'f':
    case 'e':
        put_float(writer, x, precision, verb == 'e');
        break;
    case 'b':
    case 'o':
        if (integer || (verb == 'b' && x->type == FGW_VALUE_BOOL))
            put_base(writer, x, verb == 'b' ? 1 : 3, "01234567");
        else
            writer->why = FGW_CEL_ERROR_TYPE;
        break;
    case 'x':
    case 'X':
        put_hex(writer, x, verb == 'X');
        break;
    default:
        writer->why = FGW_CEL_ERROR_ARGUMENT;
    }
}

/* ".12" at *p, if any: 12, or -1; -2: too many digits, or none. */
static int64_t precision_at(const uint8_t **p, const uint8_t *end)
{
    int64_t precision = 0;
    if (*p == end || **p != '.')
        return -1;
    const uint8_t *first = ++*p;
    for (; *p < end && **p >= '0' && **p <= '9'; ++*p) {
        precision = precision * 10 + (**p - '0');
        if (precision > PRECISION_MAX)
            return -2;
    }
    return *p == first ? -2 : precision;
}

struct fgw_value fgw_cel_f_FORMAT(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    struct writer writer;
    uint32_t used = 0;
    (void)n;
    if (x->type != FGW_VALUE_STRING || x[1].type != FGW_VALUE_LIST)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    const uint8_t *p = x->bytes, *end = p + x->length;
    cel->depth = 0;
    begin(&writer, cel);
    while (p < end && !cel->ended && !writer.why) {
        const uint8_t *sign = memchr(p, '%', (size_t)(end - p));
        put(&writer, p, (uint64_t)((sign ? sign : end) - p));
        if (sign == NULL)
            break;
        p = sign + 1;
        if (p < end && *p == '%') {
            put(&writer, p++, 1);
            continue;
        }
        int64_t precision = precision_at(&p, end);
        if (precision == -2 || p == end)
            writer.why = FGW_CEL_ERROR_ARGUMENT;
        else if (used == x[1].length)
            writer.why = FGW_CEL_ERROR_INDEX;
        else
            put_clause(&writer, *p++, &x[1].items[used++], precision);
    }
    return finish(&writer);
}

/* strings.quote: what is no UTF-8 becomes U+FFFD. */
struct fgw_value fgw_cel_f_QUOTE(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    static const char escaped[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
    struct writer writer;
    (void)n;
    if (x->type != FGW_VALUE_STRING)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    const uint8_t *p = x->bytes, *end = p + x->length;
    begin(&writer, cel);
    put_word(&writer, "\"");
    while (p < end && !cel->ended) {
        uint32_t code, length = fgw_cel_utf8_next(p, end, &code);
        const char *found = code && code < 0x80 ? memchr(escaped, (int)code, 9) : NULL;
        uint8_t pair[2] = {'\\', found ? (uint8_t)letters[found - escaped] : 0};
        if (found)
            put(&writer, pair, 2);
        else if (code == FGW_CEL_NO_CHARACTER)
            put_word(&writer, "\xEF\xBF\xBD");
        else
            put(&writer, p, length);
        p += length;
    }
    put_word(&writer, "\"");
    return finish(&writer);
}
