/* fgw_regex_class.c - sets of characters: brackets, \d, [:alpha:], \p{Greek}, folding of case;
 * and the escapes that stand for one character. See fgw_regex_state.h. */
#define _GNU_SOURCE /* memmem */
#include "fgw_regex_state.h"

#include <string.h>

#include "fgw_regex_unicode.h"

/* Ranges of one named class: pairs of bytes. */
struct named {
    char name[8];
    uint8_t pairs;
    uint8_t bounds[8];
};

static const struct named PERL[] = {
    {"d", 1, {'0', '9'}},
    {"s", 3, {'\t', '\n', '\f', '\r', ' ', ' '}},
    {"w", 4, {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}},
};

static const struct named POSIX[] = {
    {"alnum", 3, {'0', '9', 'A', 'Z', 'a', 'z'}},
    {"alpha", 2, {'A', 'Z', 'a', 'z'}},
    {"ascii", 1, {0, 127}},
    {"blank", 2, {'\t', '\t', ' ', ' '}},
    {"cntrl", 2, {0, 31, 127, 127}},
    {"digit", 1, {'0', '9'}},
    {"graph", 1, {'!', '~'}},
    {"lower", 1, {'a', 'z'}},
    {"print", 1, {' ', '~'}},
    {"punct", 4, {'!', '/', ':', '@', '[', '`', '{', '~'}},
    {"space", 2, {'\t', '\r', ' ', ' '}},
    {"upper", 1, {'A', 'Z'}},
    {"word", 4, {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}},
    {"xdigit", 3, {'0', '9', 'A', 'F', 'a', 'f'}},
};

static const char CATEGORIES[][3] = {
    "", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps",
    "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co",
};
#define N_CATEGORIES (sizeof CATEGORIES / sizeof *CATEGORIES)

int fgw_regex_class_add(struct fgw_regex_build *build, uint32_t first, uint32_t last)
{
    size_t nodes = build->n_nodes * sizeof(struct fgw_regex_node);
    if ((build->n_ranges + 1) * sizeof *build->ranges + nodes > build->room)
        return fgw_regex_fail(build, FGW_REGEX_LARGE, 0, build->length);
    build->ranges[build->n_ranges][0] = first;
    build->ranges[build->n_ranges][1] = last;
    build->n_ranges++;
    return 0;
}

/* Shell's sort: the ranges come nearly in order, and there may be thousands. */
static void sort_ranges(uint32_t (*ranges)[2], uint32_t count)
{
    static const uint16_t GAPS[] = {3548, 1577, 701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof GAPS / sizeof *GAPS; g++) {
        uint32_t gap = GAPS[g];
        for (uint32_t i = gap; i < count; i++) {
            uint32_t first = ranges[i][0], last = ranges[i][1], at = i;
            for (; at >= gap && ranges[at - gap][0] > first; at -= gap) {
                ranges[at][0] = ranges[at - gap][0];
                ranges[at][1] = ranges[at - gap][1];
            }
            ranges[at][0] = first;
            ranges[at][1] = last;
        }
    }
}

static void merge(struct fgw_regex_build *build, uint32_t from)
{
    uint32_t (*ranges)[2] = build->ranges, kept = from;
    sort_ranges(ranges + from, build->n_ranges - from);
    for (uint32_t i = from; i < build->n_ranges; i++) {
        if (kept > from && ranges[i][0] <= ranges[kept - 1][1] + 1) {
            if (ranges[i][1] > ranges[kept - 1][1])
                ranges[kept - 1][1] = ranges[i][1];
            continue;
        }
        ranges[kept][0] = ranges[i][0];
        ranges[kept][1] = ranges[i][1];
        kept++;
    }
    build->n_ranges = kept;
}

