/* fgw_record.h - what the ledger is made of: binary records, posted by workers into rings,
 * stored by the recorder in batches, rendered by `explain` and summed by `usage`.
 *
 * Every record begins with the same head, is a multiple of 8 bytes long and is written in the
 * machine's own byte order (rings never leave the machine; exports re-encode).
 *
 *   0        8          16                    32        40
 *   | size.. | sequence | request id (16)     | wall_ns | body ...
 *
 * REQUEST  one per request that reached a decision: who, what, verdict, rules, limits.
 * OPEN     one per attempt, posted before the first byte goes to a provider.
 * CLOSE    one per OPEN, always: fate, tokens by class, interval, cost.
 * NAME     text behind a 64-bit (or, for limits, 128-bit) hash, posted by whoever first uses it.
 * REFUSED  a count of refusals beyond the sampled ones, by (rule, code, key).
 * GRANT    a limit's word was changed from outside: room given, or all set to unused.
 * HELD     an open attempt holds other amounts of its caps than its OPEN says: it has drawn more,
 *          and this was posted before any of that was delivered; or its worker died, and this is
 *          what the sweep left of them.
 *
 * Texts never stand in the hot records: only their hashes (fgw_hash.h, SipHash with the
 * fixed key FGW_NAME_KEY, so a name has the same hash in every process and after a restart).
 */
#ifndef FGW_RECORD_H
#define FGW_RECORD_H

#include <stdint.h>

/* Records of all versions up to this one are read: rings, spills and batches outlive a build.
 *   1  CLOSE ended 8 bytes earlier at first (no overrun_nano_usd, phase_us in its place); later
 *      builds wrote it whole under the same number, so its size tells; no HELD; zeros where
 *      REQUEST has answers and input_high, and its traces a place
 *   2  CLOSE ended before its units, and pictures' tokens stood in input and output; no tier in
 *      dims
 *   3  as below */
#define FGW_RECORD_VERSION 3
#define FGW_CLOSE_BYTES_2 (sizeof(struct fgw_record_close) - sizeof(struct fgw_units))
#define FGW_CLOSE_BYTES_1 (FGW_CLOSE_BYTES_2 - 8)
#define FGW_LABELS_MAX 4
#define FGW_RULES_MAX 16  /* matched rules kept in a record; more are counted in rules_total */
#define FGW_LIMITS_MAX 8  /* limits one request may take together: a load error beyond that */
#define FGW_PHASES 13     /* enum Phase (exchange.pxd) */
#define FGW_PHASES_MAX 16 /* places for them in a CLOSE */

/* SipHash-2-4 key of all names: a constant, because hashes are stored. */
#define FGW_NAME_KEY0 0x666173746777206eu
#define FGW_NAME_KEY1 0x616d657320763031u

enum fgw_record_kind {
    FGW_RECORD_REQUEST = 1,
    FGW_RECORD_OPEN = 2,
    FGW_RECORD_CLOSE = 3,
    FGW_RECORD_NAME = 4,
    FGW_RECORD_REFUSED = 5,
    FGW_RECORD_GRANT = 6,
    FGW_RECORD_HELD = 7,
};

/* fgw_record.flags of a CLOSE: bytes of the attempt's request went to a provider. Without it the
 * attempt has cost nothing, whatever else went wrong. */
#define FGW_CLOSE_ASKED 1

/* Names a request for ever: `generation` is given to a worker at its birth by the supervisor,
 * is unique over restarts (kept in data_dir), and `sequence` counts that worker's requests.
 * As text: "%08x-%02x-%010x" % (generation, worker, sequence). */
struct fgw_request_id {
    uint32_t generation;
    uint16_t worker;
    uint16_t reserved;
    uint64_t sequence;
};

struct fgw_record {
    uint32_t size; /* of the whole record, a multiple of 8 */
    uint8_t kind;
    uint8_t version;
    uint16_t flags;
    uint64_t sequence; /* of the ring it was posted in */
    struct fgw_request_id id;
    uint64_t wall_ns; /* CLOCK_REALTIME at admission (REQUEST), open (OPEN), end (CLOSE) */
};
_Static_assert(sizeof(struct fgw_record) == 40, "stored in the ledger");

