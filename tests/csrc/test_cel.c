/* Random programs against the CEL machine: what fgw_cel_verify accepts must stay inside its block,
 * facts and arena, which are exactly as long as they say and surrounded by ASan's red zones.
 *
 * usage: test_cel ROUNDS SEED
 * Each round writes a program of nested expressions, runs it, flips some of its bytes and runs
 * that too, if verify accepts it. Every 40th program is run with every budget of steps and with
 * every size of the arena. Prints: accepted, mutants accepted, results that are no errors, runs
 * with a short budget. Built with -DBLIND it does not ask verify: then ASan must find something.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fgw_cel.h"
#include "fgw_regex.h"

#define CODE 400
#define CONSTANTS 64
#define TEXT 4096
#define FACTS 6
#define N_FACTS (FACTS + 6)

static uint64_t state;

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16) % n;
}

/* A program in the making. */
static struct {
    struct fgw_cel_instruction code[CODE];
    struct fgw_cel_constant constants[CONSTANTS];
    uint8_t text[TEXT];
    uint32_t n_code, n_constants, n_text, n_slots, slots;
} draft;

static uint32_t emit(uint8_t op, uint8_t arg, uint32_t at, uint32_t to, uint32_t count)
{
    if (draft.n_code < CODE)
        draft.code[draft.n_code] = (struct fgw_cel_instruction){
            op, arg, (uint16_t)at, (uint16_t)to, (uint16_t)count};
    return draft.n_code < CODE - 1 ? draft.n_code++ : draft.n_code;
}

static void land(uint32_t at)
{
    draft.code[at].to = (uint16_t)draft.n_code;
}

static const char *const texts[] = {
    "", "a", "ab", "abc", "\xC3\xA9t\xC3\xA9", "aaaaaaaaaaaaaaaaab", "\xFF\xFE", "12", "-7",
    "1.5e3", "1e-320", "2009-02-13T23:31:30.5Z", "2024-02-29T00:00:00+02:00", "1h30m", "-2.5s",
    "10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "10.0.0.0/8", "2001:db8::/33", "aGVsbG8=",
    "%s and %.3f %d", "%x%o%b%e%%", "+02:00", "Europe/Berlin", "true", ",",
    "  x\xE2\x80\x83 ", "a*b", "gr(a|e)y+", "0.1234567890123456789e-300",
    "9223372036854775808", "\xF0\x9F\x90\xB1 cat"};
#define TEXTS (sizeof texts / sizeof texts[0])

static uint32_t put_text(const void *bytes, uint32_t length)
{
    if (draft.n_text + length + 8 > TEXT)
        draft.n_text = 0;
    uint32_t at = draft.n_text = (draft.n_text + 7) & ~7u;
    if (length)
        memcpy(draft.text + at, bytes, length);
    draft.n_text += length;
    return at;
}

static const struct fgw_cel_zone zone[] = {{-1000, 3600, 0}, {0, 7200, 0}, {1234567890, 3600, 0}};

static struct fgw_cel_constant pattern(void)
{
    static const char *const patterns[] = {"gr(a|e)y+", "^[^a]*x{3,9}$", "(\\pL|\\d){20}"};
    static uint8_t compiled[8192] __attribute__((aligned(8)));
    struct fgw_regex_error error;
    const char *text = patterns[below(3)];
    int64_t size = fgw_regex_compile((const uint8_t *)text, strlen(text), compiled,
                                     sizeof compiled, &error);
    struct fgw_cel_constant made = {.type = FGW_VALUE_REGEX};
    made.length = size < 0 || size > TEXT / 2 ? 0 : (uint32_t)size;
    made.as.offset = put_text(compiled, made.length);
    return made;
}