int fgw_regex_class_settle(struct fgw_regex_build *build, uint32_t from, int negated)
{
    merge(build, from);
    if (!negated)
        return 0;
    uint32_t begin = 0, kept = from, end = build->n_ranges;
    for (uint32_t i = from; i < end; i++) {
        uint32_t first = build->ranges[i][0], last = build->ranges[i][1];
        if (begin < first) {
            build->ranges[kept][0] = begin;
            build->ranges[kept][1] = first - 1;
            kept++;
        }
        begin = last + 1;
    }
    build->n_ranges = kept;
    return begin < FGW_REGEX_CODE_END
               ? fgw_regex_class_add(build, begin, FGW_REGEX_CODE_END - 1) : 0;
}

uint32_t fgw_regex_fold_next(uint32_t code)
{
    for (size_t i = 0; i < FGW_REGEX_FOLDS; i++) {
        const struct fgw_regex_fold *fold = &fgw_regex_folds[i];
        uint32_t offset = code - fold->first;
        if (code >= fold->first && offset % fold->step == 0 && offset / fold->step < fold->count)
            return (uint32_t)((int32_t)code + fold->delta);
    }
    return code;
}

static int has(const struct fgw_regex_build *build, uint32_t from, uint32_t end, uint32_t code)
{
    while (from < end) {
        uint32_t middle = from + (end - from) / 2;
        if (build->ranges[middle][1] < code)
            from = middle + 1;
        else if (build->ranges[middle][0] > code)
            end = middle;
        else
            return 1;
    }
    return 0;
}

/* Adds to the ranges from `from` on the other cases of all their letters. An orbit has at most
 * four letters, so three rounds close it. */
static int fold_ranges(struct fgw_regex_build *build, uint32_t from)
{
    for (int round = 0; round < 3; round++) {
        merge(build, from);
        uint32_t end = build->n_ranges;
        for (size_t i = 0; i < FGW_REGEX_FOLDS; i++) {
            const struct fgw_regex_fold *fold = &fgw_regex_folds[i];
            uint32_t code = fold->first, last = code + (fold->count - 1u) * fold->step;
            for (uint32_t r = from; r < end && build->ranges[r][0] <= last; r++) {
                if (build->ranges[r][1] < code)
                    continue;
                while (code < build->ranges[r][0])
                    code += fold->step;
                for (; code <= last && code <= build->ranges[r][1]; code += fold->step) {
                    uint32_t other = (uint32_t)((int32_t)code + fold->delta);
                    if (!has(build, from, end, other) && fgw_regex_class_add(build, other, other))
                        return -1;
                }
            }
        }
        if (build->n_ranges == end)
            return 0;
    }
    merge(build, from);
    return 0;
}

/* Ends one part of a class: folded where (?i) says so, and only then negated. */
static int settle_part(struct fgw_regex_build *build, uint32_t from, int negated)
{
    if ((build->flags & FGW_REGEX_FOLD) && fold_ranges(build, from))
        return -1;
    return fgw_regex_class_settle(build, from, negated);
}

static int add_named(struct fgw_regex_build *build, const struct named *class, int negated)
{
    uint32_t from = build->n_ranges;
    for (uint32_t i = 0; i < class->pairs; i++)
        if (fgw_regex_class_add(build, class->bounds[2 * i], class->bounds[2 * i + 1]))
            return -1;
    return settle_part(build, from, negated);
}

int fgw_regex_class_perl(struct fgw_regex_build *build, uint8_t letter)
{
    int negated = letter < 'a';
    for (size_t i = 0; i < sizeof PERL / sizeof *PERL; i++)
        if (PERL[i].name[0] == (char)(letter | 0x20))
            return add_named(build, &PERL[i], negated);
    return -1;
}

/* [:name:] inside brackets, `at` at its [. 1: read; 0: it is none; -1: fault. */
static int posix(struct fgw_regex_build *build)
{
    const uint8_t *begin = build->pattern + build->at, *end;
    size_t left = build->length - build->at;
    if (left < 2 || begin[1] != ':' || (end = memmem(begin + 2, left - 2, ":]", 2)) == NULL)
        return 0;
    int negated = begin[2] == '^';
    const uint8_t *name = begin + 2 + negated;
    uint32_t from = build->at;
    build->at += (uint32_t)(end - begin) + 2;
    for (size_t i = 0; i < sizeof POSIX / sizeof *POSIX && name <= end; i++)
        if (strlen(POSIX[i].name) == (size_t)(end - name)
            && memcmp(POSIX[i].name, name, (size_t)(end - name)) == 0)
            return add_named(build, &POSIX[i], negated) ? -1 : 1;
    return fgw_regex_fail(build, FGW_REGEX_RANGE, from, build->at);
}

