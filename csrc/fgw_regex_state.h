/* fgw_regex_state.h - what the parts of the regex kernel share: the program's layout, the tree
 * that the parser leaves, and the memory in which one compile works.
 *
 * While compiling, `out` is used from both ends, and the program is moved to its front at last:
 *
 *     | ranges of classes -> |   program, alphabet: work   | <- nodes of the tree |
 */
#ifndef FGW_REGEX_STATE_H
#define FGW_REGEX_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_regex.h"

#define FGW_REGEX_MAGIC 0x78655266u /* "fRex" */
#define FGW_REGEX_CODE_MAX 32768
#define FGW_REGEX_CLASSES_MAX 8192
#define FGW_REGEX_CODE_END 0x110000u /* one beyond the last code point */
#define FGW_REGEX_CELLS_MAX 4096     /* of a table, two bytes each */

enum fgw_regex_op {
    FGW_REGEX_CHAR,   /* a character of class `arg`, then x */
    FGW_REGEX_SET,    /* a character of one of the classes in set `arg`, then x */
    FGW_REGEX_SPLIT,  /* x, and y too */
    FGW_REGEX_ASSERT, /* x, where `arg` (one enum fgw_regex_place) holds */
    FGW_REGEX_MATCH,
    FGW_REGEX_FAIL,
};

/* Places between two characters; an ASSERT asks for one. */
enum fgw_regex_place {
    FGW_REGEX_TEXT_BEGIN = 1,
    FGW_REGEX_TEXT_END = 2,
    FGW_REGEX_LINE_BEGIN = 4,
    FGW_REGEX_LINE_END = 8,
    FGW_REGEX_WORD_EDGE = 16,
    FGW_REGEX_NO_WORD_EDGE = 32,
};

/* What a class is, and what stood before a place. */
enum fgw_regex_trait {
    FGW_REGEX_IS_WORD = 1,
    FGW_REGEX_IS_NEWLINE = 2,
    FGW_REGEX_IS_BEGIN = 4, /* nothing stood before */
};

struct fgw_regex_inst {
    uint16_t op;
    uint16_t arg;
    uint16_t x;
    uint16_t y;
};

enum fgw_regex_flag {
    FGW_REGEX_ASSERTS = 1,    /* has ASSERTs */
    FGW_REGEX_LEADS = 2,      /* no ASSERTs, and every match begins with the literal */
    FGW_REGEX_IS_LITERAL = 4, /* the literal is all of it, but for: */
    FGW_REGEX_AT_BEGIN = 8,   /* IS_LITERAL, at the text's begin */
    FGW_REGEX_AT_END = 16,    /* IS_LITERAL, at the text's end */
};

/* Offsets count bytes from the header's begin. Class 0 is a byte that belongs to no character;
 * `classes` includes it. A column beyond them stands for the text's end. */
struct fgw_regex_program {
    uint32_t magic;
    uint32_t size;
    uint16_t flags;
    uint16_t n_code;
    uint16_t start;     /* instruction */
    uint16_t classes;
    uint16_t set_words; /* 32-bit words of one set */
    uint16_t sets;
    uint16_t wide;      /* ranges beyond ASCII */
    uint16_t literal_length;
    uint32_t code_at;   /* struct fgw_regex_inst[n_code] */
    uint32_t sets_at;   /* uint32_t[sets][set_words] */
    uint32_t wide_at;   /* uint32_t[wide]: where each range begins, the first at 0x80 */
    uint32_t class_at;  /* uint16_t[wide]: its class */
    uint32_t trait_at;  /* uint8_t[classes]: enum fgw_regex_trait */
    uint32_t literal_at;
    uint32_t table_at;  /* uint16_t[cells]: where the next row begins; 0: dead, 1: found */
    uint32_t cells;     /* 0: no table */
    uint32_t table_start;
    uint32_t reserved;
    uint8_t ascii[128]; /* classes */
};
_Static_assert(sizeof(struct fgw_regex_program) == 192, "a whole number of 8-byte words");

