#include "fgw_http1.h"

#include <stddef.h>
#include <string.h>

#include "fgw_ascii.h"
#include "fgw_http1_lines.h"
#include "fgw_http1_rules.h"
#include "fgw_http1_runs.h"
#include "fgw_http1_scan.h"

enum { STAGE_START, STAGE_FIELDS };
enum { MORE = 0 }; /* a line function met the end of its input; > 0: offset behind the line */

/* Room in a request line beside its target: method, two spaces, version, CRLF. What is longer than
 * the target's limit and this has either too long a target or no method that we know. */
enum { LINE_REST = 64 };

/* One call of a parser: what it reads, and whether it is a request. */
struct reading {
    struct fgw_head *head;
    const uint8_t *buf;
    const struct fgw_http1_limits *limits;
    struct fgw_lines *lines; /* or NULL */
    uint8_t is_request;
    uint8_t n_known; /* fields up to here, one behind the other, that may make a run */
    int odd;         /* the name read last may have other bytes than letters, digits and '-' */
};

static int32_t broken(struct fgw_head *head, uint16_t error)
{
    head->error = error;
    return -1;
}

void fgw_http1_begin(struct fgw_head *head)
{
    memset(head, 0, offsetof(struct fgw_head, first));
    head->content_length = -1;
    head->close_seen = head->keep_alive_seen = head->upgrade_seen = 0;
}

/* At p: CRLF. Offset behind it, MORE, or -1. */
static int32_t line_end(struct reading *r, const uint8_t *p, const uint8_t *end, uint16_t error)
{
    if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
        return (int32_t)(p + 2 - r->buf);
    if (p == end || (*p == '\r' && p + 1 == end))
        return MORE;
    return broken(r->head, *p == '\r' || *p == '\n' ? FGW_E_LINE_END : error);
}

/* At p: the bytes of shape, where '0' stands for any digit. 1 read, MORE, or -1. Byte by byte, so
 * that an end of line before the end of shape is a fault and not a reason to wait. */
static int32_t match(struct reading *r, const uint8_t *p, const uint8_t *end, const char *shape,
                     uint16_t error)
{
    for (; *shape; shape++, p++) {
        if (p == end)
            return MORE;
        if (*shape == '0' ? !fgw_ascii_is_digit(*p) : *p != (uint8_t)*shape)
            return broken(r->head, error);
    }
    return 1;
}

/* At p: "HTTP/1.0" or "HTTP/1.1". 1 read, MORE, or -1. */
static int32_t version(struct reading *r, const uint8_t *p, const uint8_t *end)
{
    if (end - p >= 8 && memcmp(p, "HTTP/1.1", 8) == 0) {
        r->head->minor = 1;
        return 1;
    }
    const int32_t read = match(r, p, end, "HTTP/0.0", FGW_E_VERSION);
    if (read <= 0)
        return read;
    if (p[5] != '1' || p[7] > '1')
        return broken(r->head, FGW_E_VERSION_UNSUPPORTED);
    r->head->minor = (uint8_t)(p[7] - '0');
    return 1;
}

static int percent_is_sound(const uint8_t *p, const uint8_t *end)
{
    while ((p = memchr(p, '%', (size_t)(end - p)))) {
        if (end - p < 3 || !fgw_ascii_is(p[1], FGW_ASCII_HEX) ||
            !fgw_ascii_is(p[2], FGW_ASCII_HEX))
            return 0;
        p += 3;
    }
    return 1;
}

/* `http://authority` at the beginning of the target: its length, or 0 if it does not begin so. */
static uint32_t absolute_prefix(struct reading *r, const struct fgw_span *target)
{
    const uint8_t *text = r->buf + target->off;
    uint32_t from = 0;
    if (target->len > 7 && fgw_ascii_same(text, 7, "http://", 7))
        from = 7;
    else if (target->len > 8 && fgw_ascii_same(text, 8, "https://", 8))
        from = 8;
    else
        return 0;
    uint32_t to = from;
    while (to < target->len && text[to] != '/' && text[to] != '?')
        to++;
    r->head->absolute = 1;
    r->head->authority = (struct fgw_span){target->off + from, to - from};
    return to;
}

