#include "fgw_detect.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "fgw_detect_kind.h"

enum { RUN_MIN = 20, WORD_MAX = 64 };

#define U(byte) [byte] = UPPER | WORD | IN_KEY | LOCAL | UNIT
#define L(byte) [byte] = LOWER | WORD | IN_KEY | LOCAL | UNIT
#define D(byte) [byte] = DIGIT | WORD | IN_KEY | LOCAL | UNIT
const uint8_t fgw_detect_class[256] = {
    U('A'), U('B'), U('C'), U('D'), U('E'), U('F'), U('G'), U('H'), U('I'), U('J'), U('K'), U('L'),
    U('M'), U('N'), U('O'), U('P'), U('Q'), U('R'), U('S'), U('T'), U('U'), U('V'), U('W'), U('X'),
    U('Y'), U('Z'), L('a'), L('b'), L('c'), L('d'), L('e'), L('f'), L('g'), L('h'), L('i'), L('j'),
    L('k'), L('l'), L('m'), L('n'), L('o'), L('p'), L('q'), L('r'), L('s'), L('t'), L('u'), L('v'),
    L('w'), L('x'), L('y'), L('z'), D('0'), D('1'), D('2'), D('3'), D('4'), D('5'), D('6'), D('7'),
    D('8'), D('9'), ['_'] = WORD | IN_KEY | LOCAL | UNIT, ['-'] = IN_KEY | LOCAL | UNIT,
    ['.'] = LOCAL | UNIT, ['%'] = LOCAL | UNIT, ['+'] = LOCAL | UNIT, ['/'] = UNIT, ['='] = UNIT,
    ['@'] = UNIT,
};

enum {
    WITH_NUMBERS = 1u << FGW_DETECT_PAYMENT_CARD | 1u << FGW_DETECT_US_SSN |
                   1u << FGW_DETECT_PHONE | 1u << FGW_DETECT_IBAN,
    WITH_TOKENS = 1u << FGW_DETECT_API_KEY | 1u << FGW_DETECT_JWT,
    BUILT_IN = (1u << FGW_DETECT_KINDS) - 1,
    WITH_WORDS = WITH_TOKENS | 1u << FGW_DETECT_EMAIL | 1u << FGW_DETECT_IBAN,
};

static inline int wants(const struct fgw_detect_rules *rules, int kind)
{
    return rules->kinds >> kind & 1;
}

int fgw_look_before(const struct look *look, uint32_t at, uint32_t reach, const char *words)
{
    uint32_t begin = at > reach ? at - reach : 0, length = at - begin;
    uint8_t text[FGW_DETECT_CONTEXT];

    for (uint32_t i = 0; i < length; i++) {
        uint8_t byte = look->text[begin + i];
        text[i] = is(byte, UPPER) ? (uint8_t)(byte | 0x20) : byte;
    }
    while (*words) {
        size_t size = 0;
        while (words[size] && words[size] != '|')
            size++;
        for (uint32_t i = 0; i + size <= length; i++)
            if (text[i] == (uint8_t)*words && !memcmp(text + i, words, size))
                return 1;
        words += size + (words[size] == '|');
    }
    return 0;
}

/* ------------------------------------------------------------------ the first place to look at */

#ifdef __SSE2__
static inline __m128i in_range(__m128i bytes, char low, char high)
{
    __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8((char)(127 - high)));
    return _mm_cmpgt_epi8(moved, _mm_set1_epi8((char)(126 - (high - low))));
}

/* Bits of the bytes in a block that are worth a look: digits, @, pairs of dashes at even places,
 * and the first byte of a half block that consists of what keys consist of. */
static inline unsigned interesting(const struct fgw_detect_rules *rules, const uint8_t *at)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    const __m128i digits = in_range(bytes, '0', '9');
    unsigned hits = 0;

    if (rules->kinds & WITH_NUMBERS)
        hits = (unsigned)_mm_movemask_epi8(digits);
    if (rules->kinds & 1u << FGW_DETECT_EMAIL)
        hits |= (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('@')));
    if (rules->kinds & 1u << FGW_DETECT_PRIVATE_KEY) {
        unsigned dashes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
        hits |= dashes & dashes >> 1 & 0x5555;
    }
    if (rules->kinds & WITH_TOKENS) {
        __m128i key = _mm_or_si128(
            in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z'), digits);
        key = _mm_or_si128(key, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));
        key = _mm_or_si128(key, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
        key = _mm_or_si128(key, in_range(bytes, '+', '+'));
        key = _mm_or_si128(key, in_range(bytes, '/', '/'));
        unsigned keys = (unsigned)_mm_movemask_epi8(key);
        hits |= ((keys & 0xff) == 0xff) | (unsigned)((keys >> 8) == 0xff) << 8;
    }
    return hits;
}
#endif

