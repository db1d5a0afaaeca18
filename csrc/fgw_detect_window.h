/* fgw_detect_window.h - the text that a scan looks at, made from JSON strings, and the way back.
 *
 * Strings are fed as they stand in the document, between their quotes; what is found in the
 * decoded text is told as *cuts* of the document's bytes. A find that lies in several strings
 * (parts of a message, events of a stream) has a cut in each; the first of them bears the label.
 *
 *     document   "mail jo\u0068n@" ... "x.com"          raw offsets
 *     window      mail john@x.com                        runs say where each byte comes from
 *     cuts             [jo\u0068n@]     [x.com]          FIRST, then its rest
 *
 * Offsets in the document count modulo 2^32: a stream has no end, but what is held back of it has.
 */
#ifndef FGW_DETECT_WINDOW_H
#define FGW_DETECT_WINDOW_H

#include "fgw_detect.h"

#define FGW_WINDOW_TEXT 4096
#define FGW_WINDOW_RUNS 1024
/* What stays between two pieces: context, what is undecided, the word at the end. */
#define FGW_WINDOW_KEPT (FGW_DETECT_CONTEXT + FGW_DETECT_HOLD + 64)

enum fgw_cut_flag {
    FGW_CUT_FIRST = 1, /* a find begins: here stands its label */
    FGW_CUT_BARE = 2,  /* of JSON inside a string, and not in a string there: needs quotes */
    FGW_CUT_NUMBER = 4, /* of the document itself, no string: needs quotes */
};

struct fgw_detect_cut {
    uint32_t raw;
    uint32_t length;
    uint8_t kind; /* enum fgw_detect_kind */
    uint8_t flags;
    uint16_t reserved;
};

typedef void fgw_detect_sink(void *listener, const struct fgw_detect_cut *cut);

/* Text from text[at] on, up to the next run, comes from `raw` on: byte by byte where span is 0,
 * else all of it from the `span` bytes of an escape. */
struct fgw_detect_run {
    uint32_t raw;
    uint16_t at;
    uint8_t span;
    uint8_t flags; /* enum fgw_cut_flag that a find here has */
};

enum fgw_window_flag {
    FGW_WINDOW_NESTED = 1, /* the text is JSON itself: its strings are decoded too */
    FGW_WINDOW_NUMBER = 2, /* what is fed is no string */
    FGW_WINDOW_PLAIN = 4,  /* nor JSON: a backslash is a backslash */
};

struct fgw_detect_window {
    struct fgw_detect_rules rules;
    fgw_detect_sink *sink;
    void *listener;
    struct fgw_detect_rest rest; /* of a find that goes on */
    uint8_t rest_kind;
    uint8_t flags;     /* enum fgw_window_flag */
    uint8_t in_string; /* NESTED: of the inner JSON */
    uint8_t escape;    /* NESTED: 0 none, 1 behind a backslash, 2.. hex digits read + 2 */
    uint16_t unit;     /* NESTED: of \u */
    uint32_t escape_raw;
    uint8_t escape_split; /* it began in an earlier piece */
    uint16_t length;
    uint16_t from;     /* decided up to here */
    uint16_t out;      /* sent up to here, whatever it was */
    uint16_t n_runs;
    uint8_t text[FGW_WINDOW_TEXT];
    struct fgw_detect_run runs[FGW_WINDOW_RUNS];
};

/* The window's state between two pieces of one text. */
struct fgw_detect_kept {
    struct fgw_detect_rest rest;
    uint8_t rest_kind;
    uint8_t flags;
    uint8_t in_string;
    uint8_t escape;
    uint16_t unit;
    uint16_t length;
    uint16_t from;
    uint16_t out;
    uint16_t n_runs;
    uint8_t text[FGW_WINDOW_KEPT];
    struct fgw_detect_run runs[FGW_WINDOW_KEPT];
};

/* Begins a text. `rules`, `sink` and `listener` are set by the caller, once. */
void fgw_detect_window_begin(struct fgw_detect_window *window, unsigned flags);

/* Words that stand before the text but are not of it (the member's name): context only. */
void fgw_detect_window_before(struct fgw_detect_window *window, const uint8_t *bytes,
                              size_t length);

/* The next piece: the inside of a JSON string (or a number), at `raw` in the document. */
void fgw_detect_window_feed(struct fgw_detect_window *window, const uint8_t *bytes, size_t length,
                     uint32_t raw);

/* Scans what has been fed; `final`: nothing follows. */
void fgw_detect_window_scan(struct fgw_detect_window *window, int final);

/* What is undecided must leave now: what is a find if nothing follows is one, and what goes on
 * where it ends belongs to it. What is none leaves; of a find that it turns out to begin, only the
 * rest can still be cut. */
void fgw_detect_window_let_out(struct fgw_detect_window *window);

/* 1 if some of the text is undecided and not sent; *raw is where it begins. */
int fgw_kept_undecided(const struct fgw_detect_kept *kept, uint32_t *raw);

void fgw_detect_window_keep(struct fgw_detect_window *window, struct fgw_detect_kept *kept);
void fgw_detect_window_restore(struct fgw_detect_window *window,
                               const struct fgw_detect_kept *kept);

#endif