/* Cuts the target, whose bytes are checked, into authority, path and query. */
static uint16_t cut_target(struct reading *r)
{
    struct fgw_head *head = r->head;
    const struct fgw_span target = head->target;
    const uint8_t *text = r->buf + target.off;
    uint32_t at = 0;

    if (target.len == 1 && *text == '*') {
        head->path = target;
        return head->method == FGW_M_OPTIONS ? FGW_E_NONE : FGW_E_TARGET;
    }
    if (target.len == 0)
        return FGW_E_TARGET;
    if (*text != '/') {
        at = absolute_prefix(r, &target);
        if (at == 0)
            return FGW_E_TARGET;
        if (fgw_rule_host(r->buf + head->authority.off, head->authority.len))
            return FGW_E_TARGET_AUTHORITY;
    }
    const uint8_t *mark = memchr(text + at, '?', target.len - at);
    const uint32_t path_end = mark ? (uint32_t)(mark - text) : target.len;
    head->path = (struct fgw_span){target.off + at, path_end - at};
    if (mark)
        head->query = (struct fgw_span){target.off + path_end + 1, target.len - path_end - 1};
    if (head->path.len == 0) /* "http://h?x": the path is "/"; one stands before the authority */
        head->path = (struct fgw_span){head->authority.off - 1, 1};
    return FGW_E_NONE;
}

static int32_t request_line(struct reading *r, uint32_t off, const uint8_t *end)
{
    struct fgw_head *head = r->head;
    const uint8_t *const line = r->buf + off, *p = line;
    if (r->lines) {
        const uint32_t known =
            fgw_starts_take(r->lines, head, r->buf, off, end, r->limits->target_max);
        if (known)
            return (int32_t)known;
    }

    while (p < end && fgw_ascii_is(*p, FGW_ASCII_TOKEN))
        p++;
    if (p == end)
        return MORE;
    if (p == line || *p != ' ')
        return broken(head, FGW_E_METHOD);
    head->method_text = (struct fgw_span){off, (uint32_t)(p - line)};

    const uint8_t *const target = ++p;
    while (p < end && fgw_ascii_is(*p, FGW_ASCII_TARGET))
        p++;
    if (p == end)
        return MORE;
    if (p > target && (*p == '\r' || *p == '\n'))
        return broken(head, FGW_E_VERSION);
    if (p == target || *p != ' ')
        return broken(head, FGW_E_TARGET);
    head->target = (struct fgw_span){(uint32_t)(target - r->buf), (uint32_t)(p - target)};
    if (head->target.len > r->limits->target_max)
        return broken(head, FGW_E_TARGET_TOO_LONG);
    if (!percent_is_sound(target, p))
        return broken(head, FGW_E_TARGET);

    const int32_t read = version(r, ++p, end);
    if (read <= 0)
        return read;
    const int32_t next = line_end(r, p + 8, end, FGW_E_VERSION);
    if (next <= 0)
        return next;
    uint16_t error = fgw_rule_method(head, line, head->method_text.len);
    if (!error)
        error = cut_target(r);
    if (error)
        return broken(head, error);
    if (r->lines)
        fgw_starts_keep(r->lines, head, r->buf, off, (uint32_t)next, end);
    return next;
}