/* What usage is summed by. Name hashes; 0 = none. `account` names a JSON text
 * {"id":…,"owner":{…},"tags":{…}}: the key as it was then. */
struct fgw_dims {
    uint64_t account;
    uint64_t model;          /* as the client asked */
    uint64_t provider;
    uint64_t upstream_model; /* as the provider was asked */
    uint64_t user;
    uint64_t label[FGW_LABELS_MAX];
    uint8_t dialect;   /* enum fgw_dialect_id (fgw_dialect.h) */
    uint8_t operation; /* enum fgw_operation (fgw_dialect.h) */
    uint8_t stream;
    uint8_t tier; /* enum fgw_tier, of a CLOSE: the answer's */
    uint8_t reserved[4];
};
_Static_assert(sizeof(struct fgw_dims) == 80, "stored in the ledger");

/* At whose price an answer was made. */
enum fgw_tier {
    FGW_TIER_STANDARD = 0, /* and wherever nothing else was told */
    FGW_TIER_FLEX = 1,
    FGW_TIER_PRIORITY = 2,
    FGW_TIER_BATCH = 3,
    FGW_TIER_FAST = 4,     /* Anthropic's `speed` */
    FGW_TIER_REGION = 5,   /* Anthropic's `inference_geo`: kept in one country */
    FGW_TIER_RESERVED = 6, /* capacity that is paid apart: scale, provisioned throughput */
    FGW_TIER_OTHER = 7,    /* a word that nobody here knows, or two at once */
    FGW_TIERS = 8,
};

/* Tokens by class, disjoint: no token stands in two of them. Those of pictures: fgw_units. */
struct fgw_tokens {
    uint64_t input; /* not cached, text */
    uint64_t cached_input;
    uint64_t cache_write;    /* short lifetime (5 minutes) or unnamed */
    uint64_t cache_write_1h;
    uint64_t output; /* visible, without reasoning */
    uint64_t reasoning;
    uint64_t audio_input;
    uint64_t audio_output;
};
_Static_assert(sizeof(struct fgw_tokens) == 64, "stored in the ledger");

/* What else is billed: two more classes of tokens, and what is no tokens. */
struct fgw_units {
    uint64_t image_input; /* tokens, in no class of fgw_tokens */
    uint64_t image_output;
    uint64_t images;      /* pictures made, where they are billed by the piece */
    uint64_t audio_ms;    /* sound, in or out, where it is billed by its length */
    uint64_t characters;  /* of text, where that is billed by its length */
    uint64_t searches;    /* of the web, or in documents (Cohere's search units) */
};
#define FGW_UNITS_WORDS 6
_Static_assert(sizeof(struct fgw_units) == 8 * FGW_UNITS_WORDS, "stored in the ledger");

enum fgw_provenance {
    FGW_PROVENANCE_NONE = 0,      /* nothing to count: nothing was asked of a provider */
    FGW_PROVENANCE_PROVIDER = 1,  /* the provider's own final number: low == point == high */
    FGW_PROVENANCE_COUNTED = 2,   /* tokenizer over what passed */
    FGW_PROVENANCE_ESTIMATED = 3, /* a point inside [low, high] */
};

enum fgw_fate {
    FGW_FATE_OPEN = 0, /* never stored in a CLOSE */
    FGW_FATE_DELIVERED = 1,
    FGW_FATE_CUT_BY_CLIENT = 2,
    FGW_FATE_CUT_BY_CAP = 3,
    FGW_FATE_FAILED_BEFORE_FIRST_BYTE = 4,
    FGW_FATE_FAILED_IN_STREAM = 5,
    FGW_FATE_RETRIED_AWAY = 6,
    FGW_FATE_WORKER_LOST = 7,
};

