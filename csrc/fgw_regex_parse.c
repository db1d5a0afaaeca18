/* fgw_regex_parse.c - from a pattern to a tree: see fgw_regex_state.h. */
#include "fgw_regex_state.h"

#include <string.h>

/* Alternation, concatenation and group call each other once per group, and groups are counted:
 * the stack is bounded by FGW_REGEX_DEPTH_MAX, not by the pattern. */
static uint32_t alternation(struct fgw_regex_build *build);

int fgw_regex_fail(struct fgw_regex_build *build, uint32_t fault, uint32_t from, uint32_t to)
{
    build->error->fault = fault;
    build->error->offset = from;
    build->error->length = to > from ? to - from : 0;
    return -1;
}

uint32_t fgw_regex_new(struct fgw_regex_build *build, uint16_t kind, uint32_t a, uint32_t b)
{
    size_t used = build->n_ranges * sizeof *build->ranges;
    if ((build->n_nodes + 1) * sizeof(struct fgw_regex_node) + used > build->room) {
        (void)fgw_regex_fail(build, FGW_REGEX_LARGE, 0, build->length);
        return FGW_REGEX_NO_NODE;
    }
    struct fgw_regex_node *node = fgw_regex_node(build, build->n_nodes);
    memset(node, 0, sizeof *node);
    node->kind = kind;
    node->a = a;
    node->b = b;
    node->next = FGW_REGEX_NO_NODE;
    return build->n_nodes++;
}

uint32_t fgw_regex_decode(const uint8_t *text, size_t length, size_t *at)
{
    const uint8_t *byte = text + *at;
    size_t left = length - *at;
    uint32_t first = byte[0];
    *at += 1;
    if (first < 0x80)
        return first;
    if (first < 0xC2 || first > 0xF4 || left < 2 || (byte[1] & 0xC0) != 0x80)
        return FGW_REGEX_CODE_END;
    if (first < 0xE0) {
        *at += 1;
        return (first & 0x1F) << 6 | (byte[1] & 0x3Fu);
    }
    if (left < 3 || (byte[2] & 0xC0) != 0x80)
        return FGW_REGEX_CODE_END;
    if (first < 0xF0) {
        uint32_t code = (first & 0x0F) << 12 | (byte[1] & 0x3Fu) << 6 | (byte[2] & 0x3Fu);
        if (code < 0x800 || (code >= 0xD800 && code < 0xE000))
            return FGW_REGEX_CODE_END;
        *at += 2;
        return code;
    }
    if (left < 4 || (byte[3] & 0xC0) != 0x80)
        return FGW_REGEX_CODE_END;
    uint32_t code = (first & 0x07) << 18 | (byte[1] & 0x3Fu) << 12 | (byte[2] & 0x3Fu) << 6
                    | (byte[3] & 0x3Fu);
    if (code < 0x10000 || code >= FGW_REGEX_CODE_END)
        return FGW_REGEX_CODE_END;
    *at += 3;
    return code;
}

static int next_is(const struct fgw_regex_build *build, const char *word)
{
    size_t length = strlen(word);
    return build->length - build->at >= length
           && memcmp(build->pattern + build->at, word, length) == 0;
}

static int is_word(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z')
           || (byte >= 'a' && byte <= 'z') || byte == '_';
}

static uint32_t ranges_node(struct fgw_regex_build *build, uint32_t from)
{
    return fgw_regex_new(build, FGW_REGEX_RANGES, from, build->n_ranges - from);
}

static uint32_t literal(struct fgw_regex_build *build, uint32_t code)
{
    uint32_t from = build->n_ranges, other;
    if (!(build->flags & FGW_REGEX_FOLD) || fgw_regex_fold_next(code) == code)
        return fgw_regex_new(build, FGW_REGEX_LITERAL, code, 0);
    for (other = code;;) {
        if (fgw_regex_class_add(build, other, other))
            return FGW_REGEX_NO_NODE;
        other = fgw_regex_fold_next(other);
        if (other == code)
            break;
    }
    if (fgw_regex_class_settle(build, from, 0))
        return FGW_REGEX_NO_NODE;
    return ranges_node(build, from);
}

