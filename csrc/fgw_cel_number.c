#include "fgw_cel_decimal.h"
#include "fgw_cel_machine.h"

static struct fgw_value of_ints(struct fgw_cel *cel, uint8_t op, int64_t a, int64_t b)
{
    long long number = 0; /* the builtins want exactly their own type */
    int overflow = 0;
    switch (op) {
    case FGW_CEL_ADD:
        overflow = __builtin_add_overflow((long long)a, (long long)b, &number);
        break;
    case FGW_CEL_SUB:
        overflow = __builtin_sub_overflow((long long)a, (long long)b, &number);
        break;
    case FGW_CEL_MUL:
        overflow = __builtin_mul_overflow((long long)a, (long long)b, &number);
        break;
    default:
        if (b == 0)
            return cel_fail(cel, FGW_CEL_ERROR_DIVIDE);
        if (b != -1)
            return cel_int(op == FGW_CEL_MOD ? a % b : a / b);
        overflow = a == INT64_MIN; /* which traps on x86 */
        number = op == FGW_CEL_MOD || overflow ? 0 : -a;
    }
    return overflow ? cel_fail(cel, FGW_CEL_ERROR_OVERFLOW) : cel_int(number);
}

static struct fgw_value of_uints(struct fgw_cel *cel, uint8_t op, uint64_t a, uint64_t b)
{
    unsigned long long number = 0;
    int overflow = 0;
    switch (op) {
    case FGW_CEL_ADD:
        overflow = __builtin_add_overflow((unsigned long long)a, (unsigned long long)b, &number);
        break;
    case FGW_CEL_SUB:
        overflow = __builtin_sub_overflow((unsigned long long)a, (unsigned long long)b, &number);
        break;
    case FGW_CEL_MUL:
        overflow = __builtin_mul_overflow((unsigned long long)a, (unsigned long long)b, &number);
        break;
    default:
        if (b == 0)
            return cel_fail(cel, FGW_CEL_ERROR_DIVIDE);
        number = op == FGW_CEL_MOD ? a % b : a / b;
    }
    return overflow ? cel_fail(cel, FGW_CEL_ERROR_OVERFLOW) : cel_uint(number);
}

static struct fgw_value of_doubles(struct fgw_cel *cel, uint8_t op, double a, double b)
{
    switch (op) {
    case FGW_CEL_ADD:
        return cel_double(a + b);
    case FGW_CEL_SUB:
        return cel_double(a - b);
    case FGW_CEL_MUL:
        return cel_double(a * b);
    case FGW_CEL_DIV:
        return cel_double(a / b);
    default:
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    }
}

static struct fgw_value joined_texts(struct fgw_cel *cel, const struct fgw_value *a,
                                     const struct fgw_value *b)
{
    uint64_t length = (uint64_t)a->length + b->length;
    uint8_t *bytes = cel_room(cel, length);
    if (bytes == NULL)
        return cel_over(cel);
    cel_copy(bytes, a->bytes, a->length);
    cel_copy(bytes + a->length, b->bytes, b->length);
    return cel_text(a->type, bytes, (uint32_t)length);
}

struct fgw_value fgw_cel_arithmetic(struct fgw_cel *cel, uint8_t op, const struct fgw_value *a,
                                    const struct fgw_value *b)
{
    int times = a->type == FGW_VALUE_TIMESTAMP || a->type == FGW_VALUE_DURATION;
    if (times && (op == FGW_CEL_ADD || op == FGW_CEL_SUB))
        return fgw_cel_time_sum(cel, a, b, op == FGW_CEL_ADD ? 1 : -1);
    if (a->type != b->type)
        return fgw_cel_mismatch(cel, a, b);
    switch (a->type) {
    case FGW_VALUE_INT:
        return of_ints(cel, op, a->as.number, b->as.number);
    case FGW_VALUE_UINT:
        return of_uints(cel, op, cel_bits(a), cel_bits(b));
    case FGW_VALUE_DOUBLE:
        return of_doubles(cel, op, a->as.real, b->as.real);
    case FGW_VALUE_STRING:
    case FGW_VALUE_BYTES:
        return op == FGW_CEL_ADD ? joined_texts(cel, a, b) : fgw_cel_mismatch(cel, a, b);
    case FGW_VALUE_LIST:
        return op == FGW_CEL_ADD ? fgw_cel_concatenated(cel, a, b) : fgw_cel_mismatch(cel, a, b);
    default:
        return fgw_cel_mismatch(cel, a, b);
    }
}

