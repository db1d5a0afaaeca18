/* fgw_regex.h - regular expressions of RE2's syntax, matched in time linear in the text.
 *
 * A pattern is compiled once into a program: bytes without pointers, which may be copied, stored
 * in a file and mapped elsewhere (8-aligned everywhere). Matching answers whether the pattern is
 * found anywhere in the text, and nothing else: no groups, no positions. So it needs no
 * priorities: the machine holds a set of instructions, never a thread, and each character of the
 * text costs at most one visit of each instruction.
 *
 *     pattern --parse--> tree --> alphabet: characters that no part of the pattern tells apart
 *                             --> code (a Thompson automaton) over that alphabet
 *                             --> table (the same as a deterministic one), if it is small
 *
 *     program:  | header | code | sets | alphabet: 128 bytes, ranges | literal | table |
 *
 * With a table one character costs one load, and no scratch is needed. Without, `fgw_regex_match`
 * walks the set; on long texts it builds the states of the table as it meets them, in the
 * caller's scratch, and starts it anew when that is full.
 *
 * Taken: all of RE2's syntax but \C, with these bounds: nesting 200, {n,m} up to 1,000 (nested
 * ones multiplied), scripts \p{Latin} Greek Cyrillic Armenian Hebrew Arabic Devanagari Thai
 * Hangul Hiragana Katakana Han; every general category. Folding of case is Unicode's simple one.
 * Lookaround and references back are errors, as in RE2: they cannot be matched in linear time.
 *
 * Text that is no UTF-8: a byte that does not belong to a whole, shortest, non-surrogate sequence
 * is matched by nothing (not by `.`, nor by [^a]); the search goes on behind it. \B, too, looks at
 * characters, where RE2's C++ also finds it between the bytes of one.
 */
#ifndef FGW_REGEX_H
#define FGW_REGEX_H

#include <stddef.h>
#include <stdint.h>

#define FGW_REGEX_PATTERN_MAX 16384 /* bytes of a pattern */
#define FGW_REGEX_DEPTH_MAX 200     /* groups in groups */
#define FGW_REGEX_REPEAT_MAX 1000   /* as RE2: a{1000}; (a{10}){100} */
#define FGW_REGEX_ROOM 65536        /* enough to compile all but freakish patterns */

enum fgw_regex_fault {
    FGW_REGEX_FINE,
    FGW_REGEX_LARGE,       /* the pattern, or what it compiles to, is too large for the room */
    FGW_REGEX_DEEP,        /* more than FGW_REGEX_DEPTH_MAX groups in groups */
    FGW_REGEX_UTF8,        /* the pattern is no UTF-8 */
    FGW_REGEX_GROUP_OPEN,  /* ( without ) */
    FGW_REGEX_GROUP_CLOSE, /* ) without ( */
    FGW_REGEX_GROUP_KIND,  /* (?… that is no flag, name or plain group */
    FGW_REGEX_LOOKAROUND,  /* (?= (?! (?<= (?<! */
    FGW_REGEX_NAME,        /* of a group: empty, or not of word characters */
    FGW_REGEX_CLASS_OPEN,  /* [ without ] */
    FGW_REGEX_RANGE,       /* [z-a], [a-\d], [[:nosuch:]] */
    FGW_REGEX_ESCAPE,      /* a \ with nothing, or with what means nothing */
    FGW_REGEX_REFERENCE,   /* \1 */
    FGW_REGEX_UNICODE,     /* \p of an unknown category or script */
    FGW_REGEX_REPEAT_NONE, /* * + ? {n} with nothing before */
    FGW_REGEX_REPEAT_TWICE,/* a** */
    FGW_REGEX_REPEAT_SIZE, /* {1001}, {2,1}, (a{100}){100} */
    FGW_REGEX_FAULTS,
};

struct fgw_regex_error {
    uint32_t offset; /* into the pattern, of the offending part */
    uint32_t length; /* of it, in bytes; 0: the pattern ends too early */
    uint32_t fault;  /* enum fgw_regex_fault */
};

/* What a fault means, as the middle of a sentence, e.g. "a repetition with nothing before it". */
const char *fgw_regex_fault_text(uint32_t fault);

/* Compiles into out[0 .. room), 8-aligned; all of it is used meanwhile. Returns the program's size
 * in bytes, a multiple of 8, or -1 with *error. Costs at most about 1 ms for each KiB of room:
 * whoever compiles the pattern of a request gives little room (8 KiB does for ordinary ones). */
int64_t fgw_regex_compile(const uint8_t *pattern, size_t length, uint8_t *out, size_t room,
                          struct fgw_regex_error *error);

/* 0 if bytes[0 .. size) are a program that can be run without reading outside it, else -1. Only
 * for programs from elsewhere; what fgw_regex_compile wrote is one. */
int fgw_regex_verify(const uint8_t *program, size_t size);

/* Bytes that the program has, as its header says; 0 if it is none. */
size_t fgw_regex_size(const uint8_t *program);

/* Bytes of scratch without which the program cannot be run: 0 with a table. */
size_t fgw_regex_scratch_min(const uint8_t *program);

struct fgw_regex_scratch {
    uint8_t *memory; /* 8-aligned; what is in it does not matter; may be NULL if room is 0 */
    size_t room;     /* more than the minimum lets states be kept: 16 KiB more is plenty */
    uint64_t steps;  /* rises by the work done: characters read + instructions visited */
    uint64_t steps_max; /* beyond it the match is given up; 0: never */
};

/* 1 if the pattern is found in the text, 0 if not; -1 if the scratch is too small, -2 if more than
 * steps_max would be needed. */
int fgw_regex_match(const uint8_t *program, const uint8_t *text, size_t length,
                    struct fgw_regex_scratch *scratch);

#endif