static uint32_t any(struct fgw_regex_build *build)
{
    uint32_t from = build->n_ranges;
    if (build->flags & FGW_REGEX_DOT_ALL) {
        if (fgw_regex_class_add(build, 0, FGW_REGEX_CODE_END - 1))
            return FGW_REGEX_NO_NODE;
    } else if (fgw_regex_class_add(build, 0, '\n' - 1)
               || fgw_regex_class_add(build, '\n' + 1, FGW_REGEX_CODE_END - 1)) {
        return FGW_REGEX_NO_NODE;
    }
    return ranges_node(build, from);
}

static uint32_t place(struct fgw_regex_build *build, uint32_t which)
{
    return fgw_regex_new(build, FGW_REGEX_PLACE, which, 0);
}

/* \Q…\E, `at` behind the Q: its characters in order, an empty node if there are none. */
static uint32_t quoted(struct fgw_regex_build *build)
{
    uint32_t group = fgw_regex_new(build, FGW_REGEX_CONCAT, FGW_REGEX_NO_NODE, 0);
    size_t at = build->at;
    while (group != FGW_REGEX_NO_NODE && at < build->length) {
        build->at = (uint32_t)at;
        if (next_is(build, "\\E")) {
            build->at += 2;
            return group;
        }
        uint32_t code = fgw_regex_decode(build->pattern, build->length, &at);
        uint32_t one = literal(build, code);
        if (one == FGW_REGEX_NO_NODE)
            return one;
        fgw_regex_node(build, one)->next = fgw_regex_node(build, group)->a;
        fgw_regex_node(build, group)->a = one;
    }
    build->at = build->length;
    return group;
}

/* `at` behind the backslash. */
static uint32_t escaped(struct fgw_regex_build *build)
{
    uint32_t from = build->n_ranges, begin = build->at - 1;
    uint8_t letter = build->at < build->length ? build->pattern[build->at] : 0;
    if (letter != 0 && memchr("AzbBQpPdDsSwW", letter, 13) != NULL)
        build->at++;
    switch (letter) {
    case 'A':
        return place(build, FGW_REGEX_TEXT_BEGIN);
    case 'z':
        return place(build, FGW_REGEX_TEXT_END);
    case 'b':
        return place(build, FGW_REGEX_WORD_EDGE);
    case 'B':
        return place(build, FGW_REGEX_NO_WORD_EDGE);
    case 'Q':
        return quoted(build);
    case 'p':
    case 'P':
        if (fgw_regex_class_unicode(build, letter == 'P'))
            return FGW_REGEX_NO_NODE;
        return ranges_node(build, from);
    case 'd': case 'D': case 's': case 'S': case 'w': case 'W':
        if (fgw_regex_class_perl(build, letter))
            return FGW_REGEX_NO_NODE;
        return ranges_node(build, from);
    default:
        break;
    }
    if (letter >= '1' && letter <= '9'
        && !(letter < '8' && build->at + 1 < build->length
             && build->pattern[build->at + 1] >= '0' && build->pattern[build->at + 1] < '8')) {
        (void)fgw_regex_fail(build, FGW_REGEX_REFERENCE, begin, build->at + 1);
        return FGW_REGEX_NO_NODE;
    }
    int64_t code = fgw_regex_escape(build);
    return code < 0 ? FGW_REGEX_NO_NODE : literal(build, (uint32_t)code);
}

/* The name of a group, `at` behind its <. */
static int group_name(struct fgw_regex_build *build)
{
    uint32_t begin = build->at;
    while (build->at < build->length && is_word(build->pattern[build->at]))
        build->at++;
    uint32_t end = build->at;
    if (end == begin || end == build->length || build->pattern[end] != '>')
        return fgw_regex_fail(build, FGW_REGEX_NAME, begin, end + (end < build->length));
    build->at++;
    return 0;
}

