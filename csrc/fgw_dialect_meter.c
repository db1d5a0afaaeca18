#include "fgw_dialect_meter.h"

#include <string.h>

#include "fgw_dialect_face.h"
#include "fgw_dialect_slots.h"

/* fed: how much of this event's JSON is known */
enum { FED_NOTHING = 0, FED_SOME, FED_BROKEN };

static void hear_sample(void *listener, const uint8_t *bytes, size_t length)
{
    fgw_sample_hear(listener, bytes, length);
}

/* The text of this event, or of the body, is of the sample, or is not. */
static inline void begin_sample(struct fgw_meter *meter)
{
    struct fgw_sample *sample = meter->sample;
    uint64_t at = meter->output_bytes;

    sample->at = at;
    if (meter->streaming && !fgw_sample_listens(sample, at))
        return;
    meter->json.text_listener = sample;
    meter->json.text_ear = hear_sample;
}

static void begin_json(struct fgw_meter *meter)
{
    fgw_json_init(&meter->json, meter->face->answer, meter->face->root(meter));
    meter->json.names = meter->names;
    if (meter->sample)
        begin_sample(meter);
    if (meter->face->begin)
        meter->face->begin(meter);
    meter->fed = FED_SOME;
    meter->head_bytes = 0;
    if (!meter->tracked)
        return;
    meter->before = meter->state;
    meter->heard_bytes = 0;
    memset(meter->said_in, 0, sizeof meter->said_in);
    if (meter->voices)
        fgw_voices_forget(meter->voices);
}

void fgw_meter_init(struct fgw_meter *meter, uint8_t dialect, uint8_t operation, int streaming)
{
    /* All but the scratch of the JSON scan, which begin_json makes ready: 3 KB not to touch. */
    memset(meter, 0, offsetof(struct fgw_meter, json));
    meter->dialect = dialect;
    meter->operation = operation;
    meter->streaming = (uint8_t)streaming;
    meter->face = fgw_dialect_answer_face(dialect, operation);
}

void fgw_meter_track(struct fgw_meter *meter)
{
    memset(&meter->state, 0, sizeof meter->state);
    meter->state.sequence = -1;
    meter->before = meter->state;
    meter->unheard = 0;
    meter->sound_bytes = 0;
    meter->heard_bytes = 0;
    meter->voices = NULL;
    meter->json.ear = NULL;
    meter->tracked = 1;
}

void fgw_meter_keep(struct fgw_meter *meter, struct fgw_sample *sample)
{
    fgw_sample_start(sample);
    meter->sample = sample;
}

void fgw_meter_quote(struct fgw_meter *meter, struct fgw_quotes *quotes)
{
    fgw_quotes_start(quotes);
    quotes->keep_first =
        meter->dialect == FGW_DIALECT_ANTHROPIC || meter->dialect == FGW_DIALECT_BEDROCK;
    meter->quotes = quotes;
}

static void hear(void *listener, const uint8_t *bytes, size_t length)
{
    struct fgw_meter *meter = listener;
    enum fgw_voice_kind kind;
    uint8_t member = 0;
    int64_t index = meter->face->voice(meter, &kind, &member);

    if (kind == FGW_VOICE_NONE)
        return;
    if (!meter->said_in[kind])
        meter->said_in[kind] = member;
    if (member && meter->said_in[kind] != member)
        meter->heard_bytes += length; /* said already, in another member */
    else
        meter->heard_bytes += fgw_voices_hear(meter->voices, index, kind, bytes, length);
}

void fgw_meter_listen(struct fgw_meter *meter, struct fgw_voices *voices)
{
    meter->voices = voices;
    meter->json.listener = meter;
    meter->json.ear = hear;
}

#define USAGE_SLOTS (UINT64_C(1) << ANSWER_USAGE | UINT64_C(1) << ANSWER_USAGE_TWIN)

/* Bytes [from, to) of the document, a usage object of which has come, are at `bytes`: quotes what
 * of it stands there. Of a document that is broken (`to` is `from`) nothing counts, and nothing is
 * quoted, wherever it breaks. */
