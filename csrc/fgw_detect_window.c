#include "fgw_detect_window.h"

#include <string.h>

void fgw_detect_window_begin(struct fgw_detect_window *window, unsigned flags)
{
    memset(&window->rest, 0, offsetof(struct fgw_detect_window, text) -
                                 offsetof(struct fgw_detect_window, rest));
    window->flags = (uint8_t)flags;
}

/* ------------------------------------------------------------------ finds to cuts */

/* The run that text[at] belongs to. */
static uint32_t find_run(const struct fgw_detect_run *runs, uint32_t count, uint32_t at)
{
    uint32_t low = 0, high = count;

    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (runs[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint32_t run_of(const struct fgw_detect_window *window, uint32_t at)
{
    return find_run(window->runs, window->n_runs, at);
}

static uint32_t run_end(const struct fgw_detect_window *window, uint32_t run)
{
    return run + 1 < window->n_runs ? window->runs[run + 1].at : window->length;
}

static void add_piece(struct fgw_detect_window *window, struct fgw_detect_cut *cut, uint32_t raw,
                      uint32_t length, unsigned flags)
{
    if (cut->length && cut->raw + cut->length == raw) {
        cut->length += length;
        return;
    }
    if (cut->length) {
        window->sink(window->listener, cut);
        cut->flags &= (uint8_t)~FGW_CUT_FIRST;
    }
    cut->raw = raw;
    cut->length = length;
    cut->flags = (uint8_t)((cut->flags & FGW_CUT_FIRST) | flags);
}

/* Tells of text[start .. end), the beginning of a find or its rest. */
static void cut_out(struct fgw_detect_window *window, uint32_t start, uint32_t end, unsigned kind,
                    int first)
{
    struct fgw_detect_cut cut = {0, 0, (uint8_t)kind, first ? FGW_CUT_FIRST : 0, 0};

    if (start < window->out)
        start = window->out;
    if (start >= end || !window->n_runs)
        return;
    for (uint32_t i = run_of(window, start); i < window->n_runs && window->runs[i].at < end; i++) {
        const struct fgw_detect_run *run = &window->runs[i];
        uint32_t begin = run->at > start ? run->at : start, stop = run_end(window, i);
        if (stop > end)
            stop = end;
        if (run->span)
            add_piece(window, &cut, run->raw, run->span, run->flags);
        else if (stop > begin)
            add_piece(window, &cut, run->raw + (begin - run->at), stop - begin, run->flags);
    }
    if (cut.length)
        window->sink(window->listener, &cut);
}

static void swallow(struct fgw_detect_window *window)
{
    uint32_t at = window->from;
    uint32_t taken = fgw_detect_swallow(&window->rest, window->text + at, window->length - at);

    cut_out(window, at, at + taken, window->rest_kind, 0);
    window->from = (uint16_t)(at + taken);
}

void fgw_detect_window_scan(struct fgw_detect_window *window, int final)
{
    struct fgw_detect_find find;

    for (;;) {
        if (window->rest.swallow)
            swallow(window);
        if (window->rest.swallow ||
            !fgw_detect_next(&window->rules, window->text, window->length, window->from, final,
                             &find))
            break;
        cut_out(window, find.start, find.end, find.kind, 1);
        window->from = (uint16_t)find.end;
        window->rest = (struct fgw_detect_rest){find.swallow, 0, 0, 0, 0};
        window->rest_kind = find.kind;
    }
    if (!window->rest.swallow)
        window->from = (uint16_t)find.start;
}

void fgw_detect_window_let_out(struct fgw_detect_window *window)
{
    struct fgw_detect_find find;

    while (!window->rest.swallow &&
           fgw_detect_next(&window->rules, window->text, window->length, window->from, 1, &find)) {
        cut_out(window, find.start, find.end, find.kind, 1);
        window->from = (uint16_t)find.end;
        window->rest.swallow = find.swallow || find.end < window->length ? find.swallow
                                                                         : FGW_SWALLOW_TOKEN;
        window->rest_kind = find.kind;
        swallow(window);
    }
    fgw_detect_window_scan(window, 0);
    window->out = window->length;
}

/* ------------------------------------------------------------------ the slide */

/* Forgets text before the context; runs move along. */
static void slide(struct fgw_detect_window *window)
{
    uint32_t drop = window->from > FGW_DETECT_CONTEXT ? window->from - FGW_DETECT_CONTEXT : 0;
    uint32_t first, kept = 0;

    if (window->length - drop > FGW_WINDOW_KEPT)
        drop = window->length - FGW_WINDOW_KEPT; /* (never, by the bounds of the scan) */
    if (!drop || !window->n_runs)
        return;
    first = run_of(window, drop);
    for (uint32_t i = first; i < window->n_runs; i++, kept++) {
        struct fgw_detect_run run = window->runs[i];
        if (run.at < drop) {
            run.raw += run.span ? 0 : drop - run.at;
            run.at = (uint16_t)drop;
        }
        run.at = (uint16_t)(run.at - drop);
        window->runs[kept] = run;
    }
    window->n_runs = (uint16_t)kept;
    memmove(window->text, window->text + drop, window->length - drop);
    window->length = (uint16_t)(window->length - drop);
    window->from = (uint16_t)(window->from > drop ? window->from - drop : 0);
    window->out = (uint16_t)(window->out > drop ? window->out - drop : 0);
}

static void make_room(struct fgw_detect_window *window)
{
    fgw_detect_window_scan(window, 0);
    slide(window);
}

/* ------------------------------------------------------------------ strings to text */

static void note_run(struct fgw_detect_window *window, uint32_t raw, uint32_t span, unsigned flags)
{
    struct fgw_detect_run *last = window->runs + window->n_runs;

    if (window->n_runs && !span && !last[-1].span && last[-1].flags == flags &&
        last[-1].raw + (window->length - last[-1].at) == raw)
        return;
    last->raw = raw;
    last->at = window->length;
    last->span = (uint8_t)(span > 255 ? 255 : span);
    last->flags = (uint8_t)flags;
    window->n_runs++;
}

static inline int is_full(const struct fgw_detect_window *window, uint32_t bytes)
{
    return window->length + bytes > FGW_WINDOW_TEXT || window->n_runs + 2 > FGW_WINDOW_RUNS;
}

static unsigned flags_now(const struct fgw_detect_window *window)
{
    if (window->flags & FGW_WINDOW_NUMBER)
        return FGW_CUT_NUMBER;
    return window->flags & FGW_WINDOW_NESTED && !window->in_string ? FGW_CUT_BARE : 0;
}

/* `span` bytes of the document that stand for one character. */
static void put_character(struct fgw_detect_window *window, uint32_t character, uint32_t raw,
                          uint32_t span)
{
    uint8_t bytes[4], *end = bytes;

    if (is_full(window, 4))
        make_room(window);
    if (character < 0x80) {
        *end++ = (uint8_t)character;
    } else if (character < 0x800) {
        *end++ = (uint8_t)(0xc0 | character >> 6);
        *end++ = (uint8_t)(0x80 | (character & 0x3f));
    } else {
        if (character < 0x10000) {
            *end++ = (uint8_t)(0xe0 | character >> 12);
        } else {
            *end++ = (uint8_t)(0xf0 | character >> 18);
            *end++ = (uint8_t)(0x80 | (character >> 12 & 0x3f));
        }
        *end++ = (uint8_t)(0x80 | (character >> 6 & 0x3f));
        *end++ = (uint8_t)(0x80 | (character & 0x3f));
    }
    note_run(window, raw, span == 1 ? 0 : span, flags_now(window));
    memcpy(window->text + window->length, bytes, (size_t)(end - bytes));
    window->length = (uint16_t)(window->length + (end - bytes));
}

static void put_plain(struct fgw_detect_window *window, const uint8_t *bytes, size_t length,
                      uint32_t raw)
{
    while (length) {
        if (is_full(window, 64))
            make_room(window);
        size_t part = (size_t)(FGW_WINDOW_TEXT - window->length);
        if (part > length)
            part = length;
        note_run(window, raw, 0, flags_now(window));
        memcpy(window->text + window->length, bytes, part);
        window->length = (uint16_t)(window->length + part);
        bytes += part;
        raw += (uint32_t)part;
        length -= part;
    }
}

static int hex_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static uint32_t simple_escape(uint8_t letter)
{
    switch (letter) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    default:
        return letter;
    }
}

static uint32_t unit_at(const uint8_t *digits)
{
    uint32_t unit = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_of(digits[i]);
        if (digit < 0)
            return 0xfffd;
        unit = unit << 4 | (uint32_t)digit;
    }
    return unit;
}

/* The escape at bytes[0], a backslash: its character, and its bytes in *span. */
static uint32_t escape_at(const uint8_t *bytes, size_t length, uint32_t *span)
{
    if (length < 2) {
        *span = 1;
        return '\\';
    }
    if (bytes[1] != 'u' || length < 6) {
        *span = 2;
        return simple_escape(bytes[1]);
    }
    uint32_t unit = unit_at(bytes + 2);
    *span = 6;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    if (unit < 0xdc00 && length >= 12 && bytes[6] == '\\' && bytes[7] == 'u') {
        uint32_t low = unit_at(bytes + 8);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *span = 12;
            return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return 0xfffd;
}

/* A character of JSON that is itself the text of a string: its own escapes are decoded, too. */
static void put_nested(struct fgw_detect_window *window, uint32_t character, uint32_t raw,
                       uint32_t span)
{
    uint32_t whole = window->escape_split ? 0 : raw + span - window->escape_raw;

    if (window->escape == 1 && character != 'u') {
        window->escape = 0;
        /* What began in another string cannot be cut out as one: nobody's letter. */
        put_character(window, whole ? simple_escape((uint8_t)character) : 0xfffd,
                      whole ? window->escape_raw : raw, whole ? whole : span);
    } else if (window->escape) {
        int digit = window->escape > 1 && character < 0x80 ? hex_of((uint8_t)character) : 0;
        window->unit = (uint16_t)(window->escape > 1 ? window->unit << 4 | (digit & 15) : 0);
        if (++window->escape < 6)
            return;
        window->escape = 0;
        if (window->unit >= 0xd800 && window->unit <= 0xdfff)
            window->unit = 0xfffd; /* (halves of a pair are nobody's letters either) */
        put_character(window, whole ? window->unit : 0xfffd, whole ? window->escape_raw : raw,
                      whole ? whole : span);
    } else if (character == '\\' && window->in_string) {
        window->escape = 1;
        window->escape_raw = raw;
        window->escape_split = 0;
    } else {
        put_character(window, character, raw, span);
        window->in_string ^= character == '"';
    }
}

static void feed_nested(struct fgw_detect_window *window, const uint8_t *bytes, size_t length,
                        uint32_t raw)
{
    window->escape_split = window->escape != 0;
    for (size_t at = 0; at < length;) {
        uint32_t span = 1;
        uint32_t character = bytes[at] == '\\' ? escape_at(bytes + at, length - at, &span)
                                               : bytes[at];
        if (character >= 0x80 && span == 1 && !window->escape)
            put_plain(window, bytes + at, 1, raw + (uint32_t)at);
        else
            put_nested(window, character, raw + (uint32_t)at, span);
        at += span;
    }
}

void fgw_detect_window_feed(struct fgw_detect_window *window, const uint8_t *bytes, size_t length,
                     uint32_t raw)
{
    if (window->flags & FGW_WINDOW_NESTED) {
        feed_nested(window, bytes, length, raw);
        return;
    }
    while (length) {
        const uint8_t *escape =
            window->flags & FGW_WINDOW_PLAIN ? NULL : memchr(bytes, '\\', length);
        size_t plain = escape ? (size_t)(escape - bytes) : length;
        uint32_t span = 0;
        put_plain(window, bytes, plain, raw);
        if (escape) {
            uint32_t character = escape_at(escape, length - plain, &span);
            put_character(window, character, raw + (uint32_t)plain, span);
        }
        bytes += plain + span;
        raw += (uint32_t)plain + span;
        length -= plain + span;
    }
}

void fgw_detect_window_before(struct fgw_detect_window *window, const uint8_t *bytes,
                              size_t length)
{
    if (length > FGW_DETECT_CONTEXT - 2) {
        bytes += length - (FGW_DETECT_CONTEXT - 2);
        length = FGW_DETECT_CONTEXT - 2;
    }
    memcpy(window->text, bytes, length);
    memcpy(window->text + length, ": ", 2);
    window->length = (uint16_t)(length + 2);
    window->from = window->length;
    window->runs[0] = (struct fgw_detect_run){0, 0, 0, 0};
    window->n_runs = 1;
}

/* ------------------------------------------------------------------ between two pieces */

void fgw_detect_window_keep(struct fgw_detect_window *window, struct fgw_detect_kept *kept)
{
    slide(window);
    kept->rest = window->rest;
    kept->rest_kind = window->rest_kind;
    kept->flags = window->flags;
    kept->in_string = window->in_string;
    kept->escape = window->escape;
    kept->unit = window->unit;
    kept->length = window->length;
    kept->from = window->from;
    kept->out = window->out;
    kept->n_runs = window->n_runs;
    memcpy(kept->text, window->text, window->length);
    memcpy(kept->runs, window->runs, window->n_runs * sizeof *kept->runs);
}

void fgw_detect_window_restore(struct fgw_detect_window *window,
                               const struct fgw_detect_kept *kept)
{
    window->rest = kept->rest;
    window->rest_kind = kept->rest_kind;
    window->flags = kept->flags;
    window->in_string = kept->in_string;
    window->escape = kept->escape;
    window->unit = kept->unit;
    window->length = kept->length;
    window->from = kept->from;
    window->out = kept->out;
    window->n_runs = kept->n_runs;
    memcpy(window->text, kept->text, kept->length);
    memcpy(window->runs, kept->runs, kept->n_runs * sizeof *kept->runs);
}

int fgw_kept_undecided(const struct fgw_detect_kept *kept, uint32_t *raw)
{
    uint32_t at = kept->from > kept->out ? kept->from : kept->out;

    if (at >= kept->length || !kept->n_runs)
        return 0;
    const struct fgw_detect_run *run = &kept->runs[find_run(kept->runs, kept->n_runs, at)];
    *raw = run->span ? run->raw : run->raw + (at - run->at);
    return 1;
}