/* (?flags) and (?flags: , `at` behind the question mark. 1: a group follows, 0: none. */
static int group_flags(struct fgw_regex_build *build, uint32_t begin)
{
    uint32_t flags = build->flags, mode;
    int negated = 0, seen = 0;
    while (build->at < build->length) {
        uint8_t letter = build->pattern[build->at++];
        switch (letter) {
        case 'i': case 'm': case 's': case 'U':
            mode = letter == 'i' ? FGW_REGEX_FOLD : letter == 'm' ? FGW_REGEX_MULTI
                   : letter == 's' ? FGW_REGEX_DOT_ALL : 0; /* U: lazy, which changes no answer */
            flags = negated ? flags & ~mode : flags | mode;
            seen = 1;
            continue;
        case '-':
            if (negated)
                return fgw_regex_fail(build, FGW_REGEX_GROUP_KIND, begin, build->at);
            negated = 1;
            seen = 0;
            continue;
        case ':':
        case ')':
            if (negated && !seen)
                return fgw_regex_fail(build, FGW_REGEX_GROUP_KIND, begin, build->at);
            build->flags = flags;
            return letter == ':';
        default:
            return fgw_regex_fail(build, FGW_REGEX_GROUP_KIND, begin, build->at);
        }
    }
    return fgw_regex_fail(build, FGW_REGEX_GROUP_OPEN, begin, begin + 1);
}

/* `at` behind the (. *none: it was only flags, and there is nothing to repeat. */
static uint32_t group(struct fgw_regex_build *build, int *none)
{
    uint32_t begin = build->at - 1, flags = build->flags, inside;
    *none = 0;
    if (build->depth >= FGW_REGEX_DEPTH_MAX) {
        (void)fgw_regex_fail(build, FGW_REGEX_DEEP, begin, build->at);
        return FGW_REGEX_NO_NODE;
    }
    if (next_is(build, "?=") || next_is(build, "?!") || next_is(build, "?<=")
        || next_is(build, "?<!")) {
        (void)fgw_regex_fail(build, FGW_REGEX_LOOKAROUND, begin, build->at + 2);
        return FGW_REGEX_NO_NODE;
    }
    if (next_is(build, "?P<") || next_is(build, "?<")) {
        build->at += next_is(build, "?P<") ? 3 : 2;
        if (group_name(build))
            return FGW_REGEX_NO_NODE;
    } else if (next_is(build, "?")) {
        build->at++;
        int follows = group_flags(build, begin);
        if (follows < 0)
            return FGW_REGEX_NO_NODE;
        if (follows == 0) {
            *none = 1;
            return fgw_regex_new(build, FGW_REGEX_EMPTY, 0, 0);
        }
    }
    build->depth++;
    inside = alternation(build);
    build->depth--;
    build->flags = flags;
    if (inside == FGW_REGEX_NO_NODE)
        return inside;
    if (build->at >= build->length) {
        (void)fgw_regex_fail(build, FGW_REGEX_GROUP_OPEN, begin, begin + 1);
        return FGW_REGEX_NO_NODE;
    }
    build->at++; /* what else than ) ends an alternation? */
    return inside;
}

/* A number as RE2 reads it: no leading zeros, huge ones are just huge. -1: none. */
static int32_t number(struct fgw_regex_build *build)
{
    uint32_t begin = build->at;
    int32_t value = 0;
    while (build->at < build->length && build->pattern[build->at] >= '0'
           && build->pattern[build->at] <= '9') {
        if (value <= FGW_REGEX_REPEAT_MAX)
            value = value * 10 + build->pattern[build->at] - '0';
        build->at++;
    }
    if (build->at == begin || (build->pattern[begin] == '0' && build->at - begin > 1))
        return -1;
    return value;
}