__attribute__((noinline))
static void quote(struct fgw_meter *meter, const uint8_t *bytes, uint64_t from, uint64_t to)
{
    const struct fgw_json *json = &meter->json;
    unsigned at = fgw_json_type_of(json, ANSWER_USAGE) == FGW_JSON_OBJECT ? ANSWER_USAGE
                                                                          : ANSWER_USAGE_TWIN;
    const struct fgw_json_slot *slot = &json->slots[at];

    if (fgw_json_type_of(json, at) != FGW_JSON_OBJECT)
        return;
    if (to == from) {
        fgw_quotes_drop(meter->quotes, slot->start >= from);
        return;
    }
    if (slot->end && slot->end <= from)
        return;
    const uint64_t end = slot->end ? slot->end : to;
    if (slot->start >= from)
        fgw_quotes_begin(meter->quotes, bytes + (slot->start - from), end - slot->start);
    else
        fgw_quotes_add(meter->quotes, bytes, end - from);
}

/* (One copy, with the scan inlined: it is most of what an event costs.) */
__attribute__((noinline))
static void feed_json(struct fgw_meter *meter, const uint8_t *bytes, size_t length)
{
    while (meter->fed != FED_BROKEN && length) {
        size_t used = 0;
        const uint64_t from = meter->json.offset;
        int code = fgw_json_feed_some(&meter->json, bytes, length, &used);
        if (meter->json.seen & USAGE_SLOTS && meter->quotes)
            quote(meter, bytes, from, code < 0 ? from : from + used);
        if (code < 0)
            meter->fed = FED_BROKEN;
        else if (code > 0)
            meter->face->pass(meter);
        bytes += used;
        length -= used;
    }
}

static void take_head(struct fgw_meter *meter, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length && meter->head_bytes < sizeof meter->head; i++)
        meter->head[meter->head_bytes++] = (char)bytes[i];
}

/* A piece of an event that has the model's own inside, in base64. */
static void feed_chunk(struct fgw_meter *meter, const uint8_t *bytes, size_t length, int first)
{
    uint8_t inner[256];
    size_t at = 0;

    if (first)
        memset(&meter->chunk, 0, sizeof meter->chunk);
    while (at < length) {
        size_t now = fgw_bedrock_chunk_next(&meter->chunk, bytes, length, &at, inner,
                                            sizeof inner);
        feed_json(meter, inner, now);
    }
}

static void feed_event(struct fgw_meter *meter, const uint8_t *bytes, size_t length)
{
    int first = meter->fed == FED_NOTHING;

    if (first)
        begin_json(meter);
    if (meter->face->wraps && meter->operation == FGW_OPERATION_INVOKE &&
        meter->split.frames.message_type == FGW_EVENT_STREAM_EVENT) {
        feed_chunk(meter, bytes, length, first);
        return;
    }
    if (first ? length && *bytes == '[' : meter->head_bytes != 0)
        take_head(meter, bytes, length); /* only [DONE] begins so */
    feed_json(meter, bytes, length);
}

/* `[DONE]`, which some end with white space. */
static int is_done(const struct fgw_meter *meter)
{
    if (meter->head_bytes < 6 || memcmp(meter->head, "[DONE]", 6))
        return 0;
    for (unsigned i = 6; i < meter->head_bytes; i++)
        if (meter->head[i] != ' ' && meter->head[i] != '\r')
            return 0;
    return 1;
}

static void keep(char *to, uint8_t *to_bytes, size_t room, const struct fgw_json *json,
                 unsigned slot)
{
    if (*to_bytes || fgw_json_type_of(json, slot) != FGW_JSON_STRING)
        return;
    size_t bytes = json->slots[slot].copied < room ? json->slots[slot].copied : room;
    memcpy(to, fgw_json_text_of(json, slot), bytes);
    *to_bytes = (uint8_t)bytes;
}