static struct fgw_cel_constant address(char kind)
{
    struct fgw_cel_constant made = {.type = kind == 'a' ? FGW_VALUE_IP : FGW_VALUE_CIDR};
    made.length = below(2) ? 4 : 16;
    made.as.offset = put_text("\x0A\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1", made.length);
    if (kind == 'c')
        made.length |= below(made.length * 8 + 1) << 8;
    return made;
}

/* A constant of one kind: s)tring b)ytes i)nt u)int d)ouble B)ool t)imestamp D)uration T)ype
 * c)idr a)ddress z)one p)attern n)ull. Texts hold offsets into draft.text until made. */
static uint32_t constant(char kind)
{
    static const int64_t numbers[] = {0, 1, -1, 2, 3, 7, 64, INT64_MAX, INT64_MIN, 1234567890};
    static const double reals[] = {0, -0.0, 1.5, -2.5, 1e308, 5e-324, 0.1, 1e21, 123456.789};
    struct fgw_cel_constant made = {0};
    const char *text = texts[below(TEXTS)];
    made.as.number = numbers[below(10)];
    switch (kind) {
    case 's':
    case 'b':
        made.type = kind == 's' ? FGW_VALUE_STRING : FGW_VALUE_BYTES;
        made.length = (uint32_t)strlen(text);
        made.as.offset = put_text(text, made.length);
        break;
    case 'i':
    case 'u':
    case 'D':
        made.type = kind == 'i'   ? FGW_VALUE_INT
                    : kind == 'u' ? FGW_VALUE_UINT
                                  : FGW_VALUE_DURATION;
        break;
    case 'd':
        made.type = FGW_VALUE_DOUBLE;
        made.as.real = below(12)  ? reals[below(9)]
                       : below(2) ? __builtin_nan("")
                                  : __builtin_inf();
        break;
    case 'B':
        made.type = FGW_VALUE_BOOL;
        made.as.number = below(2);
        break;
    case 't':
        made.type = FGW_VALUE_TIMESTAMP;
        made.as.number = below(2000000000);
        made.length = below(1000000000);
        break;
    case 'T':
        made.type = FGW_VALUE_TYPE;
        made.as.number = 1 + below(14);
        break;
    case 'a':
    case 'c':
        made = address(kind);
        break;
    case 'z':
        made = (struct fgw_cel_constant){FGW_VALUE_ZONE, sizeof zone, {0}};
        made.as.offset = put_text(zone, sizeof zone);
        break;
    case 'p':
        made = pattern();
        break;
    default:
        made.type = FGW_VALUE_NULL;
        made.as.number = 0;
    }
    if (draft.n_constants < CONSTANTS)
        draft.n_constants++;
    draft.constants[draft.n_constants - 1] = made;
    return draft.n_constants - 1;
}

/* What each function likes to be given, in the order of FGW_CEL_FUNCTIONS: kinds of operands as
 * above, l)ist of strings, L)ist of anything, m)ap, o)ptional, x anything. */
static const char *const wishes[FGW_CEL_FUNCTION_COUNT] = {
    "s", "ss", "ss", "ss", "sp", "ss", "d", "d", "s", "x", "s", "s", "s", "s", "x",
    "tz", "t", "ts", "tz", "t", "tz", "D", "D", "D", "D",
    "si", "ssi", "ssi", "ls", "ssi", "sssi", "sii", "s", "s", "s", "s", "s", "sL",
    "iud", "dui", "d", "d", "d", "d", "i", "d", "d", "d", "d", "d", "ii", "uu", "ii", "i", "ii",
    "ui", "b", "s", "s", "s", "s", "s", "s", "a", "a", "a", "a", "a", "a", "ca", "cs", "c", "c",
    "x", "", "x", "o", "o", "L", "lii", "L", "L", "L", "i", "L", "L", "s", ""};

static void expression(int depth);

