/* Payment cards, social security numbers, phone numbers, IBANs. */
#include "fgw_detect_kind.h"

enum { DIGITS_MAX = 19, GROUPS_MAX = 6 };

/* A number as people write it: groups of digits with one separator between them. */
struct number {
    uint8_t digit[DIGITS_MAX + 1];
    uint8_t size[GROUPS_MAX];  /* digits in each group */
    uint32_t end[GROUPS_MAX];  /* of each group, in the text */
    uint32_t groups;
    uint8_t separator;
    int open; /* it may go on behind the text */
};

/* What stands before a number that is a number of its own. */
static int begins_number(const struct look *look, uint32_t at)
{
    const uint8_t *text = look->text;

    if (!begins_word(look, at) || (at && (text[at - 1] == '_' || text[at - 1] == '@')))
        return 0;
    if (at < 2)
        return 1;
    switch (text[at - 1]) {
    case ':':
    case ',':
    case '.':
        return !is(text[at - 2], DIGIT);
    case '-':
    case '/':
        return !is(text[at - 2], ALNUM);
    default:
        return 1;
    }
}

/* What may stand behind it: LOOK_NO for what makes it part of something larger. */
static enum look_answer ends_number(const struct look *look, uint32_t at)
{
    if (runs_out(look, at))
        return LOOK_OPEN;
    if (at >= look->end)
        return LOOK_YES;
    uint8_t next = look->text[at];
    if (is(next, ALNUM) || next == '_' || next == '@')
        return LOOK_NO;
    if (next != '.' && next != '-' && next != '/' && next != ',')
        return LOOK_YES;
    if (runs_out(look, at + 1))
        return LOOK_OPEN;
    return is_at(look, at + 1, next == '-' || next == '/' ? ALNUM : DIGIT) ? LOOK_NO : LOOK_YES;
}

static void read_number(const struct look *look, uint32_t at, struct number *number)
{
    uint32_t digits = 0;

    number->groups = 0;
    number->separator = 0;
    number->open = 0;
    while (number->groups < GROUPS_MAX) {
        uint32_t begin = at;
        while (is_at(look, at, DIGIT) && digits <= DIGITS_MAX)
            number->digit[digits++ > DIGITS_MAX ? DIGITS_MAX : digits - 1] =
                (uint8_t)(look->text[at++] - '0');
        if (at == begin)
            break;
        number->size[number->groups] = (uint8_t)(at - begin);
        number->end[number->groups++] = at;
        if (digits > DIGITS_MAX || at >= look->end)
            break;
        uint8_t next = look->text[at];
        if ((next != ' ' && next != '-') || (number->separator && number->separator != next))
            break;
        number->separator = next;
        at++;
    }
    number->open = runs_out(look, at) && digits <= DIGITS_MAX;
}

static int luhn(const uint8_t *digit, uint32_t count)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t value = digit[count - 1 - i];
        if (i & 1)
            value = value * 2 > 9 ? value * 2 - 9 : value * 2;
        sum += value;
    }
    return sum % 10 == 0;
}

/* Issuers by the first six digits; lengths as bits. */
struct issuer {
    uint32_t low;
    uint32_t high;
    uint32_t lengths;
};
#define LENGTH(n) (1u << (n))
#define LENGTHS_16_19 (LENGTH(16) | LENGTH(17) | LENGTH(18) | LENGTH(19))
static const struct issuer ISSUERS[] = {
    {220000, 220499, LENGTHS_16_19},                         /* Mir */
    {222100, 272099, LENGTH(16)},                            /* Mastercard */
    {300000, 305999, LENGTH(14) | LENGTH(16)},               /* Diners Club */
    {309500, 309599, LENGTH(14) | LENGTH(16)},
    {340000, 349999, LENGTH(15)},                            /* American Express */
    {352800, 358999, LENGTHS_16_19},                         /* JCB */
    {360000, 369999, LENGTH(14) | LENGTH(16)},
    {370000, 379999, LENGTH(15)},
    {380000, 399999, LENGTH(14) | LENGTH(16)},
    {400000, 499999, LENGTH(13) | LENGTH(16) | LENGTH(19)},  /* Visa */
    {501800, 501899, LENGTH(12) | LENGTH(13) | LENGTH(15) | LENGTHS_16_19}, /* Maestro */
    {502000, 502099, LENGTH(12) | LENGTH(13) | LENGTH(15) | LENGTHS_16_19},
    {503800, 503899, LENGTH(12) | LENGTH(13) | LENGTH(15) | LENGTHS_16_19},
    {501900, 501999, LENGTH(16)},                            /* Dankort */
    {508500, 508999, LENGTH(16)},                            /* RuPay */
    {510000, 559999, LENGTH(16)},                            /* Mastercard */
    {601100, 601199, LENGTHS_16_19},                         /* Discover */
    {606985, 607984, LENGTH(16)},                            /* RuPay */
    {608001, 608500, LENGTH(16)},
    {620000, 629999, LENGTHS_16_19},                         /* UnionPay */
    {630400, 630499, LENGTH(12) | LENGTH(13) | LENGTH(15) | LENGTHS_16_19}, /* Maestro */
    {644000, 659999, LENGTHS_16_19},                         /* Discover */
    {675900, 675999, LENGTH(12) | LENGTH(13) | LENGTH(15) | LENGTHS_16_19}, /* Maestro */
    {676100, 676399, LENGTH(12) | LENGTH(13) | LENGTH(15) | LENGTHS_16_19},
};

