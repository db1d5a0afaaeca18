/* The operator's own patterns: programs of fgw_regex.h for the whole of a text, run from each
 * place where one can begin. Their table says at every step whether a text that ended here would
 * match, so the longest match is known where the table says that nothing more can come. */
#include "fgw_detect_kind.h"
#include "fgw_regex_machine.h"

static const struct fgw_regex_program *header(const uint8_t *program)
{
    return (const struct fgw_regex_program *)(const void *)program;
}

static int is_whole_literal(const struct fgw_regex_program *program)
{
    return (program->flags & FGW_REGEX_IS_LITERAL) != 0;
}

int fgw_detect_pattern_fits(const uint8_t *program)
{
    return is_whole_literal(header(program)) || header(program)->cells > 0;
}

void fgw_detect_pattern_first(struct fgw_detect_pattern *pattern)
{
    const struct fgw_regex_program *program = header(pattern->program);
    const uint16_t *cells =
        (const uint16_t *)(const void *)(pattern->program + program->table_at);

    memset(pattern->first, 0xff, sizeof pattern->first);
    for (unsigned byte = 0; byte < 0x80; byte++) {
        int can = is_whole_literal(program)
                      ? pattern->program[program->literal_at] == byte
                      : cells[program->table_start + program->ascii[byte]] != 0;
        if (!can)
            pattern->first[byte / 8] &= (uint8_t)~(1u << byte % 8);
    }
}

static enum look_answer run_literal(const struct look *look,
                                    const struct fgw_regex_program *program, uint32_t at,
                                    uint32_t *end)
{
    const uint8_t *literal = (const uint8_t *)program + program->literal_at;
    uint32_t size = program->literal_length, left = look->end - at;

    if (memcmp(look->text + at, literal, size < left ? size : left))
        return LOOK_NO;
    *end = at + size;
    return size <= left ? LOOK_YES : look->final ? LOOK_NO : LOOK_OPEN;
}

static enum look_answer run_table(const struct look *look, const struct fgw_regex_program *program,
                                  uint32_t at, uint32_t *end)
{
    const uint16_t *cells =
        (const uint16_t *)(const void *)((const uint8_t *)program + program->table_at);
    uint32_t row = program->table_start;
    size_t place = at;

    *end = 0;
    for (;;) {
        if (place > at && cells[row + program->classes])
            *end = (uint32_t)place;
        if (place - at >= FGW_DETECT_HOLD - 8)
            break;
        /* (A character that is not whole yet is waited for.) */
        if (place >= look->end || (!look->final && look->text[place] >= 0x80 &&
                                   look->end - place < 4))
            return look->final ? (*end ? LOOK_YES : LOOK_NO) : LOOK_OPEN;
        row = cells[row + fgw_regex_class_at(program, look->text, look->end, &place)];
        if (row < 2)
            break;
    }
    return *end ? LOOK_YES : LOOK_NO;
}

static enum look_answer look_pattern(const struct look *look,
                                     const struct fgw_detect_pattern *pattern, uint32_t at,
                                     struct fgw_detect_find *find)
{
    const struct fgw_regex_program *program = header(pattern->program);
    enum look_answer answer;

    if (pattern->flags & FGW_PATTERN_WORD_BEGINS && at && is(look->text[at - 1], WORD) &&
        !is_escape_letter(look, at - 1))
        return LOOK_NO;
    find->start = at;
    answer = is_whole_literal(program) ? run_literal(look, program, at, &find->end)
                                       : run_table(look, program, at, &find->end);
    if (answer != LOOK_YES || !(pattern->flags & FGW_PATTERN_WORD_ENDS))
        return answer;
    if (runs_out(look, find->end))
        return LOOK_OPEN;
    return is_at(look, find->end, WORD) ? LOOK_NO : LOOK_YES;
}

enum look_answer fgw_look_patterns(const struct look *look,
                                   const struct fgw_detect_pattern *pattern, uint32_t end,
                                   struct fgw_detect_find *find)
{
    for (uint32_t at = look->from; at < end; at++) {
        uint8_t byte = look->text[at];
        if (!(pattern->first[byte / 8] >> byte % 8 & 1) || (byte & 0xc0) == 0x80)
            continue;
        enum look_answer answer = look_pattern(look, pattern, at, find);
        if (answer != LOOK_NO)
            return answer;
    }
    return LOOK_NO;
}
