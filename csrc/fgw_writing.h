/* fgw_writing.h - what kind of writing a text is, counted as it comes.
 *
 *     struct fgw_writing_count count = {0};
 *     fgw_writing_hear(&count, slice, n);      // for each slice of UTF-8, cut anywhere
 *     fgw_writing_of(&count)                   // of all that was heard
 *
 * By shares of its characters that are no white space, as fastgw/usage/families.py has it (each is
 * the other's check). What is no UTF-8 counts as U+FFFD. Some 3 ns a byte: for samples and prompts
 * whose number nobody told, not for what passes.
 *
 * And what a kind of writing comes to: families.yaml, compiled once a model.
 */
#ifndef FGW_WRITING_H
#define FGW_WRITING_H

#include <stddef.h>
#include <stdint.h>

/* In records: append only. */
enum fgw_writing {
    FGW_WRITING_PROSE = 0,
    FGW_WRITING_CODE,
    FGW_WRITING_EUROPEAN, /* prose with accents */
    FGW_WRITING_CYRILLIC,
    FGW_WRITING_CJK,
    FGW_WRITING_OTHER, /* nothing is known of it */
    FGW_WRITINGS
};

struct fgw_writing_count {
    uint64_t letters; /* characters that are no white space; of them: */
    uint64_t cjk;
    uint64_t cyrillic;
    uint64_t accented;
    uint64_t foreign; /* scripts that nobody has measured */
    uint64_t signs;   /* digits, and punctuation that prose has little of */
    uint32_t code;    /* the character that is being read, */
    uint8_t left;     /* and its bytes that are still to come */
};

/* Tokens of a model, by kind of writing, in thousandths: of a token of the encoding that counts,
 * and of that encoding of 1,000 bytes where none is loaded. */
struct fgw_ratios {
    uint32_t by_count[FGW_WRITINGS];
    uint32_t by_bytes[FGW_WRITINGS];
};

void fgw_writing_hear(struct fgw_writing_count *count, const uint8_t *bytes, size_t length);

enum fgw_writing fgw_writing_of(const struct fgw_writing_count *count);

/* Tokens of `total` bytes of text, of which `heard` are `tokens` (0: nobody counted, so by bytes
 * alone) and written so. At most `total`, for no tokenizer makes more than a token a byte. */
uint64_t fgw_writing_tokens(const struct fgw_ratios *ratios, enum fgw_writing writing,
                            uint64_t tokens, uint64_t heard, uint64_t total);

#endif