static int is_card(const uint8_t *digit, uint32_t count)
{
    uint32_t first = 0;

    for (unsigned i = 0; i < 6; i++)
        first = first * 10 + digit[i];
    for (size_t i = 0; i < sizeof ISSUERS / sizeof *ISSUERS; i++)
        if (first >= ISSUERS[i].low && first <= ISSUERS[i].high)
            return ISSUERS[i].lengths >> count & 1 && luhn(digit, count);
    return 0;
}

/* How cards are printed: in one piece, in fours with a rest, or 4-6-5 and 4-6-4. */
static int is_card_layout(const struct number *number, uint32_t groups)
{
    const uint8_t *size = number->size;

    if (groups == 1)
        return 1;
    if (groups == 3 && size[0] == 4 && size[1] == 6)
        return size[2] == 5 || size[2] == 4;
    for (uint32_t i = 0; i + 1 < groups; i++)
        if (size[i] != 4)
            return 0;
    return groups >= 4 && size[groups - 1] <= 4;
}

/* One in ten numbers has a right check digit, and a third of those an issuer: digits in one piece
 * that are called something else, and nothing near says money, are no card. */
static int is_called_otherwise(const struct look *look, uint32_t at)
{
    return fgw_look_before(look, at, 24, "order|invoice|tracking|shipment|parcel|ticket|serial|"
                           "ref |ref:|ref.|ref#|ref=|reference|isbn|imei|timestamp|sku|case |ean|"
                           "gtin|barcode") &&
           !fgw_look_before(look, at, FGW_DETECT_CONTEXT, "card|visa|master|amex|maestro|diners|"
                            "credit|debit|pay|paid|charge|cvv|cvc|expir|pan ");
}

enum look_answer fgw_look_card(const struct look *look, uint32_t at, struct fgw_detect_find *find)
{
    struct number number;
    uint32_t count = 0, best = 0;
    enum look_answer end;

    if (look->text[at] < '2' || look->text[at] > '6' || !begins_number(look, at))
        return LOOK_NO;
    read_number(look, at, &number);
    if (number.open && (number.groups == 1 || number.size[0] == 4))
        return LOOK_OPEN;
    for (uint32_t i = 0; i < number.groups; i++) {
        count += number.size[i];
        if (count < 12 || count > DIGITS_MAX || !is_card_layout(&number, i + 1))
            continue;
        if (!is_card(number.digit, count))
            continue;
        /* Behind a blank may stand a date or a check value; behind a dash only more of it. */
        if (i + 1 < number.groups && number.separator == '-')
            continue;
        end = ends_number(look, number.end[i]);
        if (end == LOOK_OPEN)
            return LOOK_OPEN;
        if (end == LOOK_YES)
            best = number.end[i];
    }
    if (!best || (best == number.end[0] && is_called_otherwise(look, at)))
        return LOOK_NO;
    find->start = at;
    find->end = best;
    return LOOK_YES;
}

static int is_ssn(const uint8_t *digit)
{
    unsigned area = digit[0] * 100u + digit[1] * 10u + digit[2];
    unsigned group = digit[3] * 10u + digit[4];
    unsigned serial = digit[5] * 1000u + digit[6] * 100u + digit[7] * 10u + digit[8];

    return area && area != 666 && area < 900 && group && serial;
}

enum look_answer fgw_look_ssn(const struct look *look, uint32_t at, struct fgw_detect_find *find)
{
    struct number number;

