#include "fgw_http1_runs.h"

#include <string.h>

static inline uint64_t load8(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, 8);
    return word;
}

/* How many lines of the run [p, end) begins with. */
static uint32_t agreeing(const struct fgw_run *run, const uint8_t *p, const uint8_t *end)
{
    const size_t have = (size_t)(end - p);
    uint32_t n = run->n_lines;
    if (have >= run->ends[n - 1] && memcmp(p, run->bytes, run->ends[n - 1]) == 0)
        return n;
    uint32_t from = 0;
    for (n = 0; n < run->n_lines; from = run->ends[n++])
        if (have < run->ends[n] || memcmp(p + from, run->bytes + from, run->ends[n] - from) != 0)
            break;
    return n;
}

/* Notes which fields the first n lines of the run are, all that head had before told. */
static inline void note(struct fgw_head *head, const struct fgw_run *run, uint32_t n)
{
    const uint64_t before = head->seen;
    const uint32_t index = head->n_headers;
    uint64_t seen = run->seen, again = run->again;
    if (n < run->n_lines) {
        seen = again = 0;
        for (uint32_t i = 0; i < n; i++) {
            const uint64_t bit = FGW_H_BIT(run->headers[i].id);
            again |= seen & bit;
            seen |= bit;
        }
    }
    for (uint32_t i = 0; i < run->n_firsts && run->firsts[i].line < n; i++) {
        const uint8_t id = run->firsts[i].id;
        if (!(before >> id & 1))
            head->first[id] = (uint8_t)(index + run->firsts[i].line);
    }
    head->repeated |= again | (before & seen);
    head->seen = before | seen;
    if (seen & FGW_H_BIT(FGW_H_CONNECTION))
        head->keep_alive_seen = 1;
}

uint32_t fgw_runs_take(const struct fgw_lines *lines, uint32_t place, struct fgw_head *head,
                       const uint8_t *buf, uint32_t off, const uint8_t *end, uint32_t room)
{
    const uint8_t *p = buf + off;
    const struct fgw_run *run = &lines->run[place % FGW_RUNS];
    if (run->n_lines == 0 || load8(p) != load8(run->bytes))
        return 0;
    uint32_t n = agreeing(run, p, end);
    if (n > room)
        n = room;
    if (n == 0 || head->seen & run->seen & FGW_H_BIT(FGW_H_HOST))
        return 0;
    note(head, run, n);
    struct fgw_header *header = &head->headers[head->n_headers];
    head->n_headers = (uint16_t)(head->n_headers + n);
    for (uint32_t i = 0; i < n; i++, header++) {
        *header = run->headers[i];
        header->name_off += off;
        header->value_off += off;
    }
    return run->ends[n - 1];
}

int fgw_runs_fit(const struct fgw_header *header, const uint8_t *buf, int is_request)
{
    if (header->id == FGW_H_HOST)
        return is_request;
    return header->id != FGW_H_CONNECTION ||
           (header->value_len == 10 && memcmp(buf + header->value_off, "keep-alive", 10) == 0);
}

/* Keeps as many of the fields as a place has room for; how many. */
static uint32_t keep_some(struct fgw_lines *lines, const struct fgw_header *fields,
                          const uint8_t *buf, uint32_t count)
{
    const uint32_t off = fields->name_off;
    const uint8_t *p = buf + off;
    uint32_t n = 0, end = 0;
    uint64_t seen = 0, again = 0;
    struct fgw_run *run = &lines->run[fgw_lines_place(p) % FGW_RUNS];
    run->n_firsts = 0;
    while (n < count && n < FGW_RUN_LINES) {
        const struct fgw_header *field = &fields[n];
        /* White space may stand between a value and its end of line. */
        const uint8_t *mark = memchr(buf + field->value_off, '\n', FGW_RUN_BYTES);
        end = (uint32_t)(mark + 1 - p);
        if (end > FGW_RUN_BYTES)
            break;
        run->headers[n] = *field;
        run->headers[n].name_off -= off;
        run->headers[n].value_off -= off;
        const uint64_t bit = FGW_H_BIT(field->id);
        again |= seen & bit;
        if (!(seen & bit)) {
            run->firsts[run->n_firsts].line = (uint8_t)n;
            run->firsts[run->n_firsts++].id = field->id;
        }
        seen |= bit;
        run->ends[n++] = (uint16_t)end;
    }
    run->seen = seen;
    run->again = again;
    run->n_lines = (uint8_t)n;
    memcpy(run->bytes, p, run->ends[n - 1]);
    return n;
}

void fgw_runs_keep(struct fgw_lines *lines, const struct fgw_head *head, const uint8_t *buf,
                   uint32_t first, uint32_t count)
{
    while (count > 1) { /* a line alone is kept as such already */
        const uint32_t kept = keep_some(lines, &head->headers[first], buf, count);
        first += kept;
        count -= kept;
    }
}

uint32_t fgw_starts_take(const struct fgw_lines *lines, struct fgw_head *head, const uint8_t *buf,
                         uint32_t off, const uint8_t *end, uint32_t target_max)
{
    const uint8_t *p = buf + off;
    if (end - p < FGW_LINE_HASHED)
        return 0;
    const struct fgw_start *start = &lines->start[fgw_lines_place(p) % FGW_STARTS];
    if (start->len == 0 || (size_t)(end - p) < start->len || load8(p) != load8(start->bytes) ||
        start->target_len > target_max || memcmp(p, start->bytes, start->len) != 0)
        return 0;
    head->minor = 1;
    head->method = start->method;
    head->method_text = (struct fgw_span){off, start->method_len};
    head->target = (struct fgw_span){off + start->method_len + 1, start->target_len};
    head->path = head->target;
    return off + start->len;
}

void fgw_starts_keep(struct fgw_lines *lines, const struct fgw_head *head, const uint8_t *buf,
                     uint32_t off, uint32_t next, const uint8_t *end)
{
    const uint8_t *p = buf + off;
    const uint32_t len = next - off;
    if (head->minor != 1 || head->path.off != head->target.off ||
        head->path.len != head->target.len || buf[head->path.off] != '/' ||
        len > FGW_START_MAX || end - p < FGW_LINE_HASHED)
        return;
    struct fgw_start *start = &lines->start[fgw_lines_place(p) % FGW_STARTS];
    memcpy(start->bytes, p, len);
    start->len = (uint8_t)len;
    start->method = head->method;
    start->method_len = (uint8_t)head->method_text.len;
    start->target_len = (uint8_t)head->target.len;
}