static int add_category(struct fgw_regex_build *build, const uint8_t *name, size_t length)
{
    uint32_t code = 0;
    for (size_t i = 0; i < FGW_REGEX_CATEGORIES; i++) {
        uint32_t count = fgw_regex_categories[i] >> 5, which = fgw_regex_categories[i] & 31;
        if (which > 0 && which < N_CATEGORIES && memcmp(CATEGORIES[which], name, length) == 0
            && fgw_regex_class_add(build, code, code + count - 1))
            return -1;
        code += count;
    }
    return 0;
}

/* Adds the ranges of a category or script. 1: there is none of that name. */
static int add_unicode(struct fgw_regex_build *build, const uint8_t *name, size_t length)
{
    if (length == 3 && memcmp(name, "Any", 3) == 0)
        return fgw_regex_class_add(build, 0, FGW_REGEX_CODE_END - 1);
    if (length == 1 || length == 2)
        for (size_t i = 1; i < N_CATEGORIES; i++)
            if (memcmp(CATEGORIES[i], name, length) == 0)
                return add_category(build, name, length);
    uint32_t begin = 0;
    for (size_t i = 0; i < FGW_REGEX_SCRIPTS; i++) {
        const struct fgw_regex_script *script = &fgw_regex_scripts[i];
        if (strnlen(script->name, sizeof script->name) == length
            && memcmp(script->name, name, length) == 0) {
            for (uint32_t span = begin; span < script->end; span++)
                if (fgw_regex_class_add(build, fgw_regex_spans[span][0],
                                        fgw_regex_spans[span][1]))
                    return -1;
            return 0;
        }
        begin = script->end;
    }
    return 1;
}