    if (!begins_number(look, at))
        return LOOK_NO;
    read_number(look, at, &number);
    int parts = number.groups >= 3 && number.size[0] == 3 && number.size[1] == 2 &&
                number.size[2] == 4;
    if (number.open && !(number.groups > 1 && number.size[0] == 9)) {
        static const uint8_t SIZES[3] = {3, 2, 4};
        for (uint32_t i = 0; i < number.groups && i < 3; i++)
            if (number.size[i] > (number.groups == 1 ? 9 : SIZES[i]) ||
                (i + 1 < number.groups && number.size[i] != SIZES[i]))
                return LOOK_NO;
        return number.groups > 3 ? LOOK_NO : LOOK_OPEN;
    }
    int bare = number.groups >= 1 && number.size[0] == 9;
    if (!(parts || bare) || !is_ssn(number.digit))
        return LOOK_NO;
    if (parts && number.groups > 3)
        return LOOK_NO;
    if (bare && !fgw_look_before(look, at, FGW_DETECT_CONTEXT, "ssn|social sec|social_sec|"
                                 "social-sec|socialsec|taxpayer"))
        return LOOK_NO;
    find->start = at;
    find->end = number.end[parts ? 2 : 0];
    return ends_number(look, find->end);
}

/* Phone numbers: digits with what people put between them. */
enum { PHONE_DIGITS = 15 };

struct phone {
    uint8_t digit[PHONE_DIGITS + 1];
    uint32_t after[PHONE_DIGITS + 1]; /* place behind each digit */
    uint32_t count;
    uint32_t groups;   /* bit i: a separator stands before digit i */
    uint32_t blanks;   /* the same, of those that are a blank alone, */
    uint32_t brackets; /* and of those that have a bracket */
    int open;
};

static int is_phone_separator(uint8_t byte)
{
    return byte == ' ' || byte == '-' || byte == '.' || byte == '(' || byte == ')';
}

static void read_phone(const struct look *look, uint32_t at, struct phone *phone)
{
    uint32_t gap = 0, gap_at = 0, bracket = 0;

    memset(phone, 0, sizeof *phone);
    for (; phone->count <= PHONE_DIGITS; at++) {
        if (at >= look->end) {
            phone->open = !look->final;
            return;
        }
        uint8_t byte = look->text[at];
        if (is(byte, DIGIT)) {
            if (gap && phone->count) {
                phone->groups |= 1u << phone->count;
                phone->blanks |= (uint32_t)(gap == 1 && look->text[gap_at] == ' ') << phone->count;
                phone->brackets |= bracket << phone->count;
            }
            gap = bracket = 0;
            if (phone->count == PHONE_DIGITS) {
                phone->count++;
                return;
            }
            phone->digit[phone->count] = (uint8_t)(byte - '0');
            phone->after[phone->count++] = at + 1;
        } else if (is_phone_separator(byte) && phone->count && gap < 2) {
            if (!gap++)
                gap_at = at;
            bracket |= byte == '(' || byte == ')';
        } else {
            return;
        }
    }
}

/* NANP: NXX-NXX-XXXX, neither of them N11. */
static int is_nanp(const uint8_t *digit)
{
    return digit[0] >= 2 && digit[3] >= 2 && !(digit[1] == 1 && digit[2] == 1) &&
           !(digit[4] == 1 && digit[5] == 1) && digit[1] != 9;
}

static int is_country(const uint8_t *digit)
{
    unsigned two = digit[0] * 10u + digit[1];
    return digit[0] && two != 28 && two != 83 && two != 89;
}

static enum look_answer ends_phone(const struct look *look, uint32_t start, uint32_t end,
                                   struct fgw_detect_find *find)
{
    find->start = start;
    find->end = end;
    return ends_number(look, end);
}

/* +49 30 1234567; the plus is at `at` - 1. */
static enum look_answer look_international(const struct look *look, uint32_t at,
                                           struct fgw_detect_find *find)
{
    struct phone phone;
    uint32_t count;

