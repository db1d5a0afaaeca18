/* fgw_dialect_anthropic_answer.h - the anthropic dialect: what its answers say about usage and
 * ends.
 *
 * Streams tell usage twice, field by field: message_start has the input (and a placeholder of the
 * output), message_delta what it came to. What ran beside the conversation itself (compaction, an
 * advisor) is only in `iterations`.
 */
#ifndef FGW_DIALECT_ANTHROPIC_ANSWER_H
#define FGW_DIALECT_ANTHROPIC_ANSWER_H

#include "fgw_dialect_meter.h"
#include "fgw_json.h"

/* The third root is that of all events of tracked streams. */
enum {
    FGW_ANTHROPIC_BODY_ROOT = 1,
    FGW_ANTHROPIC_EVENT_ROOT,
    FGW_ANTHROPIC_TRACKED_EVENT_ROOT,
};

/* Slots: enum answer_slot. */
extern const struct fgw_json_spec fgw_anthropic_answer;

/* Of a body, or of the next event. */
uint8_t fgw_anthropic_root(const struct fgw_meter *meter);

/* The JSON of another event, or of the body, begins. */
void fgw_anthropic_begin(struct fgw_meter *meter);

/* The SAID string that is being read: always of answer 0. */
int64_t fgw_anthropic_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                            uint8_t *member);

/* One element of `iterations` has been read (the scan has paused after it). */
void fgw_anthropic_pass(struct fgw_meter *meter);

/* The event, or the body, in meter->json is read: takes what it says into the meter. Returns its
 * enum fgw_event_flag bits (DISPATCH, TEXT, HIDE apart). */
unsigned fgw_anthropic_fold(struct fgw_meter *meter);

/* 1 once output is the provider's last word, not the placeholder of message_start. */
int fgw_anthropic_final(const struct fgw_meter *meter);

/* The report and the iterations in disjoint classes; sets CLAMPED, ITERATIONS,
 * OTHER_MODEL only. */
void fgw_anthropic_classes(const struct fgw_meter *meter, struct fgw_usage *usage);

#endif
