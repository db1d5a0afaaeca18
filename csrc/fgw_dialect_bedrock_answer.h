/* fgw_dialect_bedrock_answer.h - the bedrock dialect: what its answers say about usage and ends.
 *
 * Converse tells usage at its end (`metadata`), with cached tokens beside inputTokens. Invoke
 * passes on what the model itself says, in as many forms as there are families, and counts once
 * more: in fields of the head (fgw_bedrock_take_counts), or in `amazon-bedrock-invocationMetrics`
 * of the last event. Where the two differ (4 of 26 recorded tool calls of Claude) the model's own
 * counts; the other is kept in fgw_meter.beside.
 */
#ifndef FGW_DIALECT_BEDROCK_ANSWER_H
#define FGW_DIALECT_BEDROCK_ANSWER_H

#include "fgw_dialect_meter.h"
#include "fgw_json.h"

enum { FGW_BEDROCK_ROOT = 1 };

/* Slots: enum answer_slot. */
extern const struct fgw_json_spec fgw_bedrock_answer;

/* Of a body, or of the next event. */
uint8_t fgw_bedrock_root(const struct fgw_meter *meter);

/* The JSON of another event, or of the body, begins. */
void fgw_bedrock_begin(struct fgw_meter *meter);

/* One of `cacheDetails`, or of Titan's `results`, has been read (the scan has paused after it). */
void fgw_bedrock_pass(struct fgw_meter *meter);

/* The strings that are read are of answer 0, as text. */
int64_t fgw_bedrock_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                          uint8_t *member);

/* The event, or the body, in meter->json is read: takes what it says into the meter. Returns its
 * enum fgw_event_flag bits (DISPATCH, TEXT, HIDE apart). */
unsigned fgw_bedrock_fold(struct fgw_meter *meter);

/* 1 once the numbers behind the model's end have come. */
int fgw_bedrock_final(const struct fgw_meter *meter);

/* The report in disjoint classes; sets CLAMPED and BESIDE only. */
void fgw_bedrock_classes(const struct fgw_meter *meter, struct fgw_usage *usage);

/* Numbers of `x-amzn-bedrock-{input,output,cache-read-input,cache-write-input}-token-count`,
 * before the body is fed; -1: no such field. */
void fgw_bedrock_take_counts(struct fgw_meter *meter, int64_t input, int64_t output,
                             int64_t cached, int64_t written);

#endif