/* The JSON of an event, or of the body, is over. Returns what it says. */
static unsigned fold(struct fgw_meter *meter)
{
    struct fgw_json *json = &meter->json;
    unsigned flags;

    if (meter->fed == FED_BROKEN || fgw_json_end(json))
        return FGW_EVENT_BROKEN;
    flags = meter->face->fold(meter);
    keep(meter->id, &meter->id_bytes, sizeof meter->id, json, ANSWER_ID);
    keep(meter->model, &meter->model_bytes, sizeof meter->model, json, ANSWER_MODEL);
    meter->event_bytes = json->text_bytes;
    meter->output_bytes += json->text_bytes;
    return json->text_bytes ? flags | FGW_EVENT_TEXT : flags;
}

/* What the event that just ended bore besides what was heard of it. Returns FGW_EVENT_TEXT where
 * that is sound. */
static unsigned add_unheard(struct fgw_meter *meter)
{
    uint64_t sound = meter->fed == FED_NOTHING ? 0 : meter->json.binary_bytes;

    if (meter->event_bytes > meter->heard_bytes)
        meter->unheard += (meter->event_bytes - meter->heard_bytes + 3) / 4;
    meter->sound_bytes += sound;
    return sound ? FGW_EVENT_TEXT : 0;
}

static void end_event(struct fgw_meter *meter, int dispatch)
{
    unsigned flags = 0;

    meter->event_bytes = 0;
    if (dispatch) {
        meter->events++;
        flags = FGW_EVENT_DISPATCH;
        if (is_done(meter)) {
            flags |= FGW_EVENT_DONE;
        } else {
            if (meter->fed == FED_NOTHING)
                begin_json(meter);
            flags |= fold(meter);
        }
        meter->text_events += (flags & FGW_EVENT_TEXT) != 0;
        if (meter->tracked)
            flags |= add_unheard(meter);
        if (meter->name_bytes == 5 && !memcmp(meter->name, "error", 5))
            flags |= FGW_EVENT_ERROR;
        if (meter->streaming == FGW_STREAM_FRAMES &&
            meter->split.frames.message_type > FGW_EVENT_STREAM_EVENT)
            flags |= FGW_EVENT_ERROR;
        /* (Some tell an error in one event with the usage: that is for the client.) */
        if (meter->hide_usage && flags & FGW_EVENT_USAGE && !(flags & FGW_EVENT_ERROR) &&
            fgw_is_usage_alone(&meter->json))
            flags |= FGW_EVENT_HIDE;
    }
    meter->fed = FED_NOTHING;
    meter->head_bytes = 0;
    meter->name_bytes = 0;
    meter->event = (uint8_t)flags;
    meter->ever |= (uint8_t)flags;
}

static void take_name(struct fgw_meter *meter, const struct fgw_split_piece *piece)
{
    if (piece->fresh)
        meter->name_bytes = 0;
    for (size_t i = 0; i < piece->length && meter->name_bytes < sizeof meter->name; i++)
        meter->name[meter->name_bytes++] = (char)piece->bytes[i];
}

/* The framing is broken, so what was read of this event counts for nothing. */
static void lose_event(struct fgw_meter *meter)
{
    meter->fed = FED_NOTHING;
    meter->head_bytes = 0;
    meter->name_bytes = 0;
    meter->event_bytes = 0;
    meter->event = FGW_EVENT_DISPATCH | FGW_EVENT_BROKEN;
    meter->ever |= meter->event;
}

/* Of a stream that is not SSE. */
__attribute__((noinline))
static enum fgw_split_kind next_other(struct fgw_meter *meter, const uint8_t *bytes,
                                      size_t length, size_t *at, struct fgw_split_piece *piece)
{
    switch (meter->streaming) {
    case FGW_STREAM_NDJSON:
        return fgw_ndjson_next(&meter->split.lines, bytes, length, at, piece);
    case FGW_STREAM_ARRAY:
        return fgw_json_array_next(&meter->split.array, bytes, length, at, piece);
    default:
        return fgw_event_stream_next(&meter->split.frames, bytes, length, at, piece);
    }
}

