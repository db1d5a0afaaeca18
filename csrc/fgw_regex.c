/* fgw_regex.c - from the tree of a pattern to a program: alphabet, code, literal. */
#include "fgw_regex.h"

#include <string.h>

#include "fgw_regex_state.h"

#define NONE 0xFFFFFFFFu
#define NO_INST 0xFFFFu
#define I_MATCH 0 /* the first two instructions of every program */
#define I_FAIL 1

static const char *const FAULTS[FGW_REGEX_FAULTS] = {
    [FGW_REGEX_FINE] = "no fault",
    [FGW_REGEX_LARGE] = "a pattern that is too large",
    [FGW_REGEX_DEEP] = "too many groups inside each other",
    [FGW_REGEX_UTF8] = "bytes that are no UTF-8",
    [FGW_REGEX_GROUP_OPEN] = "a group that is not closed",
    [FGW_REGEX_GROUP_CLOSE] = "a closing parenthesis without an opening one",
    [FGW_REGEX_GROUP_KIND] = "an unknown kind of group or flag",
    [FGW_REGEX_LOOKAROUND] = "a lookaround, which cannot be matched in linear time",
    [FGW_REGEX_NAME] = "a group's name that is none",
    [FGW_REGEX_CLASS_OPEN] = "a class that is not closed",
    [FGW_REGEX_RANGE] = "a range or class of characters that is none",
    [FGW_REGEX_ESCAPE] = "an unknown escape",
    [FGW_REGEX_REFERENCE] = "a reference back, which cannot be matched in linear time",
    [FGW_REGEX_UNICODE] = "an unknown Unicode category or script",
    [FGW_REGEX_REPEAT_NONE] = "a repetition with nothing before it",
    [FGW_REGEX_REPEAT_TWICE] = "a repetition of a repetition",
    [FGW_REGEX_REPEAT_SIZE] = "a repetition of more than 1000, or of more at least than at most",
};

const char *fgw_regex_fault_text(uint32_t fault)
{
    return fault < FGW_REGEX_FAULTS ? FAULTS[fault] : "an unknown fault";
}

/* The characters that the pattern tells apart: [begins[i], begins[i + 1]) all have classes[i].
 * The work arrays lie below the tree's nodes, the program grows towards them. */
struct alphabet {
    uint32_t *begins;
    uint32_t *classes;
    uint32_t *map; /* from one numbering to the next */
    uint32_t count;
    uint32_t n_classes; /* class 0, which no character has, included */
};

struct writer {
    struct fgw_regex_build *build;
    uint8_t *base;  /* of the program */
    uint8_t *limit; /* the first byte that it must not reach */
    uint32_t size;
    struct fgw_regex_program *program;
    struct alphabet alphabet;
};

static int too_large(struct writer *writer)
{
    return fgw_regex_fail(writer->build, FGW_REGEX_LARGE, 0, writer->build->length);
}

/* Zeroed room at the program's end; NULL if there is none. */
static void *grow(struct writer *writer, size_t size)
{
    size_t rounded = (size + 7) & ~(size_t)7;
    uint8_t *at = writer->base + writer->size;
    if (rounded > (size_t)(writer->limit - at)) {
        (void)too_large(writer);
        return NULL;
    }
    memset(at, 0, rounded);
    writer->size += (uint32_t)rounded;
    return at;
}

static void sort_words(uint32_t *words, uint32_t count)
{
    static const uint16_t GAPS[] = {8192, 3548, 1577, 701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof GAPS / sizeof *GAPS; g++) {
        uint32_t gap = GAPS[g];
        for (uint32_t i = gap; i < count; i++) {
            uint32_t word = words[i], at = i;
            for (; at >= gap && words[at - gap] > word; at -= gap)
                words[at] = words[at - gap];
            words[at] = word;
        }
    }
}