static void typed(char kind, int depth)
{
    if (kind == 'x' || below(8) == 0) {
        expression(depth);
    } else if (kind == 'l' || kind == 'L') {
        uint32_t n = below(5);
        emit(FGW_CEL_LIST, 0, below(2) ? n : 0, 0, 0);
        for (uint32_t i = 0; i < n; i++) {
            typed(kind == 'l' ? 's' : "sidBx"[below(5)], depth - 1);
            emit(FGW_CEL_APPEND, 0, 0, 0, 0);
        }
    } else if (kind == 'm') {
        emit(FGW_CEL_MAP, 0, below(2), 0, 0);
        for (uint32_t i = below(4); i > 0; i--) {
            typed("siuB"[below(4)], depth - 1);
            typed("sidx"[below(4)], depth - 1);
            emit(FGW_CEL_INSERT, 0, 0, 0, 0);
        }
    } else if (kind == 'o') {
        typed("sidx"[below(4)], depth - 1);
        emit(FGW_CEL_CALL, 1, FGW_CEL_F_OPTIONAL_OF, 0, 0);
    } else {
        emit(FGW_CEL_CONSTANT, 0, constant(kind), 0, 0);
    }
}

static void comprehension(int depth)
{
    uint32_t slot = draft.slots, variables = 1 + below(2), guard = 0;
    int how = (int)below(4);
    if (slot + 4 > 16)
        return typed('i', depth);
    draft.slots += 4;
    draft.n_slots = draft.slots > draft.n_slots ? draft.slots : draft.n_slots;
    if (below(4) == 0)
        emit(FGW_CEL_SOURCE, 0, below(3), 0, 0);
    else
        typed("lLm"[below(3)], depth - 1);
    uint32_t iterate = emit(FGW_CEL_ITERATE, 0, slot, 0, 0);
    emit(how < 2 ? FGW_CEL_CONSTANT : how == 2 ? FGW_CEL_LIST : FGW_CEL_MAP, 0,
         how < 2 ? constant('B') : 0, 0, 0);
    uint32_t next = emit(FGW_CEL_NEXT, (uint8_t)variables, slot, 0, 0), leave = next;
    if (how >= 2 && below(2)) {
        expression(depth - 1);
        guard = emit(FGW_CEL_GUARD, 0, 0, 0, 0);
    }
    if (how == 3)
        emit(FGW_CEL_LOAD, 0, slot + 2, 0, 0);
    expression(depth - 1);
    if (how < 2) {
        emit(how ? FGW_CEL_OR : FGW_CEL_AND, 0, 0, 0, 0);
        leave = emit(how ? FGW_CEL_OR_JUMP : FGW_CEL_AND_JUMP, 0, 0, 0, 0);
    } else {
        emit(how == 2 ? FGW_CEL_APPEND : FGW_CEL_INSERT, 0, 0, 0, 0);
        leave = emit(FGW_CEL_ERROR_EXIT, 0, 0, 0, 0);
    }
    if (guard)
        land(guard);
    emit(FGW_CEL_LOOP, 0, 0, next, 0);
    land(leave);
    land(next);
    land(iterate);
    draft.slots = slot;
}

static void choice(int depth)
{
    expression(depth - 1);
    uint32_t end = emit(FGW_CEL_ERROR_JUMP, 0, 0, 0, 0);
    uint32_t other = emit(FGW_CEL_FALSE_JUMP, 0, 0, 0, 0);
    expression(depth - 1);
    uint32_t over = emit(FGW_CEL_JUMP, 0, 0, 0, 0);
    land(other);
    expression(depth - 1);
    land(end);
    land(over);
}

static void optional(int depth)
{
    static const uint8_t ops[] = {FGW_CEL_OR_OPTIONAL, FGW_CEL_OR_VALUE, FGW_CEL_OPT_MAP};
    uint8_t op = ops[below(3)];
    typed('o', depth - 1);
    uint32_t jump = emit(op, 0, 0, 0, 0);
    if (op == FGW_CEL_OPT_MAP)
        emit(FGW_CEL_CALL, 1, FGW_CEL_F_OPTIONAL_OF, 0, 0);
    else
        typed('o', depth - 1);
    land(jump);
}

