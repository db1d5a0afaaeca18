/* fgw_bpe_class.h - the classes of characters that tokenizers cut text by.
 *
 * A table of two steps, as Unicode's repeat: a code point's block of 128, and in it four bits for
 * each. Generated from the very regular expressions that the oracle uses
 * (tools/unicode_classes.py).
 *
 *     blocks[cp / 128] -> b      words[b * 8 + cp % 128 / 16] >> 4 * (cp % 16) & 15 -> class
 */
#ifndef FGW_BPE_CLASS_H
#define FGW_BPE_CLASS_H

#include <stdint.h>

enum fgw_bpe_class {
    FGW_BPE_OTHER = 0,    /* what is none of these: punctuation, symbols, controls, unassigned */
    FGW_BPE_UPPER = 1,    /* Lu Lt */
    FGW_BPE_LOWER = 2,    /* Ll */
    FGW_BPE_CASELESS = 3, /* Lm Lo */
    FGW_BPE_MARK = 4,     /* M */
    FGW_BPE_NUMBER = 5,   /* N */
    FGW_BPE_BLANK = 6,    /* White_Space but CR and LF */
    FGW_BPE_NEWLINE = 7,  /* CR LF */
};

#define FGW_BPE_CLASS_END 0x32400u /* beyond it only the variation selectors, which are marks */

extern const uint8_t fgw_bpe_class_blocks[];
extern const uint64_t fgw_bpe_class_words[];

/* For code < 128, whose block is the first. */
static inline unsigned fgw_bpe_class_of_ascii(uint32_t code)
{
    return (unsigned)(fgw_bpe_class_words[code >> 4] >> 4 * (code & 15)) & 15u;
}

static inline unsigned fgw_bpe_class_of(uint32_t code)
{
    if (code < FGW_BPE_CLASS_END) {
        unsigned block = fgw_bpe_class_blocks[code >> 7];
        uint64_t word = fgw_bpe_class_words[block * 8 + (code >> 4 & 7)];
        return (unsigned)(word >> 4 * (code & 15)) & 15u;
    }
    return code - 0xE0100u < 0xF0u ? FGW_BPE_MARK : FGW_BPE_OTHER;
}

#endif
