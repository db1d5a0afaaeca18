/* fgw_action.h - what the actions of rules do to a request: pure functions over facts and effects.
 *
 * A rule that matched calls fgw_act for each of its actions, in order. Every action has a file of
 * its own, fgw_action_<what>.c, which tells what it reads, writes and explains. All of them
 *   - leave a trace (fgw_action_trace), with the FGW code where they refuse,
 *   - leave their results in the facts that later rules read (fgw_action_result),
 *   - do nothing else where they are not enforced: a shadow only says what it would have done.
 */
#ifndef FGW_ACTION_H
#define FGW_ACTION_H

#include <stdint.h>

#include "fgw_policy.h"
#include "fgw_cel.h"

/* FGW codes that actions refuse with, as fgw_codes has them in Python (a test compares). */
enum fgw_action_code {
    FGW_CODE_DENIED = 601,
    FGW_CODE_MODEL_RESTRICTED = 602,
    FGW_CODE_POLICY_FAILED = 603,
    FGW_CODE_ANSWERED = 604,
    FGW_CODE_ADDRESS_RESTRICTED = 605,
    FGW_CODE_INPUT_TOO_LONG = 606,
    FGW_CODE_FIELD_REFUSED = 607,
};

/* A text with `${...}`: pieces in a row, each words, or an expression whose value is written. */
struct fgw_piece {
    const uint8_t *bytes;
    uint32_t length;
    const struct fgw_cel_program *program; /* of a text; NULL: words */
};

struct fgw_template {
    const struct fgw_piece *pieces;
    uint32_t n_pieces;
};

/* Globs; `given` 0: nobody wrote any, everything passes. */
struct fgw_patterns {
    const uint8_t **texts;
    uint32_t *lengths;
    uint32_t count;
    uint8_t given;
};

#define FGW_RESULTS_MAX 6

struct fgw_action {
    uint8_t type;     /* enum fgw_action_type */
    uint8_t enforced; /* the rule's and the action's own */
    uint8_t results[FGW_RESULTS_MAX]; /* the facts of its results by number; 0: nobody reads it */
    uint16_t status;  /* deny, custom-response */
    uint32_t number;  /* deny: message + 1; route: + 1; limits, log, remove-headers: index */
    int64_t value;    /* cap-output, cap-input: tokens; limits: capacity; detect: its bit */
    const void *more; /* by type, one of the structs below; on-abort: fgw_drain; else NULL */
};

struct fgw_limit_keys { /* rate-limit, usage-cap, concurrency-limit */
    const uint8_t *prefix; /* their part of the identity */
    uint32_t prefix_length;
    uint32_t n_keys;
    uint32_t addresses; /* bit i: key i is the client's address */
    const struct fgw_cel_program *const *keys;
};

struct fgw_models { /* restrict-models */
    struct fgw_patterns allow, deny;
};

/* restrict-ips: ranges that do not overlap, in order. */
struct fgw_address_range {
    uint8_t first[16], last[16]; /* IPv6, or IPv4 mapped */
    const uint8_t *cidr;         /* the block that decides for it, as it was written */
    uint32_t cidr_length;
    uint32_t denied;
};

struct fgw_addresses {
    const struct fgw_address_range *ranges;
    uint32_t n_ranges;
    uint32_t allow_given; /* what is in no range is denied */
};

struct fgw_made_field { /* add-headers, custom-response */
    const uint8_t *name;
    uint32_t name_length;
    struct fgw_template value;
};

struct fgw_made_fields {
    const struct fgw_made_field *fields;
    uint32_t n_fields;
};

struct fgw_names { /* remove-headers: in lower case */
    const uint8_t **names;
    uint32_t *lengths;
    uint32_t count;
};

struct fgw_answer { /* custom-response */
    struct fgw_made_fields fields;
    struct fgw_template body;
};

struct fgw_set_var {
    uint32_t fact; /* 0: nobody reads it */
    const struct fgw_cel_program *program; /* the whole value, with its type; NULL: `text` */
    struct fgw_template text;
};

struct fgw_set_vars {
    const struct fgw_set_var *vars;
    uint32_t n_vars;
};

