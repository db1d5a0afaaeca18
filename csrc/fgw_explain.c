#include "fgw_explain.h"

#include <stddef.h>
#include <string.h>

#include "fgw_http1_write.h"

#define SECOND UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)
/* SDKs wait no longer for a retry: told to, they would try again too early, in vain. */
#define RETRY_MAX_NS (60 * SECOND)

static uint64_t ceil_of(uint64_t number, uint64_t unit)
{
    return number / unit + (number % unit != 0);
}

/* ---- writing: `at` is NULL once something did not fit ---- */

struct out {
    uint8_t *at, *end;
};

static inline void put(struct out *out, const void *bytes, size_t length)
{
    if (!out->at || (size_t)(out->end - out->at) < length) {
        out->at = NULL;
        return;
    }
    if (length)
        memcpy(out->at, bytes, length);
    out->at += length;
}

#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)

static inline void put_text(struct out *out, struct fgw_text text)
{
    put(out, text.bytes, text.length);
}

static void put_number(struct out *out, uint64_t number)
{
    uint8_t digits[20];
    uint32_t at = sizeof digits;
    do
        digits[--at] = (uint8_t)('0' + number % 10);
    while (number /= 10);
    put(out, digits + at, sizeof digits - at);
}

/* Micro-dollars as dollars: $249.5, without zeros that say nothing. */
static void put_dollars(struct out *out, uint64_t micros)
{
    uint8_t fraction[7] = ".000000";
    uint32_t length = 0, rest = (uint32_t)(micros % 1000000);
    for (uint32_t i = 6; i >= 1; i--, rest /= 10) {
        fraction[i] = (uint8_t)('0' + rest % 10);
        if (!length && rest % 10)
            length = i + 1;
    }
    PUT(out, "$");
    put_number(out, micros / 1000000);
    put(out, fraction, length);
}

static void put_amount(struct out *out, uint64_t amount, uint8_t unit)
{
    if (unit == FGW_UNIT_COST)
        put_dollars(out, amount);
    else
        put_number(out, amount);
}

static void put_two(struct out *out, uint64_t big, const char *of_big, uint64_t small,
                    const char *of_small)
{
    put_number(out, big);
    put(out, of_big, strlen(of_big));
    if (small) {
        PUT(out, " ");
        put_number(out, small);
        put(out, of_small, strlen(of_small));
    }
}

static void put_duration(struct out *out, uint64_t ns)
{
    if (ns < SECOND) {
        put_two(out, ceil_of(ns, MILLISECOND), " ms", 0, "");
        return;
    }
    uint64_t seconds = ceil_of(ns, SECOND), minutes = ceil_of(seconds, 60);
    if (seconds < 120)
        put_two(out, seconds, " s", 0, "");
    else if (seconds < 7200)
        put_two(out, seconds / 60, " min", seconds % 60, " s");
    else if (minutes < 48 * 60)
        put_two(out, minutes / 60, " h", minutes % 60, " min");
    else
        put_two(out, ceil_of(minutes, 60) / 24, " d", ceil_of(minutes, 60) % 24, " h");
}

uint32_t fgw_explain_duration(uint8_t *text, uint64_t ns)
{
    struct out out = {text, text + FGW_DURATION_MAX};
    put_duration(&out, ns);
    return (uint32_t)(out.at - text);
}

/* The elements of a JSON array, ", " between them and no quotes: still JSON text. */
static void put_key(struct out *out, struct fgw_text key)
{
    int inside = 0;
    if (key.length < 2 || !out->at || (size_t)(out->end - out->at) < 2 * (size_t)key.length) {
        if (key.length >= 2)
            out->at = NULL;
        return;
    }
    for (uint32_t i = 1; i + 1 < key.length; i++) {
        uint8_t byte = key.bytes[i];
        if (byte == '"') {
            inside = !inside;
            continue;
        }
        *out->at++ = byte;
        if (byte == '\\')
            *out->at++ = key.bytes[++i];
        else if (byte == ',' && !inside)
            *out->at++ = ' ';
    }
}

/* ---- what would have to change ---- */