static int is_interesting(const struct fgw_detect_rules *rules, const uint8_t *text, uint32_t at,
                          uint32_t end)
{
    uint8_t byte = text[at];

    if (is(byte, DIGIT) && rules->kinds & WITH_NUMBERS)
        return 1;
    if (byte == '@')
        return 1;
    if (byte == '-' && at + 1 < end && text[at + 1] == '-')
        return 1;
    return rules->kinds & WITH_TOKENS && is(byte, IN_KEY);
}

static uint32_t next_place(const struct fgw_detect_rules *rules, const uint8_t *text, uint32_t at,
                           uint32_t end)
{
#ifdef __SSE2__
    while (end - at >= 16) {
        unsigned hits = interesting(rules, text + at);
        if (hits)
            return at + (uint32_t)__builtin_ctz(hits);
        at += 16;
    }
#endif
    while (at < end && !is_interesting(rules, text, at, end))
        at++;
    return at;
}

/* ------------------------------------------------------------------ units: text without blanks */

struct scan {
    const struct fgw_detect_rules *rules;
    struct look look;
    struct fgw_detect_find best; /* the leftmost so far; start UINT32_MAX: none */
    uint32_t open;               /* the leftmost that is not known yet */
};

static void weigh(struct scan *scan, enum look_answer answer, const struct fgw_detect_find *find,
                  int kind)
{
    if (answer == LOOK_OPEN && find->start < scan->open)
        scan->open = find->start;
    if (answer != LOOK_YES || find->start < scan->look.from)
        return;
    /* Of those that begin together the longest: 4111…@example.com is an address. */
    if (find->start > scan->best.start ||
        (find->start == scan->best.start && find->end <= scan->best.end))
        return;
    scan->best = *find;
    scan->best.kind = (uint8_t)kind;
}

typedef enum look_answer rule(const struct look *, uint32_t, struct fgw_detect_find *);

static void try(struct scan *scan, rule *looks, uint32_t at, uint32_t open_at, int kind)
{
    struct fgw_detect_find find = {open_at, 0, 0, 0};

    if (wants(scan->rules, kind))
        weigh(scan, looks(&scan->look, at, &find), &find, kind);
}

static void try_digit(struct scan *scan, uint32_t at)
{
    const struct look *look = &scan->look;
    const uint8_t *text = look->text;
    uint32_t before = at > look->from && (text[at - 1] == '(' || text[at - 1] == '+');

    try(scan, fgw_look_card, at, at, FGW_DETECT_PAYMENT_CARD);
    try(scan, fgw_look_ssn, at, at, FGW_DETECT_US_SSN);
    try(scan, fgw_look_phone, at, at - before, FGW_DETECT_PHONE);
}

static int is_upper(const struct look *look, uint32_t at) { return is_at(look, at, UPPER); }

/* An IBAN's four first characters, or as many of them as there are. */
static void try_letters(struct scan *scan, uint32_t at)
{
    const struct look *look = &scan->look;

    if (!is_upper(look, at + 1) || !begins_word(look, at))
        return;
    if (look->end - at < 4) {
        if (!look->final && at < scan->open)
            scan->open = at;
    } else if (is_at(look, at + 2, DIGIT) && is_at(look, at + 3, DIGIT)) {
        try(scan, fgw_look_iban, at, at, FGW_DETECT_IBAN);
    }
}

static void look_at_unit(struct scan *scan, uint32_t begin, uint32_t end)
{
    const struct look *look = &scan->look;
    const uint8_t *text = look->text;
    int tokens = (scan->rules->kinds & WITH_TOKENS) && end - begin >= 16;

    for (uint32_t at = begin; at < end; at++) {
        uint8_t byte = text[at];
        if (at >= scan->best.start && at >= scan->best.end)
            break;
        int first = at == 0 || !is(text[at - 1], ALNUM) || is_escape_letter(look, at - 1);
        if (first && is(byte, DIGIT) && scan->rules->kinds & WITH_NUMBERS)
            try_digit(scan, at);
        if (first && is(byte, UPPER) && wants(scan->rules, FGW_DETECT_IBAN))
            try_letters(scan, at);
        if (first && tokens && is(byte, ALNUM)) {
            try(scan, fgw_look_key, at, at, FGW_DETECT_API_KEY);
            if (byte == 'e')
                try(scan, fgw_look_jwt, at, at, FGW_DETECT_JWT);
        }
        if (byte == '@')
            try(scan, fgw_look_email, at, at, FGW_DETECT_EMAIL);
        if (byte == '-' && (at == begin || text[at - 1] != '-') &&
            wants(scan->rules, FGW_DETECT_PRIVATE_KEY))
            try(scan, fgw_look_pem, at, at, FGW_DETECT_PRIVATE_KEY);
    }
}