/* In the lowest three bits of a basis; above them SAMPLED, above that an enum fgw_writing. */
enum fgw_basis {
    FGW_BASIS_NONE = 0,    /* the provider told it, or there is nothing */
    FGW_BASIS_COUNTED = 1, /* by its own tokenizer; at a cap's edge by what counted there */
    FGW_BASIS_RATIO = 2,   /* by o200k_base, and the ratio of its family */
    FGW_BASIS_RATE = 3,    /* by bytes of such writing, and the ratio: no tokenizer is loaded */
    FGW_BASIS_BYTES = 4,   /* ten bytes a token, of a compressed body that cannot be read */
    FGW_BASIS_LEARNED = 5, /* input: by bytes, and what providers told of others of that model */
    FGW_BASIS_LIMIT = 6,   /* output: the limit in force */
    FGW_BASIS_CERTAIN = 7, /* what is certain: a token an event */
};
/* With BASIS_BYTES, above FGW_BASIS_WRITING: why the answer could not be read. */
enum fgw_unread {
    FGW_UNREAD_UNSAID = 0, /* of a writer that did not say */
    FGW_UNREAD_BR = 1,     /* its content-encoding */
    FGW_UNREAD_ZSTD = 2,
    FGW_UNREAD_OTHER = 3,
    FGW_UNREAD_BROKEN = 4, /* it is no such coding after all, or breaks off */
    FGW_UNREADS = 5,
};
#define FGW_BASIS_SAMPLED 8 /* of a sample of the text */
#define FGW_BASIS_WRITING 4 /* bits to shift by */

enum fgw_limit_verdict {
    FGW_LIMIT_TAKEN = 1,
    FGW_LIMIT_REFUSED = 2,        /* would pass after wait_ms */
    FGW_LIMIT_NEVER = 3,          /* more than the limit can ever hold */
    FGW_LIMIT_UNDONE = 4,         /* had room, but another limit refused: given back */
    FGW_LIMIT_TABLE_FULL = 5,     /* no word could be had: fails closed */
};

/* Of limits that hold over several nodes, but for the last. */
enum fgw_trace_flag {
    FGW_TRACE_DEGRADED = 1, /* decided without the fleet's store, by on_store_loss */
    FGW_TRACE_WAITS = 2,    /* REFUSED, but the lessee was asked for more: try again soon */
    FGW_TRACE_LOST = 8,     /* REFUSED for no other reason than that the store is lost */
    FGW_TRACE_RANG = 4,     /* a demand was posted: ring the lessee's bell */
    FGW_TRACE_SUMMED = 16,  /* of any limit: `held` was summed over all running requests */
};

enum fgw_unit {
    FGW_UNIT_REQUESTS = 0,
    FGW_UNIT_TOKENS = 1,
    FGW_UNIT_INPUT_TOKENS = 2,
    FGW_UNIT_OUTPUT_TOKENS = 3,
    FGW_UNIT_COST = 4, /* micro-dollars */
    FGW_UNIT_SLOTS = 5,
    FGW_UNITS = 6,
};

/* A matched rule and what it did. */
struct fgw_rule_trace {
    uint64_t rule; /* name hash of the rule's name (or its position, "on_http_request[3]") */
    uint8_t action; /* enum fgw_action (fgw_policy.h); 0: matched without effect */
    uint8_t enforced;
    uint16_t code; /* FGW code of a refusal, else 0 */
    uint32_t reserved;
    int64_t value; /* e.g. the output ceiling put in force */
};
_Static_assert(sizeof(struct fgw_rule_trace) == 24, "stored in the ledger");

/* A limit with its values at that instant. Amounts in the limit's unit. */
struct fgw_limit_trace {
    uint64_t identity[2]; /* what the shared table is keyed by; NAME records tell limit and key */
    uint64_t rule;        /* name hash of the limit's name */
    uint64_t used;        /* after this decision, held included */
    uint64_t held;        /* of it, by requests that still run; 0 also where it was not summed */
    uint64_t limit;       /* capacity */
    /* By this request at admission; of a refused request, where this limit refused: what it would
     * have taken. */
    uint64_t taken;
    uint64_t wait_ns;     /* REFUSED: until it would pass */
    uint64_t reset_ns;    /* until full again, from then */
    uint8_t unit;
    uint8_t verdict; /* enum fgw_limit_verdict */
    uint8_t enforced;
    uint8_t algorithm; /* enum fgw_algorithm (fgw_limit.h) */
    uint8_t flags;     /* enum fgw_trace_flag */
    uint8_t reserved;
    uint16_t place;    /* slots: the request's in the queue when it was refused; 0: in none */
};
_Static_assert(sizeof(struct fgw_limit_trace) == 80, "stored in the ledger");