static int32_t status_line(struct reading *r, uint32_t off, const uint8_t *end)
{
    struct fgw_head *head = r->head;
    const uint8_t *p = r->buf + off;
    static const char OK[] = "HTTP/1.1 200 OK\r\n"; /* nearly always */
    if ((size_t)(end - p) >= sizeof OK - 1 && memcmp(p, OK, sizeof OK - 1) == 0) {
        head->minor = 1;
        head->status = 200;
        head->reason = (struct fgw_span){off + 13, 2};
        return (int32_t)(off + sizeof OK - 1);
    }
    int32_t read = version(r, p, end);
    if (read <= 0)
        return read;
    read = match(r, p + 8, end, " 000", FGW_E_STATUS);
    if (read <= 0)
        return read;
    if (p[9] < '1' || p[9] > '5')
        return broken(head, FGW_E_STATUS);
    head->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
    p += 12;
    if (p < end && *p == ' ') {
        const uint8_t *const reason = ++p;
        p = fgw_scan_value(p, end);
        head->reason = (struct fgw_span){(uint32_t)(reason - r->buf), (uint32_t)(p - reason)};
    }
    return line_end(r, p, end, FGW_E_STATUS);
}

/* Holds one of the fields up to FGW_H_EXPECT to its rule. `again`: it was there before. */
static uint16_t judge_value(struct reading *r, const struct fgw_header *header, int again)
{
    struct fgw_head *head = r->head;
    const uint8_t *value = r->buf + header->value_off;

    switch (header->id) {
    case FGW_H_HOST:
        if (!r->is_request)
            return FGW_E_NONE;
        return again ? FGW_E_HOST_REPEATED : fgw_rule_host(value, header->value_len);
    case FGW_H_CONTENT_LENGTH:
        if (again)
            return FGW_E_LENGTH_REPEATED;
        if (head->chunked)
            return FGW_E_CODING_AND_LENGTH;
        return fgw_rule_length(value, header->value_len, &head->content_length);
    case FGW_H_TRANSFER_ENCODING:
        if (again)
            return FGW_E_CODING_REPEATED;
        if (head->minor == 0)
            return FGW_E_CODING_IN_1_0;
        if (head->content_length >= 0)
            return FGW_E_CODING_AND_LENGTH;
        head->chunked = 1;
        return fgw_rule_coding(value, header->value_len);
    case FGW_H_CONNECTION:
        return fgw_rule_connection(head, r->buf, header->value_off, header->value_len);
    case FGW_H_EXPECT:
        if (!r->is_request || head->minor == 0)
            return FGW_E_NONE; /* RFC 9110 10.1.1: no meaning in 1.0 */
        head->expect_continue = 1;
        return fgw_ascii_same(value, header->value_len, "100-continue", 12) ? FGW_E_NONE
                                                                            : FGW_E_EXPECT;
    default:
        return FGW_E_NONE;
    }
}

/* A field that nobody here knows: is it one in disguise? */
static inline uint16_t judge_other(struct reading *r, struct fgw_header *header)
{
    const uint8_t *name = r->buf + header->name_off;
    if (r->odd && memchr(name, '_', header->name_len) && fgw_rule_alias(name, header->name_len)) {
        if (r->is_request)
            return FGW_E_FIELD_ALIAS;
        header->nominated = 1; /* a provider's oddity is no reason to fail: it is not passed on */
    }
    return FGW_E_NONE;
}

/* Notes a field, whose id is known by now, and judges it. */
static inline uint16_t judge_field(struct reading *r, struct fgw_header *header, uint32_t index)
{
    struct fgw_head *head = r->head;
    const uint64_t bit = FGW_H_BIT(header->id);
    const int again = (head->seen & bit) != 0;

    if (header->id == FGW_H_OTHER)
        return judge_other(r, header);
    if (again)
        head->repeated |= bit;
    else
        head->first[header->id] = (uint8_t)index;
    head->seen |= bit;
    return header->id > FGW_H_EXPECT ? FGW_E_NONE : judge_value(r, header, again);
}

static inline int is_blank(uint8_t byte) { return byte == ' ' || byte == '\t'; }

/* Cuts the line at `name`, whose name has name_len bytes and is followed by a colon, into *header,
 * id apart. Offset behind the line, MORE, or -1. */
