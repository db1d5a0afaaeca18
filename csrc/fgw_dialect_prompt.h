/* fgw_dialect_prompt.h - how many tokens the texts of a request are, by a tokenizer.
 *
 * What a request may cost before it is sent is bounded by bytes, a token each
 * (fgw_ask_input_bound). Where an attempt ends and no provider has told its input, that bound is
 * the upper end of an interval, several times too wide for text. Here the strings that are text
 * are counted one by one; all else of the body, and what the provider adds, stays as it was:
 *
 *     {"messages":[{"role":"user","content":"What is counted?"}]}     bound   59 bytes + 4,096
 *                                            16 bytes, 4 tokens       saved   16 - 4 - 1 a string
 *
 * Only of the first FGW_PROMPT_HEARD bytes of a body, so that it takes less than a millisecond on
 * the event loop (0.1 for ordinary text; the worst are letters by chance), however long a prompt
 * is; the bound, only for a model whose own tokenizer it is. For others, count and kind of writing
 * are what an estimate is made of (fgw_writing.h).
 */
#ifndef FGW_DIALECT_PROMPT_H
#define FGW_DIALECT_PROMPT_H

#include "fgw_bpe.h"
#include "fgw_json.h"
#include "fgw_writing.h"

#define FGW_PROMPT_HEARD 24576u

/* Scratch of the caller's. */
struct fgw_prompt {
    const struct fgw_bpe_vocabulary *vocabulary;
    const struct fgw_json *json;
    uint64_t bytes;  /* heard, of all strings that are text */
    uint64_t tokens; /* of them, a string by itself; 0 where there is no vocabulary */
    uint64_t strings;
    struct fgw_writing_count writing;
    size_t length;   /* of the string that is being read */
    uint8_t string[FGW_PROMPT_HEARD];
};

/* Counts the texts of a body of that dialect; what is no JSON counts as far as it is.
 * `vocabulary`: NULL where none is loaded, then the kind of writing alone is told. */
void fgw_prompt_count(struct fgw_prompt *prompt, struct fgw_json *json, uint8_t dialect,
                      const struct fgw_bpe_vocabulary *vocabulary, const uint8_t *body,
                      size_t length);

/* Tokens by which the bound of the body's input is lower than by bytes alone, where one more than
 * it has is allowed for each string. A string counts as a quarter of its bytes at least: some
 * providers do so, whatever they call themselves. */
uint64_t fgw_prompt_saved(const struct fgw_prompt *prompt);

#endif
