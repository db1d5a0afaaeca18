/* fgw_dialect_face.h - what differs between the APIs that are spoken here, one row a dialect.
 *
 *     what a client's path speaks ──► fgw_dialect_face(dialect) ──► where its requests have what,
 *                                                                   how its answers are read
 *
 * A dialect is a pair of files, fgw_dialect_<name>.c for its requests and _<name>_answer.c for its
 * answers, a row of the table in fgw_dialect_face.c, rows of paths in fgw_dialect_route.c, and
 * fastgw/dialect/<name>.py for all that is cold. Nothing else asks which dialect it has before it.
 */
#ifndef FGW_DIALECT_FACE_H
#define FGW_DIALECT_FACE_H

#include <stdint.h>

#include "fgw_dialect_ask.h"
#include "fgw_dialect_meter.h"
#include "fgw_dialect_route.h"
#include "fgw_json.h"

#define FGW_LIMIT_NONE 0 /* no slot: enum ask_slot has the root there */

/* Where an operation's limit of output tokens stands. */
struct fgw_limit_members {
    uint8_t slots[2];     /* of the ask: the limit, and another name for it; FGW_LIMIT_NONE */
    const char *name;     /* `"max_tokens":`, as it is put in; NULL: the operation has no limit */
    const char *old_name; /* for servers that know only this one, of slots[1]; NULL: the same */
    const char *object;   /* `"generationConfig":`: they stand in that member, whose slot is that
                             of options; NULL: in the body itself */
};

struct fgw_dialect_face {
    /* Requests. Slots of the spec: enum ask_slot. */
    const struct fgw_json_spec *ask;
    const struct fgw_limit_members *(*limits)(uint8_t operation); /* never NULL */
    const char *cache_word;     /* a name without which nothing is written to a cache; NULL: none
                                   is needed, or asked of */
    const char *model_prefix;   /* paths that name a model bind the body to it: there, a model
                                   stands behind this; NULL: the body's own is not looked at */
    /* Which model answers a request that names none; NULL: that is not documented. */
    const char *(*default_model)(uint8_t operation); /* NULL: of no operation */
    uint16_t tools_tokens;      /* what tools add to the input besides themselves */
    uint8_t ask_root;
    uint8_t unasked_tiers;      /* FGW_TIER_BIT of those that come without being named: by what an
                                   account or a project is set to */
    uint8_t streams_unasked;    /* `stream` is true where it is absent */
    uint8_t below_zero;         /* a limit below zero asks for none */
    uint8_t usage_option;       /* chat and completions stream usage only where
                                   stream_options.include_usage asks for it */
    /* Answers. Slots of the spec: enum answer_slot. */
    uint8_t placeholder;        /* output is told early, as a number that means nothing */
    uint8_t wraps;              /* events of streams from invoke have the model's own inside */
    uint8_t bare_errors;        /* in a stream of events, an error may be a bare JSON document */
    const struct fgw_json_spec *answer;
    uint8_t (*root)(const struct fgw_meter *meter); /* of the body, or of the next event */
    void (*begin)(struct fgw_meter *meter);         /* its JSON begins; NULL: nothing to do */
    void (*pass)(struct fgw_meter *meter);          /* the scan has paused; NULL: it never does */
    unsigned (*fold)(struct fgw_meter *meter);      /* its JSON is read: enum fgw_event_flag bits
                                                       (DISPATCH, TEXT, HIDE apart) */
    int (*final)(const struct fgw_meter *meter);    /* the numbers are the last that come */
    void (*classes)(const struct fgw_meter *meter, struct fgw_usage *usage);
    /* Who says the SAID string that is being read: the number of an answer, -1 where that is not
     * told yet. `*kind`: FGW_VOICE_NONE for what costs no text. `*member`: 1 and 2 are two places
     * of which some fill both with the same, 0 has no such twin. */
    int64_t (*voice)(const struct fgw_meter *meter, enum fgw_voice_kind *kind, uint8_t *member);
};

/* Those that nobody has written, and any other number: the openai one's. */
const struct fgw_dialect_face *fgw_dialect_face(uint8_t dialect);

/* The same, for answers: sessions (FGW_OPERATION_REALTIME) have a face of their own. */
const struct fgw_dialect_face *fgw_dialect_answer_face(uint8_t dialect, uint8_t operation);

/* For `limits`: an operation without one. */
extern const struct fgw_limit_members fgw_limit_unknown;

#endif
