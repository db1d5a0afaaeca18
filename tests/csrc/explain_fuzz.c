/* Random refusals into rooms of random size: nothing is read or written beside its place, what
 * fits is the same whatever the room, and its head says how long the body is.
 *
 *   explain_fuzz ROUNDS SEED
 *
 * Every text and every room is an allocation of just its size, so that a sanitizer sees a byte too
 * many. Prints how many answers fitted.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fgw_explain.h"

#define CHECK(so)                                                                                 \
    do {                                                                                          \
        if (!(so)) {                                                                              \
            fprintf(stderr, "%d: not so: %s\n", __LINE__, #so);                                   \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

#ifndef TOO_MANY /* the mutant: what the kernel is told that there is not */
#define TOO_MANY 0
#endif

enum { TEXTS_MAX = 128, AMPLE = 1 << 17 };

static uint64_t state;
static void *kept[TEXTS_MAX];
static int n_kept;

static uint64_t draw(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return below ? state % below : state;
}

/* Often at an end of what it can be. */
static uint64_t number(void)
{
    switch (draw(5)) {
    case 0: return 0;
    case 1: return UINT64_MAX - draw(3);
    case 2: return draw(300);
    default: return draw(0) >> draw(64);
    }
}

static uint8_t *piece(size_t length)
{
    uint8_t *bytes = malloc(length);
    CHECK(n_kept < TEXTS_MAX && (bytes != NULL || length == 0));
    kept[n_kept++] = bytes;
    return bytes;
}

static struct fgw_text text(uint32_t most)
{
    struct fgw_text made = {NULL, draw(4) ? (uint32_t)draw(most) : 0};
    if (made.length || draw(2)) {
        uint8_t *bytes = piece(made.length);
        for (uint32_t i = 0; i < made.length; i++)
            bytes[i] = (uint8_t)(' ' + draw(95));
        made.bytes = bytes;
    }
    return made;
}

/* A JSON array of strings, as bucket keys are: or, seldom, anything. */
static struct fgw_text key(void)
{
    if (draw(8) == 0)
        return text(40);
    uint32_t length = 2, inside = (uint32_t)draw(60);
    uint8_t *bytes = piece(inside + 8);
    memcpy(bytes, "[\"", 2);
    for (uint32_t i = 0; i < inside; i++)
        bytes[length++] = (uint8_t)"ab,\"\\\xc3\xa9 "[draw(8)];
    memcpy(bytes + length, draw(2) ? "\"]" : "\\]", 2);
    /* Again, in a room of just its size. */
    uint8_t *exact = piece(length + 2);
    memcpy(exact, bytes, length + 2);
    return (struct fgw_text){exact, length + 2};
}

static struct fgw_limit_trace traces[FGW_LIMITS_MAX];
static struct fgw_explain_limit known[FGW_LIMITS_MAX];

static void make_limit(struct fgw_explain_state *made, uint32_t i)
{
    static const uint16_t statuses[] = {0, 1, 2, 3, 4, 5};
    traces[i] = (struct fgw_limit_trace){
        .used = number(), .held = number(), .limit = number(), .taken = number(),
        .wait_ns = number(), .reset_ns = number(),
        .unit = (uint8_t)draw(draw(4) ? FGW_UNITS : 256),
        .verdict = (uint8_t)statuses[draw(6)], .enforced = draw(3) != 0,
        .algorithm = (uint8_t)draw(7), .flags = (uint8_t)draw(32), .place = (uint16_t)draw(9)};
    known[i] = (struct fgw_explain_limit){text(40), text(50), text(60), text(40),
                                          (uint8_t)draw(2)};
    *made = (struct fgw_explain_state){&traces[i], &known[i], key(), number()};
}