static void call(int depth)
{
    uint32_t f = below(FGW_CEL_FUNCTION_COUNT), n = (uint32_t)strlen(wishes[f]);
    static const struct {
        uint8_t least, most;
    } arity[] = {
#define ARITY(name, least, most) {least, most},
        FGW_CEL_FUNCTIONS(ARITY)};
    if (n > arity[f].least && below(2))
        n = arity[f].least;
    for (uint32_t i = 0; i < n; i++)
        typed(wishes[f][i], depth - 1);
    if (n == 1 && arity[f].most > 1 && arity[f].least > 1) {
        expression(depth - 1);
        n++;
    }
    emit(FGW_CEL_CALL, (uint8_t)n, f, 0, 0);
}

static void member(int depth)
{
    typed("lLmmo"[below(5)], depth - 1);
    if (below(2)) {
        typed("isuB"[below(4)], depth - 1);
        emit(below(2) ? FGW_CEL_INDEX : FGW_CEL_OPT_INDEX, 0, 0, 0, 0);
    } else {
        static const uint8_t ops[] = {FGW_CEL_SELECT, FGW_CEL_OPT_SELECT, FGW_CEL_HAS};
        emit(ops[below(3)], 0, 0, constant('s'), 0);
    }
}

static void leaf(void)
{
    switch (below(6)) {
    case 0:
        emit((uint8_t)below(3) == 0 ? FGW_CEL_HAS_FACT : FGW_CEL_FACT, 0, below(N_FACTS), 0, 0);
        break;
    case 1:
        emit(below(2) ? FGW_CEL_FACT_EQ : FGW_CEL_FACT_OR, 0, below(N_FACTS), constant('s'), 0);
        break;
    case 2:
        if (draft.slots) {
            emit(FGW_CEL_LOAD, 0, below(draft.slots), 0, 0);
            break;
        } /* fall through */
    case 3:
        emit(FGW_CEL_SOURCE, 0, below(3), 0, 0);
        break;
    default:
        emit(FGW_CEL_CONSTANT, 0, constant("sbiudBtDTcaznis"[below(15)]), 0, 0);
    }
}

/* Code that leaves one value. */
static void expression(int depth)
{
    if (depth <= 0 || draft.n_code > CODE - 150)
        return leaf();
    switch (below(11)) {
    case 0:
    case 1:
        typed("siudltD"[below(7)], depth - 1);
        typed("siudltD"[below(7)], depth - 1);
        emit((uint8_t)(FGW_CEL_EQ + below(FGW_CEL_OR - FGW_CEL_EQ + 1)), 0, 0, 0, 0);
        break;
    case 2:
        typed("Bid"[below(3)], depth - 1);
        emit(below(2) ? FGW_CEL_NOT : FGW_CEL_NEGATE, 0, 0, 0, 0);
        break;
    case 3:
        comprehension(depth);
        break;
    case 4:
        choice(depth);
        break;
    case 5:
        optional(depth);
        break;
    case 6:
        member(depth);
        break;
    case 7: {
        uint32_t n = below(4);
        for (uint32_t i = 0; i < n; i++)
            typed("sidnB"[below(5)], depth - 1);
        emit(FGW_CEL_CONCAT, (uint8_t)n, 0, 0, 0);
        break;
    }
    default:
        call(depth);
    }
}