/* ------------------------------------------------------------------ the end of the text */

/* Where something may begin whose start, so far, is nothing yet: the last word, a bracket, a sign
 * or dashes. */
static uint32_t last_word(const struct scan *scan)
{
    const struct look *look = &scan->look;
    uint32_t kinds = scan->rules->kinds, at = look->end;
    int classes = kinds & WITH_WORDS ? UNIT : kinds & WITH_NUMBERS ? DIGIT : 0;

    if (at > look->from && look->text[at - 1] == '\\' && kinds & (WITH_WORDS | WITH_NUMBERS))
        at--;
    while (classes && at > look->from && look->end - at < WORD_MAX + 1 &&
           is(look->text[at - 1], classes))
        at--;
    while (kinds & 1u << FGW_DETECT_PRIVATE_KEY && at > look->from && look->end - at < WORD_MAX &&
           look->text[at - 1] == '-')
        at--;
    if (kinds & 1u << FGW_DETECT_PHONE)
        while (at > look->from && look->end - at < WORD_MAX &&
               (look->text[at - 1] == '(' || look->text[at - 1] == '+'))
            at--;
    return at;
}

static uint32_t decided(struct scan *scan)
{
    uint32_t at = scan->look.end;

    if (scan->look.final)
        return at;
    at = last_word(scan);
    return scan->open < at ? scan->open : at;
}

/* ------------------------------------------------------------------ the scan */

/* A pattern matters as far as nothing is found or open before it. */
static void try_pattern(struct scan *scan, uint32_t index)
{
    struct fgw_detect_find find = {0, 0, 0, 0};
    uint32_t end = scan->best.start < scan->open ? scan->best.start : scan->open;
    int kind = FGW_DETECT_KINDS + (int)index;

    if (!wants(scan->rules, kind))
        return;
    end = end < scan->look.end ? end + 1 : scan->look.end;
    weigh(scan, fgw_look_patterns(&scan->look, &scan->rules->patterns[index], end, &find), &find,
          kind);
}

static int take(struct scan *scan, struct fgw_detect_find *find)
{
    if (scan->best.start == UINT32_MAX || scan->open <= scan->best.start)
        return 0;
    *find = scan->best;
    return 1;
}

int fgw_detect_next(const struct fgw_detect_rules *rules, const uint8_t *text, uint32_t length,
                    uint32_t from, int final, struct fgw_detect_find *find)
{
    struct scan scan = {rules, {text, from, length, final}, {UINT32_MAX, 0, 0, 0}, UINT32_MAX};
    uint32_t at = from;

    while (rules->kinds & BUILT_IN && (at = next_place(rules, text, at, length)) < length) {
        uint32_t begin = at, end = at;
        if (at > scan.best.start)
            break;
        while (begin > from && is(text[begin - 1], UNIT))
            begin--;
        while (end < length && is(text[end], UNIT))
            end++;
        look_at_unit(&scan, begin, end);
        if (scan.open <= begin || scan.best.start < scan.open)
            break;
        at = end > at ? end : at + 1;
    }
    for (uint32_t i = 0; i < rules->n_patterns; i++)
        try_pattern(&scan, i);
    if (take(&scan, find))
        return 1;
    find->start = decided(&scan);
    return 0;
}

uint32_t fgw_detect_swallow(struct fgw_detect_rest *rest, const uint8_t *text, uint32_t length)
{
    uint32_t at = 0;

    for (; at < length && rest->swallow; at++) {
        uint8_t byte = text[at];
        if (rest->swallow == FGW_SWALLOW_TOKEN) {
            if (!is(byte, IN_KEY) && byte != '.')
                break;
        } else {
            if (byte != '-' && rest->dashes >= 5 && rest->lines >= 2)
                break;
            rest->dashes = byte == '-' ? (uint8_t)(rest->dashes + (rest->dashes < 200)) : 0;
            rest->lines = (uint8_t)(rest->lines + (rest->dashes == 5));
            if (!is(byte, UNIT) && byte != ' ' && byte != '\n' && byte != '\r' && byte != '\t' &&
                byte != '\\' && byte != ':' && byte != ',')
                break;
        }
        if (++rest->bytes > FGW_SWALLOW_MAX)
            break;
    }
    if (at < length)
        rest->swallow = FGW_SWALLOW_NONE;
    return at;
}