static uint32_t interval_of(const struct alphabet *alphabet, uint32_t code)
{
    uint32_t low = 0, high = alphabet->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (alphabet->begins[middle] <= code)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Tells apart what is in the ranges from what is not. Numbers stay those of the first appearance,
 * so that ASCII's come first and fit a byte. */
static void refine(struct alphabet *alphabet, const uint32_t (*ranges)[2], uint32_t count)
{
    uint32_t next = alphabet->n_classes, *classes = alphabet->classes, *map = alphabet->map;
    memset(map, 0xFF, next * sizeof *map);
    for (uint32_t r = 0; r < count; r++)
        for (uint32_t i = interval_of(alphabet, ranges[r][0]);
             i < alphabet->count && alphabet->begins[i] <= ranges[r][1]; i++) {
            if (map[classes[i]] == NONE)
                map[classes[i]] = next++;
            classes[i] = map[classes[i]];
        }
    memset(map, 0xFF, next * sizeof *map);
    next = 1;
    for (uint32_t i = 0; i < alphabet->count; i++) {
        if (map[classes[i]] == NONE)
            map[classes[i]] = next++;
        classes[i] = map[classes[i]];
    }
    alphabet->n_classes = next;
}

static const uint32_t WORD[][2] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const uint32_t NEWLINE[][2] = {{'\n', '\n'}};

/* Which places the pattern asks for, all together. */
static uint32_t places(const struct fgw_regex_build *build)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < build->n_nodes; i++)
        if (fgw_regex_node(build, i)->kind == FGW_REGEX_PLACE)
            found |= fgw_regex_node(build, i)->a;
    return found;
}

#define PLACES_OF_WORDS (FGW_REGEX_WORD_EDGE | FGW_REGEX_NO_WORD_EDGE)
#define PLACES_OF_LINES (FGW_REGEX_LINE_BEGIN | FGW_REGEX_LINE_END)

static void note(uint32_t *begins, uint32_t *count, uint8_t *seen, uint32_t first, uint32_t last)
{
    uint32_t borders[] = {first, last + 1};
    for (int i = 0; i < 2; i++) {
        if (borders[i] <= 128) { /* once only: patterns are mostly ASCII */
            if (seen[borders[i]])
                continue;
            seen[borders[i]] = 1;
        }
        if (borders[i] < FGW_REGEX_CODE_END)
            begins[(*count)++] = borders[i];
    }
}

/* Fills alphabet->begins: every border of a literal, a range, a word character or a line. */
static void find_borders(struct writer *writer)
{
    const struct fgw_regex_build *build = writer->build;
    uint32_t *begins = writer->alphabet.begins, count = 0, unique = 0;
    uint8_t seen[129] = {0};
    note(begins, &count, seen, 0, 127);
    for (int i = 0; i < 4; i++)
        note(begins, &count, seen, WORD[i][0], WORD[i][1]);
    note(begins, &count, seen, NEWLINE[0][0], NEWLINE[0][1]);
    for (uint32_t i = 0; i < build->n_ranges; i++)
        note(begins, &count, seen, build->ranges[i][0], build->ranges[i][1]);
    for (uint32_t i = 0; i < build->n_nodes; i++) {
        const struct fgw_regex_node *node = fgw_regex_node(build, i);
        if (node->kind == FGW_REGEX_LITERAL)
            note(begins, &count, seen, node->a, node->a);
    }
    sort_words(begins, count);
    for (uint32_t i = 0; i < count; i++)
        if (unique == 0 || begins[unique - 1] != begins[i])
            begins[unique++] = begins[i];
    writer->alphabet.count = unique;
}

