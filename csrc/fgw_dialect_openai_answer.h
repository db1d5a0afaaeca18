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

/* Whether the SAID string that is being read is text, as far as its event is known. */
int fgw_openai_says(const struct fgw_meter *meter);

/* One element of `choices` of a tracked stream has been read (the scan has paused after it). */
void fgw_openai_pass(struct fgw_meter *meter);

/* The event, or the body, in meter->json is read: takes what it says into the meter. Returns its
 * enum fgw_event_flag bits (DISPATCH, TEXT, HIDE apart). */
unsigned fgw_openai_fold(struct fgw_meter *meter);

/* The report in disjoint classes; sets CLAMPED, no other flag. */
void fgw_openai_classes(const struct fgw_meter *meter, struct fgw_usage *usage);

#endif