static inline int32_t cut_value(struct reading *r, const uint8_t *const name, uint16_t name_len,
                                const uint8_t *end, struct fgw_header *header)
{
    const uint8_t *p = name + name_len + 1;
    while (p < end && is_blank(*p))
        p++;
    const uint8_t *const value = p;
    p = fgw_scan_value(p, end);
    const int32_t next = line_end(r, p, end, FGW_E_FIELD_VALUE);
    if (next <= 0)
        return next;
    while (p > value && is_blank(p[-1]))
        p--;
    *header = (struct fgw_header){
        .name_off = (uint32_t)(name - r->buf), .name_len = name_len,
        .value_off = (uint32_t)(value - r->buf), .value_len = (uint16_t)(p - value),
        .plain = value - name == name_len + 2 && value[-1] == ' ' && p + 2 == r->buf + next,
    };
    return next;
}

/* The same for a line of which nothing is known, and its id. */
static inline int32_t cut_line(struct reading *r, const uint8_t *const name, const uint8_t *end,
                               struct fgw_header *header)
{
    const uint8_t *p = fgw_scan_name(name, end, &r->odd);
    if (p == end)
        return MORE;
    if (*p != ':' || p == name)
        return broken(r->head, p == name && is_blank(*p) ? FGW_E_FIELD_FOLDED : FGW_E_FIELD_NAME);
    const int32_t next = cut_value(r, name, (uint16_t)(p - name), end, header);
    if (next > 0)
        header->id = fgw_http1_field_id(name, header->name_len);
    return next;
}

/* The fields before `index` that were read last are followed by none that may stand in a run with
 * them. */
static inline void end_run(struct reading *r, uint32_t index)
{
    if (r->n_known > 1)
        fgw_runs_keep(r->lines, r->head, r->buf, index - r->n_known, r->n_known);
    r->n_known = 0;
}

/* Reads the line by what is known of its name, else all of it, and keeps what may be kept. */
static inline int32_t read_line(struct reading *r, const uint8_t *line, const uint8_t *end,
                                struct fgw_header *header, const struct fgw_name *name)
{
    const uint32_t index = r->head->n_headers;
    int32_t next;
    if (name) {
        next = cut_value(r, line, (uint16_t)(name->len - 2), end, header);
        header->id = name->id;
        r->odd = 0;
    } else {
        next = cut_line(r, line, end, header);
        if (next > 0 && r->lines && end - line >= FGW_LINE_HASHED && !r->odd)
            fgw_names_keep(r->lines, index, line, header);
    }
    if (next > 0 && r->lines && end - line >= FGW_LINE_HASHED && (!name || name->kept))
        fgw_lines_keep(r->lines, fgw_lines_place(line), line, r->buf + next, header, r->buf);
    return next;
}

/* The line that begins at `line`, or the run of lines that is known. Offset behind, MORE or -1. */
static inline int32_t field_line(struct reading *r, const uint8_t *line, const uint8_t *end,
                                 uint32_t most)
{
    struct fgw_head *head = r->head;
    const uint32_t index = head->n_headers, off = (uint32_t)(line - r->buf);
    const uint32_t digits = fgw_rule_length_line(line, end);
    struct fgw_header spare, *header = index < most ? &head->headers[index] : &spare;
    const struct fgw_line *known = NULL;
    const struct fgw_name *name = NULL;
    int32_t next;

    if (!digits && r->lines && end - line >= FGW_LINE_HASHED) {
        name = fgw_names_find(r->lines, index, line, end);
        if (!name || name->kept) {
            const uint32_t place = fgw_lines_place(line), taken =
                fgw_runs_take(r->lines, place, head, r->buf, off, end, most - index);
            if (taken) {
                end_run(r, index);
                return (int32_t)(off + taken);
            }
            known = fgw_lines_find(r->lines, place, line, end);
        }
    }
    if (digits) {
        *header = (struct fgw_header){off, 14, FGW_H_CONTENT_LENGTH, 0, off + 16,
                                      (uint16_t)digits, 1, 0};
        next = (int32_t)(off + 16 + digits + 2);
    } else if (known) {
        *header = (struct fgw_header){off, known->name_len, known->id, 0, off + known->value_off,
                                      known->value_len, known->plain, 0};
        next = (int32_t)(off + known->len);
    } else {
        next = read_line(r, line, end, header, name);
        if (next <= 0)
            return next;
    }
    if (index >= most)
        return broken(head, FGW_E_TOO_MANY_FIELDS);
    const uint16_t error = judge_field(r, header, index);
    head->n_headers++;
    if (error)
        return broken(head, error);
    if (known && fgw_runs_fit(header, r->buf, r->is_request))
        r->n_known++;
    else
        end_run(r, index);
    return next;
}