/* In head.flags of a REQUEST. */
enum fgw_request_flag {
    FGW_REQUEST_FITTED = 1,    /* output_max is what a cap had left */
    FGW_REQUEST_UNBOUNDED = 2, /* nothing bounds its use, but the caps let it pass */
};

/* REQUEST, followed by rules[n_rules], then limits[n_limits]. */
struct fgw_record_request {
    struct fgw_record head;
    struct fgw_dims dims; /* provider and upstream_model: asked first; 0 where refused */
    uint64_t policy_version;
    uint64_t client_request_id; /* name hash of the client's own x-request-id, 0: none */
    uint8_t client_ip[16];      /* IPv6, or v4-mapped */
    uint32_t input_bytes;       /* of the body */
    uint32_t input_estimate;    /* tokens */
    uint32_t output_max;        /* output limit in force, tokens; 0: none */
    uint16_t status;            /* of a refusal; 0: allowed, see CLOSE */
    uint16_t code;              /* FGW code of a refusal */
    uint64_t rule;              /* name hash of the rule that refused or shaped */
    uint64_t reason;            /* name hash of the reason's text, 0: the catalogue's */
    uint8_t verdict;            /* 0 allow, 1 deny */
    uint8_t phase;              /* where it ended, enum Phase (exchange.pxd) */
    uint8_t n_rules;
    uint8_t n_limits;
    uint16_t rules_total;
    uint8_t sampled; /* 1: stands for more refusals, see REFUSED */
    uint8_t tools;
    uint32_t phase_us[FGW_PHASES]; /* time spent up to the decision, by phase */
    uint32_t answers;              /* n; 0: not known */
    uint64_t input_high;           /* what caps take of the input, tokens; 0: not known */
};
_Static_assert(sizeof(struct fgw_record_request) == 256, "stored in the ledger");

struct fgw_record_open {
    struct fgw_record head;
    struct fgw_dims dims;
    uint64_t provider_key; /* name hash of the provider key's id */
    uint64_t input_high;   /* no more input tokens than this */
    uint64_t output_high;  /* no more output tokens than this; UINT64_MAX: no bound known */
    uint8_t attempt;       /* 1, 2, … */
    uint8_t n_held;
    uint8_t reserved[6];
    struct fgw_held {
        uint64_t identity[2];
        uint64_t amount;
    } held[FGW_LIMITS_MAX]; /* n_held of them are stored */
};

/* In head.flags of a HELD: the words were settled to these amounts; a CLOSE follows. */
#define FGW_HELD_SETTLED 1

struct fgw_record_held {
    struct fgw_record head;
    uint64_t output_high; /* as in OPEN, from now on */
    uint8_t attempt;
    uint8_t n_held;
    uint8_t reserved[6];
    struct fgw_held held[FGW_LIMITS_MAX]; /* of caps, the whole amounts; n_held are stored */
};

struct fgw_record_close {
    struct fgw_record head;
    struct fgw_dims dims;
    struct fgw_tokens tokens; /* the point */
    uint64_t input_low, input_high; /* normalised: cached and cache writes included */
    uint64_t output_low, output_high; /* reasoning included */
    int64_t cost_nano_usd; /* -1: price unknown */
    uint32_t price_version;
    uint16_t status; /* what the client got (last attempt), else what the provider answered */
    uint16_t code;   /* FGW code where the gateway ended it */
    uint8_t fate;
    uint8_t provenance; /* the weaker of the two below */
    uint8_t input_provenance;
    uint8_t output_provenance;
    uint8_t attempt;
    uint8_t final; /* 1: no further attempt follows; the request is over */
    uint8_t input_basis;  /* how the points of what was not told were found (enum fgw_basis); 0 */
    uint8_t output_basis; /* in records of those that did not say */
    uint32_t events;
    uint32_t overrun_tokens; /* that the provider billed beyond the ceiling; in tokens too */
    uint64_t bytes_in;  /* request body sent */
    uint64_t bytes_out; /* response body delivered */
    uint64_t started_ns; /* wall clock of the attempt's OPEN */
    uint64_t overrun_nano_usd; /* what they cost, where the price is known; in the cost too */
    uint32_t phase_us[FGW_PHASES_MAX]; /* of the whole request, where final */
    struct fgw_units units;
};

