/* meter_fuzz.c - hostile answers through every meter, and hostile requests through every ask,
 * under the sanitizers: ROUNDS SEED.
 *
 * Both are shuffled from pieces of all dialects; every input is an allocation of exactly its size.
 * What is said must not depend on where the input was cut, nor on what was read before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fgw_dialect_ask.h"
#include "fgw_dialect_meter.h"
#include "fgw_json_names.h"

static const char *const PIECES[] = {
    "{", "}", "[", "]", "\"", "\\", ",", ":", "\n", "\r", "\r\n", " ", "data:", "data: ", "\n\n",
    "event: error\n", "event: message_start\n", "[DONE]", "\xEF\xBB\xBF", "null", "12", "-",
    "NaN", "-Infinity", "1e999", "0.5e2", "\xFF", "\xE2\x82", "\\ud83d", "\\ude00", "\"usage\":",
    "{\"usage\":{", "\"prompt_tokens\":3", "\"completion_tokens\":4", "\"total_tokens\":9",
    "\"prompt_tokens_details\":{", "\"cached_tokens\":1}", "\"id\":\"x\"", "\"id\\\":1",
    "\"input_tokens\":3", "\"output_tokens\":4",
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"", "\"choices\":[]",
    "\"finish_reason\":\"stop\"", "\"type\":\"message_start\"", "\"type\":\"message_delta\"",
    "\"type\":\"content_block_start\"", "\"message\":{", "\"delta\":{", "\"iterations\":[{",
    "\"error\":{", "\"error\":\"no\"", "\"usageMetadata\":{", "\"promptTokenCount\":5",
    "\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"", "\"promptTokensDetails\":[{",
    "\"modality\":\"AUDIO\"", "\"tokenCount\":7", "\"done\":true", "\"eval_count\":5",
    "\"tokens\":{", "\"billed_units\":{", "\"type\":\"message-end\"",
    "\"type\":\"response.completed\"", "\"response\":{", "\"x_groq\":{",
    "\"tool_calls\":[{\"function\":{\"arguments\":\"", "\"amazon-bedrock-invocationMetrics\":{",
    "}}\n\n", ": ping\n\n",
    /* Names that begin alike, and some that nobody knows. */
    "\n\ndata: {\"usage\":{\"prompt_tokens\":3,\"prompt_tokens_details\":"
    "{\"cached_tokens\":1}}}\n\n",
    "\n\ndata: {\"usage\":{\"prompt_tokenz\":5,\"prompt_tokenz_details\":"
    "{\"cached_tokenz\":2}}}\n\n",
    "\n\ndata: {\"usage\":{\"completion_tokens\" :4,\"completion_token\":5}}\n\n",
    "\n\ndata: {\"id\" :\"x\",\"usage\" :{\"completion_tokens\":4}}\n\n",
    "\n\ndata: {\"id\":\"x\",\"usage\":{\"completion_tokens\":4}}\n\n",
};
#define N_PIECES (sizeof PIECES / sizeof *PIECES)

/* Members of requests, whole, and what stands between them. */
static const char *const MEMBERS[] = {
    "\"model\":\"gpt-4o\"", "\"model\" : \"a\"", "\"Model\":\"b\"", "\"mode\":1", "\"\\u006d\":2",
    "\"messages\":[{\"role\":\"user\",\"content\":\"a \\n \xE2\x82\xAC\"},\n   {\"name\":\"x\"}]",
    "\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"b\"}]}]",
    "\"temperature\":0.5", "\"temperature\": 1", "\"top_p\":1e-1", "\"stream\":true",
    "\"STREAM\":1", "\"max_tokens\":256", "\"max_tokens\":12345678",
    "\"max_completion_tokens\":123456789012",
    "\"user\":\"u-1\"", "\"n\":2", "\"n\":02", "\"metadata\":{\"model\":1,\"n\":{}}",
    "\"stop\":[]",
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}},{\"type\":\"web\"}]",
    "\"system\":\"be brief\"", "\"contents\":[{\"parts\":[{\"text\":\"c\"}]}]", "\"size\":-7",
    "\"generationConfig\":{\"maxOutputTokens\":9}", "\"generationconfig\":{\"maxOutputTokens\":9}",
    "\"inferenceConfig\":{\"maxTokens\":3}", "\"background\":false",
    "\"input\":[\"d\",null]",
    "\"a_name_of_more_than_forty_five_letters_that_nobody_keeps\":3", "\"\xFF\":0", "nobody", "{",
};
#define N_MEMBERS (sizeof MEMBERS / sizeof *MEMBERS)

static uint64_t seed;