int fgw_regex_class_unicode(struct fgw_regex_build *build, int negated)
{
    uint32_t begin = build->at - 2, from = build->n_ranges;
    const uint8_t *name = build->pattern + build->at, *end;
    size_t left = build->length - build->at, length = 1;
    if (left == 0)
        return fgw_regex_fail(build, FGW_REGEX_UNICODE, begin, build->at);
    if (*name == '{') {
        end = memchr(name, '}', left);
        if (end == NULL)
            return fgw_regex_fail(build, FGW_REGEX_UNICODE, begin, build->length);
        build->at += (uint32_t)(end - name) + 1;
        name++;
        length = (size_t)(end - name);
    } else {
        build->at++;
    }
    if (length > 0 && *name == '^') {
        negated = !negated;
        name++;
        length--;
    }
    int added = add_unicode(build, name, length);
    if (added > 0)
        return fgw_regex_fail(build, FGW_REGEX_UNICODE, begin, build->at);
    return added < 0 ? -1 : settle_part(build, from, negated);
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* \x7F or \x{10FFFF}, `at` behind the x. */
static int64_t hex_escape(struct fgw_regex_build *build, uint32_t begin)
{
    const uint8_t *pattern = build->pattern;
    int braced = build->at < build->length && pattern[build->at] == '{', digits = 0;
    uint32_t code = 0;
    build->at += (uint32_t)braced;
    while (build->at < build->length && hex_digit(pattern[build->at]) >= 0
           && (braced || digits < 2) && code < FGW_REGEX_CODE_END) {
        code = code << 4 | (uint32_t)hex_digit(pattern[build->at++]);
        digits++;
    }
    int ended = braced ? build->at < build->length && pattern[build->at] == '}' : digits == 2;
    if (digits == 0 || !ended || code >= FGW_REGEX_CODE_END)
        return fgw_regex_fail(build, FGW_REGEX_ESCAPE, begin, build->at);
    build->at += (uint32_t)braced;
    return code;
}

int64_t fgw_regex_escape(struct fgw_regex_build *build)
{
    static const char NAMED[] = "afnrtv";
    static const uint8_t MEANT[] = {7, 12, 10, 13, 9, 11};
    uint32_t begin = build->at - 1, code = 0;
    size_t at = build->at;
    if (build->at >= build->length)
        return fgw_regex_fail(build, FGW_REGEX_ESCAPE, begin, build->at);
    uint8_t letter = build->pattern[build->at];
    const char *named = letter ? memchr(NAMED, letter, sizeof NAMED - 1) : NULL;
    if (named != NULL) {
        build->at++;
        return MEANT[named - NAMED];
    }
    if (letter == 'x') {
        build->at++;
        return hex_escape(build, begin);
    }
    if (letter >= '0' && letter <= '7') {
        uint32_t end = build->at + 3 < build->length ? build->at + 3 : build->length;
        while (build->at < end && build->pattern[build->at] >= '0'
               && build->pattern[build->at] <= '7')
            code = code << 3 | (uint32_t)(build->pattern[build->at++] - '0');
        if (letter != '0' && build->at - begin == 2) /* [\1]: one digit is no octal number */
            return fgw_regex_fail(build, FGW_REGEX_ESCAPE, begin, build->at);
        return code;
    }
    code = fgw_regex_decode(build->pattern, build->length, &at);
    build->at = (uint32_t)at;
    if (code >= 0x80 || (code >= '0' && code <= '9')
        || ((code | 0x20) >= 'a' && (code | 0x20) <= 'z'))
        return fgw_regex_fail(build, FGW_REGEX_ESCAPE, begin, build->at);
    return code;
}

/* One end of a range, or a single character, inside brackets. */
static int64_t bracket_character(struct fgw_regex_build *build)
{
    size_t at = build->at;
    if (build->pattern[build->at] == '\\') {
        build->at++;
        return fgw_regex_escape(build);
    }
    uint32_t code = fgw_regex_decode(build->pattern, build->length, &at);
    build->at = (uint32_t)at;
    return code;
}

/* A class by name inside brackets: 1: read; 0: what stands there is a character; -1: fault. */
static int bracket_class(struct fgw_regex_build *build)
{
    const uint8_t *here = build->pattern + build->at;
    if (*here == '[')
        return posix(build);
    if (*here != '\\' || build->at + 1 >= build->length
        || memchr("dDsSwWpP", here[1], 8) == NULL)
        return 0;
    build->at += 2;
    if (here[1] == 'p' || here[1] == 'P')
        return fgw_regex_class_unicode(build, here[1] == 'P') ? -1 : 1;
    return fgw_regex_class_perl(build, here[1]) ? -1 : 1;
}

static int bracket_range(struct fgw_regex_build *build)
{
    uint32_t begin = build->at, from = build->n_ranges;
    int64_t first = bracket_character(build), last = first;
    if (first < 0)
        return -1;
    if (build->at + 1 < build->length && build->pattern[build->at] == '-'
        && build->pattern[build->at + 1] != ']') {
        build->at++;
        last = bracket_character(build);
        if (last < 0)
            return -1;
        if (last < first)
            return fgw_regex_fail(build, FGW_REGEX_RANGE, begin, build->at);
    }
    if (fgw_regex_class_add(build, (uint32_t)first, (uint32_t)last))
        return -1;
    return settle_part(build, from, 0);
}

int fgw_regex_class_brackets(struct fgw_regex_build *build)
{
    uint32_t begin = build->at - 1, from = build->n_ranges;
    int negated = build->at < build->length && build->pattern[build->at] == '^';
    build->at += (uint32_t)negated;
    for (int first = 1; build->at < build->length; first = 0) {
        if (build->pattern[build->at] == ']' && !first) {
            build->at++;
            return fgw_regex_class_settle(build, from, negated);
        }
        int found = bracket_class(build);
        if (found < 0 || (found == 0 && bracket_range(build)))
            return -1;
    }
    return fgw_regex_fail(build, FGW_REGEX_CLASS_OPEN, begin, build->length);
}