/* What a CLOSE of any version says of it, in `units`: zeros where it ends before. */
static inline void fgw_close_units(const struct fgw_record_close *close, struct fgw_units *units)
{
    if (close->head.size < sizeof(*close))
        *units = (struct fgw_units){0};
    else
        *units = close->units;
}

struct fgw_record_name {
    struct fgw_record head;
    uint64_t hash[2]; /* hash[1] = 0 but for limits */
    uint8_t space;    /* enum fgw_name_space */
    uint8_t reserved;
    uint16_t length;
    uint32_t padding;
    char text[]; /* length bytes, padded with zeros to a multiple of 8 */
};

enum fgw_name_space {
    FGW_NAME_ACCOUNT = 1, /* JSON {"id","owner","tags"} */
    FGW_NAME_MODEL = 2,
    FGW_NAME_PROVIDER = 3,
    FGW_NAME_RULE = 4,
    FGW_NAME_LIMIT = 5, /* limit's name as text, for limit_trace.rule */
    FGW_NAME_BUCKET = 6, /* 128-bit identity -> JSON {"name","unit","key":[…],"limit",…} */
    FGW_NAME_USER = 7,
    FGW_NAME_LABEL = 8,
    FGW_NAME_REASON = 9,
    FGW_NAME_POLICY = 10, /* policy version -> its text form */
    FGW_NAME_REQUEST = 11, /* a client's own x-request-id */
    FGW_NAME_PROVIDER_KEY = 12,
    FGW_NAME_ADMIN = 13, /* who changed a limit */
    FGW_NAME_FINDING = 14, /* what `detect` found, and where: of a rule trace, or of the answer to
                              the request that the record names */
    FGW_NAME_NOTE = 15, /* of one request: JSON {"rule","metadata"} of a log action, {"rules"}
                           of the response phase, {"reason"}: what a rule said in refusing it */
    /* What the provider of an attempt said of its usage (fgw_quotes.h). hash[0]: the attempt;
     * hash[1]: 0, or 1 for the last of two. Without its end where it is as long as it may be. */
    FGW_NAME_QUOTE = 16,
};

/* Whether a name belongs to the one request that it is bound to: it names nothing else. */
static inline int fgw_name_is_of_request(const struct fgw_record_name *name)
{
    return name->space == FGW_NAME_REQUEST || name->space == FGW_NAME_NOTE ||
           name->space == FGW_NAME_FINDING || name->space == FGW_NAME_QUOTE;
}

struct fgw_record_refused {
    struct fgw_record head; /* id of the last one counted */
    uint64_t rule;
    uint64_t account;
    uint16_t code;
    uint16_t status;
    uint32_t reserved;
    uint64_t count; /* refusals not posted one by one since the last such record */
};

#define FGW_GRANT_ALL UINT64_MAX

struct fgw_record_grant {
    struct fgw_record head; /* id 0: no request's */
    uint64_t identity[2];   /* the word, as in fgw_limit_trace */
    uint64_t rule;          /* name hash of the limit's name */
    uint64_t admin;         /* name hash of who asked for it */
    uint64_t amount;        /* asked for, in the limit's unit; FGW_GRANT_ALL: set to unused */
    uint64_t before;        /* used, held included */
    uint64_t after;
    uint8_t unit;
    uint8_t algorithm; /* enum fgw_algorithm */
    uint8_t reserved[6];
};
_Static_assert(sizeof(struct fgw_record_grant) == 104, "stored in the ledger");

#endif