static const struct fgw_text UNITS[FGW_UNITS] = {
    [FGW_UNIT_REQUESTS] = {(const uint8_t *)"requests", 8},
    [FGW_UNIT_TOKENS] = {(const uint8_t *)"tokens", 6},
    [FGW_UNIT_INPUT_TOKENS] = {(const uint8_t *)"input_tokens", 12},
    [FGW_UNIT_OUTPUT_TOKENS] = {(const uint8_t *)"output_tokens", 13},
    [FGW_UNIT_COST] = {(const uint8_t *)"cost", 4},
    [FGW_UNIT_SLOTS] = {(const uint8_t *)"slots", 5},
};

static int blocks(const struct fgw_explain_state *state)
{
    const struct fgw_limit_trace *trace = state->trace;
    return trace->enforced &&
           (trace->verdict == FGW_LIMIT_REFUSED || trace->verdict == FGW_LIMIT_NEVER ||
            trace->verdict == FGW_LIMIT_TABLE_FULL);
}

/* No wait helps. A cap that knows of none has no window that ends. */
static int is_never(const struct fgw_explain_state *state)
{
    const struct fgw_limit_trace *trace = state->trace;
    return trace->verdict == FGW_LIMIT_NEVER || trace->wait_ns == FGW_EXPLAIN_FOREVER ||
           (trace->verdict == FGW_LIMIT_REFUSED && state->known->ceiling && !trace->wait_ns);
}

static uint64_t input_of(const struct fgw_refusal *refusal, const struct fgw_explain_state *state)
{
    if (state->trace->unit != FGW_UNIT_TOKENS)
        return 0;
    return state->known->ceiling ? refusal->input_ceiling : refusal->input_expected;
}

/* Output tokens an answer with which the request would find room in `free` units. */
static uint64_t output_in(const struct fgw_refusal *refusal, const struct fgw_explain_state *state,
                          uint64_t free)
{
    uint8_t unit = state->trace->unit;
    uint64_t input = input_of(refusal, state);
    if ((unit != FGW_UNIT_TOKENS && unit != FGW_UNIT_OUTPUT_TOKENS) || free <= input ||
        free >= state->needed)
        return 0;
    return (free - input) / (refusal->answers ? refusal->answers : 1);
}

/* Input tokens too many, of a cap. A ceiling counts more than there are, for instance bytes, but
 * each token that is left out makes it smaller by one at least. 0: it has not so many to spare. */
