#include "fgw_cel_decimal.h"

#define WORDS 160        /* 5,120 bits: 10^1140 and more */
#define DIGITS_READ 800  /* no halfway point between doubles has more than 767 digits */
#define BILLION 1000000000u
#define MANTISSA 52

struct big {
    uint32_t n; /* words in use, the last one not 0 */
    uint32_t words[WORDS]; /* the least first */
};

static void big_trim(struct big *big)
{
    while (big->n && big->words[big->n - 1] == 0)
        big->n--;
}

static void big_set(struct big *big, uint64_t value)
{
    big->words[0] = (uint32_t)value;
    big->words[1] = (uint32_t)(value >> 32);
    big->n = 2;
    big_trim(big);
}

/* big = big * factor + more */
static void big_multiply(struct big *big, uint32_t factor, uint32_t more)
{
    uint64_t carry = more;
    for (uint32_t i = 0; i < big->n; i++) {
        carry += (uint64_t)big->words[i] * factor;
        big->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry && big->n < WORDS)
        big->words[big->n++] = (uint32_t)carry;
}

/* big = big / divisor; returns the rest. */
static uint32_t big_divide(struct big *big, uint32_t divisor)
{
    uint64_t rest = 0;
    for (uint32_t i = big->n; i-- > 0;) {
        rest = rest << 32 | big->words[i];
        big->words[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    big_trim(big);
    return (uint32_t)rest;
}

static void big_shift(struct big *big, uint32_t bits)
{
    uint32_t words = bits / 32, rest = bits % 32;
    if (big->n == 0)
        return;
    uint32_t n = big->n + words + 1 < WORDS ? big->n + words + 1 : WORDS;
    for (uint32_t i = n; i-- > 0;) {
        uint64_t low = i >= words && i - words < big->n ? big->words[i - words] : 0;
        uint64_t below = i > words && i - words - 1 < big->n ? big->words[i - words - 1] : 0;
        big->words[i] = (uint32_t)((low << 32 | below) >> (32 - rest));
    }
    big->n = n;
    big_trim(big);
}

static uint32_t big_bits(const struct big *big)
{
    return big->n ? 32 * big->n - (uint32_t)__builtin_clz(big->words[big->n - 1]) : 0;
}

static int big_less(const struct big *a, const struct big *b)
{
    if (a->n != b->n)
        return a->n < b->n;
    for (uint32_t i = a->n; i-- > 0;)
        if (a->words[i] != b->words[i])
            return a->words[i] < b->words[i];
    return 0;
}

static void big_power_of_ten(struct big *big, uint32_t power)
{
    for (; power >= 9; power -= 9)
        big_multiply(big, BILLION, 0);
    uint32_t factor = 1;
    for (; power; power--)
        factor *= 10;
    big_multiply(big, factor, 0);
}

/* Digits out. */

/* Nine digits more, without the zeros before the first one. */
static void add_chunk(struct fgw_cel_decimal *decimal, uint32_t chunk)
{
    if (decimal->count == 0 && chunk == 0) {
        decimal->point -= 9;
        return;
    }
    for (uint32_t unit = BILLION / 10; unit; unit /= 10) {
        uint8_t digit = (uint8_t)(chunk / unit % 10);
        if (decimal->count || digit) {
            if (decimal->count < FGW_CEL_DECIMAL_DIGITS)
                decimal->digits[decimal->count++] = (uint8_t)('0' + digit);
        } else {
            decimal->point--;
        }
    }
}

static void trim(struct fgw_cel_decimal *decimal)
{
    while (decimal->count && decimal->digits[decimal->count - 1] == '0')
        decimal->count--;
    if (decimal->count == 0)
        decimal->point = 0;
}

static void whole_digits(struct fgw_cel_decimal *decimal, struct big *big)
{
    uint32_t chunks[WORDS], n = 0;
    while (big->n)
        chunks[n++] = big_divide(big, BILLION);
    decimal->point = (int32_t)(9 * n);
    while (n)
        add_chunk(decimal, chunks[--n]);
}

/* Those of mantissa / 2^bits, which is less than 1; behind `limit` of them only whether there are
 * more, as one digit that is not 0. */
static void fraction_digits(struct fgw_cel_decimal *decimal, uint64_t mantissa, uint32_t bits,
                            uint32_t limit)
{
    struct big big;
    uint32_t words = (bits + 31) / 32, lowest = 0;
    big_set(&big, mantissa);
    big_shift(&big, 32 * words - bits);
    memset(big.words + big.n, 0, (words - big.n) * sizeof big.words[0]);
    while (lowest < words) {
        uint64_t carry = 0;
        for (uint32_t i = lowest; i < words; i++) {
            carry += (uint64_t)big.words[i] * BILLION;
            big.words[i] = (uint32_t)carry;
            carry >>= 32;
        }
        add_chunk(decimal, (uint32_t)carry);
        while (lowest < words && big.words[lowest] == 0)
            lowest++;
        if (decimal->count > limit && lowest < words) {
            decimal->digits[decimal->count++] = '1';
            break;
        }
    }
}

/* mantissa x 2^exponent, `limit` as above. */
static void expand(uint64_t mantissa, int32_t exponent, uint32_t limit,
                   struct fgw_cel_decimal *decimal)
{
    struct big big;
    decimal->count = 0;
    decimal->point = 0;
    decimal->negative = 0;
    if (mantissa == 0)
        return;
    if (exponent >= 0) {
        big_set(&big, mantissa);
        big_shift(&big, (uint32_t)exponent);
        whole_digits(decimal, &big);
    } else {
        uint32_t below = (uint32_t)-exponent;
        big_set(&big, below < 64 ? mantissa >> below : 0);
        whole_digits(decimal, &big);
        if (below < 64)
            mantissa &= (1ull << below) - 1;
        if (mantissa)
            fraction_digits(decimal, mantissa, below, limit);
    }
    trim(decimal);
}

/* A finite number, without its sign, is *mantissa x 2^exponent. Returns the exponent. */
static int32_t taken_apart(double real, uint64_t *mantissa)
{
    uint64_t bits = cel_ieee(real);
    int32_t exponent = (int32_t)(bits >> MANTISSA & 0x7FF);
    *mantissa = bits & ((1ull << MANTISSA) - 1);
    if (exponent)
        *mantissa |= 1ull << MANTISSA;
    return (exponent ? exponent : 1) - 1023 - MANTISSA;
}

void fgw_cel_decimal_of(double real, struct fgw_cel_decimal *decimal)
{
    uint64_t mantissa;
    int32_t exponent = taken_apart(real, &mantissa);
    expand(mantissa, exponent, FGW_CEL_DECIMAL_DIGITS, decimal);
    decimal->negative = cel_ieee(real) >> 63 != 0;
}

/* One more in the last of `count` digits. */
static void add_one(struct fgw_cel_decimal *decimal, uint32_t count)
{
    while (count && decimal->digits[count - 1] == '9')
        count--;
    if (count) {
        decimal->digits[count - 1]++;
        decimal->count = count;
    } else {
        decimal->digits[0] = '1';
        decimal->count = 1;
        decimal->point++;
    }
}

void fgw_cel_decimal_round(struct fgw_cel_decimal *decimal, int64_t wanted)
{
    if (wanted >= (int64_t)decimal->count)
        return;
    uint32_t count = wanted > 0 ? (uint32_t)wanted : 0;
    int up = 0;
    if (wanted >= 0) {
        uint8_t digit = decimal->digits[count];
        int odd = count && (decimal->digits[count - 1] & 1);
        up = digit > '5' || (digit == '5' && (count + 1 < decimal->count || odd));
    }
    if (up) {
        add_one(decimal, count);
    } else {
        decimal->count = count;
        trim(decimal);
    }
}

/* -1, 0, 1 as a is less than b, equal, greater; both positive. */
static int order(const struct fgw_cel_decimal *a, const struct fgw_cel_decimal *b)
{
    if (a->point != b->point)
        return a->point < b->point ? -1 : 1;
    uint32_t common = a->count < b->count ? a->count : b->count;
    int first = memcmp(a->digits, b->digits, common);
    return first ? first : (a->count > b->count) - (a->count < b->count);
}

/* The numbers that read back as a double lie between two others, each in the middle between it and
 * a neighbour; the ends belong to it if its mantissa is even. */
struct interval {
    struct fgw_cel_decimal exact, low, high;
    int closed;
};

#define ENOUGH 30 /* digits: what has 17 is told from the ends by these, and by whether more are */

static void enclose(double real, struct interval *around)
{
    uint64_t mantissa;
    int32_t exponent = taken_apart(real, &mantissa);
    /* Below a power of two doubles lie twice as close as above. */
    int power = mantissa == 1ull << MANTISSA && exponent > 1 - 1023 - MANTISSA;
    expand(mantissa, exponent, ENOUGH, &around->exact);
    expand(2 * mantissa + 1, exponent - 1, ENOUGH, &around->high);
    expand((power ? 4 : 2) * mantissa - 1, exponent - 1 - power, ENOUGH, &around->low);
    around->closed = !(mantissa & 1);
}

static int is_inside(const struct interval *around, const struct fgw_cel_decimal *decimal)
{
    int low = order(decimal, &around->low), high = order(decimal, &around->high);
    return (low > 0 && high < 0) || (around->closed && (low == 0 || high == 0));
}

/* The number with n digits, such that it reads back: 1, or 0: there is none. */
static int with_digits(const struct interval *around, uint32_t n, struct fgw_cel_decimal *decimal)
{
    const struct fgw_cel_decimal *exact = &around->exact;
    decimal->count = exact->count;
    decimal->point = exact->point;
    memcpy(decimal->digits, exact->digits, exact->count);
    fgw_cel_decimal_round(decimal, n);
    if (is_inside(around, decimal))
        return 1;
    if (n >= exact->count)
        return 0;
    /* The nearest may lie outside where the next one up, on the wider side, does not. */
    decimal->point = exact->point;
    memcpy(decimal->digits, exact->digits, n);
    add_one(decimal, n);
    return is_inside(around, decimal);
}

void fgw_cel_decimal_shortest(double real, struct fgw_cel_decimal *decimal)
{
    struct interval around;
    uint32_t low = 1, high = 17; /* the least that works is one of these: 17 always does */
    decimal->count = 0;
    decimal->point = 0;
    decimal->negative = cel_ieee(real) >> 63 != 0;
    if (real == 0)
        return;
    enclose(real, &around);
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (with_digits(&around, middle, decimal))
            high = middle;
        else
            low = middle + 1;
    }
    with_digits(&around, high, decimal);
}

/* Digits in. */

/* q x 2^exponent, q not 0, with more behind it where `sticky`: the nearest double. */
static double assemble(uint64_t q, int32_t exponent, int sticky)
{
    int zeros = __builtin_clzll(q);
    q <<= zeros;
    exponent += 63 - zeros; /* of the first bit */
    if (exponent > 1023)
        return cel_of_ieee(0x7FFull << MANTISSA);
    int32_t drop = 11;
    if (exponent < -1022)
        drop += -1022 - exponent;
    if (drop > 64)
        return 0;
    uint64_t kept = drop == 64 ? 0 : q >> drop;
    uint64_t half = 1ull << (drop - 1), rest = drop == 64 ? q : q & ((1ull << drop) - 1);
    if (rest > half || (rest == half && (sticky || (kept & 1))))
        kept++;
    if (drop > 11) /* too small for a hidden bit, unless it was rounded up to one */
        return cel_of_ieee(kept);
    return cel_of_ieee(((uint64_t)(exponent + 1023) << MANTISSA) + (kept - (1ull << MANTISSA)));
}

/* rest x 2^32 / divisor, which is greater than rest and has its first bit set in its first word;
 * the remainder stays in rest (Knuth's algorithm D, one digit). */
static uint32_t big_digit(struct big *rest, const struct big *divisor)
{
    uint32_t n = divisor->n;
    big_shift(rest, 32);
    while (rest->n < n + 1)
        rest->words[rest->n++] = 0;
    uint64_t top = (uint64_t)rest->words[n] << 32 | rest->words[n - 1];
    uint64_t digit = top / divisor->words[n - 1];
    if (digit > UINT32_MAX)
        digit = UINT32_MAX;
    uint64_t carry = 0;
    int64_t borrow = 0;
    for (uint32_t i = 0; i <= n; i++) {
        carry += i < n ? digit * divisor->words[i] : 0;
        borrow += (int64_t)rest->words[i] - (uint32_t)carry;
        rest->words[i] = (uint32_t)borrow;
        carry >>= 32;
        borrow >>= 32;
    }
    for (; borrow < 0; digit--) { /* the guess was at most two too large */
        carry = 0;
        for (uint32_t i = 0; i <= n; i++) {
            carry += (uint64_t)rest->words[i] + (i < n ? divisor->words[i] : 0);
            rest->words[i] = (uint32_t)carry;
            carry >>= 32;
        }
        borrow += (int64_t)carry;
    }
    big_trim(rest);
    return (uint32_t)digit;
}

/* All digits as one whole number. */
static void big_read(struct big *big, const uint8_t *digits, uint32_t count)
{
    big->n = 0;
    for (uint32_t i = 0; i < count;) {
        uint32_t chunk = 0, unit = 1;
        for (; i < count && unit < BILLION; i++, unit *= 10)
            chunk = chunk * 10 + (uint32_t)(digits[i] - '0');
        if (big->n)
            big_multiply(big, unit, chunk);
        else
            big_set(big, chunk);
    }
}

static double by_division(const uint8_t *digits, uint32_t count, int32_t power)
{
    struct big rest, divisor;
    big_read(&rest, digits, count < DIGITS_READ ? count : DIGITS_READ);
    if (count > DIGITS_READ) { /* something that is not 0 follows */
        big_multiply(&rest, 10, 1);
        power += (int32_t)(count - DIGITS_READ) - 1;
    }
    big_set(&divisor, 1);
    big_power_of_ten(power > 0 ? &rest : &divisor, (uint32_t)(power > 0 ? power : -power));

    /* The divisor's first bit becomes that of a word, the number gets as many bits. */
    uint32_t up = (32 - big_bits(&divisor) % 32) % 32;
    big_shift(&divisor, up);
    int32_t exponent = (int32_t)up;
    int32_t shift = (int32_t)big_bits(&divisor) - (int32_t)big_bits(&rest);
    if (shift < 0) {
        up = (uint32_t)(31 - shift) / 32 * 32;
        big_shift(&divisor, up);
        exponent += (int32_t)up;
        shift += (int32_t)up;
    }
    big_shift(&rest, (uint32_t)shift);
    exponent -= shift;
    if (!big_less(&rest, &divisor)) { /* halve it */
        big_shift(&divisor, 32);
        big_shift(&rest, 31);
        exponent++;
    }
    uint64_t q = (uint64_t)big_digit(&rest, &divisor) << 32;
    q |= big_digit(&rest, &divisor);
    return assemble(q, exponent - 64, rest.n != 0);
}

double fgw_cel_decimal_double(const uint8_t *digits, uint32_t count, int32_t point)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    while (count && digits[0] == '0')
        digits++, count--, point--;
    while (count && digits[count - 1] == '0')
        count--;
    if (count == 0 || point < -330)
        return 0;
    if (point > 310)
        return cel_of_ieee(0x7FFull << MANTISSA);
    int32_t power = point - (int32_t)count;
    if (count <= 15 && power >= -22 && power <= 22) {
        /* Both numbers are exact, so one rounding does it (Clinger). */
        uint64_t mantissa = 0;
        for (uint32_t i = 0; i < count; i++)
            mantissa = mantissa * 10 + (uint64_t)(digits[i] - '0');
        return power < 0 ? (double)mantissa / tens[-power] : (double)mantissa * tens[power];
    }
    return by_division(digits, count, power);
}

