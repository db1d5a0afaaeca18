#include "fgw_cel_decimal.h"
#include "fgw_cel_machine.h"
#include "fgw_cel_utf8.h"

#define TWO_63 9223372036854775808.0
#define TWO_64 18446744073709551616.0
#define PAY_DOUBLE 600 /* steps of a conversion between doubles and text: at most about 6 us */

uint32_t fgw_cel_digits(uint64_t number, uint8_t *out)
{
    uint8_t digits[20];
    uint32_t n = 0;
    do
        digits[n++] = (uint8_t)('0' + number % 10);
    while (number /= 10);
    for (uint32_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    return n;
}

const char *fgw_cel_type_name(int64_t type)
{
    switch (type) {
    case FGW_VALUE_BOOL:
        return "bool";
    case FGW_VALUE_INT:
        return "int";
    case FGW_VALUE_STRING:
        return "string";
    case FGW_VALUE_DOUBLE:
        return "double";
    case FGW_VALUE_UINT:
        return "uint";
    case FGW_VALUE_BYTES:
        return "bytes";
    case FGW_VALUE_LIST:
        return "list";
    case FGW_VALUE_MAP:
        return "map";
    case FGW_VALUE_TIMESTAMP:
        return "google.protobuf.Timestamp";
    case FGW_VALUE_DURATION:
        return "google.protobuf.Duration";
    case FGW_VALUE_TYPE:
        return "type";
    case FGW_VALUE_OPTIONAL:
        return "optional_type";
    case FGW_VALUE_IP:
        return "net.IP";
    case FGW_VALUE_CIDR:
        return "net.CIDR";
    default:
        return "null_type";
    }
}

/* A whole number in decimal. 0, or -1: no digits, or beyond 64 bits. */
static int read_digits(const uint8_t *p, const uint8_t *end, uint64_t *number)
{
    unsigned long long sum = 0;
    if (p == end)
        return -1;
    for (; p < end; p++)
        if (*p < '0' || *p > '9' || __builtin_mul_overflow(sum, 10ull, &sum)
            || __builtin_add_overflow(sum, (unsigned long long)(*p - '0'), &sum))
            return -1;
    *number = sum;
    return 0;
}

static struct fgw_value int_of_text(struct fgw_cel *cel, const struct fgw_value *x)
{
    const uint8_t *p = x->bytes, *end = p + x->length;
    uint64_t number;
    int negative = x->length && *p == '-';
    if (cel_pay_scan(cel, x->length))
        return cel_over(cel);
    p += x->length && (*p == '-' || *p == '+');
    if (read_digits(p, end, &number) || number > (uint64_t)INT64_MAX + (unsigned)negative)
        return cel_fail(cel, FGW_CEL_ERROR_PARSE);
    return cel_int((int64_t)(negative ? 0 - number : number));
}

struct fgw_value fgw_cel_f_INT(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    switch (x->type) {
    case FGW_VALUE_INT:
        return *x;
    case FGW_VALUE_UINT:
        return x->as.number < 0 ? cel_fail(cel, FGW_CEL_ERROR_RANGE) : cel_int(x->as.number);
    case FGW_VALUE_DOUBLE: /* both ends excluded: the conformance cases have it so */
        if (!(x->as.real > -TWO_63 && x->as.real < TWO_63))
            return cel_fail(cel, FGW_CEL_ERROR_RANGE);
        return cel_int((int64_t)x->as.real);
    case FGW_VALUE_TIMESTAMP:
        return cel_int(x->as.number);
    case FGW_VALUE_STRING:
        return int_of_text(cel, x);
    default:
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    }
}

struct fgw_value fgw_cel_f_UINT(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    uint64_t number;
    (void)n;
    switch (x->type) {
    case FGW_VALUE_UINT:
        return *x;
    case FGW_VALUE_INT:
        return x->as.number < 0 ? cel_fail(cel, FGW_CEL_ERROR_RANGE) : cel_uint(cel_bits(x));
    case FGW_VALUE_DOUBLE:
        if (!(x->as.real >= 0 && x->as.real < TWO_64))
            return cel_fail(cel, FGW_CEL_ERROR_RANGE);
        return cel_uint((uint64_t)x->as.real);
    case FGW_VALUE_STRING:
        if (cel_pay_scan(cel, x->length))
            return cel_over(cel);
        return read_digits(x->bytes, x->bytes + x->length, &number)
                   ? cel_fail(cel, FGW_CEL_ERROR_PARSE)
                   : cel_uint(number);
    default:
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    }
}

struct fgw_value fgw_cel_f_DOUBLE(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    double real;
    (void)n;
    switch (x->type) {
    case FGW_VALUE_DOUBLE:
        return *x;
    case FGW_VALUE_INT:
        return cel_double((double)x->as.number);
    case FGW_VALUE_UINT:
        return cel_double((double)cel_bits(x));
    case FGW_VALUE_STRING:
        if (cel_pay(cel, PAY_DOUBLE + x->length / 2u))
            return cel_over(cel);
        return fgw_cel_double_read(x->bytes, x->length, &real)
                   ? cel_fail(cel, FGW_CEL_ERROR_PARSE)
                   : cel_double(real);
    default:
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    }
}

struct fgw_value fgw_cel_f_BOOL(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    static const char words[][6] = {"false", "true", "0", "1",     "f",    "t",
                                    "FALSE", "TRUE", "F", "T", "False", "True"};
    (void)n;
    if (x->type == FGW_VALUE_BOOL)
        return *x;
    if (x->type != FGW_VALUE_STRING)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    for (uint32_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (cel_says(x, words[i]))
            return cel_bool(i & 1);
    return cel_fail(cel, FGW_CEL_ERROR_PARSE);
}

struct fgw_value fgw_cel_f_BYTES(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return cel_is_text(x) ? cel_text(FGW_VALUE_BYTES, x->bytes, x->length)
                          : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_TYPE(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)cel, (void)n;
    return cel_of(FGW_VALUE_TYPE, x->type == FGW_VALUE_SOURCE ? FGW_VALUE_MAP : x->type);
}

/* Room enough for the text of every scalar that is no text itself. */
#define SCALAR_TEXT 64

/* What string() makes of such a scalar; 0 where it makes nothing of it. */
static uint32_t write_scalar(const struct fgw_value *x, uint8_t *out)
{
    uint32_t n = 0;
    switch (x->type) {
    case FGW_VALUE_BOOL:
        memcpy(out, x->as.number ? "true" : "false", 5);
        return x->as.number ? 4 : 5;
    case FGW_VALUE_INT:
        if (x->as.number < 0)
            out[n++] = '-';
        return n + fgw_cel_digits(x->as.number < 0 ? 0 - cel_bits(x) : cel_bits(x), out + n);
    case FGW_VALUE_UINT:
        return fgw_cel_digits(cel_bits(x), out);
    case FGW_VALUE_DOUBLE:
        return fgw_cel_double_write(x->as.real, out);
    case FGW_VALUE_TIMESTAMP:
        return fgw_cel_time_write(x, out);
    case FGW_VALUE_DURATION:
        return fgw_cel_duration_write(x, out);
    case FGW_VALUE_IP:
    case FGW_VALUE_CIDR:
        return fgw_cel_net_write(x, out);
    default:
        return 0;
    }
}

struct fgw_value fgw_cel_string(struct fgw_cel *cel, const struct fgw_value *x)
{
    uint8_t text[SCALAR_TEXT];
    if (x->type == FGW_VALUE_STRING)
        return *x;
    if (x->type == FGW_VALUE_BYTES) {
        if (cel_pay_scan(cel, x->length))
            return cel_over(cel);
        return fgw_cel_utf8_valid(x->bytes, x->length)
                   ? cel_text(FGW_VALUE_STRING, x->bytes, x->length)
                   : cel_fail(cel, FGW_CEL_ERROR_UTF8);
    }
    if (cel_pay(cel, x->type == FGW_VALUE_DOUBLE ? PAY_DOUBLE : 8))
        return cel_over(cel);
    uint32_t length = write_scalar(x, text);
    if (length == 0)
        return fgw_cel_mismatch(cel, x, x);
    uint8_t *bytes = cel_room(cel, length);
    if (bytes == NULL)
        return cel_over(cel);
    memcpy(bytes, text, length);
    return cel_text(FGW_VALUE_STRING, bytes, length);
}

struct fgw_value fgw_cel_f_STRING(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return fgw_cel_string(cel, x);
}

struct fgw_value fgw_cel_concat(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    uint64_t length = 0;
    struct fgw_value *texts = cel_take(cel, n * sizeof *texts);
    if (texts == NULL)
        return cel_over(cel);
    for (uint32_t i = 0; i < n; i++) {
        texts[i] = x[i].type == FGW_VALUE_NULL
                       ? cel_text(FGW_VALUE_STRING, (const uint8_t *)"null", 4)
                       : fgw_cel_string(cel, &x[i]);
        if (cel->ended || texts[i].type == FGW_VALUE_ERROR)
            return cel->ended ? cel_over(cel) : texts[i];
        length += texts[i].length;
    }
    uint8_t *bytes = cel_room(cel, length), *out = bytes;
    if (bytes == NULL)
        return cel_over(cel);
    for (uint32_t i = 0; i < n; i++) {
        cel_copy(out, texts[i].bytes, texts[i].length);
        out += texts[i].length;
    }
    return cel_text(FGW_VALUE_STRING, bytes, (uint32_t)length);
}