struct fgw_value fgw_cel_negated(struct fgw_cel *cel, const struct fgw_value *a)
{
    if (a->type == FGW_VALUE_DOUBLE)
        return cel_double(-a->as.real);
    if (a->type != FGW_VALUE_INT)
        return fgw_cel_mismatch(cel, a, a);
    return a->as.number == INT64_MIN ? cel_fail(cel, FGW_CEL_ERROR_OVERFLOW)
                                     : cel_int(-a->as.number);
}

/* math.* */

/* The least (which -1) or greatest (1) of x[0 .. n); NaN is never chosen over what came before. */
static struct fgw_value extreme(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n,
                                int which)
{
    if (n == 1 && x->type == FGW_VALUE_LIST) {
        n = x->length;
        x = x->items;
        if (n == 0)
            return cel_fail(cel, FGW_CEL_ERROR_ARGUMENT);
    }
    const struct fgw_value *best = x;
    if (cel_pay(cel, n))
        return cel_over(cel);
    for (uint32_t i = 0; i < n; i++) {
        if (x[i].type != FGW_VALUE_INT && x[i].type != FGW_VALUE_UINT
            && x[i].type != FGW_VALUE_DOUBLE)
            return fgw_cel_mismatch(cel, &x[i], &x[i]);
        if (fgw_cel_order(cel, &x[i], best) == which)
            best = &x[i];
    }
    return *best;
}

struct fgw_value fgw_cel_f_LEAST(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    return extreme(cel, x, n, -1);
}

struct fgw_value fgw_cel_f_GREATEST(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    return extreme(cel, x, n, 1);
}

#define MANTISSA 52
#define SIGN (1ull << 63)

static int exponent_of(double real)
{
    return (int)(cel_ieee(real) >> MANTISSA & 0x7FF) - 1023;
}

/* Without its fraction; the sign stays, of zero too. */
static double truncated(double real)
{
    int exponent = exponent_of(real);
    if (exponent < 0)
        return cel_of_ieee(cel_ieee(real) & SIGN);
    if (exponent >= MANTISSA)
        return real;
    return cel_of_ieee(cel_ieee(real) & ~((1ull << (MANTISSA - exponent)) - 1));
}

static double rounded(double real)
{
    double whole = truncated(real), rest = real - whole;
    if (rest >= 0.5)
        return whole + 1;
    return rest <= -0.5 ? whole - 1 : whole;
}

static struct fgw_value to_whole(struct fgw_cel *cel, const struct fgw_value *x, int how)
{
    if (x->type != FGW_VALUE_DOUBLE)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    double whole = truncated(x->as.real);
    if (how == 1 && whole < x->as.real)
        whole += 1;
    if (how == -1 && whole > x->as.real)
        whole -= 1;
    return cel_double(whole);
}

struct fgw_value fgw_cel_f_CEIL(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return to_whole(cel, x, 1);
}

struct fgw_value fgw_cel_f_FLOOR(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return to_whole(cel, x, -1);
}

struct fgw_value fgw_cel_f_TRUNC(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return to_whole(cel, x, 0);
}

struct fgw_value fgw_cel_f_ROUND(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return x->type == FGW_VALUE_DOUBLE ? cel_double(rounded(x->as.real))
                                       : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_ABS(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type == FGW_VALUE_INT)
        return x->as.number < 0 ? fgw_cel_negated(cel, x) : *x;
    if (x->type == FGW_VALUE_DOUBLE)
        return cel_double(cel_of_ieee(cel_ieee(x->as.real) & ~SIGN));
    return x->type == FGW_VALUE_UINT ? *x : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_SIGN(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type == FGW_VALUE_INT)
        return cel_int((x->as.number > 0) - (x->as.number < 0));
    if (x->type == FGW_VALUE_UINT)
        return cel_uint(x->as.number != 0);
    if (x->type != FGW_VALUE_DOUBLE)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    double real = x->as.real;
    return cel_double(real > 0 ? 1 : real < 0 ? -1 : real);
}

/* The square root of a positive finite number, digit by digit, rounded to nearest. The FPU's would
 * come with a call into libm for errno. */
