/* fgw_policy.h - what phases tell each other about one request, as plain old structs:
 * the facts that rules read, and the effects that rules have.
 *
 * Rooms of one layer never call each other. POLICY reads facts[] and writes effects; LIMIT
 * reads effects.demands; ROUTE and UPSTREAM read the rest. The exchange carries all of them.
 */
#ifndef FGW_POLICY_H
#define FGW_POLICY_H

#include <stdint.h>

#include "fgw_record.h"

/* What a value is, and what its fields mean then. */
enum fgw_value_type {
    FGW_VALUE_ABSENT = 0,    /* e.g. a header that the request does not have */
    FGW_VALUE_BOOL = 1,      /* number: 0 or 1 */
    FGW_VALUE_INT = 2,       /* number */
    FGW_VALUE_STRING = 3,    /* bytes, length: UTF-8 (what is not is taken byte by byte) */
    FGW_VALUE_DOUBLE = 4,    /* real */
    FGW_VALUE_UINT = 5,      /* number, its bits */
    FGW_VALUE_BYTES = 6,     /* bytes, length */
    FGW_VALUE_LIST = 7,      /* items, length: how many; number: for how many there is room (only
                                the machine's own: a fact has 0) */
    FGW_VALUE_MAP = 8,       /* items: key, value, key, value …; length: how many pairs; number as
                                of a list. Keys are bool, int, uint or string, none twice */
    FGW_VALUE_TIMESTAMP = 9, /* number: seconds since 1970; length: nanoseconds, < 10^9 */
    FGW_VALUE_DURATION = 10, /* number: nanoseconds */
    FGW_VALUE_TYPE = 11,     /* number: one of these */
    FGW_VALUE_OPTIONAL = 12, /* items: the value, or NULL */
    FGW_VALUE_IP = 13,       /* bytes: the address, most significant first; length: 4 or 16 */
    FGW_VALUE_CIDR = 14,     /* as of an IP; number: bits of the prefix */
    FGW_VALUE_NULL = 16,
    FGW_VALUE_ERROR = 17,    /* number: enum fgw_cel_error; length: the instruction */
    FGW_VALUE_SOURCE = 18,   /* number: a map of fgw_cel_source, inside of the machine only */
    FGW_VALUE_REGEX = 19,    /* constants of programs only: a compiled pattern */
    FGW_VALUE_ZONE = 20,     /* constants of programs only: struct fgw_cel_zone */
};

/* What it points at is the exchange's, the plan's or the run's; they outlive the decision. */
struct fgw_value {
    union {
        const uint8_t *bytes;
        const struct fgw_value *items;
    };
    uint32_t length;
    uint32_t type; /* enum fgw_value_type */
    union {
        int64_t number;
        double real;
    } as;
};

/* Facts with a fixed place. Behind FGW_FACTS_FIXED stand those that a policy names itself:
 * req.headers[…], key.tags.…, key.owner.…, in the order of Policy.dynamic_facts. */
enum fgw_fact {
    FGW_FACT_REQ_METHOD,
    FGW_FACT_REQ_PATH,
    FGW_FACT_REQ_QUERY,
    FGW_FACT_REQ_HOST,
    FGW_FACT_REQ_SIZE,
    FGW_FACT_CONN_CLIENT_IP,
    FGW_FACT_CONN_TLS,
    FGW_FACT_AI_DIALECT,
    FGW_FACT_AI_OPERATION,
    FGW_FACT_AI_PROVIDER,
    FGW_FACT_AI_MODEL,
    FGW_FACT_AI_USER,
    FGW_FACT_AI_STREAM,
    FGW_FACT_AI_TOOLS,
    FGW_FACT_AI_N,
    FGW_FACT_AI_INPUT_TOKENS,
    FGW_FACT_AI_MAX_OUTPUT_TOKENS,
    FGW_FACT_KEY_ID,
    FGW_FACT_TIME_NOW,     /* INT, seconds since 1970 */
    FGW_FACT_TIME_HOUR,    /* INT, UTC */
    FGW_FACT_TIME_WEEKDAY, /* INT, 0 = Monday, UTC */
    FGW_FACTS_FIXED,
};
#define FGW_FACTS_MAX 64

