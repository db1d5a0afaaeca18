/* fgw_dialect_gemini_answer.h - the gemini dialect: what its answers say about usage and ends.
 *
 * Body and event are one and the same document. Each event of a stream tells usage as it stands;
 * the last object that has numbers counts, whole, and what it leaves out is 0:
 *
 *     promptTokenCount 85 ─┬─ cachedContentTokenCount 17    candidatesTokenCount 305
 *                          └─ the rest                      thoughtsTokenCount 1027, beside them
 *     toolUsePromptTokenCount 573, beside the prompt
 */
#ifndef FGW_DIALECT_GEMINI_ANSWER_H
#define FGW_DIALECT_GEMINI_ANSWER_H

#include "fgw_dialect_meter.h"
#include "fgw_json.h"

/* The second root is that of all events of tracked streams. */
enum { FGW_GEMINI_ROOT = 1, FGW_GEMINI_TRACKED_ROOT };

/* Slots: enum answer_slot. */
extern const struct fgw_json_spec fgw_gemini_answer;

/* As fgw_dialect_face.h has them. */
uint8_t fgw_gemini_root(const struct fgw_meter *meter);
void fgw_gemini_begin(struct fgw_meter *meter);
void fgw_gemini_pass(struct fgw_meter *meter);
unsigned fgw_gemini_fold(struct fgw_meter *meter);
int fgw_gemini_final(const struct fgw_meter *meter);
void fgw_gemini_classes(const struct fgw_meter *meter, struct fgw_usage *usage);
int64_t fgw_gemini_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                         uint8_t *member);

#endif