static uint32_t pick(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

struct said {
    struct fgw_usage_report report, beside;
    struct fgw_usage usage;
    uint64_t events, texts, bytes, output, certain;
    uint8_t ever;
};

/* How a stream is made, and how it is read. */
struct wire {
    uint8_t dialect, operation, tracked;
    int kind;
};

static void feed(struct fgw_meter *meter, const uint8_t *bytes, size_t length)
{
    uint8_t *exact = malloc(length);
    size_t at = 0;

    memcpy(exact, bytes, length);
    while (fgw_meter_next(meter, exact, length, &at) == FGW_METER_EVENT)
        ;
    free(exact);
    if (at != length) {
        fputs("input was left\n", stderr);
        exit(2);
    }
}

/* `cut`: 0 whole, 1 byte by byte, else at random; 3 and more with the names of all before. */
static struct said run(struct wire wire, const uint8_t *bytes, size_t length, int cut)
{
    static struct fgw_json_names names;
    struct fgw_meter *meter = malloc(sizeof *meter);
    struct fgw_quotes *quotes = malloc(sizeof *quotes);
    struct said said;

    memset(meter, 0xa5, sizeof *meter);
    fgw_meter_init(meter, wire.dialect, wire.operation, wire.kind);
    meter->names = cut >= 3 ? &names : NULL;
    fgw_meter_quote(meter, quotes);
    if (wire.tracked)
        fgw_meter_track(meter);
    for (size_t at = 0, now; at < length; at += now) {
        now = cut % 3 == 0 ? length : cut == 1 ? 1 : 1 + pick(20);
        if (now > length - at)
            now = length - at;
        feed(meter, bytes + at, now);
    }
    fgw_meter_end(meter);
    memset(&said, 0, sizeof said);
    memcpy(said.report.value, meter->report.value, sizeof said.report.value);
    memcpy(said.beside.value, meter->beside.value, sizeof said.beside.value);
    said.report.present = meter->report.present;
    fgw_meter_usage(meter, &said.usage);
    said.events = meter->events;
    said.texts = meter->text_events;
    said.bytes = meter->output_bytes;
    if (wire.tracked)
        said.output = fgw_meter_output(meter, UINT32_MAX, &said.certain);
    said.ever = meter->ever;
    for (unsigned i = 0; i < FGW_QUOTE_PLACES; i++)
        if (quotes->quote[i].length > FGW_QUOTE_MAX)
            exit(2);
    free(quotes);
    free(meter);
    return said;
}

/* The same of a request's body. */
static struct fgw_ask ask(struct wire wire, const uint8_t *bytes, size_t length, int cut)
{
    static struct fgw_json_names names;
    const struct fgw_route route = {.dialect = wire.dialect, .operation = wire.operation,
                                    .flags = FGW_ROUTE_MODEL};
    struct fgw_json *json = calloc(1, sizeof *json);
    uint8_t *exact = malloc(length);
    struct fgw_ask said;

    memset(&said, 0, sizeof said);
    memcpy(exact, bytes, length);
    if (cut % 3 == 0) {
        json->names = cut ? &names : NULL;
        fgw_ask_scan(&said, json, &route, exact, length);
    } else {
        fgw_ask_begin(json, wire.dialect, wire.operation);
        json->names = cut > 3 ? &names : NULL;
        for (size_t at = 0, now; at < length; at += now) {
            now = cut == 1 ? 1 : 1 + pick(20);
            now = now > length - at ? length - at : now;
            fgw_json_feed(json, exact + at, now);
        }
        fgw_ask_finish(&said, json, &route);
        said.characters = said.picture = 0; /* of bodies that are whole */
    }
    free(exact);
    free(json);
    return said;
}

static int ask_differs(struct wire wire, const uint8_t *bytes, size_t length)
{
    struct fgw_ask whole = ask(wire, bytes, length, 0);

    for (int cut = 1; cut < 7; cut++) {
        struct fgw_ask said = ask(wire, bytes, length, cut);
        whole.characters = said.characters;
        whole.picture = said.picture;
        if (whole.error == said.error &&
            (whole.error == FGW_ASK_NOT_JSON || !memcmp(&whole, &said, sizeof said)))
            continue;
        fprintf(stderr, "the cut %d matters to an ask: dialect %d, operation %d\n%.*s\n", cut,
                wire.dialect, wire.operation, (int)length, bytes);
        return 1;
    }
    return 0;
}

static size_t put(uint8_t *bytes, size_t at, const char *piece)
{
    memcpy(bytes + at, piece, strlen(piece));
    return at + strlen(piece);
}

static size_t shuffle_members(uint8_t *bytes)
{
    static const char *const COMMAS[] = {",", ",", ", ", ",\n                      ", "\t,", ""};
    size_t length = put(bytes, 0, "{");

    for (uint32_t left = 1 + pick(12); left; left--) {
        length = put(bytes, length, MEMBERS[pick(pick(8) ? N_MEMBERS - 4 : N_MEMBERS)]);
        length = put(bytes, length, left == 1 ? "}" : COMMAS[pick(pick(8) ? 4 : 6)]);
    }
    return length;
}

static size_t shuffle(uint8_t *bytes)
{
    size_t length = 0;

    for (uint32_t left = 1 + pick(40); left; left--)
        length = put(bytes, length, PIECES[pick(N_PIECES)]);
    return length;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1000;
    static uint8_t bytes[8192];

    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (long round = 0; round < rounds; round++) {
        struct wire wire = {(uint8_t)(1 + pick(7)), (uint8_t)pick(18), 0, (int)pick(5)};
        size_t length = shuffle_members(bytes);
        if (ask_differs(wire, bytes, length))
            return 1;
        length = shuffle(bytes);
        wire.tracked = wire.kind && pick(2);
        struct said whole = run(wire, bytes, length, 0);
        for (int cut = 1; cut < 5; cut++) {
            struct said said = run(wire, bytes, length, cut);
            if (!memcmp(&whole, &said, sizeof said))
                continue;
            fprintf(stderr, "the cut matters: dialect %d, operation %d, kind %d, tracked %d\n",
                    wire.dialect, wire.operation, wire.kind, wire.tracked);
            fprintf(stderr, "%.*s\n", (int)length, bytes);
            return 1;
        }
    }
    puts("ok");
    return 0;
}