enum fgw_action_type {
    FGW_ACTION_NONE = 0,
    FGW_ACTION_DENY = 1,
    FGW_ACTION_RATE_LIMIT = 2,
    FGW_ACTION_CAP_OUTPUT = 3,
    FGW_ACTION_RESTRICT_MODELS = 4,
    FGW_ACTION_USAGE_CAP = 5,
    FGW_ACTION_CONCURRENCY_LIMIT = 6,
    FGW_ACTION_CUSTOM_RESPONSE = 7,
    FGW_ACTION_RESTRICT_IPS = 8,
    FGW_ACTION_CAP_INPUT = 9,
    FGW_ACTION_ROUTE = 10,
    FGW_ACTION_ADD_HEADERS = 11,
    FGW_ACTION_REMOVE_HEADERS = 12,
    FGW_ACTION_SET_VARS = 13,
    FGW_ACTION_LOG = 14,
    FGW_ACTION_ON_ABORT = 15,
    FGW_ACTION_DETECT = 16,
};

/* A limit that a matching rule (or the key itself) wants taken. */
struct fgw_demand {
    uint64_t identity[2]; /* SipHash-128 of the limit's identity and the bucket key */
    uint16_t limit;       /* index into the plan's limits */
    uint16_t text_offset; /* the bucket key as JSON array text, in effects.key_text */
    uint16_t text_length;
    uint8_t enforced;
    uint8_t reserved;
    uint64_t rule; /* name hash of the rule */
};

#define FGW_KEY_TEXT_MAX 1024
#define FGW_LISTED_MAX 8 /* log actions, and lists of removed fields, of one request */

/* Texts that rules have made, `${...}` filled in. One a worker: they last until the next run, and
 * whoever needs them longer copies them. */
#define FGW_SAID_FIELDS_MAX 8192
#define FGW_SAID_BODY_MAX 65536
#define FGW_SAID_VARS_MAX 16384
struct fgw_said {
    uint32_t fields_used; /* whole lines of a head: for the provider, else of a custom response */
    uint32_t body_used;   /* of a custom response, or the message of a denial */
    uint32_t vars_used;   /* what vars.* point at */
    uint8_t fields[FGW_SAID_FIELDS_MAX];
    uint8_t body[FGW_SAID_BODY_MAX];
    uint8_t vars[FGW_SAID_VARS_MAX];
};

struct fgw_cel_run;
#define FGW_SHADOWS_MAX 16 /* of one request, counted by rule */
#define FGW_DRAINS_MAX 32 /* on-abort actions of a policy that drain */

/* on-abort: drain. How far an answer is read on once its client has gone. */
struct fgw_drain {
    uint64_t max_tokens; /* of output, beyond what had been read by then */
    uint64_t max_ns;
    uint64_t max_concurrent; /* by this action, over all workers */
    uint32_t number;         /* of the action: below FGW_DRAINS_MAX */
};

#define FGW_DETECTS_MAX 64 /* detect actions of a policy */

struct fgw_effects {
    uint8_t denied;
    uint8_t n_rules;
    uint8_t n_demands;
    uint8_t deny_action; /* enum fgw_action */
    uint16_t rules_total;
    uint16_t status;      /* of a denial */
    uint16_t code;        /* FGW code of a denial */
    uint16_t key_text_used;
    uint32_t message;     /* index into Policy.messages + 1; 0: the catalogue's text */
    uint32_t route;       /* index into Policy.routes + 1; 0: as the client asked */
    uint16_t shadows;     /* actions that would have refused, answered or changed something */
    uint8_t spoken;       /* the message of the denial is said->body */
    uint8_t n_logs;
    uint8_t n_removed;
    uint8_t reserved;
    uint16_t logs[FGW_LISTED_MAX];    /* indexes into Policy.logs */
    uint16_t removed[FGW_LISTED_MAX]; /* indexes into Policy.removals */
    struct fgw_said *said; /* NULL: no rule of this policy makes texts */
    struct fgw_known_keys *known; /* of fgw_demand.h; NULL: identities are computed each time */
    struct fgw_cel_run *run; /* of this decision: by which expressions of actions are evaluated */
    uint64_t rule;        /* name hash of the rule that denied, else of the last that shaped */
    int64_t input_max;    /* tokens, of a denial by cap-input */
    int64_t output_max;   /* tokens; 0: no rule lowered it */
    uint64_t output_rule; /* name hash of the rule that lowered it */
    uint64_t detects;     /* detect actions of rules that matched, of any phase: a bit each */
    uint64_t shadow_rules[FGW_SHADOWS_MAX]; /* whose `shadows` are, the first of them */
    const struct fgw_drain *drain; /* NULL: a client that goes takes its provider's answer along */
    struct fgw_rule_trace rules[FGW_RULES_MAX];
    struct fgw_demand demands[FGW_LIMITS_MAX];
    uint8_t key_text[FGW_KEY_TEXT_MAX];
};

/* Amounts by unit, as held at admission or as they turned out. */
struct fgw_amounts {
    uint64_t by_unit[FGW_UNITS];
};

#endif