/* {n} {n,} {n,m}, `at` at the brace. 1: read; 0: no repetition, the brace is a character. */
static int braces(struct fgw_regex_build *build, int32_t *min, int32_t *max)
{
    uint32_t begin = build->at++;
    *min = *max = number(build);
    if (*min >= 0 && next_is(build, ",")) {
        build->at++;
        *max = next_is(build, "}") ? (int32_t)FGW_REGEX_ENDLESS : number(build);
    }
    if (*min < 0 || *max < 0 || !next_is(build, "}")) {
        build->at = begin;
        return 0;
    }
    build->at++;
    return 1;
}

/* Reads a repetition if one is next: 1, with bounds; 0: none; -1: fault. */
static int repetition(struct fgw_regex_build *build, int32_t *min, int32_t *max)
{
    uint32_t begin = build->at;
    uint8_t letter = begin < build->length ? build->pattern[begin] : 0;
    *min = letter == '+';
    *max = letter == '?' ? 1 : (int32_t)FGW_REGEX_ENDLESS;
    if (letter == '*' || letter == '+' || letter == '?')
        build->at++;
    else if (letter != '{' || !braces(build, min, max))
        return 0;
    if (*min > FGW_REGEX_REPEAT_MAX || *max < *min
        || (*max > FGW_REGEX_REPEAT_MAX && *max != (int32_t)FGW_REGEX_ENDLESS))
        return fgw_regex_fail(build, FGW_REGEX_REPEAT_SIZE, begin, build->at);
    if (next_is(build, "?"))
        build->at++; /* lazy: which match is found does not matter, whether one is does */
    return 1;
}

/* One character, class, place or group, without repetitions; `at` is not at the end. */
static uint32_t atom(struct fgw_regex_build *build, int *none)
{
    uint32_t from = build->n_ranges;
    size_t at = build->at;
    uint8_t byte = build->pattern[build->at];
    *none = 0;
    switch (byte) {
    case '(':
        build->at++;
        return group(build, none);
    case '[':
        build->at++;
        return fgw_regex_class_brackets(build) ? FGW_REGEX_NO_NODE : ranges_node(build, from);
    case '.':
        build->at++;
        return any(build);
    case '^':
        build->at++;
        return place(build, build->flags & FGW_REGEX_MULTI ? FGW_REGEX_LINE_BEGIN
                                                            : FGW_REGEX_TEXT_BEGIN);
    case '$':
        build->at++;
        return place(build, build->flags & FGW_REGEX_MULTI ? FGW_REGEX_LINE_END
                                                            : FGW_REGEX_TEXT_END);
    case '\\':
        build->at++;
        /* A quotation without characters is nothing that could be repeated. */
        *none = next_is(build, "Q\\E") || (next_is(build, "Q") && build->at + 1 == build->length);
        return escaped(build);
    default:
        break;
    }
    uint32_t code = fgw_regex_decode(build->pattern, build->length, &at);
    build->at = (uint32_t)at;
    return literal(build, code);
}

/* Puts `node` behind a row's last part. */
static void append(struct fgw_regex_build *build, uint32_t row, uint32_t node)
{
    struct fgw_regex_node *to = fgw_regex_node(build, row);
    fgw_regex_node(build, node)->next = to->a;
    to->a = node;
}

