#include "fgw_cel_machine.h"

#define SECOND 1000000000ll /* nanoseconds */
#define DAY 86400ll

/* A moment as calendars and clocks have it. */
struct civil {
    int64_t year;
    uint32_t month, day; /* from 1 */
    uint32_t hour, minute, second, nanosecond;
    uint32_t weekday, yearday; /* from 0: Sunday, January 1st */
};

/* Days since 1970-01-01 of a Gregorian date. Years begin in March here, so that the leap day is
 * their last; 400 of them have 146,097 days. */
static int64_t days_of(int64_t year, uint32_t month, uint32_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, in_era = year - era * 400;
    int64_t in_year = (153 * (int64_t)(month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static void civil_of(int64_t seconds, uint32_t nanosecond, struct civil *civil)
{
    int64_t days = seconds / DAY - (seconds % DAY < 0), rest = seconds - days * DAY;
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t in_era = shifted - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (uint32_t)((5 * in_year + 2) / 153);
    civil->day = (uint32_t)(in_year - (153 * month + 2) / 5) + 1;
    civil->month = month < 10 ? month + 3 : month - 9;
    civil->year = year + era * 400 + (civil->month <= 2);
    civil->hour = (uint32_t)(rest / 3600);
    civil->minute = (uint32_t)(rest / 60 % 60);
    civil->second = (uint32_t)(rest % 60);
    civil->nanosecond = nanosecond;
    civil->weekday = (uint32_t)(((days % 7) + 11) % 7); /* 1970-01-01 was a Thursday */
    civil->yearday = (uint32_t)(days - days_of(civil->year, 1, 1));
}

static struct fgw_value timestamp(struct fgw_cel *cel, int64_t seconds, uint32_t nanoseconds)
{
    if (seconds < FGW_CEL_TIME_FIRST || seconds > FGW_CEL_TIME_LAST)
        return cel_fail(cel, FGW_CEL_ERROR_OVERFLOW);
    return (struct fgw_value){
        .length = nanoseconds, .type = FGW_VALUE_TIMESTAMP, .as.number = seconds};
}

static struct fgw_value duration(struct fgw_cel *cel, __int128 nanoseconds)
{
    if (nanoseconds < INT64_MIN || nanoseconds > INT64_MAX)
        return cel_fail(cel, FGW_CEL_ERROR_OVERFLOW);
    return cel_of(FGW_VALUE_DURATION, (int64_t)nanoseconds);
}

static __int128 nanoseconds_of(const struct fgw_value *timestamp)
{
    return (__int128)timestamp->as.number * SECOND + timestamp->length;
}

struct fgw_value fgw_cel_time_sum(struct fgw_cel *cel, const struct fgw_value *a,
                                  const struct fgw_value *b, int sign)
{
    int a_moment = a->type == FGW_VALUE_TIMESTAMP, b_moment = b->type == FGW_VALUE_TIMESTAMP;
    if ((!a_moment && a->type != FGW_VALUE_DURATION)
        || (!b_moment && b->type != FGW_VALUE_DURATION) || (b_moment && a_moment != (sign < 0)))
        return fgw_cel_mismatch(cel, a, b);
    __int128 left = a_moment ? nanoseconds_of(a) : a->as.number;
    __int128 sum = left + (b_moment ? nanoseconds_of(b) : b->as.number) * sign;
    if (a_moment == b_moment)
        return duration(cel, sum);
    __int128 seconds = sum / SECOND;
    seconds -= seconds * SECOND > sum; /* rounded down, of negative ones too */
    return timestamp(cel, (int64_t)seconds, (uint32_t)(sum - seconds * SECOND));
}

/* Reading. */

/* `count` digits, or -1. */
static int number_at(const uint8_t *p, uint32_t count)
{
    int number = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        number = number * 10 + (p[i] - '0');
    }
    return number;
}

/* "hh:mm" as seconds, or -1. */
static int clock_at(const uint8_t *p)
{
    int hours = number_at(p, 2), minutes = number_at(p + 3, 2);
    if (hours < 0 || hours > 23 || p[2] != ':' || minutes < 0 || minutes > 59)
        return -1;
    return hours * 3600 + minutes * 60;
}

/* The date and the time of day of RFC 3339, 19 bytes, as seconds since 1970. 0, or -1. */
static int read_moment(const uint8_t *p, int64_t *seconds)
{
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = number_at(p, 4), month = number_at(p + 5, 2), day = number_at(p + 8, 2);
    int clock = clock_at(p + 11), second = number_at(p + 17, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || clock < 0 || second < 0 || second > 59)
        return -1;
    if (p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[16] != ':')
        return -1;
    int leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > month_days[month - 1] + leap)
        return -1;
    *seconds = days_of(year, (uint32_t)month, (uint32_t)day) * DAY + clock + second;
    return 0;
}

struct fgw_value fgw_cel_time_parse(struct fgw_cel *cel, const struct fgw_value *text)
{
    const uint8_t *p = text->bytes, *end = p + text->length;
    int64_t seconds;
    uint32_t nanoseconds = 0;
    if (text->length < 20 || read_moment(p, &seconds))
        return cel_fail(cel, FGW_CEL_ERROR_PARSE);
    p += 19;
    if (*p == '.') {
        uint32_t unit = SECOND / 10;
        const uint8_t *first = ++p;
        for (; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
            nanoseconds += unit * (uint32_t)(*p - '0');
        if (p == first)
            return cel_fail(cel, FGW_CEL_ERROR_PARSE);
    }
    if (end - p == 1 && *p == 'Z')
        return timestamp(cel, seconds, nanoseconds);
    int offset = end - p == 6 && (*p == '+' || *p == '-') ? clock_at(p + 1) : -1;
    if (offset < 0)
        return cel_fail(cel, FGW_CEL_ERROR_PARSE);
    return timestamp(cel, *p == '-' ? seconds + offset : seconds - offset, nanoseconds);
}

/* The unit that a part of a duration ends with, in nanoseconds; *p moves behind it. 0: none. */
static int64_t unit_at(const uint8_t **p, const uint8_t *end)
{
    static const struct {
        const char *name;
        int64_t unit;
    } units[] = {{"ns", 1},       {"us", 1000},   {"\xC2\xB5s", 1000},  {"\xCE\xBCs", 1000},
                 {"ms", 1000000}, {"s", SECOND}, {"m", 60 * SECOND}, {"h", 3600 * SECOND}};
    for (uint32_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t length = strlen(units[i].name);
        if ((size_t)(end - *p) >= length && memcmp(*p, units[i].name, length) == 0) {
            *p += length;
            return units[i].unit;
        }
    }
    return 0;
}

/* One part, e.g. "1.5h". Nanoseconds, or -1: no part; what is below one is cut. */
static __int128 part_at(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    uint64_t whole = 0, fraction = 0, scale = 1;
    int seen = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++, seen = 1) {
        if (whole > INT64_MAX / 10)
            return -1;
        whole = whole * 10 + (uint64_t)(*p - '0');
    }
    if (p < end && *p == '.')
        for (p++; p < end && *p >= '0' && *p <= '9'; p++, seen = 1) {
            if (scale < 1000000000000000ull) { /* finer than a nanosecond of any unit */
                fraction = fraction * 10 + (uint64_t)(*p - '0');
                scale *= 10;
            }
        }
    int64_t unit = seen ? unit_at(&p, end) : 0;
    *at = p;
    return unit == 0 ? -1
                     : (__int128)whole * unit + (__int128)fraction * unit / (__int128)scale;
}

struct fgw_value fgw_cel_duration_parse(struct fgw_cel *cel, const struct fgw_value *text)
{
    const uint8_t *p = text->bytes, *end = p + text->length;
    int negative = text->length && *p == '-';
    __int128 sum = 0;
    if (cel_pay(cel, text->length))
        return cel_over(cel);
    p += text->length && (*p == '-' || *p == '+');
    if (end - p == 1 && *p == '0')
        return duration(cel, 0);
    if (p == end)
        return cel_fail(cel, FGW_CEL_ERROR_PARSE);
    while (p < end) {
        __int128 part = part_at(&p, end);
        if (part < 0)
            return cel_fail(cel, FGW_CEL_ERROR_PARSE);
        sum += part;
        if (sum > (__int128)INT64_MAX + 1)
            return cel_fail(cel, FGW_CEL_ERROR_OVERFLOW);
    }
    return duration(cel, negative ? -sum : sum);
}

/* Writing. */

static uint32_t put_number(uint8_t *out, uint64_t number, uint32_t width)
{
    for (uint32_t i = width; i-- > 0; number /= 10)
        out[i] = (uint8_t)('0' + number % 10);
    return width;
}

/* ".5" of half a second: without zeros at the end; nothing for nothing. */
static uint32_t put_fraction(uint8_t *out, uint32_t nanoseconds)
{
    if (nanoseconds == 0)
        return 0;
    uint32_t n = 1 + put_number(out + 1, nanoseconds, 9);
    out[0] = '.';
    while (out[n - 1] == '0')
        n--;
    return n;
}

uint32_t fgw_cel_time_write(const struct fgw_value *timestamp, uint8_t *out)
{
    struct civil civil;
    uint32_t n;
    civil_of(timestamp->as.number, timestamp->length, &civil);
    n = put_number(out, (uint64_t)civil.year, 4);
    out[n++] = '-';
    n += put_number(out + n, civil.month, 2);
    out[n++] = '-';
    n += put_number(out + n, civil.day, 2);
    out[n++] = 'T';
    n += put_number(out + n, civil.hour, 2);
    out[n++] = ':';
    n += put_number(out + n, civil.minute, 2);
    out[n++] = ':';
    n += put_number(out + n, civil.second, 2);
    n += put_fraction(out + n, civil.nanosecond);
    out[n++] = 'Z';
    return n;
}

uint32_t fgw_cel_duration_write(const struct fgw_value *duration, uint8_t *out)
{
    int64_t number = duration->as.number;
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    uint32_t n = 0;
    if (number < 0)
        out[n++] = '-';
    n += fgw_cel_digits(size / SECOND, out + n);
    n += put_fraction(out + n, (uint32_t)(size % SECOND));
    out[n++] = 's';
    return n;
}

/* Conversions. */

struct fgw_value fgw_cel_f_TIMESTAMP(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    switch (x->type) {
    case FGW_VALUE_TIMESTAMP:
        return *x;
    case FGW_VALUE_INT:
        return timestamp(cel, x->as.number, 0);
    case FGW_VALUE_STRING:
        return cel_pay_scan(cel, x->length) ? cel_over(cel) : fgw_cel_time_parse(cel, x);
    default:
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    }
}

struct fgw_value fgw_cel_f_DURATION(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type == FGW_VALUE_DURATION)
        return *x;
    return x->type == FGW_VALUE_STRING ? fgw_cel_duration_parse(cel, x)
                                       : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

/* Zones. */

/* "+02:00", "-02:30", "02:00", "UTC", "Z" or nothing. 0, or -1: a name. */
static int fixed_offset(const struct fgw_value *text, int64_t *offset)
{
    const uint8_t *p = text->bytes;
    uint32_t length = text->length;
    *offset = 0;
    if (length == 0 || cel_says(text, "UTC") || cel_says(text, "Z"))
        return 0;
    int negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++, length--;
    int clock = length == 5 ? clock_at(p) : -1;
    *offset = negative ? -clock : clock;
    return clock < 0 ? -1 : 0;
}

static int64_t offset_at(const struct fgw_cel_zone *zone, uint32_t count, int64_t seconds)
{
    uint32_t low = 0, high = count; /* the last one that has begun lies in [low, high) */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (zone[middle].since <= seconds)
            low = middle;
        else
            high = middle;
    }
    return zone[low].offset;
}