/* The lines from line_off on, which follow the first, up to one that is not whole (MORE), is wrong
 * (-1), or is the empty line at the end (offset behind it). */
static int32_t field_lines(struct reading *r, const uint8_t *end)
{
    struct fgw_head *head = r->head;
    const uint32_t most = r->limits->headers_max < FGW_HEADERS_MAX ? r->limits->headers_max
                                                                   : FGW_HEADERS_MAX;
    const uint8_t *line = r->buf + head->line_off;
    while (line < end && *line != '\r') {
        const int32_t next = field_line(r, line, end, most);
        if (next <= 0)
            return next;
        head->line_off = (uint32_t)next;
        line = r->buf + next;
    }
    if (line == end)
        return MORE;
    end_run(r, head->n_headers);
    return line_end(r, line, end, FGW_E_LINE_END);
}

/* The line at line_off that is the first one, or an empty one before it. */
static int32_t start_line(struct reading *r, const uint8_t *end)
{
    struct fgw_head *head = r->head;
    const uint8_t *line = r->buf + head->line_off;
    int32_t next;

    if (line == end)
        return MORE;
    if (*line == '\r' && !head->blank_seen) {
        next = line_end(r, line, end, FGW_E_LINE_END);
        head->blank_seen = next > 0;
        return next;
    }
    next = r->is_request ? request_line(r, head->line_off, end)
                         : status_line(r, head->line_off, end);
    if (next > 0)
        head->stage = STAGE_FIELDS;
    return next;
}

/* Offset at which an unfinished line is too much, and which limit it is. */
static uint32_t limit_of_line(const struct reading *r, uint16_t *error)
{
    const uint32_t head_max = r->limits->head_max < FGW_HEAD_BYTES_MAX ? r->limits->head_max
                                                                       : FGW_HEAD_BYTES_MAX;
    const uint64_t line_max = (uint64_t)r->head->line_off + r->limits->target_max + LINE_REST;
    *error = FGW_E_HEAD_TOO_LARGE;
    if (r->head->stage == STAGE_FIELDS || !r->is_request || line_max >= head_max)
        return head_max;
    *error = FGW_E_TARGET_TOO_LONG;
    return (uint32_t)line_max;
}

/* The very first byte is wrong (TLS on a plain port, say): no end of line is worth waiting for. */
static int hopeless(const struct reading *r)
{
    const struct fgw_head *head = r->head;
    const uint8_t first = r->buf[head->line_off];
    if (head->stage != STAGE_START || (first == '\r' && !head->blank_seen))
        return 0;
    return r->is_request ? !fgw_ascii_is(first, FGW_ASCII_TOKEN) : first != 'H';
}

/* Reads lines until the head is complete. What is said of a line depends on the bytes up to its
 * end or to its limit, never on `len`: a fault in an unfinished line waits for the line to end. */