static int make_alphabet(struct writer *writer)
{
    const struct fgw_regex_build *build = writer->build;
    struct alphabet *alphabet = &writer->alphabet;
    size_t most = 160, left = (size_t)(writer->limit - writer->base) - writer->size;
    for (uint32_t i = 0; i < build->n_nodes; i++) {
        const struct fgw_regex_node *node = fgw_regex_node(build, i);
        most += node->kind == FGW_REGEX_LITERAL && node->a >= 127 ? 2 : 0;
    }
    most += 2 * (size_t)build->n_ranges;
    if (most * 4 * sizeof(uint32_t) > left)
        return too_large(writer);
    writer->limit -= most * 4 * sizeof(uint32_t);
    alphabet->begins = (uint32_t *)(void *)writer->limit;
    find_borders(writer);
    alphabet->classes = alphabet->begins + most;
    alphabet->map = alphabet->classes + most; /* twice as many: refine() has old and new ones */
    alphabet->n_classes = 2;
    for (uint32_t i = 0; i < alphabet->count; i++)
        alphabet->classes[i] = 1;
    uint32_t asked = places(build);
    if (asked & PLACES_OF_WORDS)
        refine(alphabet, WORD, 4);
    if (asked & PLACES_OF_LINES)
        refine(alphabet, NEWLINE, 1);
    for (uint32_t i = 0; i < build->n_nodes; i++) {
        const struct fgw_regex_node *node = fgw_regex_node(build, i);
        uint32_t alone[1][2] = {{node->a, node->a}};
        if (node->kind == FGW_REGEX_RANGES)
            refine(alphabet, (const uint32_t (*)[2])(build->ranges + node->a), node->b);
        if (node->kind == FGW_REGEX_LITERAL)
            refine(alphabet, (const uint32_t (*)[2])alone, 1);
    }
    return alphabet->n_classes > FGW_REGEX_CLASSES_MAX ? too_large(writer) : 0;
}

/* The alphabet as the program has it: a table for ASCII, ranges beyond. */
static int write_alphabet(struct writer *writer)
{
    const struct alphabet *alphabet = &writer->alphabet;
    struct fgw_regex_program *program = writer->program;
    uint32_t wide = 0, asked = places(writer->build);
    for (uint32_t i = 0; i < alphabet->count; i++) {
        uint32_t end = i + 1 < alphabet->count ? alphabet->begins[i + 1] : FGW_REGEX_CODE_END;
        for (uint32_t code = alphabet->begins[i]; code < end && code < 128; code++)
            program->ascii[code] = (uint8_t)alphabet->classes[i];
        wide += alphabet->begins[i] >= 128;
    }
    uint32_t first = alphabet->count - wide, kept = 0;
    program->classes = (uint16_t)alphabet->n_classes;
    program->wide_at = writer->size;
    uint32_t *begins = grow(writer, wide * sizeof *begins);
    program->class_at = writer->size;
    uint16_t *classes = grow(writer, wide * sizeof *classes);
    program->trait_at = writer->size;
    uint8_t *traits = grow(writer, alphabet->n_classes);
    if (begins == NULL || classes == NULL || traits == NULL)
        return -1;
    for (uint32_t i = first; i < alphabet->count; i++) {
        if (kept > 0 && classes[kept - 1] == alphabet->classes[i])
            continue;
        begins[kept] = alphabet->begins[i];
        classes[kept++] = (uint16_t)alphabet->classes[i];
    }
    program->wide = (uint16_t)kept;
    for (uint32_t code = 0; code < 128; code++) {
        uint32_t low = code | 0x20;
        int word = (low >= 'a' && low <= 'z') || (code >= '0' && code <= '9') || code == '_';
        if (word && (asked & PLACES_OF_WORDS))
            traits[program->ascii[code]] |= FGW_REGEX_IS_WORD;
        if (code == '\n' && (asked & PLACES_OF_LINES))
            traits[program->ascii[code]] |= FGW_REGEX_IS_NEWLINE;
    }
    return 0;
}