static uint64_t input_over(const struct fgw_refusal *refusal,
                           const struct fgw_explain_state *state, uint64_t free)
{
    uint8_t unit = state->trace->unit;
    if ((unit != FGW_UNIT_TOKENS && unit != FGW_UNIT_INPUT_TOKENS) || !state->known->ceiling ||
        state->needed <= free || state->needed - free >= refusal->input_expected)
        return 0;
    return state->needed - free;
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

void fgw_explain_change_of(const struct fgw_refusal *refusal, struct fgw_explain_change *change)
{
    *change = (struct fgw_explain_change){
        .output = UINT64_MAX, .output_ever = UINT64_MAX};
    int shorter = 1;
    for (uint32_t i = 0; i < refusal->n_limits; i++) {
        const struct fgw_explain_state *state = &refusal->limits[i];
        const struct fgw_limit_trace *trace = state->trace;
        if (!blocks(state))
            continue;
        int never = is_never(state);
        if (!change->blocked++ || never > change->never ||
            (never == change->never && trace->wait_ns > change->wait_ns)) {
            change->first = i;
            change->never = never;
            change->wait_ns = trace->wait_ns;
        }
        uint64_t free = trace->limit > trace->used ? trace->limit - trace->used : 0;
        change->output = least(change->output, output_in(refusal, state, free));
        change->output_ever = least(
            change->output_ever,
            output_in(refusal, state, trace->verdict == FGW_LIMIT_NEVER ? trace->limit : free));
        uint64_t over = input_over(refusal, state, free);
        shorter = shorter && over;
        change->input = over > change->input ? over : change->input;
    }
    if (!change->blocked)
        change->output = change->output_ever = 0;
    if (!shorter)
        change->input = 0;
    if (change->never)
        change->wait_ns = 0;
}

/* "To pass, " before the first way, ", or " before every other. */
static void put_way(struct out *out, int *ways)
{
    if ((*ways)++)
        PUT(out, ", or ");
    else
        PUT(out, "To pass, ");
}

static void put_output(struct out *out, const struct fgw_refusal *refusal, uint64_t tokens)
{
    PUT(out, "ask for at most ");
    put_number(out, tokens);
    PUT(out, " output tokens");
    if (refusal->answers == 0)
        return PUT(out, ", all answers together");
    if (refusal->answers > 1)
        PUT(out, " an answer");
    PUT(out, " (");
    put_text(out, refusal->parameter);
    PUT(out, ")");
}

static void put_change(struct out *out, const struct fgw_refusal *refusal,
                       const struct fgw_explain_change *change)
{
    int ways = 0;
    if (change->wait_ns) {
        put_way(out, &ways);
        PUT(out, "wait ");
        put_duration(out, change->wait_ns);
    }
    if (change->output) {
        put_way(out, &ways);
        put_output(out, refusal, change->output);
    } else if (change->input) {
        put_way(out, &ways);
        PUT(out, "shorten the input by ");
        put_number(out, change->input);
        PUT(out, " tokens");
    } else if (change->output_ever) {
        put_way(out, &ways);
        put_output(out, refusal, change->output_ever);
        PUT(out, " and wait until what is used now is free again");
    }
    if (refusal->model.length) {
        put_way(out, &ways);
        PUT(out, "use the model ");
        put_text(out, refusal->model);
    }
    if (!ways)
        put_text(out, refusal->code->remedy);
}

int32_t fgw_explain_change_text(uint8_t *text, uint32_t cap, const struct fgw_refusal *refusal)
{
    struct out out = {text, text + cap};
    struct fgw_explain_change change;
    fgw_explain_change_of(refusal, &change);
    put_change(&out, refusal, &change);
    return out.at ? (int32_t)(out.at - text) : -1;
}

/* ---- the body ---- */

/* `. Limit 'slots' for k1: 0 used, 60 held of 60 slots, this request needs 1, resets in 9 s` */
static void put_limit(struct out *out, const struct fgw_explain_state *state)
{
    const struct fgw_limit_trace *trace = state->trace;
    uint8_t unit = trace->unit < FGW_UNITS ? trace->unit : FGW_UNIT_REQUESTS;
    PUT(out, ". ");
    put_text(out, state->known->spoken);
    if (state->key.length > 2) {
        PUT(out, " for ");
        put_key(out, state->key);
    }
    PUT(out, ": ");
    put_amount(out, trace->used > trace->held ? trace->used - trace->held : 0, unit);
    if (trace->held || trace->flags & FGW_TRACE_SUMMED) {
        PUT(out, " used, ");
        put_amount(out, trace->held, unit);
        PUT(out, " held of ");
    } else /* what of it is held is not known here: it would take a look at every request */
        PUT(out, " used or held of ");
    put_amount(out, trace->limit, unit);
    if (unit != FGW_UNIT_COST) {
        PUT(out, " ");
        put_text(out, UNITS[unit]);
    }
    if (state->needed) {
        PUT(out, ", this request needs ");
        put_amount(out, state->needed, unit);
    }
    if (trace->reset_ns && trace->reset_ns != FGW_EXPLAIN_FOREVER) {
        PUT(out, ", resets in ");
        put_duration(out, trace->reset_ns);
    }
}

static void put_message(struct out *out, const struct fgw_refusal *refusal,
                        const struct fgw_explain_change *change)
{
    put_text(out, refusal->code->text);
    PUT(out, ": ");
    put_text(out, refusal->reason.length ? refusal->reason : refusal->code->title);
    if (change->blocked) {
        put_limit(out, &refusal->limits[change->first]);
        for (uint32_t i = 0; i < refusal->n_limits; i++)
            if (i != change->first && blocks(&refusal->limits[i]))
                put_limit(out, &refusal->limits[i]);
    } else if (refusal->rule) {
        PUT(out, " (rule ");
        put_text(out, refusal->rule->spoken);
        PUT(out, ")");
    }
    if (change->blocked || !refusal->reason.length) {
        PUT(out, ". ");
        put_change(out, refusal, change);
    }
    PUT(out, ".");
}

static void put_ms(struct out *out, uint64_t ns)
{
    if (ns && ns != FGW_EXPLAIN_FOREVER)
        put_number(out, ceil_of(ns, MILLISECOND));
    else
        PUT(out, "null");
}

static void put_count(struct out *out, uint64_t number)
{
    if (number)
        put_number(out, number);
    else
        PUT(out, "null");
}

static void put_state(struct out *out, const struct fgw_explain_state *state)
{
    static const struct fgw_text verdicts[] = {
        [FGW_LIMIT_REFUSED] = {(const uint8_t *)"refused", 7},
        [FGW_LIMIT_NEVER] = {(const uint8_t *)"never", 5},
        [FGW_LIMIT_TABLE_FULL] = {(const uint8_t *)"table_full", 10},
    };
    const struct fgw_limit_trace *trace = state->trace;
    PUT(out, "{\"name\":\"");
    put_text(out, state->known->name);
    PUT(out, "\",\"key\":\"");
    put_key(out, state->key);
    PUT(out, "\",\"unit\":\"");
    put_text(out, UNITS[trace->unit < FGW_UNITS ? trace->unit : FGW_UNIT_REQUESTS]);
    PUT(out, "\",\"used\":");
    put_number(out, trace->used);
    PUT(out, ",\"held\":");
    put_number(out, trace->held);
    PUT(out, ",\"limit\":");
    put_number(out, trace->limit);
    PUT(out, ",\"reset_ms\":");
    put_ms(out, trace->reset_ns);
    PUT(out, ",\"taken\":0,\"needed\":");
    put_number(out, state->needed);
    PUT(out, ",\"wait_ms\":");
    put_ms(out, is_never(state) ? 0 : trace->wait_ns);
    PUT(out, ",\"verdict\":\"");
    put_text(out, verdicts[trace->verdict]);
    PUT(out, "\"}");
}

/* The values of `limit`, `retry_after_ms`, `limits` and `change` in the member `fastgw`. */
static void put_limits(struct out *out, const struct fgw_refusal *refusal,
                       const struct fgw_explain_change *change)
{
    int told = 0;
    if (!change->blocked) {
        PUT(out, ",\"limit\":null,\"retry_after_ms\":null,\"limits\":[],\"change\":null");
        return;
    }
    PUT(out, ",\"limit\":\"");
    put_text(out, refusal->limits[change->first].known->name);
    PUT(out, "\",\"retry_after_ms\":");
    put_ms(out, change->wait_ns);
    PUT(out, ",\"limits\":[");
    for (uint32_t i = 0; i < refusal->n_limits; i++) {
        if (!blocks(&refusal->limits[i]))
            continue;
        if (told++)
            PUT(out, ",");
        put_state(out, &refusal->limits[i]);
    }
    PUT(out, "],\"change\":{\"wait_ms\":");
    put_ms(out, change->wait_ns);
    PUT(out, ",\"max_tokens\":");
    put_count(out, refusal->answers ? change->output : 0);
    PUT(out, ",\"fewer_input_tokens\":");
    put_count(out, change->output ? 0 : change->input);
    PUT(out, ",\"model\":");
    if (refusal->model.length) {
        PUT(out, "\"");
        put_text(out, refusal->model);
        PUT(out, "\"}");
    } else
        PUT(out, "null}");
}

static void put_body(struct out *out, const struct fgw_refusal *refusal,
                     const struct fgw_explain_change *change)
{
    const struct fgw_explain_code *code = refusal->code;
    put_text(out, code->open);
    put_message(out, refusal, change);
    put_text(out, code->rest);
    if (code->wait.length && change->wait_ns && !change->never) {
        put_text(out, code->wait);
        put_number(out, ceil_of(change->wait_ns, SECOND));
        PUT(out, "s\"},");
    }
    put_text(out, code->behind);
    if (refusal->rule) {
        PUT(out, "\"");
        put_text(out, refusal->rule->name);
        PUT(out, "\"");
    } else
        PUT(out, "null");
    put_limits(out, refusal, change);
    PUT(out, ",\"request_id\":\"");
    put_text(out, refusal->request_id);
    put_text(out, code->end);
    if (code->repeats_id) {
        put_text(out, refusal->request_id);
        PUT(out, "\"}");
    }
}

/* ---- the head ---- */

static void put_rate_limits(struct out *out, const struct fgw_refusal *refusal)
{
    int told = 0;
    for (uint32_t i = 0; i < refusal->n_limits; i++) {
        if (!refusal->limits[i].trace->enforced)
            continue; /* a shadow limits nobody */
        if (told++)
            PUT(out, ", ");
        else
            PUT(out, "ratelimit-policy: ");
        put_text(out, refusal->limits[i].known->policy);
    }
    if (!told)
        return;
    PUT(out, "\r\nratelimit: ");
    for (uint32_t i = 0, more = 0; i < refusal->n_limits; i++) {
        const struct fgw_limit_trace *trace = refusal->limits[i].trace;
        if (!trace->enforced)
            continue;
        int blocked = blocks(&refusal->limits[i]);
        uint64_t left = !blocked && trace->used < trace->limit ? trace->limit - trace->used : 0;
        uint64_t wait = trace->verdict == FGW_LIMIT_REFUSED ? trace->wait_ns : trace->reset_ns;
        if (more++)
            PUT(out, ", ");
        put_text(out, refusal->limits[i].known->item);
        PUT(out, ";r=");
        put_number(out, left);
        if (wait > 0 && wait != FGW_EXPLAIN_FOREVER) { /* 0: of slots, nobody knows */
            PUT(out, ";t=");
            put_number(out, ceil_of(wait, SECOND));
        }
    }
    PUT(out, "\r\n");
}

static void put_retry(struct out *out, const struct fgw_refusal *refusal, uint16_t status,
                      const struct fgw_explain_change *change)
{
    int helps = change->blocked ? !change->never : refusal->code->retry;
    uint64_t wait_ns = change->wait_ns;
    if (!helps || wait_ns > RETRY_MAX_NS)
        PUT(out, "x-should-retry: false\r\n");
    if (!helps || !(status == 408 || status == 429 || status == 503 || status == 504))
        return;
    wait_ns = wait_ns ? wait_ns : SECOND;
    PUT(out, "retry-after: ");
    put_number(out, ceil_of(wait_ns, SECOND));
    PUT(out, "\r\nretry-after-ms: ");
    put_number(out, ceil_of(wait_ns, MILLISECOND));
    PUT(out, "\r\n");
}

static void put_head(struct out *out, const struct fgw_refusal *refusal,
                     const struct fgw_explain_change *change, uint32_t body_length)
{
    uint16_t status = refusal->status ? refusal->status : refusal->code->status;
    int32_t line = fgw_http1_put_status(out->at, (uint32_t)(out->end - out->at), status);
    out->at = line < 0 ? NULL : out->at + line;
    put_text(out, refusal->code->fields);
    PUT(out, "x-fastgw-request-id: ");
    put_text(out, refusal->request_id);
    PUT(out, "\r\n");
    if (refusal->client_id.length) {
        PUT(out, "x-request-id: ");
        put_text(out, refusal->client_id);
        PUT(out, "\r\n");
    }
    if (refusal->rule)
        put_text(out, refusal->rule->line);
    put_rate_limits(out, refusal);
    put_retry(out, refusal, status, change);
    put_text(out, refusal->policy);
    if (refusal->attempts) {
        PUT(out, "x-fastgw-attempts: ");
        put_number(out, refusal->attempts);
        PUT(out, "\r\n");
    }
    if (refusal->allow.length) {
        PUT(out, "allow: ");
        put_text(out, refusal->allow);
        PUT(out, "\r\n");
    }
    if (status == 401)
        PUT(out, "www-authenticate: Bearer\r\n");
    if (refusal->close)
        PUT(out, "connection: close\r\n");
    PUT(out, "content-length: ");
    put_number(out, body_length);
    PUT(out, "\r\n\r\n");
}

int32_t fgw_explain_answer(uint8_t *bytes, uint32_t cap, uint32_t head_max,
                           const struct fgw_refusal *refusal)
{
    /* The body first, its length stands in the head; then it moves up behind the head. */
    struct out head = {bytes, bytes + head_max}, body = {bytes + head_max, bytes + cap};
    struct fgw_explain_change change;
    fgw_explain_change_of(refusal, &change);
    put_body(&body, refusal, &change);
    if (!body.at)
        return -1;
    uint32_t length = (uint32_t)(body.at - bytes) - head_max;
    put_head(&head, refusal, &change, length);
    if (!head.at)
        return -1;
    if (refusal->head_only)
        return (int32_t)(head.at - bytes);
    memmove(head.at, bytes + head_max, length);
    return (int32_t)(head.at - bytes) + (int32_t)length;
}
