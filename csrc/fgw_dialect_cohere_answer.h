/* fgw_dialect_cohere_answer.h - the cohere dialect: what its answers say about usage and ends.
 *
 * Two sums are told: `tokens`, what was read and written, and `billed_units`, what is to be paid,
 * which leaves out the template around the prompt (recorded: 1698 tokens, of which 181 are
 * billed). Classes are of the first, costs of the second. Pictures stand beside `input_tokens`,
 * cached tokens and reasoning inside theirs. Embeddings tell only what is billed.
 *
 * Events of v2 have a `type`, lines of v1 an `event_type`; one root reads both.
 */
#ifndef FGW_DIALECT_COHERE_ANSWER_H
#define FGW_DIALECT_COHERE_ANSWER_H

#include "fgw_dialect_meter.h"
#include "fgw_json.h"

/* The third root is that of all events of tracked streams. */
enum {
    FGW_COHERE_BODY_ROOT = 1,
    FGW_COHERE_EVENT_ROOT,
    FGW_COHERE_TRACKED_EVENT_ROOT,
};

/* In fgw_stream_state.block a content block has its index, a call of a tool ~index. */

/* Slots: enum answer_slot. */
extern const struct fgw_json_spec fgw_cohere_answer;

/* Of a body, or of the next event. */
uint8_t fgw_cohere_root(const struct fgw_meter *meter);

/* The SAID string that is being read: always of answer 0. */
int64_t fgw_cohere_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                         uint8_t *member);

/* The event, or the body, in meter->json is read: takes what it says into the meter. Returns its
 * enum fgw_event_flag bits (DISPATCH, TEXT, HIDE apart). */
unsigned fgw_cohere_fold(struct fgw_meter *meter);

/* 1 once message-end (stream-end in v1) or an error has come. */
int fgw_cohere_final(const struct fgw_meter *meter);

/* The report in disjoint classes; sets CLAMPED and BILLED only. */
void fgw_cohere_classes(const struct fgw_meter *meter, struct fgw_usage *usage);

#endif
