/* fgw_bpe_scan.h - where a tokenizer cuts text into pieces; not for callers.
 *
 * The regular expressions of both encodings, written as a scanner over UTF-8. What they say, with
 * L letters, U upper or caseless letters and marks, l lower or caseless letters and marks, N
 * numbers, P what is no letter, number, or white space, B one character but L, N, CR, LF:
 *
 *     cl100k_base                          o200k_base
 *     's 'd 'm 't 'll 've 're
 *     B? L+                                B? (U* l+ | U+) and then one of 's 't 're 've 'm 'll 'd
 *     N N? N?                              N N? N?
 *     SP? P+ (CR | LF)*                    SP? P+ (CR | LF | /)*
 *     white space to the end of the text
 *     white space up to its last CR or LF  the same
 *     white space but its last character   the same
 *     white space                          the same
 *
 * the first that matches, from left to right. Three things need a look ahead: the contractions (2
 * characters), runs of white space (to their end), and in o200k_base runs of U, since a lower
 * letter behind such a run claims all of it, while anything else leaves it only up to its last
 * caseless letter or mark ("split" below):
 *
 *     U U c U U l l   one piece            U U c U U 1   two: up to c, and the rest
 */
#ifndef FGW_BPE_SCAN_H
#define FGW_BPE_SCAN_H

#include "fgw_bpe_class.h"
#include "fgw_bpe_vocabulary.h"

enum fgw_bpe_state { /* what an unfinished piece is */
    FGW_BPE_BRIEF = 0,   /* a few characters that may become many things */
    FGW_BPE_WORD = 1,    /* letters, and may go on */
    FGW_BPE_CAPITALS = 2,/* o200k_base: U*, and no lower letter yet */
    FGW_BPE_ENDED = 3,   /* o200k_base: a word whose contraction is not whole yet */
    FGW_BPE_SIGNS = 4,   /* P+ */
    FGW_BPE_SIGNS_END = 5, /* line ends behind P+ */
    FGW_BPE_SPACES = 6,  /* white space */
};

struct fgw_bpe_open {
    enum fgw_bpe_state state;
    size_t body;  /* bytes that surely belong to it; what follows is a look ahead */
};

struct fgw_bpe_rune {
    unsigned sort;  /* enum fgw_bpe_class */
    unsigned width; /* bytes */
};

#define FGW_BPE_IN(sort, set) ((1u << (sort)) & (set))
#define FGW_BPE_LETTERS \
    (1u << FGW_BPE_UPPER | 1u << FGW_BPE_LOWER | 1u << FGW_BPE_CASELESS)
#define FGW_BPE_SMALL (1u << FGW_BPE_LOWER | 1u << FGW_BPE_CASELESS | 1u << FGW_BPE_MARK)
#define FGW_BPE_SIGN (1u << FGW_BPE_OTHER | 1u << FGW_BPE_MARK)
#define FGW_BPE_WHITE (1u << FGW_BPE_BLANK | 1u << FGW_BPE_NEWLINE)

/* The character at p, of valid UTF-8. */
static inline struct fgw_bpe_rune fgw_bpe_rune_at(const uint8_t *p)
{
    unsigned lead = p[0];
    if (lead < 0x80)
        return (struct fgw_bpe_rune){ fgw_bpe_class_of_ascii(lead), 1 };
    if (lead < 0xe0) {
        const unsigned code = (lead & 31u) << 6 | (p[1] & 63u);
        const unsigned sort = code - 0x430u < 0x20 ? FGW_BPE_LOWER : fgw_bpe_class_of(code);
        return (struct fgw_bpe_rune){ sort, 2 };
    }
    if (lead < 0xf0) { /* most are ideographs, without a look */
        const unsigned code = (lead & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
        const unsigned sort = code - 0x4e00u < 0x5100 ? FGW_BPE_CASELESS : fgw_bpe_class_of(code);
        return (struct fgw_bpe_rune){ sort, 3 };
    }
    return (struct fgw_bpe_rune){ fgw_bpe_class_of((lead & 7u) << 18 | (p[1] & 63u) << 12
                                                   | (p[2] & 63u) << 6 | (p[3] & 63u)), 4 };
}

#define FGW_BPE_UNSURE SIZE_MAX

/* The end of the contraction that begins at `at` in p[0, n), or `at` where none does, or
 * FGW_BPE_UNSURE before more text comes (never where `final`: the text ends here). */
size_t fgw_bpe_contraction(const uint8_t *p, size_t at, size_t n, int final);

/* The length of the first piece of p[0, n), n >= 1, whole characters of valid UTF-8. 0 where more
 * text could change it (never where `final`); `open` then says what it is so far. */
size_t fgw_bpe_piece(unsigned kind, const uint8_t *p, size_t n, int final,
                     struct fgw_bpe_open *open);

#endif