    if (!begins_word(look, at - 1) || (at >= 2 && look->text[at - 2] == '+'))
        return LOOK_NO;
    read_phone(look, at, &phone);
    if (phone.count < 2)
        return phone.open && phone.digit[0] ? LOOK_OPEN : LOOK_NO;
    if (!is_country(phone.digit))
        return LOOK_NO;
    count = phone.count;
    if (phone.digit[0] == 1) {
        if (count < 11)
            return phone.open ? LOOK_OPEN : LOOK_NO;
        if (!is_nanp(phone.digit + 1))
            return LOOK_NO;
        count = 11;
    } else if (phone.open) {
        return LOOK_OPEN;
    }
    while (count > PHONE_DIGITS || (count > 9 && count < phone.count &&
                                    !(phone.groups >> count & 1) && phone.digit[0] != 1))
        count--; /* too long: what stands behind its last blank is another number */
    if (count < 9)
        return LOOK_NO;
    return ends_phone(look, at - 1, phone.after[count - 1], find);
}

static enum look_answer look_national(const struct look *look, uint32_t at,
                                      struct fgw_detect_find *find)
{
    struct phone phone;
    uint32_t first, start = at;

    if (!begins_number(look, at))
        return LOOK_NO;
    if (at && look->text[at - 1] == '(')
        start = at - 1;
    read_phone(look, at, &phone);
    first = phone.count && phone.digit[0] == 1;
    if (phone.count < 10 + first) {
        if (!phone.open)
            return LOOK_NO;
        return phone.count > first && phone.digit[first] < 2 ? LOOK_NO : LOOK_OPEN;
    }
    if (!is_nanp(phone.digit + first))
        return LOOK_NO;
    uint32_t ours = (1u << (first + 10)) - 1; /* digits; what follows is no part of it */
    uint32_t blanks = phone.blanks & ours;
    uint32_t wanted = 1u << (first + 3) | 1u << (first + 6);
    uint32_t groups = phone.groups & ours & ~(first ? 2u : 0u);
    int apart = groups == wanted && (first == 0 || phone.groups & 2);
    if (phone.open && phone.count == 10 + first && phone.after[phone.count - 1] == look->end)
        return LOOK_OPEN;
    if (groups && !apart)
        return LOOK_NO;
    int named = apart && (phone.brackets & ours || start < at || !(blanks & (blanks - 1)));
    if (!named && !fgw_look_before(look, at, 40, "phone|tel|call|mobile|cell|fax|whatsapp|"
                                   "sms|dial|reach me"))
        return LOOK_NO;
    return ends_phone(look, start, phone.after[9 + first], find);
}

enum look_answer fgw_look_phone(const struct look *look, uint32_t at,
                                struct fgw_detect_find *find)
{
    if (at && look->text[at - 1] == '+')
        return look_international(look, at, find);
    if (at > 1 && look->text[at - 1] == '(' && look->text[at - 2] == '+')
        return LOOK_NO;
    return look_national(look, at, find);
}

/* Countries of the IBAN registry with their lengths. */
static const char IBANS[] =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24"
    "FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32"
    "LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24"
    "RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";

static uint32_t iban_length(const uint8_t *country)
{
    for (const char *entry = IBANS; *entry; entry += 4)
        if ((uint8_t)entry[0] == country[0] && (uint8_t)entry[1] == country[1])
            return (uint32_t)((entry[2] - '0') * 10 + entry[3] - '0');
    return 0;
}

/* The remainder by 97 of the number that the characters stand for, four of them moved behind. */
static int is_iban(const uint8_t *letter, uint32_t count)
{
    uint32_t rest = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint8_t byte = letter[(i + 4) % count];
        rest = is(byte, DIGIT) ? (rest * 10 + byte - '0') % 97
                               : (rest * 100 + byte - 'A' + 10) % 97;
    }
    return rest == 1;
}

enum look_answer fgw_look_iban(const struct look *look, uint32_t at, struct fgw_detect_find *find)
{
    uint8_t letter[40];
    uint32_t count = 0, length, place = at;

    if (!begins_word(look, at) || !(length = iban_length(look->text + at)))
        return LOOK_NO;
    for (uint32_t in_group = 0; count < length; place++) {
        if (place >= look->end)
            return look->final ? LOOK_NO : LOOK_OPEN;
        uint8_t byte = look->text[place];
        if (is(byte, UPPER | DIGIT)) {
            letter[count++] = byte;
            in_group++;
        } else if ((byte == ' ' || byte == '-') && in_group == 4) {
            in_group = 0;
        } else {
            return LOOK_NO;
        }
    }
    if (!is_iban(letter, count))
        return LOOK_NO;
    if (runs_out(look, place))
        return LOOK_OPEN;
    if (is_at(look, place, ALNUM))
        return LOOK_NO;
    find->start = at;
    find->end = place;
    return LOOK_YES;
}