static uint32_t concatenation(struct fgw_regex_build *build)
{
    uint32_t row = fgw_regex_new(build, FGW_REGEX_CONCAT, FGW_REGEX_NO_NODE, 0), one;
    int none = 1;
    while (row != FGW_REGEX_NO_NODE && build->at < build->length && !next_is(build, "|")
           && !next_is(build, ")")) {
        uint32_t begin = build->at;
        int32_t min, max;
        int is_quote = next_is(build, "\\Q"), found = none ? repetition(build, &min, &max) : 0;
        if (found < 0)
            return FGW_REGEX_NO_NODE;
        if (found > 0) {
            (void)fgw_regex_fail(build, FGW_REGEX_REPEAT_NONE, begin, build->at);
            return FGW_REGEX_NO_NODE;
        }
        one = atom(build, &none);
        if (one == FGW_REGEX_NO_NODE)
            return one;
        if (is_quote && !none) { /* its last character is what a repetition repeats */
            struct fgw_regex_node *quote = fgw_regex_node(build, one);
            uint32_t last = quote->a;
            quote->a = fgw_regex_node(build, last)->next;
            append(build, row, one);
            one = last;
        }
        uint32_t from = build->at;
        found = none ? 0 : repetition(build, &min, &max);
        if (found > 0) {
            uint32_t repeat = fgw_regex_new(build, FGW_REGEX_REPEAT, one, from);
            uint32_t second = build->at;
            if (repeat == FGW_REGEX_NO_NODE)
                return repeat;
            fgw_regex_node(build, repeat)->min = (uint16_t)min;
            fgw_regex_node(build, repeat)->max = (uint16_t)max;
            fgw_regex_node(build, one)->next = FGW_REGEX_NO_NODE;
            one = repeat;
            found = repetition(build, &min, &max);
            if (found > 0)
                found = fgw_regex_fail(build, FGW_REGEX_REPEAT_TWICE, from,
                                       build->at > second ? build->at : second);
        }
        if (found < 0)
            return FGW_REGEX_NO_NODE;
        append(build, row, one);
    }
    return row;
}

static uint32_t alternation(struct fgw_regex_build *build)
{
    uint32_t first = concatenation(build), row;
    if (first == FGW_REGEX_NO_NODE || !next_is(build, "|"))
        return first;
    row = fgw_regex_new(build, FGW_REGEX_ALTERNATE, FGW_REGEX_NO_NODE, 0);
    if (row == FGW_REGEX_NO_NODE)
        return row;
    append(build, row, first);
    while (next_is(build, "|")) {
        build->at++;
        uint32_t branch = concatenation(build);
        if (branch == FGW_REGEX_NO_NODE)
            return branch;
        append(build, row, branch);
    }
    return row;
}

/* Copies of copies: as RE2, the numbers of repetitions inside each other, multiplied, are at most
 * FGW_REGEX_REPEAT_MAX. */
static int check_repeats(struct fgw_regex_build *build, uint32_t at, uint32_t left)
{
    const struct fgw_regex_node *node = fgw_regex_node(build, at);
    if (node->kind == FGW_REGEX_REPEAT) {
        uint32_t times = node->max == FGW_REGEX_ENDLESS ? node->min : node->max;
        left = times > 0 ? left / times : left;
        if (left == 0)
            return fgw_regex_fail(build, FGW_REGEX_REPEAT_SIZE, node->b, node->b + 1);
        return check_repeats(build, node->a, left);
    }
    if (node->kind == FGW_REGEX_CONCAT || node->kind == FGW_REGEX_ALTERNATE)
        for (uint32_t part = node->a; part != FGW_REGEX_NO_NODE;
             part = fgw_regex_node(build, part)->next)
            if (check_repeats(build, part, left))
                return -1;
    return 0;
}

uint32_t fgw_regex_parse(struct fgw_regex_build *build)
{
    for (size_t at = 0; at < build->length;) {
        size_t begin = at;
        if (fgw_regex_decode(build->pattern, build->length, &at) == FGW_REGEX_CODE_END) {
            (void)fgw_regex_fail(build, FGW_REGEX_UTF8, (uint32_t)begin, (uint32_t)at);
            return FGW_REGEX_NO_NODE;
        }
    }
    uint32_t root = alternation(build);
    if (root == FGW_REGEX_NO_NODE)
        return root;
    if (build->at < build->length) {
        (void)fgw_regex_fail(build, FGW_REGEX_GROUP_CLOSE, build->at, build->at + 1);
        return FGW_REGEX_NO_NODE;
    }
    return check_repeats(build, root, FGW_REGEX_REPEAT_MAX) ? FGW_REGEX_NO_NODE : root;
}
