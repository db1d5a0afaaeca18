/* fgw_cel_decimal.h - doubles to decimal text and back, exactly; without libc and without tables.
 *
 * Both ways go over whole numbers of any size (at most 320 x 32 bits, on the stack): the exact
 * decimal expansion of a double has at most 309 digits before its point and 1,074 behind it.
 */
#ifndef FGW_CEL_DECIMAL_H
#define FGW_CEL_DECIMAL_H

#include <stdint.h>
#include <string.h>

#define FGW_CEL_DECIMAL_DIGITS 1400

/* A number as digits: 0.d1 d2 d3 … x 10^point. */
struct fgw_cel_decimal {
    uint32_t count; /* of digits, without zeros at either end; 0: the number 0 */
    int32_t point;
    uint8_t negative;
    uint8_t digits[FGW_CEL_DECIMAL_DIGITS]; /* '0'-'9' */
};

/* All digits of a finite number. */
void fgw_cel_decimal_of(double real, struct fgw_cel_decimal *decimal);

/* Rounds to `count` digits (which may be negative: to 0), half to even. */
void fgw_cel_decimal_round(struct fgw_cel_decimal *decimal, int64_t count);

/* The fewest digits that read back as `real`; of those the nearest. */
void fgw_cel_decimal_shortest(double real, struct fgw_cel_decimal *decimal);

/* The double nearest to the number, half to even; infinite where it is too large. digits[0 ..
 * count) are '0'-'9'; the number is 0.digits x 10^point. */
double fgw_cel_decimal_double(const uint8_t *digits, uint32_t count, int32_t point);

#define FGW_CEL_DOUBLE_TEXT 32 /* bytes that the next writes at most */

/* Shortest text of any double as string() gives it: "0.1", "1e+21", "-Infinity", "NaN". */
uint32_t fgw_cel_double_write(double real, uint8_t *out);

#define FGW_CEL_DOUBLE_READ_MAX 100000 /* bytes; longer is no number */

/* Text as double() takes it: decimal, with exponent, "inf", "infinity", "nan" in any case, each
 * with a sign. 0, or -1: no number, or none that a double holds. */
int fgw_cel_double_read(const uint8_t *text, uint32_t length, double *real);

/* The bits of a double as IEEE 754 has them, and back. */
static inline uint64_t cel_ieee(double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits;
}

static inline double cel_of_ieee(uint64_t bits)
{
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

#endif