/* Seconds to add to UTC. 0, or -1: no such zone, or (cel->ended) the run has ended. */
static int zone_offset(struct fgw_cel *cel, const struct fgw_value *zone, int64_t seconds,
                       int64_t *offset)
{
    const struct fgw_cel_source *source = cel->run->source;
    int32_t ahead = 0;
    if (zone->type == FGW_VALUE_ZONE) {
        const struct fgw_cel_zone *table = (const struct fgw_cel_zone *)(const void *)zone->bytes;
        *offset = offset_at(table, zone->length / (uint32_t)sizeof *table, seconds);
        return 0;
    }
    if (zone->type != FGW_VALUE_STRING)
        return -1;
    if (fixed_offset(zone, offset) == 0)
        return 0;
    if (source == NULL || source->zone == NULL || cel_pay(cel, FGW_CEL_ZONE_NAMED))
        return -1;
    if (source->zone(source->owner, zone->bytes, zone->length, seconds, &ahead)) {
        (void)cel_pay(cel, FGW_CEL_ZONE_UNKNOWN);
        return -1;
    }
    *offset = ahead;
    return 0;
}

/* Fields of a timestamp, x[1] its zone. 0 with *civil; -1: *wrong. */
static int fields(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n, struct civil *civil,
                  struct fgw_value *wrong)
{
    int64_t offset = 0;
    if (x->type != FGW_VALUE_TIMESTAMP) {
        *wrong = cel_fail(cel, FGW_CEL_ERROR_TYPE);
        return -1;
    }
    if (n == 2 && zone_offset(cel, &x[1], x->as.number, &offset)) {
        int named = x[1].type == FGW_VALUE_STRING;
        *wrong = cel->ended ? cel_over(cel)
                            : cel_fail(cel, named ? FGW_CEL_ERROR_ZONE : FGW_CEL_ERROR_TYPE);
        return -1;
    }
    civil_of(x->as.number + offset, x->length, civil);
    return 0;
}

