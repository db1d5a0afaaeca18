#include "fgw_json_number.h"

#define DIGITS_FULL 1000000000000000000u /* a mantissa below this can take one more digit */
#define SCALE_MAX 100000000              /* far beyond any double; keeps sums inside int32 */

/* The smallest number that rounds to infinity is 1.797693134862315807937... * 10^308. */
#define DOUBLE_MAX_DIGITS 1797693134862315807u
#define DOUBLE_MAX_EXPONENT 308

static inline int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

/* Digits, before the point (step 0) or after it (step -1: each lowers the scale by one). */
static inline const uint8_t *digits(struct fgw_json *json, const uint8_t *p, const uint8_t *end,
                                    int step)
{
    for (; p < end && is_digit(*p); p++) {
        if (json->mantissa < DIGITS_FULL) {
            json->mantissa = json->mantissa * 10 + (uint64_t)(*p - '0');
            json->scale += step;
        } else {
            json->scale += step + 1;
            json->inexact |= *p != '0';
        }
        if (json->scale > SCALE_MAX || json->scale < -SCALE_MAX)
            json->scale = json->scale > 0 ? SCALE_MAX : -SCALE_MAX;
    }
    return p;
}

static inline const uint8_t *exponent_digits(struct fgw_json *json, const uint8_t *p,
                                             const uint8_t *end)
{
    for (; p < end && is_digit(*p); p++)
        if (json->exponent < SCALE_MAX)
            json->exponent = json->exponent * 10 + (*p - '0');
    return p;
}

/* One step from a state that does not loop. Returns the state after the byte, or 0 if it is no
 * part of the number. */
static inline uint8_t single(struct fgw_json *json, uint8_t byte)
{
    switch (json->state) {
    case MINUS:
        return byte == '0' ? ZERO : is_digit(byte) ? INTEGER : 0;
    case ZERO:
    case INTEGER:
    case FRACTION:
        if (byte == '.' && json->state != FRACTION)
            return POINT;
        return byte == 'e' || byte == 'E' ? EXPONENT : 0;
    case POINT:
        return is_digit(byte) ? FRACTION : 0;
    case EXPONENT:
        if (byte == '-')
            json->exponent_negative = 1;
        if (byte == '-' || byte == '+')
            return EXPONENT_SIGN;
        return is_digit(byte) ? EXPONENT_DIGITS : 0;
    case EXPONENT_SIGN:
        return is_digit(byte) ? EXPONENT_DIGITS : 0;
    default:
        return 0;
    }
}

const uint8_t *fgw_json_in_number(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        if (json->state == INTEGER)
            p = digits(json, p, end, 0);
        else if (json->state == FRACTION)
            p = digits(json, p, end, -1);
        else if (json->state == EXPONENT_DIGITS)
            p = exponent_digits(json, p, end);
        if (p == end)
            return p;
        uint8_t next = single(json, *p);
        if (!next)
            return p;
        json->state = next;
        /* The looping states read their first digit themselves. */
        p += !(next == INTEGER || next == FRACTION || next == EXPONENT_DIGITS);
    }
    return p;
}

const uint8_t *fgw_json_begin_number(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    json->mantissa = 0;
    json->scale = 0;
    json->exponent = 0;
    json->exponent_negative = 0;
    json->inexact = 0;
    json->negative = *p == '-';
    json->state = *p == '-' ? MINUS : *p == '0' ? ZERO : INTEGER;
    return fgw_json_in_number(json, p + (json->state != INTEGER), end);
}

/* Whether mantissa * 10^power is beyond every double. */
static int overflows(uint64_t mantissa, int32_t power)
{
    if (power < DOUBLE_MAX_EXPONENT - 19)
        return 0;
    while (mantissa < DIGITS_FULL) {
        mantissa *= 10;
        power--;
    }
    power += 18; /* now the power of ten of the first digit */
    return power > DOUBLE_MAX_EXPONENT ||
           (power == DOUBLE_MAX_EXPONENT && mantissa > DOUBLE_MAX_DIGITS);
}

/* mantissa * 10^power as a whole number: truncated, saturated at INT64_MAX. */
static uint64_t whole(struct fgw_json *json, uint64_t value, int32_t power)
{
    for (; power < 0 && value; power++) {
        json->inexact |= value % 10 != 0;
        value /= 10;
    }
    for (; power > 0 && value; power--) {
        if (value > INT64_MAX / 10) {
            json->inexact = 1;
            return INT64_MAX;
        }
        value *= 10;
    }
    if (value > INT64_MAX) {
        json->inexact = 1;
        return INT64_MAX;
    }
    return value;
}

int fgw_json_end_number(struct fgw_json *json, int64_t *value)
{
    int32_t power = json->scale + (json->exponent_negative ? -json->exponent : json->exponent);

    if (json->state != ZERO && json->state != INTEGER && json->state != FRACTION &&
        json->state != EXPONENT_DIGITS) {
        fail(json, FGW_JSON_SYNTAX);
        return -1;
    }
    if (json->mantissa && !json->spec->lenient && overflows(json->mantissa, power)) {
        fail(json, FGW_JSON_NUMBER_RANGE);
        return -1;
    }
    uint64_t size = whole(json, json->mantissa, power);
    *value = json->negative ? -(int64_t)size : (int64_t)size;
    return 0;
}
