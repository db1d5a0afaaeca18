/* fgw_dialect_voice.h - what the answers in one stream have said, in tokens, as it passes.
 *
 * A stream may hold several answers (`n`), whose words come in turns. Each has a *voice*: a
 * tokenizer's counter that hears its strings one after another, and begins anew where their kind
 * changes (a thought, text, the arguments of a call), because words do not run across.
 *
 *     event:  {"choices":[{"delta":{"content":" the"},"index":1}]}
 *                                               |            |
 *                     whose is it? not told yet: *waiting* --+--> voice[1]
 *
 * Text and thoughts count as the vocabulary has them. Arguments of calls count as the lesser of
 * that and a token for each four bytes, begun ones included: providers write calls in forms of
 * their own and make the JSON of it afterwards, so its quotes and braces may have cost nothing.
 */
#ifndef FGW_DIALECT_VOICE_H
#define FGW_DIALECT_VOICE_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_bpe.h"

enum fgw_voice_kind {
    FGW_VOICE_NONE = 0,
    FGW_VOICE_TEXT,
    FGW_VOICE_THOUGHT,
    FGW_VOICE_CALL,
};

#define FGW_VOICES_MAX 128       /* answers in a stream; those beyond share */
#define FGW_VOICES_WAITING 1024  /* bytes of one event whose answer is not told yet */
#define FGW_VOICE_CALL_BYTES 4   /* of a call's arguments: no token has more on average */

struct fgw_voice {
    uint64_t text;  /* tokens of what it said before the counter began */
    uint64_t calls; /* and of what it called */
    uint64_t bytes; /* that the counter has heard */
    uint8_t kind;   /* enum fgw_voice_kind of these */
    struct fgw_bpe_count counter;
};

struct fgw_voices {
    const struct fgw_bpe_vocabulary *vocabulary;
    uint32_t count;
    uint16_t waiting_bytes;
    uint8_t waiting_kind;
    uint8_t known; /* the vocabulary counts no more than the provider; else it is the nearest */
    uint8_t waiting[FGW_VOICES_WAITING];
    struct fgw_voice voice[];
};

struct fgw_voices_count {
    uint64_t text;
    uint64_t calls;
};

/* Bytes of memory for so many answers. */
size_t fgw_voices_size(uint32_t count);

/* Begins a stream of `count` answers (1 to FGW_VOICES_MAX). */
void fgw_voices_start(struct fgw_voices *voices, const struct fgw_bpe_vocabulary *vocabulary,
                      uint32_t count, int known);

/* The next bytes of one answer. `index`: which, as the provider numbers them; -1: not told yet.
 * Returns how many of them were taken: fewer only of those that must wait. */
size_t fgw_voices_hear(struct fgw_voices *voices, int64_t index, enum fgw_voice_kind kind,
                       const uint8_t *bytes, size_t length);

/* It is told now: what waits was said by `index`; as `kind`, unless that is NONE. */
void fgw_voices_told(struct fgw_voices *voices, int64_t index, enum fgw_voice_kind kind);

/* What waits was nobody's. */
void fgw_voices_forget(struct fgw_voices *voices);

/* Tokens so far: a lower bound that lags by the last words; exact where it comes near `edge`. */
struct fgw_voices_count fgw_voices_tokens(const struct fgw_voices *voices, uint64_t edge);

#endif