/* The block of the draft, exactly as long as it says. */
static struct fgw_cel_program *block(size_t *size)
{
    uint32_t text = (uint32_t)(sizeof(struct fgw_cel_program)
                               + draft.n_code * sizeof(struct fgw_cel_instruction)
                               + draft.n_constants * sizeof(struct fgw_cel_constant));
    *size = text + TEXT;
    struct fgw_cel_program *made = calloc(1, *size);
    *made = (struct fgw_cel_program){.magic = FGW_CEL_MAGIC,
                                     .size = (uint32_t)*size,
                                     .n_code = (uint16_t)draft.n_code,
                                     .n_constants = (uint16_t)draft.n_constants,
                                     .n_facts = N_FACTS,
                                     .n_slots = (uint16_t)draft.n_slots};
    memcpy(made + 1, draft.code, draft.n_code * sizeof draft.code[0]);
    for (uint32_t i = 0; i < draft.n_constants; i++) {
        uint32_t type = draft.constants[i].type;
        if (type == FGW_VALUE_STRING || type == FGW_VALUE_BYTES || type == FGW_VALUE_IP
            || type == FGW_VALUE_CIDR || type == FGW_VALUE_ZONE || type == FGW_VALUE_REGEX)
            draft.constants[i].as.offset += text;
    }
    memcpy((uint8_t *)made + text - draft.n_constants * sizeof draft.constants[0],
           draft.constants, draft.n_constants * sizeof draft.constants[0]);
    memcpy((uint8_t *)made + text, draft.text, TEXT);
    return made;
}

/* Facts: some of each type, each text in a block of its own. */
static struct fgw_value facts[N_FACTS], items[4], pairs[4];

static struct fgw_value fact_text(uint32_t type)
{
    const char *from = texts[below(TEXTS)];
    uint32_t length = (uint32_t)strlen(from);
    static uint8_t *pool[16];
    static uint32_t next;
    uint32_t i = next++ % 16; /* more than one round of facts has */
    free(pool[i]);
    pool[i] = malloc(length + !length);
    memcpy(pool[i], from, length);
    return (struct fgw_value){{.bytes = pool[i]}, .length = length, .type = type};
}

static void make_facts(void)
{
    for (uint32_t i = 0; i < 4; i++) {
        items[i] = fact_text(FGW_VALUE_STRING);
        pairs[i] = i % 2 ? items[i]
                         : (struct fgw_value){.type = FGW_VALUE_INT, .as.number = (int64_t)i};
    }
    memset(facts, 0, sizeof facts); /* some are absent */
    facts[1] = fact_text(FGW_VALUE_STRING);
    facts[2] = fact_text(FGW_VALUE_BYTES);
    facts[3] = (struct fgw_value){.type = FGW_VALUE_INT, .as.number = below(10)};
    facts[4] = (struct fgw_value){{.items = items}, .length = 4, .type = FGW_VALUE_LIST};
    facts[5] = (struct fgw_value){{.items = pairs}, .length = 2, .type = FGW_VALUE_MAP};
    facts[6] = (struct fgw_value){{.items = &items[1]}, .type = FGW_VALUE_OPTIONAL};
    facts[7] = (struct fgw_value){.type = FGW_VALUE_DOUBLE, .as.real = 2.5};
    facts[8] = (struct fgw_value){.type = FGW_VALUE_TIMESTAMP, .as.number = 1234567890};
}

static uint32_t source_count(const void *owner, uint32_t map)
{
    (void)owner;
    return map % 4;
}

static void source_entry(const void *owner, uint32_t map, uint32_t i, struct fgw_value *key,
                         struct fgw_value *value)
{
    (void)owner, (void)map;
    *key = items[i];
    *value = items[3 - i];
}

static int source_find(const void *owner, uint32_t map, const uint8_t *key, uint32_t length,
                       struct fgw_value *value)
{
    (void)owner, (void)key;
    *value = items[map % 4];
    return length > 1;
}

static const struct fgw_cel_source source = {NULL, source_count, source_entry, source_find, NULL};