/* Gives a node of characters its instruction: one class, or a set of them, kept once. */
static int write_set(struct writer *writer, struct fgw_regex_node *node)
{
    struct alphabet *alphabet = &writer->alphabet;
    struct fgw_regex_program *program = writer->program;
    uint32_t alone[1][2] = {{node->a, node->a}}, (*ranges)[2] = alone, count = 1, members = 0;
    uint32_t bytes = program->set_words * 4u, last = 0;
    if (node->kind == FGW_REGEX_RANGES) {
        ranges = writer->build->ranges + node->a;
        count = node->b;
    }
    uint32_t *set = alphabet->map; /* no longer needed as such, and large enough */
    memset(set, 0, bytes);
    for (uint32_t r = 0; r < count; r++)
        for (uint32_t i = interval_of(alphabet, ranges[r][0]);
             i < alphabet->count && alphabet->begins[i] <= ranges[r][1]; i++) {
            last = alphabet->classes[i];
            members += !(set[last / 32] >> last % 32 & 1);
            set[last / 32] |= 1u << last % 32;
        }
    node->min = members == 0 ? FGW_REGEX_FAIL : members == 1 ? FGW_REGEX_CHAR : FGW_REGEX_SET;
    node->max = (uint16_t)last;
    if (members < 2)
        return 0;
    for (uint32_t i = 0; i < program->sets; i++)
        if (memcmp(writer->base + program->sets_at + i * bytes, set, bytes) == 0) {
            node->max = (uint16_t)i;
            return 0;
        }
    if (bytes > (size_t)(writer->limit - writer->base) - writer->size || program->sets == 0xFFFF)
        return too_large(writer);
    memcpy(writer->base + writer->size, set, bytes);
    writer->size += bytes;
    node->max = program->sets++;
    return 0;
}

static int write_sets(struct writer *writer)
{
    struct fgw_regex_program *program = writer->program;
    program->set_words = (uint16_t)((program->classes + 31) / 32);
    program->sets_at = writer->size;
    for (uint32_t i = 0; i < writer->build->n_nodes; i++) {
        struct fgw_regex_node *node = fgw_regex_node(writer->build, i);
        if ((node->kind == FGW_REGEX_RANGES || node->kind == FGW_REGEX_LITERAL)
            && write_set(writer, node))
            return -1;
    }
    writer->size = (writer->size + 7) & ~7u;
    return writer->base + writer->size > writer->limit ? too_large(writer) : 0;
}

static struct fgw_regex_inst *inst(const struct writer *writer, uint32_t i)
{
    return (struct fgw_regex_inst *)(void *)(writer->base + writer->program->code_at) + i;
}

static uint32_t put(struct writer *writer, uint32_t op, uint32_t arg, uint32_t x, uint32_t y)
{
    uint32_t at = writer->program->n_code;
    if (at >= FGW_REGEX_CODE_MAX) {
        (void)too_large(writer);
        return NO_INST;
    }
    struct fgw_regex_inst *into = grow(writer, sizeof *into);
    if (into == NULL)
        return NO_INST;
    into->op = (uint16_t)op;
    into->arg = (uint16_t)arg;
    into->x = (uint16_t)x;
    into->y = (uint16_t)y;
    writer->program->n_code++;
    return at;
}

static uint32_t emit(struct writer *writer, uint32_t node, uint32_t next);

static uint32_t emit_repeat(struct writer *writer, const struct fgw_regex_node *node,
                            uint32_t next)
{
    uint32_t entry = next, min = node->min;
    if (node->max == FGW_REGEX_ENDLESS) {
        uint32_t loop = put(writer, FGW_REGEX_SPLIT, 0, next, next);
        uint32_t body = loop == NO_INST ? NO_INST : emit(writer, node->a, loop);
        if (body == NO_INST)
            return NO_INST;
        inst(writer, loop)->x = (uint16_t)body;
        entry = min > 0 ? body : loop;
        min -= min > 0;
    } else {
        for (uint32_t i = node->min; i < node->max && entry != NO_INST; i++) {
            entry = emit(writer, node->a, entry);
            if (entry != NO_INST)
                entry = put(writer, FGW_REGEX_SPLIT, 0, entry, next);
        }
    }
    for (; min > 0 && entry != NO_INST; min--)
        entry = emit(writer, node->a, entry);
    return entry;
}

/* Writes what matches `at` and goes on at `next`, from the end to the begin, so that no jump has
 * to be mended. The instruction to begin with, or NO_INST. As deep as the tree: bounded. */