enum fgw_regex_kind {
    FGW_REGEX_EMPTY,
    FGW_REGEX_LITERAL,   /* a: code point; later min, max: as RANGES */
    FGW_REGEX_RANGES,    /* a: first range; b: how many; later min: enum fgw_regex_op, max: arg */
    FGW_REGEX_PLACE,     /* a: enum fgw_regex_place */
    FGW_REGEX_CONCAT,    /* a: the LAST part, whose `next` is the one before it */
    FGW_REGEX_ALTERNATE, /* a: the last branch */
    FGW_REGEX_REPEAT,    /* a: what; min, max; b: offset in the pattern */
};

#define FGW_REGEX_ENDLESS 0xFFFFu
#define FGW_REGEX_NO_NODE 0xFFFFFFFFu

struct fgw_regex_node {
    uint16_t kind;
    uint16_t min;
    uint16_t max;
    uint16_t depth;
    uint32_t a;
    uint32_t b;
    uint32_t next;
};

struct fgw_regex_build {
    const uint8_t *pattern;
    uint32_t length;
    uint32_t at;       /* the next byte of the pattern */
    uint32_t flags;    /* (?ims) in force: enum fgw_regex_mode */
    uint32_t depth;
    uint8_t *out;
    size_t room;
    uint32_t (*ranges)[2]; /* first and last code point */
    uint32_t n_ranges;
    struct fgw_regex_node *nodes; /* the end of `out`: node i is nodes[-1 - i] */
    uint32_t n_nodes;
    struct fgw_regex_error *error;
};

enum fgw_regex_mode {
    FGW_REGEX_FOLD = 1, /* i */
    FGW_REGEX_MULTI = 2, /* m */
    FGW_REGEX_DOT_ALL = 4, /* s */
};

static inline struct fgw_regex_node *fgw_regex_node(const struct fgw_regex_build *build,
                                                    uint32_t i)
{
    return build->nodes - 1 - i;
}

/* Notes the fault and returns -1. `from` is where the offending part begins. */
int fgw_regex_fail(struct fgw_regex_build *build, uint32_t fault, uint32_t from, uint32_t to);

/* A new node, or FGW_REGEX_NO_NODE with the fault noted. */
uint32_t fgw_regex_new(struct fgw_regex_build *build, uint16_t kind, uint32_t a, uint32_t b);

/* The character at text[*at], which moves behind it; an invalid one is FGW_REGEX_CODE_END and
 * takes one byte. Shortest forms only, no surrogates. *at < length. */
uint32_t fgw_regex_decode(const uint8_t *text, size_t length, size_t *at);

/* fgw_regex_parse.c: the whole pattern; the root, or FGW_REGEX_NO_NODE. */
uint32_t fgw_regex_parse(struct fgw_regex_build *build);

/* fgw_regex_class.c. All return 0, or -1 with the fault noted. `build->at` stands behind what
 * they begin with: `[`; the letter of \d; the p of \p. Ranges are left sorted and disjoint, from
 * `from` on. */
int fgw_regex_class_brackets(struct fgw_regex_build *build);
int fgw_regex_class_perl(struct fgw_regex_build *build, uint8_t letter);
int fgw_regex_class_unicode(struct fgw_regex_build *build, int negated);
int fgw_regex_class_add(struct fgw_regex_build *build, uint32_t first, uint32_t last);
int fgw_regex_class_settle(struct fgw_regex_build *build, uint32_t from, int negated);

/* The code point of an escape, `build->at` behind its backslash; -1 with the fault noted. */
int64_t fgw_regex_escape(struct fgw_regex_build *build);

/* The next letter of the orbit of `code` (K, k, the Kelvin sign, K); itself if it has none. */
uint32_t fgw_regex_fold_next(uint32_t code);

/* fgw_regex_machine.c: writes the program's table behind its end where it fits into `room` bytes,
 * which begin at the program's header; returns the program's size with it. */
size_t fgw_regex_make_table(uint8_t *program, size_t room);

#endif