/* Texts. */

static uint32_t special(double real, uint8_t *out)
{
    const char *word = real != real ? "NaN" : real < 0 ? "-Infinity" : "Infinity";
    memcpy(out, word, strlen(word));
    return (uint32_t)strlen(word);
}

uint32_t fgw_cel_double_write(double real, uint8_t *out)
{
    struct fgw_cel_decimal d;
    uint32_t n = 0;
    if ((cel_ieee(real) >> MANTISSA & 0x7FF) == 0x7FF)
        return special(real, out);
    fgw_cel_decimal_shortest(real, &d);
    int32_t exponent = d.count ? d.point - 1 : 0, places = (int32_t)d.count;
    int scientific = exponent < -4 || exponent > 20;
    int32_t point = scientific ? 1 : d.count ? d.point : 1;
    if (cel_ieee(real) >> 63)
        out[n++] = '-';
    /* Below 1 it begins with the zero before the point. */
    for (int32_t i = point < 1 ? point - 1 : 0; i < places || i < point; i++) {
        if (i == point)
            out[n++] = '.';
        out[n++] = i >= 0 && i < places ? d.digits[i] : '0';
    }
    if (scientific) {
        int32_t size = exponent < 0 ? -exponent : exponent;
        out[n++] = 'e';
        out[n++] = exponent < 0 ? '-' : '+';
        if (size >= 100)
            out[n++] = (uint8_t)('0' + size / 100);
        out[n++] = (uint8_t)('0' + size / 10 % 10);
        out[n++] = (uint8_t)('0' + size % 10);
    }
    return n;
}