static int32_t read_lines(struct reading *r, uint32_t len)
{
    struct fgw_head *head = r->head;
    uint16_t too_much;
    uint32_t limit = limit_of_line(r, &too_much);
    uint32_t have = len < limit ? len : limit;
    uint32_t from = head->scanned > head->line_off ? head->scanned : head->line_off;

    if (from > head->line_off && len <= limit && !memchr(r->buf + from, '\n', have - from)) {
        head->scanned = have;
        return -2;
    }
    for (;;) {
        const int started = head->stage == STAGE_FIELDS;
        const uint8_t *end = r->buf + have;
        const int32_t next = started ? field_lines(r, end) : start_line(r, end);
        if (next > 0) {
            head->line_off = from = (uint32_t)next;
            if (started)
                return next;
            limit = limit_of_line(r, &too_much); /* the start line has a limit of its own */
            have = len < limit ? len : limit;
            continue;
        }
        if (from < head->line_off)
            from = head->line_off;
        if (next < 0 && (len > limit || hopeless(r) || memchr(r->buf + from, '\n', have - from)))
            return -1;
        if (len > limit)
            return broken(head, too_much);
        head->scanned = have;
        head->error = FGW_E_NONE;
        return -2;
    }
}

static uint16_t finish_request(struct reading *r)
{
    struct fgw_head *head = r->head;
    if ((head->seen >> FGW_H_HOST) & 1) {
        const struct fgw_header *host = &head->headers[head->first[FGW_H_HOST]];
        if (!head->absolute)
            head->authority = (struct fgw_span){host->value_off, host->value_len};
    } else if (head->minor == 1) {
        return FGW_E_HOST_MISSING;
    }
    head->framing = head->chunked ? FGW_FRAMING_CHUNKED
                    : head->content_length > 0 ? FGW_FRAMING_LENGTH
                                               : FGW_FRAMING_NONE;
    return FGW_E_NONE;
}

static void finish_response(struct reading *r, uint8_t method)
{
    struct fgw_head *head = r->head;
    const int never = head->status < 200 || head->status == 204;

    head->interim = head->status < 200 && head->status != 101;
    if (never || head->status == 304 || method == FGW_M_HEAD) {
        head->framing = FGW_FRAMING_NONE;
        /* A frame is announced where there can be none: who knows what follows. */
        if (never && (head->chunked || head->content_length > 0))
            head->keep_alive = 0;
    } else if (head->chunked) {
        head->framing = FGW_FRAMING_CHUNKED;
    } else if (head->content_length >= 0) {
        head->framing = head->content_length ? FGW_FRAMING_LENGTH : FGW_FRAMING_NONE;
    } else {
        head->framing = FGW_FRAMING_CLOSE;
        head->keep_alive = 0;
    }
}

static void finish_connection(struct reading *r)
{
    struct fgw_head *head = r->head;
    head->keep_alive = !head->close_seen && (head->minor == 1 || head->keep_alive_seen);
    head->upgrade = head->upgrade_seen && ((head->seen >> FGW_H_UPGRADE) & 1);
    if (head->n_nominated)
        fgw_rule_nominate(head, r->buf);
}

int32_t fgw_http1_request(struct fgw_head *head, const uint8_t *buf, uint32_t len,
                          const struct fgw_http1_limits *limits, struct fgw_lines *lines)
{
    struct reading r = {head, buf, limits, lines, 1, 0, 0};
    int32_t read = read_lines(&r, len);
    if (read > 0) {
        finish_connection(&r);
        const uint16_t error = finish_request(&r);
        if (error)
            read = broken(head, error);
    }
    if (read == -1)
        head->status = fgw_rule_status(head->error);
    return read;
}

int32_t fgw_http1_response(struct fgw_head *head, const uint8_t *buf, uint32_t len,
                           const struct fgw_http1_limits *limits, struct fgw_lines *lines,
                           uint8_t method)
{
    struct reading r = {head, buf, limits, lines, 0, 0, 0};
    const int32_t read = read_lines(&r, len);
    if (read > 0) {
        finish_connection(&r);
        finish_response(&r, method);
    }
    return read;
}