/* Reads every byte that a result points at. */
static uint64_t touch(const struct fgw_value *value, int depth)
{
    uint64_t sum = value->type;
    if (depth > 8)
        return sum;
    if (value->type == FGW_VALUE_STRING || value->type == FGW_VALUE_BYTES
        || value->type == FGW_VALUE_IP || value->type == FGW_VALUE_CIDR)
        for (uint32_t i = 0; i < value->length; i++)
            sum += value->bytes[i];
    uint64_t n = value->type == FGW_VALUE_LIST       ? value->length
                 : value->type == FGW_VALUE_MAP      ? 2 * (uint64_t)value->length
                 : value->type == FGW_VALUE_OPTIONAL ? value->items != NULL
                                                     : 0;
    for (uint64_t i = 0; i < n; i++)
        sum += touch(&value->items[i], depth + 1);
    return sum;
}

static uint64_t touched;

static struct fgw_value run(const struct fgw_cel_program *program, uint32_t steps, uint32_t size,
                            uint32_t *left, uint32_t *used)
{
    struct fgw_value result;
    uint8_t *arena = malloc(size + !size); /* not one byte more than it may use */
    struct fgw_cel_run with = {.facts = facts, .source = &source, .arena = arena,
                               .arena_size = size, .steps = steps, .random = 7};
    fgw_cel_eval(program, &with, &result);
    touched += touch(&result, 0);
    *left = with.steps;
    *used = with.arena_used;
    free(arena);
    return result;
}

static int is_error(const struct fgw_value *value, int64_t code)
{
    return value->type == FGW_VALUE_ERROR && value->as.number == code;
}

/* Every budget that is too small must end the run, and nothing else may change. */
static uint64_t short_budgets(const struct fgw_cel_program *program)
{
    uint32_t left, used, unused;
    uint64_t runs = 0;
    struct fgw_value whole = run(program, 20000, 65536, &left, &used);
    uint32_t spent = 20000 - left;
    for (uint32_t steps = 0; steps < spent && steps < 600; steps++, runs++) {
        struct fgw_value cut = run(program, steps, 65536, &unused, &unused);
        if (!is_error(&cut, FGW_CEL_ERROR_STEPS) && !is_error(&whole, FGW_CEL_ERROR_MEMORY)) {
            fprintf(stderr, "%u of %u steps gave a value\n", steps, spent);
            abort();
        }
    }
    for (uint32_t size = 0; size < used && size < 4096; size += 8, runs++)
        run(program, 20000, size, &unused, &unused);
    return runs;
}

static int accepts(const void *program, size_t size)
{
#ifdef BLIND
    (void)program, (void)size;
    return 1;
#else
    return fgw_cel_verify(program, size) == 0;
#endif
}

int main(int argc, char **argv)
{
    uint64_t accepted = 0, mutants = 0, values = 0, cut = 0;
    uint32_t rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000, left, used;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (uint32_t round = 0; round < rounds; round++) {
        size_t size;
        memset(&draft, 0, sizeof draft);
        expression(1 + (int)below(5));
        struct fgw_cel_program *program = block(&size);
        if (round % 16 == 0)
            make_facts();
        if (accepts(program, size)) {
            accepted++;
            uint32_t room = below(3) ? 65536 : 8 * below(400);
            struct fgw_value result = run(program, below(3) ? 20000 : below(500), room, &left,
                                          &used);
            values += result.type != FGW_VALUE_ERROR;
            if (round % 40 == 0)
                cut += short_budgets(program);
        }
        for (uint32_t flips = 1 + below(6); flips > 0; flips--)
            ((uint8_t *)program)[below(8) ? sizeof *program + below((uint32_t)(draft.n_code * 8))
                                          : below((uint32_t)size)] ^= (uint8_t)(1 + below(255));
        if (accepts(program, size)) {
            mutants++;
            run(program, 20000, 8 * below(2000), &left, &used);
        }
        free(program);
    }
    printf("%llu %llu %llu %llu\n", (unsigned long long)accepted, (unsigned long long)mutants,
           (unsigned long long)values, (unsigned long long)cut);
    return touched == 1; /* so that the reads are not thrown away */
}