static inline enum fgw_split_kind next_piece(struct fgw_meter *meter, const uint8_t *bytes,
                                             size_t length, size_t *at,
                                             struct fgw_split_piece *piece)
{
    if (__builtin_expect(meter->streaming == FGW_STREAM_SSE, 1))
        return fgw_sse_next(&meter->split.sse, bytes, length, at, piece);
    return next_other(meter, bytes, length, at, piece);
}

static int is_bare(int byte)
{
    return byte == '{' || byte == '[';
}

/* JSON where a line of events must begin: Google writes errors into a stream so, over many lines;
 * elsewhere it is the whole answer, under the name of a stream. */
static void take_bare(struct fgw_meter *meter)
{
    memset(&meter->split, 0, sizeof meter->split);
    meter->streaming = meter->face->bare_errors ? FGW_STREAM_ARRAY : FGW_STREAM_NONE;
}

/* Of an answer that is one document, or was said to be one. */
static enum fgw_meter_code next_of_document(struct fgw_meter *meter, const uint8_t *bytes,
                                            size_t length, size_t *at)
{
    if (meter->fed == FED_NOTHING && *at < length)
        begin_json(meter);
    feed_json(meter, bytes + *at, length - *at);
    *at = length;
    return FGW_METER_MORE;
}

static enum fgw_meter_code next_event(struct fgw_meter *meter, const uint8_t *bytes, size_t length,
                                      size_t *at)
{
    struct fgw_split_piece piece;

    if (meter->streaming == FGW_STREAM_SSE && (!meter->events || meter->face->bare_errors) &&
        is_bare(fgw_sse_first(&meter->split.sse, bytes, length, *at))) {
        take_bare(meter);
        if (!meter->streaming)
            return next_of_document(meter, bytes, length, at);
    }
    for (;;) {
        switch (next_piece(meter, bytes, length, at, &piece)) {
        case FGW_SPLIT_DATA:
            feed_event(meter, piece.bytes, piece.length);
            break;
        case FGW_SPLIT_JOIN:
            feed_event(meter, (const uint8_t *)"\n", 1);
            break;
        case FGW_SPLIT_NAME:
            take_name(meter, &piece);
            break;
        case FGW_SPLIT_END:
            end_event(meter, piece.dispatch);
            return FGW_METER_EVENT;
        case FGW_SPLIT_FAULT:
            lose_event(meter);
            return FGW_METER_EVENT;
        case FGW_SPLIT_MORE:
            return FGW_METER_MORE;
        default:
            break;
        }
    }
}

/* What stands before a document: white space (some keep the connection alive so) and a byte order
 * mark. An answer that goes on like a line of events is a stream, whatever its head says. */
static void look_at_start(struct fgw_meter *meter, const uint8_t *bytes, size_t length, size_t *at)
{
    static const uint8_t MARK[] = {0xef, 0xbb, 0xbf};

    for (; *at < length; ++*at) {
        uint8_t byte = bytes[*at];
        if (meter->head_bytes < sizeof MARK && byte == MARK[meter->head_bytes])
            meter->head_bytes++;
        else if (byte != ' ' && byte != '\n' && byte != '\r' && byte != '\t')
            break;
    }
    if (*at < length && memchr("deir:", bytes[*at], 5)) /* of data, event, id, retry; comments */
        meter->streaming = FGW_STREAM_SSE;
}

enum fgw_meter_code fgw_meter_next(struct fgw_meter *meter, const uint8_t *bytes, size_t length,
                                   size_t *at)
{
    if (!meter->streaming && meter->fed == FED_NOTHING)
        look_at_start(meter, bytes, length, at);
    if (meter->streaming)
        return next_event(meter, bytes, length, at);
    return next_of_document(meter, bytes, length, at);
}

/* A stream has ended: whether its last event lacks nothing but its own end. */
static void end_stream(struct fgw_meter *meter)
{
    int open = 0;

    switch (meter->streaming) {
    case FGW_STREAM_NDJSON:
        open = fgw_ndjson_open(&meter->split.lines);
        break;
    case FGW_STREAM_ARRAY:
        open = fgw_json_array_open(&meter->split.array);
        break;
    case FGW_STREAM_FRAMES:
        if (fgw_event_stream_end(&meter->split.frames) != FGW_EVENT_STREAM_OK)
            lose_event(meter);
        break;
    default:
        open = fgw_sse_open(&meter->split.sse);
    }
    if (open)
        end_event(meter, 1);
    memset(&meter->split, 0, sizeof meter->split);
}