#define FIELD(name, expression)                                                                   \
    struct fgw_value fgw_cel_f_##name(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n) \
    {                                                                                             \
        struct civil civil;                                                                       \
        struct fgw_value wrong;                                                                   \
        return fields(cel, x, n, &civil, &wrong) ? wrong : cel_int((int64_t)(expression));        \
    }

FIELD(GET_FULL_YEAR, civil.year)
FIELD(GET_MONTH, civil.month - 1)
FIELD(GET_DATE, civil.day)
FIELD(GET_DAY_OF_MONTH, civil.day - 1)
FIELD(GET_DAY_OF_WEEK, civil.weekday)
FIELD(GET_DAY_OF_YEAR, civil.yearday)

/* Of a duration the whole of it in that unit, but milliseconds: those beyond the second. */
#define CLOCK(name, expression, of_duration)                                                      \
    struct fgw_value fgw_cel_f_##name(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n) \
    {                                                                                             \
        struct civil civil;                                                                       \
        struct fgw_value wrong;                                                                   \
        if (n == 1 && x->type == FGW_VALUE_DURATION)                                              \
            return cel_int(of_duration);                                                          \
        return fields(cel, x, n, &civil, &wrong) ? wrong : cel_int((int64_t)(expression));        \
    }

CLOCK(GET_HOURS, civil.hour, x->as.number / (3600 * SECOND))
CLOCK(GET_MINUTES, civil.minute, x->as.number / (60 * SECOND))
CLOCK(GET_SECONDS, civil.second, x->as.number / SECOND)
CLOCK(GET_MILLISECONDS, civil.nanosecond / 1000000, x->as.number / 1000000 % 1000)
