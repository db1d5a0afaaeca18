/* fgw_dialect_realtime.h - sessions over a WebSocket: what the provider's messages say of usage.
 *
 * Every text message is an event. OpenAI, Azure (also Voice Live) and xAI tell usage with each
 * `response.done`, Google's Live API as `usageMetadata`, whose last one before `turnComplete` is
 * that turn's. A session comes to the sum. What the transcription of the client's sound used is
 * told apart, and paid to another model: it is summed in fgw_meter.beside.
 */
#ifndef FGW_DIALECT_REALTIME_H
#define FGW_DIALECT_REALTIME_H

#include "fgw_dialect_meter.h"
#include "fgw_json.h"

enum { FGW_REALTIME_ROOT = 1 };

/* Slots: enum answer_slot. */
extern const struct fgw_json_spec fgw_realtime_answer;

uint8_t fgw_realtime_root(const struct fgw_meter *meter);

/* The JSON of another message begins. */
void fgw_realtime_begin(struct fgw_meter *meter);

/* One of Google's counts by modality has been read (the scan has paused after it). */
void fgw_realtime_pass(struct fgw_meter *meter);

/* The strings that are read are of answer 0. */
int64_t fgw_realtime_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                           uint8_t *member);

/* The message in meter->json is read: takes what it says into the meter. Returns its enum
 * fgw_event_flag bits (DISPATCH, TEXT, HIDE apart); FINISH ends a response, not the session. */
unsigned fgw_realtime_fold(struct fgw_meter *meter);

/* 1 between two responses. */
int fgw_realtime_final(const struct fgw_meter *meter);

/* The sums in disjoint classes; sets CLAMPED and BESIDE only. */
void fgw_realtime_classes(const struct fgw_meter *meter, struct fgw_usage *usage);

#endif
