/* fgw_explain.h - Phase EXPLAIN: a refusal as the bytes of an HTTP answer.
 *
 * Nothing is decided here. What never changes is compiled at load into pieces (fgw_explain_code,
 * fgw_explain_limit, fgw_explain_rule); what happened is in the traces; this puts them together:
 *
 *     HTTP/1.1 429 Too Many Requests
 *     content-type: application/json           code.fields
 *     x-fastgw-code: FGW-801
 *     x-fastgw-request-id, -policy, -rule, -attempts; ratelimit-policy, ratelimit: an item per
 *     enforced limit; retry-after, retry-after-ms, x-should-retry; allow; connection
 *     content-length: ...
 *
 *     code.open  message  code.rest  (code.wait)  code.behind
 *     rule, limit, retry_after_ms, limits, change  code.end
 *
 * Every piece that goes into the body is JSON text already, without quotes around it unless said:
 * so the bytes of a client (in bucket keys, which fgw_demand_key has escaped) are copied as they
 * are. Pieces that go into the head have visible ASCII only.
 */
#ifndef FGW_EXPLAIN_H
#define FGW_EXPLAIN_H

#include <stdint.h>

#include "fgw_policy.h"
#include "fgw_record.h"

struct fgw_text {
    const uint8_t *bytes; /* may be NULL where length is 0 */
    uint32_t length;
};

/* A wait that no wait ends (a cap without a window). */
#define FGW_EXPLAIN_FOREVER UINT64_MAX

/* One code of the catalogue in one dialect. */
struct fgw_explain_code {
    struct fgw_text text;   /* FGW-801 */
    struct fgw_text title;  /* too many requests */
    struct fgw_text remedy; /* without a full stop */
    struct fgw_text fields; /* whole lines of the head */
    struct fgw_text open;   /* the body up to its message */
    struct fgw_text rest;   /* from behind the message to the value of `rule` */
    struct fgw_text wait;   /* not empty: behind `rest`, where waiting helps, with the seconds and
                               `s"},` */
    struct fgw_text behind; /* behind both */
    struct fgw_text end;    /* from behind `request_id`'s value in `fastgw`, or ... */
    uint16_t status;
    uint8_t retry; /* waiting can help */
    uint8_t repeats_id; /* ... `end` is followed by the request id once more, and `"}` */
};

/* One limit of the policy. */
struct fgw_explain_limit {
    struct fgw_text name;   /* pace */
    struct fgw_text spoken; /* Limit 'pace' */
    struct fgw_text policy; /* "pace";q=60;w=60, for RateLimit-Policy */
    struct fgw_text item;   /* "pace", for RateLimit */
    uint8_t ceiling;        /* it takes ceilings (a cap), not what is expected (pace) */
};

/* One rule, limit or key limit that can refuse. */
struct fgw_explain_rule {
    struct fgw_text line;   /* x-fastgw-rule: ... with its CRLF */
    struct fgw_text name;   /* per-key pace */
    struct fgw_text spoken; /* 'per-key pace' */
};

/* One limit of the request, whether it refused or not. */
struct fgw_explain_state {
    const struct fgw_limit_trace *trace;
    const struct fgw_explain_limit *known;
    struct fgw_text key; /* a JSON array, or empty */
    uint64_t needed;     /* what the request asked for, in the limit's unit */
};

struct fgw_refusal {
    const struct fgw_explain_code *code;
    const struct fgw_explain_rule *rule; /* NULL: none */
    struct fgw_explain_state limits[FGW_LIMITS_MAX];
    uint32_t n_limits;
    struct fgw_text reason;     /* the rule's own message, without a full stop; empty: the title */
    struct fgw_text request_id;
    struct fgw_text client_id;  /* the client's own, x-request-id; empty: none */
    struct fgw_text policy;     /* x-fastgw-policy: ... with its CRLF */
    struct fgw_text model;      /* another model that would pass; empty: none is known */
    struct fgw_text parameter;  /* what this operation calls max_tokens */
    struct fgw_text allow;      /* methods, of a 405 */
    uint64_t input_expected;    /* tokens */
    uint64_t input_ceiling;
    uint32_t answers;           /* n; 0: not known any more */
    uint32_t attempts;
    uint16_t status;            /* 0: the catalogue's */
    uint8_t close;              /* the connection ends behind this answer */
    uint8_t head_only;          /* the answer to HEAD: no body */
};

/* The smallest change that would pass: each of them alone, 0 or empty where it would not do. */
struct fgw_explain_change {
    int blocked;           /* how many limits refuse */
    uint32_t first;        /* of them, the one to tell first: never, else the longest wait */
    int never;             /* no wait helps */
    uint64_t wait_ns;      /* 0: unknown */
    uint64_t output;       /* tokens an answer (all together where `answers` is 0) */
    uint64_t output_ever;  /* the same, once what is used now is free again */
    uint64_t input;        /* so many tokens less */
};

/* What would have to change for every limit that refuses. */
void fgw_explain_change_of(const struct fgw_refusal *refusal, struct fgw_explain_change *change);

/* The change in words, "To pass, wait 12 s", else the catalogue's remedy. Appends at out[0, cap):
 * the bytes written, -1 where they do not fit. */
int32_t fgw_explain_change_text(uint8_t *out, uint32_t cap, const struct fgw_refusal *refusal);

/* `250 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; rounded up: who waits that long passes.
 * At most FGW_DURATION_MAX bytes; returns how many. */
#define FGW_DURATION_MAX 40
uint32_t fgw_explain_duration(uint8_t *out, uint64_t ns);

/* The whole answer to out[0, cap), its head in less than head_max < cap bytes. Returns its length,
 * -1 where it does not fit. */
int32_t fgw_explain_answer(uint8_t *out, uint32_t cap, uint32_t head_max,
                           const struct fgw_refusal *refusal);

#endif
