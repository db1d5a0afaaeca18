/* fgw_dialect_openai_answer.h - the openai dialect: what its answers say about usage and ends.
 *
 * Bodies and events have roots of their own, because events repeat at their end what their deltas
 * have said. The last usage object that is not null counts, whole.
 */
#ifndef FGW_DIALECT_OPENAI_ANSWER_H
#define FGW_DIALECT_OPENAI_ANSWER_H

#include "fgw_dialect_meter.h"
#include "fgw_json.h"

/* The third root is that of events once id and model are known: they are passed over. The fourth
 * is that of all events of tracked streams. */
enum {
    FGW_OPENAI_BODY_ROOT = 1,
    FGW_OPENAI_EVENT_ROOT,
    FGW_OPENAI_LATER_EVENT_ROOT,
    FGW_OPENAI_TRACKED_EVENT_ROOT,
};

/* Slots: enum answer_slot. */
extern const struct fgw_json_spec fgw_openai_answer;

/* Of a body, or of the next event. */
uint8_t fgw_openai_root(const struct fgw_meter *meter);

/* 1 once a finish_reason, the end, or an error has come: numbers before it may grow. */
int fgw_openai_final(const struct fgw_meter *meter);

/* Who says the SAID string that is being read, as far as its event is known: the number of an
 * answer, or -1 where that is not told yet. `*kind`: FGW_VOICE_NONE for what costs no text.
 * `*member`: 1 and 2 are two places of which some fill both with the same, 0 has no such twin. */
int64_t fgw_openai_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                         uint8_t *member);

/* One element of `choices` of a tracked stream has been read (the scan has paused after it). */
void fgw_openai_pass(struct fgw_meter *meter);

/* The event, or the body, in meter->json is read: takes what it says into the meter. Returns its
 * enum fgw_event_flag bits (DISPATCH, TEXT, HIDE apart). */
unsigned fgw_openai_fold(struct fgw_meter *meter);

#endif