static int is_word(const uint8_t *text, uint32_t length, const char *word)
{
    if (length != strlen(word))
        return 0;
    for (uint32_t i = 0; i < length; i++)
        if ((text[i] | 0x20) != (uint8_t)word[i])
            return 0;
    return 1;
}

/* The exponent behind 'e': digits with a sign, to the end. 0, or -1. */
static int read_exponent(const uint8_t *p, const uint8_t *end, int32_t *exponent)
{
    int negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end)
        return -1;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return -1;
        if (*exponent < 1000000)
            *exponent = *exponent * 10 + (*p - '0');
    }
    if (negative)
        *exponent = -*exponent;
    return 0;
}

int fgw_cel_double_read(const uint8_t *text, uint32_t length, double *real)
{
    const uint8_t *p = text, *end = text + length;
    uint8_t digits[DIGITS_READ + 2];
    uint32_t count = 0, seen = 0;
    int32_t point = 0, exponent = 0, fraction = 0;
    int negative = length && *p == '-';
    if (length > FGW_CEL_DOUBLE_READ_MAX)
        return -1;
    p += length && (*p == '-' || *p == '+');
    if (is_word(p, (uint32_t)(end - p), "inf") || is_word(p, (uint32_t)(end - p), "infinity")) {
        *real = cel_of_ieee(0x7FFull << MANTISSA | (uint64_t)negative << 63);
        return 0;
    }
    if (is_word(p, (uint32_t)(end - p), "nan")) {
        *real = cel_of_ieee(0x7FF8ull << 48);
        return 0;
    }
    for (; p < end && ((*p >= '0' && *p <= '9') || (*p == '.' && !fraction)); p++) {
        if (*p == '.') {
            fraction = 1;
            continue;
        }
        seen = 1;
        if (*p != '0' || count) {
            if (count <= DIGITS_READ)
                digits[count++] = *p;
            else if (*p != '0')
                digits[DIGITS_READ] = '1'; /* more than nothing follows */
            point += !fraction;
        } else {
            point -= fraction;
        }
    }
    if (!seen || (p < end && (*p | 0x20) != 'e'))
        return -1;
    if (p < end && read_exponent(p + 1, end, &exponent))
        return -1;
    double size = fgw_cel_decimal_double(digits, count, point + exponent);
    *real = negative ? -size : size;
    return (cel_ieee(size) >> MANTISSA) == 0x7FF ? -1 : 0;
}