static uint32_t emit(struct writer *writer, uint32_t at, uint32_t next)
{
    const struct fgw_regex_node *node = fgw_regex_node(writer->build, at);
    uint32_t entry = next, branch;
    switch (node->kind) {
    case FGW_REGEX_LITERAL:
    case FGW_REGEX_RANGES:
        return node->min == FGW_REGEX_FAIL ? I_FAIL
                                            : put(writer, node->min, node->max, next, 0);
    case FGW_REGEX_PLACE:
        return put(writer, FGW_REGEX_ASSERT, node->a, next, 0);
    case FGW_REGEX_CONCAT:
        for (branch = node->a; branch != FGW_REGEX_NO_NODE && entry != NO_INST;
             branch = fgw_regex_node(writer->build, branch)->next)
            entry = emit(writer, branch, entry);
        return entry;
    case FGW_REGEX_ALTERNATE:
        entry = emit(writer, node->a, next);
        for (branch = fgw_regex_node(writer->build, node->a)->next;
             branch != FGW_REGEX_NO_NODE && entry != NO_INST;
             branch = fgw_regex_node(writer->build, branch)->next) {
            uint32_t other = emit(writer, branch, next);
            entry = other == NO_INST ? NO_INST : put(writer, FGW_REGEX_SPLIT, 0, other, entry);
        }
        return entry;
    case FGW_REGEX_REPEAT:
        return emit_repeat(writer, node, next);
    default:
        return next;
    }
}

static int write_code(struct writer *writer, uint32_t root)
{
    writer->program->code_at = writer->size;
    if (put(writer, FGW_REGEX_MATCH, 0, 0, 0) == NO_INST
        || put(writer, FGW_REGEX_FAIL, 0, 0, 0) == NO_INST)
        return -1;
    uint32_t start = emit(writer, root, I_MATCH);
    if (start == NO_INST)
        return -1;
    writer->program->start = (uint16_t)start;
    if (places(writer->build) != 0)
        writer->program->flags |= FGW_REGEX_ASSERTS;
    return 0;
}

/* Reading the pattern from its end: the run of characters under way, and the longest so far. */
struct runs {
    uint8_t *run; /* fills downwards from `end` */
    uint8_t *end;
    uint8_t *begin; /* of the room */
    uint8_t *best;
    uint32_t run_length, best_length;
    uint8_t others;       /* anything but characters and places */
    uint8_t inside;       /* \b, or \A behind a character, or \z before one */
    uint8_t at_begin;     /* \A, and no character before it so far */
    uint8_t at_end;       /* \z, and no character behind it */
    uint8_t run_is_first; /* nothing stands before the best run */
};

static void end_run(struct runs *runs)
{
    if (runs->run_length >= runs->best_length && runs->run_length > 0) {
        runs->best_length = runs->run_length;
        runs->best = runs->run;
        runs->run_is_first = 1;
        runs->end = runs->run; /* keep it: the next run goes below */
    }
    runs->run = runs->end;
    runs->run_length = 0;
}

static void add_character(struct runs *runs, uint32_t code)
{
    uint8_t bytes[4];
    uint32_t n = 0;
    if (code < 0x80) {
        bytes[n++] = (uint8_t)code;
    } else if (code < 0x800) {
        bytes[n++] = (uint8_t)(0xC0 | code >> 6);
    } else {
        if (code < 0x10000) {
            bytes[n++] = (uint8_t)(0xE0 | code >> 12);
        } else {
            bytes[n++] = (uint8_t)(0xF0 | code >> 18);
            bytes[n++] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
        }
        bytes[n++] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    }
    if (code >= 0x80)
        bytes[n++] = (uint8_t)(0x80 | (code & 0x3F));
    if ((size_t)(runs->run - runs->begin) < n || runs->run_length + n > 1024) {
        runs->others = 1; /* no room: then only a part of it is searched for */
        end_run(runs);
        runs->run_is_first = 0;
        return;
    }
    runs->run -= n;
    runs->run_length += n;
    memcpy(runs->run, bytes, n);
    runs->inside |= runs->at_begin;
}