void fgw_meter_end(struct fgw_meter *meter)
{
    meter->whole = 1;
    if (meter->streaming) {
        end_stream(meter);
        return;
    }
    if (meter->fed == FED_NOTHING)
        return;
    meter->event = (uint8_t)fold(meter);
    meter->ever |= meter->event;
    meter->fed = FED_NOTHING;
}

uint64_t fgw_meter_told_output(const struct fgw_meter *meter)
{
    struct fgw_usage usage = {0};

    if (!(meter->report.present >> FGW_REPORT_OUTPUT & 1))
        return 0;
    if (!meter->face->placeholder || meter->told || meter->face->final(meter))
        meter->face->classes(meter, &usage);
    return fgw_usage_output(&usage);
}

static uint64_t greater(uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

uint64_t fgw_meter_output(const struct fgw_meter *meter, uint64_t edge, uint64_t *certain)
{
    uint64_t least = greater(fgw_meter_told_output(meter), meter->text_events);
    uint64_t other = meter->unheard + meter->sound_bytes / FGW_SOUND_BYTES;

    *certain = least;
    if (!meter->voices)
        return greater(least, meter->sound_bytes / FGW_SOUND_BYTES);
    struct fgw_voices_count said = fgw_voices_tokens(meter->voices, edge - (other < edge ? other
                                                                                         : edge));
    if (meter->voices->known)
        *certain = greater(least, said.text);
    return greater(least, said.text + said.calls + other);
}

uint64_t fgw_meter_heard(const struct fgw_meter *meter)
{
    if (!meter->tracked || !meter->voices)
        return 0;
    struct fgw_voices_count said = fgw_voices_tokens(meter->voices, 0);
    return said.text + said.calls + meter->unheard;
}

uint64_t fgw_meter_text_bytes(const struct fgw_meter *meter)
{
    uint64_t kept = meter->sample ? meter->sample->at : 0;

    return greater(meter->output_bytes, kept);
}

int fgw_meter_bears_text(const struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;

    if (meter->fed == FED_NOTHING)
        return 0;
    /* A string is added to the sums when it ends; this one may be in the middle of it. */
    switch (json->spec->nodes[json->node].text) {
    case FGW_JSON_TEXT:
    case FGW_JSON_SAID:
    case FGW_JSON_BINARY:
        return 1;
    default:
        return json->text_bytes || json->binary_bytes;
    }
}

uint32_t fgw_meter_usage(const struct fgw_meter *meter, struct fgw_usage *usage)
{
    const struct fgw_usage_report *report = &meter->report;

    memset(usage, 0, sizeof *usage);
    usage->tier = fgw_tier_of(&meter->said);
    usage->images = meter->units.images;
    usage->audio_ms = meter->units.audio_ms;
    usage->characters = meter->units.characters;
    usage->searches = meter->units.searches;
    if (!report->present || meter->operation == FGW_OPERATION_COUNT_TOKENS)
        return 0; /* counting tokens is not billed */
    meter->face->classes(meter, usage);
    uint64_t input = fgw_usage_input(usage), output = fgw_usage_output(usage);
    /* What is left out is not known; what is told as 0 is 0. */
    int untold = !output && !(report->present >> FGW_REPORT_OUTPUT & 1) && meter->output_bytes;
    if (!input && !(report->present >> FGW_REPORT_INPUT & 1))
        usage->flags |= FGW_USAGE_NO_INPUT;
    if (!input && !output && meter->output_bytes)
        usage->flags |= FGW_USAGE_ZERO;
    else
        usage->flags |= meter->face->final(meter) && !untold ? FGW_USAGE_PROVIDER
                                                             : FGW_USAGE_PARTIAL;
    return usage->flags;
}
