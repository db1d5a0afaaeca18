/* fgw_dialect_ollama_answer.h - the ollama dialect: what its answers say about usage and ends.
 *
 * A stream is lines of what a whole body would be, each with its piece of the text; the last one
 * has `done` and the counts. `prompt_eval_count` may be absent, which is not 0: the prompt was
 * read, and nobody tells how long it is.
 */
#ifndef FGW_DIALECT_OLLAMA_ANSWER_H
#define FGW_DIALECT_OLLAMA_ANSWER_H

#include "fgw_dialect_meter.h"
#include "fgw_json.h"

/* The second root is that of all lines of tracked streams. */
enum {
    FGW_OLLAMA_ROOT = 1,
    FGW_OLLAMA_TRACKED_ROOT,
};

/* Slots: enum answer_slot. */
extern const struct fgw_json_spec fgw_ollama_answer;

/* Of a body, or of the next line. */
uint8_t fgw_ollama_root(const struct fgw_meter *meter);

/* The SAID string that is being read: always of answer 0. */
int64_t fgw_ollama_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                         uint8_t *member);

/* The line, or the body, in meter->json is read: takes what it says into the meter. Returns its
 * enum fgw_event_flag bits (DISPATCH, TEXT, HIDE apart). */
unsigned fgw_ollama_fold(struct fgw_meter *meter);

/* 1 once a line with `done` or an error has come. */
int fgw_ollama_final(const struct fgw_meter *meter);

/* The report in disjoint classes; sets CLAMPED and NO_INPUT only. */
void fgw_ollama_classes(const struct fgw_meter *meter, struct fgw_usage *usage);

#endif