struct fgw_words { /* route, on-abort: what their results say */
    const uint8_t *first, *second;
    uint32_t first_length, second_length;
};

/* Before a run: all that it must not leave from the one before. */
void fgw_effects_clear(struct fgw_effects *effects, struct fgw_said *said,
                       struct fgw_cel_run *run);

/* Carries out one action of a matching rule. Returns 1 where the request is decided now. `facts`
 * are those of effects->run: results are written there. */
int fgw_act(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
            struct fgw_effects *effects);

/* 1 where a pattern covers the text. */
int fgw_patterns_match(const struct fgw_patterns *patterns, const uint8_t *text, uint32_t length);

/* restrict-models and a key's access.models. */
int fgw_model_allowed(const struct fgw_patterns *allow, const struct fgw_patterns *deny,
                      const struct fgw_value *facts);

/* Index of the range that the address is in, or -1. */
int32_t fgw_address_find(const struct fgw_addresses *addresses, const uint8_t address[16]);

/* What actions share. */
void fgw_action_trace(struct fgw_effects *effects, uint64_t rule, uint8_t type, uint8_t enforced,
                      uint16_t code, int64_t value);

/* An action of the rule is not enforced, and would have acted. */
void fgw_action_shadow(struct fgw_effects *effects, uint64_t rule);

/* The trace of a refusal, and where enforced the refusal itself: then 1, else 0. */
int fgw_action_refuse(struct fgw_effects *effects, uint64_t rule, uint8_t type, uint8_t enforced,
                      uint16_t status, uint16_t code);

/* The value of result `number`, where some rule reads it. */
void fgw_action_result(const struct fgw_action *action, uint32_t number, struct fgw_value *facts,
                       const struct fgw_value *value);
void fgw_action_result_number(const struct fgw_action *action, uint32_t number,
                              struct fgw_value *facts, uint32_t type, int64_t value);
void fgw_action_result_text(const struct fgw_action *action, uint32_t number,
                            struct fgw_value *facts, const uint8_t *bytes, uint32_t length);

/* An expression's value. What it points at lasts until the next expression. */
void fgw_action_value(const struct fgw_cel_program *program, struct fgw_cel_run *run,
                      struct fgw_value *value);

/* The text to out[0, room), and its length; -1 where it does not fit. *failed is set where an
 * expression had no value: it stands for no bytes then. */
int32_t fgw_action_say(const struct fgw_template *text, struct fgw_cel_run *run, uint8_t *out,
                       uint32_t room, int *failed);

/* Lines of the fields behind said->fields. A value with a control byte is no field: it is left
 * out. Returns how many were. */
uint32_t fgw_action_put_fields(const struct fgw_made_fields *fields, struct fgw_cel_run *run,
                               struct fgw_said *said);

/* By type, called by fgw_act; the same result. */
int fgw_action_limit(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                     struct fgw_effects *effects);
int fgw_action_deny(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                    struct fgw_effects *effects);
int fgw_action_models(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                      struct fgw_effects *effects);
int fgw_action_addresses(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                         struct fgw_effects *effects);
int fgw_action_input(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                     struct fgw_effects *effects);
int fgw_action_output(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                      struct fgw_effects *effects);
int fgw_action_answer(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                      struct fgw_effects *effects);
int fgw_action_fields(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                      struct fgw_effects *effects);
int fgw_action_unfields(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                        struct fgw_effects *effects);
int fgw_action_vars(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                    struct fgw_effects *effects);
int fgw_action_route(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                     struct fgw_effects *effects);
int fgw_action_log(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                   struct fgw_effects *effects);
int fgw_action_detect(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                      struct fgw_effects *effects);
int fgw_action_abort(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                     struct fgw_effects *effects);

/* A limit asked for by a rule or by the key itself: 0 where more than a request can take are asked
 * for (a load error, normally). Its key's text, text_length bytes, stands at the end of those in
 * effects already. A bucket that is asked for twice is taken once: its name is its identity. */
int fgw_action_demand(struct fgw_effects *effects, const struct fgw_demand *wanted,
                      uint32_t text_length);

#endif