static void make(struct fgw_refusal *refusal, struct fgw_explain_code *code,
                 struct fgw_explain_rule *rule)
{
    static const uint16_t statuses[] = {400, 401, 403, 404, 405, 408, 429, 431, 500, 503, 504};
    *code = (struct fgw_explain_code){text(9), text(60), text(90), text(90), text(90), text(90),
                                      text(draw(2) ? 40 : 1), text(60), text(40),
                                      statuses[draw(11)], draw(2) != 0, draw(2) != 0};
    *rule = (struct fgw_explain_rule){text(60), text(40), text(50)};
    *refusal = (struct fgw_refusal){.code = code, .rule = draw(2) ? rule : NULL};
    refusal->n_limits = (uint32_t)draw(FGW_LIMITS_MAX + 1);
    for (uint32_t i = 0; i < refusal->n_limits; i++)
        make_limit(&refusal->limits[i], i);
    refusal->reason = text(80);
    refusal->request_id = text(30);
    refusal->client_id = text(200);
    refusal->policy = text(50);
    refusal->model = text(60);
    refusal->parameter = text(20);
    refusal->allow = text(20);
    refusal->input_expected = number();
    refusal->input_ceiling = number();
    refusal->answers = (uint32_t)number();
    refusal->attempts = (uint32_t)number();
    refusal->status = draw(2) ? statuses[draw(11)] : 0;
    refusal->close = draw(2) != 0;
    refusal->head_only = draw(4) == 0;
}

static void check_head(const uint8_t *answer, int32_t length, const struct fgw_refusal *refusal)
{
    static const char field[] = "content-length: ";
    const uint8_t *at = memmem(answer, (size_t)length, field, sizeof field - 1);
    CHECK(at != NULL && !memcmp(answer, "HTTP/1.1 ", 9));
    char *end;
    unsigned long body = strtoul((const char *)at + sizeof field - 1, &end, 10);
    CHECK(!memcmp(end, "\r\n\r\n", 4));
    CHECK((const uint8_t *)end + 4 + (refusal->head_only ? 0 : body) == answer + length);
}

/* Into a room of just `cap` bytes; what comes out must be `whole`, or nothing. */
static int fits(const struct fgw_refusal *refusal, const uint8_t *whole, int32_t length)
{
    uint32_t half = (uint32_t)length + 1, cap = (uint32_t)draw(2 * half) + 2;
    uint32_t head_max = 1 + (uint32_t)draw(cap - 1);
    if (draw(2)) { /* enough for both */
        cap = 2 * half;
        head_max = half;
    }
    uint8_t *room = malloc(cap), *said = malloc(cap);
    CHECK(room != NULL && said != NULL);
    int32_t got = fgw_explain_answer(room, cap + TOO_MANY, head_max, refusal);
    CHECK(got == -1 ||
          (got == length && (uint32_t)got <= cap && !memcmp(room, whole, (size_t)got)));
    int32_t words = fgw_explain_change_text(said, cap, refusal);
    CHECK(words >= -1 && words <= (int32_t)cap);
    free(room);
    free(said);
    return got >= 0;
}

int main(int argc, char **argv)
{
    static uint8_t whole[AMPLE];
    struct fgw_refusal refusal;
    struct fgw_explain_code code;
    struct fgw_explain_rule rule;
    uint8_t duration[FGW_DURATION_MAX];
    long fitted = 0;
    CHECK(argc == 3);
    long rounds = strtol(argv[1], NULL, 10);
    state = strtoull(argv[2], NULL, 10) | 1;
    for (long round = 0; round < rounds; round++) {
        make(&refusal, &code, &rule);
        int32_t length = fgw_explain_answer(whole, AMPLE, AMPLE / 2, &refusal);
        CHECK(length > 0);
        check_head(whole, length, &refusal);
        for (int tries = 0; tries < 8; tries++)
            fitted += fits(&refusal, whole, length);
        CHECK(fgw_explain_duration(duration, number()) <= FGW_DURATION_MAX);
        while (n_kept)
            free(kept[--n_kept]);
    }
    printf("rounds=%ld fitted=%ld\n", rounds, fitted);
    return 0;
}