static void read_runs(const struct fgw_regex_build *build, uint32_t at, struct runs *runs)
{
    const struct fgw_regex_node *node = fgw_regex_node(build, at);
    switch (node->kind) {
    case FGW_REGEX_EMPTY:
        return;
    case FGW_REGEX_CONCAT:
        for (uint32_t part = node->a; part != FGW_REGEX_NO_NODE;
             part = fgw_regex_node(build, part)->next)
            read_runs(build, part, runs);
        return;
    case FGW_REGEX_LITERAL:
        add_character(runs, node->a);
        return;
    case FGW_REGEX_PLACE:
        if (node->a == FGW_REGEX_TEXT_END && runs->run_length + runs->best_length == 0)
            runs->at_end = 1;
        else if (node->a == FGW_REGEX_TEXT_BEGIN)
            runs->at_begin = 1;
        else
            runs->inside = 1;
        return;
    default:
        end_run(runs);
        runs->others = 1;
        runs->run_is_first = 0;
        return;
    }
}

/* The longest piece of text that every match has in it, as it stands in the pattern. */
static int write_literal(struct writer *writer, uint32_t root)
{
    struct fgw_regex_program *program = writer->program;
    struct runs runs = {.begin = writer->base + writer->size, .run = writer->limit,
                        .end = writer->limit};
    read_runs(writer->build, root, &runs);
    end_run(&runs);
    program->literal_at = writer->size;
    if (runs.best_length == 0)
        return 0;
    memmove(writer->base + writer->size, runs.best, runs.best_length);
    program->literal_length = (uint16_t)runs.best_length;
    if (!runs.others && !runs.inside)
        program->flags |= (uint16_t)(FGW_REGEX_IS_LITERAL
                                     | (runs.at_begin ? FGW_REGEX_AT_BEGIN : 0)
                                     | (runs.at_end ? FGW_REGEX_AT_END : 0));
    if (runs.run_is_first && !(program->flags & FGW_REGEX_ASSERTS))
        program->flags |= FGW_REGEX_LEADS;
    uint32_t size = (writer->size + runs.best_length + 7) & ~7u;
    if (writer->base + size > writer->limit)
        return too_large(writer);
    memset(writer->base + writer->size + runs.best_length, 0,
           size - writer->size - runs.best_length);
    writer->size = size;
    return 0;
}

int64_t fgw_regex_compile(const uint8_t *pattern, size_t length, uint8_t *out, size_t room,
                          struct fgw_regex_error *error)
{
    room &= ~(size_t)7;
    struct fgw_regex_build build = {
        .pattern = pattern, .length = (uint32_t)length, .out = out, .room = room,
        .ranges = (uint32_t (*)[2])(void *)out,
        .nodes = (struct fgw_regex_node *)(void *)(out + room), .error = error,
    };
    memset(error, 0, sizeof *error);
    if (length > FGW_REGEX_PATTERN_MAX || room > UINT32_MAX)
        return fgw_regex_fail(&build, FGW_REGEX_LARGE, 0, 0);
    uint32_t root = fgw_regex_parse(&build);
    if (root == FGW_REGEX_NO_NODE)
        return -1;
    struct writer writer = {.build = &build, .base = out + build.n_ranges * sizeof *build.ranges};
    size_t nodes = build.n_nodes * sizeof(struct fgw_regex_node);
    writer.limit = out + ((room - nodes) & ~(size_t)7);
    writer.program = writer.base < writer.limit ? grow(&writer, sizeof *writer.program) : NULL;
    if (writer.program == NULL)
        return too_large(&writer);
    writer.program->magic = FGW_REGEX_MAGIC;
    if (make_alphabet(&writer) || write_alphabet(&writer) || write_sets(&writer))
        return -1;
    writer.limit = out + ((room - nodes) & ~(size_t)7); /* the alphabet's work arrays are done */
    if (write_code(&writer, root) || write_literal(&writer, root))
        return -1;
    writer.program->size = writer.size;
    memmove(out, writer.base, writer.size);
    return (int64_t)fgw_regex_make_table(out, room);
}
