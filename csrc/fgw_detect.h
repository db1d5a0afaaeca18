/* fgw_detect.h - what must not leave: secrets and personal numbers, found in text as it comes.
 *
 * The text is scanned in a window that slides over it:
 *
 *     |-- context --|------ undecided ------|
 *     0            from                     length      (more may come unless `final`)
 *                   ^ FGW_DETECT_CONTEXT    ^ at most FGW_DETECT_HOLD behind `from` when nothing
 *                     bytes are enough        is found: the longest start of a find
 *
 * A scan answers with the leftmost find, or with how far the text is decided: what comes later
 * changes nothing before that place. So it finds the same in any cut of the text. Finds that can
 * be longer than the hold (PEM, tokens without end) are reported when they are certain, and their
 * rest is then *swallowed* by fgw_detect_swallow.
 *
 * Prose costs some bytes a cycle: a block of 16 bytes without a digit, an @, a run of dashes or a
 * long word is passed by SIMD; only what is left is looked at by the rules of its kind.
 */
#ifndef FGW_DETECT_H
#define FGW_DETECT_H

#include <stddef.h>
#include <stdint.h>

enum fgw_detect_kind {
    FGW_DETECT_API_KEY = 0,
    FGW_DETECT_PRIVATE_KEY,
    FGW_DETECT_PAYMENT_CARD,
    FGW_DETECT_US_SSN,
    FGW_DETECT_EMAIL,
    FGW_DETECT_PHONE,
    FGW_DETECT_IBAN,
    FGW_DETECT_JWT,
    FGW_DETECT_KINDS, /* behind them: the operator's own patterns */
};
#define FGW_DETECT_PATTERNS_MAX 16
#define FGW_DETECT_ALL_MAX 24 /* kinds and patterns */
#define FGW_DETECT_HOLD 320   /* bytes: the longest find whose end must be seen */
#define FGW_DETECT_CONTEXT 64 /* bytes before a number that say what it is */

enum fgw_detect_swallow {
    FGW_SWALLOW_NONE = 0,
    FGW_SWALLOW_TOKEN, /* up to the first byte that no token has */
    FGW_SWALLOW_PEM,   /* up to the end line, or what cannot stand before it */
};
#define FGW_SWALLOW_MAX 65536 /* bytes of one find; a longer one is let go */

enum fgw_pattern_flag {
    FGW_PATTERN_WORD_BEGINS = 1, /* no letter, digit or _ may stand before a match, */
    FGW_PATTERN_WORD_ENDS = 2,   /* or behind it */
};

/* An operator's own pattern, of kind FGW_DETECT_KINDS + its place in the row. */
struct fgw_detect_pattern {
    const uint8_t *program; /* of fgw_regex.h: \A(?:...)\z, for which pattern_fits holds */
    const char *name;       /* for labels and messages */
    uint32_t name_length;
    uint32_t flags;         /* enum fgw_pattern_flag */
    uint8_t first[32];      /* bit per byte that a match may begin with: by pattern_first */
};

/* Whether the program can be run byte by byte: it has a table, or is a literal. */
int fgw_detect_pattern_fits(const uint8_t *program);
/* Fills pattern->first. */
void fgw_detect_pattern_first(struct fgw_detect_pattern *pattern);

struct fgw_detect_rules {
    uint32_t kinds; /* bit per kind; patterns have the bits behind FGW_DETECT_KINDS */
    uint32_t n_patterns;
    const struct fgw_detect_pattern *patterns;
};

struct fgw_detect_find {
    uint32_t start;
    uint32_t end;
    uint8_t kind;
    uint8_t swallow; /* enum fgw_detect_swallow: what follows belongs to it */
};

/* Looks for the leftmost find in text[from .. length). 1: *find is it (go on at its end). 0: there
 * is none; find->start is how far the text is decided, `length` where it is `final`. */
int fgw_detect_next(const struct fgw_detect_rules *rules, const uint8_t *text, uint32_t length,
                    uint32_t from, int final, struct fgw_detect_find *find);

/* A find whose rest is being swallowed. */
struct fgw_detect_rest {
    uint8_t swallow; /* enum fgw_detect_swallow; NONE: nothing to do */
    uint8_t dashes;  /* in a row, just before */
    uint8_t lines;   /* runs of five dashes seen */
    uint8_t reserved;
    uint32_t bytes;
};

/* How many of the bytes belong to the find before. Fewer than `length`: it has ended (then
 * rest->swallow is NONE). */
uint32_t fgw_detect_swallow(struct fgw_detect_rest *rest, const uint8_t *text, uint32_t length);

#endif