static double square_root(double real)
{
    uint64_t bits = cel_ieee(real), mantissa = bits & ((1ull << MANTISSA) - 1);
    int exponent = (int)(bits >> MANTISSA & 0x7FF);
    if (exponent)
        mantissa |= 1ull << MANTISSA;
    else
        exponent = 1;
    for (; !(mantissa >> MANTISSA); exponent--)
        mantissa <<= 1;
    exponent -= 1023 + MANTISSA; /* real = mantissa * 2^exponent */
    /* 54 digits of the root: that of mantissa * 2^(54 or 55), whose exponent is even. */
    int shift = exponent % 2 ? 55 : 54;
    unsigned __int128 rest = (unsigned __int128)mantissa << shift, root = 0;
    for (unsigned __int128 bit = (unsigned __int128)1 << 108; bit; bit >>= 2) {
        if (rest >= root + bit) {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    int half = (exponent - shift) / 2;
    uint64_t digits = (uint64_t)root; /* in [2^53, 2^54): the last decides on rounding */
    digits = (digits >> 1) + (digits & 1);
    return cel_of_ieee(((uint64_t)(half + 1 + MANTISSA + 1023) << MANTISSA)
                   + (digits - (1ull << MANTISSA)));
}

struct fgw_value fgw_cel_f_SQRT(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    double real = x->type == FGW_VALUE_INT    ? (double)x->as.number
                  : x->type == FGW_VALUE_UINT ? (double)cel_bits(x)
                                              : x->as.real;
    (void)n;
    if (cel_pay(cel, 10))
        return cel_over(cel);
    if (x->type != FGW_VALUE_INT && x->type != FGW_VALUE_UINT && x->type != FGW_VALUE_DOUBLE)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    if (real < 0)
        return cel_double(cel_of_ieee(0x7FF8ull << 48));
    if (real == 0 || exponent_of(real) == 1024) /* infinite, or no number */
        return cel_double(real);
    return cel_double(square_root(real));
}

struct fgw_value fgw_cel_f_IS_NAN(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return x->type == FGW_VALUE_DOUBLE ? cel_bool(x->as.real != x->as.real)
                                       : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_IS_INF(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return x->type == FGW_VALUE_DOUBLE
               ? cel_bool(exponent_of(x->as.real) == 1024 && x->as.real == x->as.real)
               : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_IS_FINITE(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return x->type == FGW_VALUE_DOUBLE ? cel_bool(exponent_of(x->as.real) != 1024)
                                       : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

/* Of int and int, or uint and uint: the bits are the same. */
static int are_bits(const struct fgw_value *a, const struct fgw_value *b)
{
    return a->type == b->type && (a->type == FGW_VALUE_INT || a->type == FGW_VALUE_UINT);
}

struct fgw_value fgw_cel_f_BIT_AND(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return are_bits(x, x + 1) ? cel_of(x->type, x[0].as.number & x[1].as.number)
                              : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_BIT_OR(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return are_bits(x, x + 1) ? cel_of(x->type, x[0].as.number | x[1].as.number)
                              : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_BIT_XOR(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return are_bits(x, x + 1) ? cel_of(x->type, x[0].as.number ^ x[1].as.number)
                              : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_BIT_NOT(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return are_bits(x, x) ? cel_of(x->type, ~x->as.number) : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

/* Both shift in zeros, signed numbers too; by 64 and more nothing is left. */
static struct fgw_value shifted(struct fgw_cel *cel, const struct fgw_value *x, int left)
{
    if (!are_bits(x, x) || x[1].type != FGW_VALUE_INT)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    int64_t by = x[1].as.number;
    if (by < 0)
        return cel_fail(cel, FGW_CEL_ERROR_ARGUMENT);
    if (by > 63)
        return cel_of(x->type, 0);
    return cel_of(x->type, (int64_t)(left ? cel_bits(x) << by : cel_bits(x) >> by));
}

struct fgw_value fgw_cel_f_BIT_SHIFT_LEFT(struct fgw_cel *cel, const struct fgw_value *x,
                                          uint32_t n)
{
    (void)n;
    return shifted(cel, x, 1);
}

struct fgw_value fgw_cel_f_BIT_SHIFT_RIGHT(struct fgw_cel *cel, const struct fgw_value *x,
                                           uint32_t n)
{
    (void)n;
    return shifted(cel, x, 0);
}

/* splitmix64: equidistributed, and any seed will do. */
struct fgw_value fgw_cel_f_RANDOM(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    uint64_t z = cel->run->random += 0x9E3779B97F4A7C15u;
    (void)x, (void)n;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return cel_double((double)(z >> 11) * 0x1p-53);
}
