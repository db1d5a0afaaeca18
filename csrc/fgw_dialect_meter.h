/* fgw_dialect_meter.h - what an answer cost, read while its bytes pass.
 *
 * A meter is fed the decoded body (chunking and gzip taken off) of one answer
 * in pieces of any size. Streamed bodies go event by event, so that a relay
 * knows the offset just after each event and may hold back or drop exactly one:
 *
 *     size_t at = 0, sent = 0;
 *     while (fgw_meter_next(&meter, bytes, length, &at) == FGW_METER_EVENT) {
 *         if (meter.event & FGW_EVENT_HIDE) ... drop [sent, at) and what was held of it before
 *         sent = at;
 *     }
 *     // [sent, length) is the beginning of the next event (or all of a body that is no stream)
 *
 * A stream that may have to be ended here, at the edge of a cap, is *tracked*: the meter then
 * knows what its ending must continue, as of the event before the one that just ended, which is
 * the one not to be passed on.
 *
 * Usage is kept twice: as the provider reported it (struct fgw_usage_report, merged
 * by that dialect's rule) and, computed on demand, in disjoint classes (struct fgw_usage).
 */
#ifndef FGW_DIALECT_METER_H
#define FGW_DIALECT_METER_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_bedrock_chunk.h"
#include "fgw_dialect.h"
#include "fgw_dialect_voice.h"
#include "fgw_json.h"
#include "fgw_event_stream.h"
#include "fgw_json_array.h"
#include "fgw_ndjson.h"
#include "fgw_quotes.h"
#include "fgw_sample.h"
#include "fgw_sse.h"
#include "fgw_tier.h"

struct fgw_dialect_face;

/* Fields of a report; also the bit numbers of `present`. */
enum fgw_report_field {
    FGW_REPORT_INPUT = 0,   /* prompt_tokens, input_tokens */
    FGW_REPORT_OUTPUT,      /* completion_tokens, output_tokens */
    FGW_REPORT_TOTAL,
    FGW_REPORT_CACHED,      /* read from a cache */
    FGW_REPORT_CACHE_WRITE, /* anthropic: all of it; 5m and 1h are parts */
    FGW_REPORT_CACHE_WRITE_1H,
    FGW_REPORT_REASONING,
    FGW_REPORT_AUDIO_INPUT,
    FGW_REPORT_AUDIO_OUTPUT,
    FGW_REPORT_IMAGE_INPUT,
    FGW_REPORT_IMAGE_OUTPUT,
    FGW_REPORT_TOOL_INPUT, /* gemini: what its tools found, beside the prompt */
    FGW_REPORT_BILLED_INPUT, /* Cohere: what is to be paid, where it is not what was read */
    FGW_REPORT_BILLED_OUTPUT,
    FGW_REPORT_FIELDS
};

enum fgw_vendor {
    FGW_VENDOR_REASONING_APART = 1, /* Vercel: output may leave reasoning out, total as well */
    FGW_VENDOR_AUDIO_APART = 2,     /* Mistral: tokens of sound are in the total alone */
    FGW_VENDOR_SPEECH = 4,          /* all output is sound, and not told to be */
};

/* More tokens than any model reads or writes: no number, as if nothing were told. */
#define FGW_REPORT_MAX (INT64_C(1) << 32)

/* The provider's own numbers, in its own convention; absent, and 0, are different things. */
struct fgw_usage_report {
    uint32_t present; /* bit per field */
    uint8_t vendor;   /* enum fgw_vendor: marks of those whose numbers mean something else */
    uint64_t value[FGW_REPORT_FIELDS];
};

enum fgw_usage_flag {
    FGW_USAGE_PROVIDER = 1,    /* the numbers are the provider's, final, and believable */
    /* input is the provider's; output is not final (stream cut short) */
    FGW_USAGE_PARTIAL = 2,
    FGW_USAGE_ZERO = 4,        /* reported as all zero although there was output: not believed */
    FGW_USAGE_CLAMPED = 8,     /* a part was larger than its whole */
    FGW_USAGE_ITERATIONS = 16, /* sub-inferences outside the top level were added (Anthropic) */
    FGW_USAGE_OTHER_MODEL = 32, /* some of them ran on another model, at another price */
    FGW_USAGE_NO_INPUT = 64, /* nothing was told of the input (Ollama): its classes are no zeros */
    FGW_USAGE_BILLED = 128,  /* billed_input and billed_output are what is to be paid */
    FGW_USAGE_BESIDE = 256,  /* fgw_meter.beside has other numbers, which are not in the classes */
};

/* Disjoint classes: their sum is what was processed, nothing is counted twice. */
struct fgw_usage {
    uint64_t input; /* text, not from a cache, not written to one */
    uint64_t cached_input;
    uint64_t cache_write;    /* kept five minutes, or as long as the provider does by default */
    uint64_t cache_write_1h; /* kept an hour */
    uint64_t audio_input;
    uint64_t image_input;
    uint64_t output; /* text, without reasoning */
    uint64_t reasoning;
    uint64_t audio_output;
    uint64_t image_output;
    uint64_t billed_input; /* of no class: with BILLED, in place of all of them */
    uint64_t billed_output;
    uint64_t images; /* and what is no tokens, as in struct fgw_units */
    uint64_t audio_ms;
    uint64_t characters;
    uint64_t searches;
    uint8_t tier;   /* enum fgw_tier, or FGW_TIER_UNTOLD */
    uint32_t flags; /* enum fgw_usage_flag; 0: nothing was reported */
};

static inline uint64_t fgw_usage_input(const struct fgw_usage *usage)
{
    return usage->input + usage->cached_input + usage->cache_write + usage->cache_write_1h +
           usage->audio_input + usage->image_input;
}

static inline uint64_t fgw_usage_output(const struct fgw_usage *usage)
{
    return usage->output + usage->reasoning + usage->audio_output + usage->image_output;
}

enum fgw_event_flag {
    FGW_EVENT_DISPATCH = 1, /* an event for the client (else comments or blank lines only) */
    /* it bore generated text, event_bytes of it, or, in a tracked stream, sound */
    FGW_EVENT_TEXT = 2,
    FGW_EVENT_USAGE = 4,    /* it bore a usage object that is not null */
    FGW_EVENT_HIDE = 8,     /* the usage chunk that only the gateway asked for: drop it */
    /* the model's own end (finish_reason, stop_reason, response.completed) */
    FGW_EVENT_FINISH = 16,
    FGW_EVENT_DONE = 32,    /* the end of the protocol ([DONE], message_stop, response.*) */
    FGW_EVENT_ERROR = 64,   /* the provider reports an error inside the stream */
    FGW_EVENT_BROKEN = 128, /* its data are no JSON; passed on all the same */
};

#define FGW_METER_ID_MAX 128
#define FGW_METER_MODEL_MAX 128

#define FGW_CHOICES_TRACKED 128
#define FGW_BLOCKS_TRACKED 4

/* What the ending of a tracked stream goes on from. */
struct fgw_stream_state {
    uint64_t finished[FGW_CHOICES_TRACKED / 64]; /* openai: choices that ended, by index */
    int64_t created;   /* openai: as its events have it; 0: not told */
    int64_t sequence;  /* openai responses: sequence_number of the last event; -1: not told */
    int64_t block[FGW_BLOCKS_TRACKED]; /* anthropic: indexes of content blocks that stand open */
    uint8_t blocks;    /* how many */
    uint8_t begun;     /* anthropic: message_start has passed; openai: any event */
};

enum fgw_meter_code { FGW_METER_MORE = 0, FGW_METER_EVENT = 1 };

/* How a body is cut into events, by its content-type. */
enum fgw_stream_kind {
    FGW_STREAM_NONE = 0, /* it is one document */
    FGW_STREAM_SSE,      /* text/event-stream */
    FGW_STREAM_NDJSON,   /* application/x-ndjson: a document a line */
    FGW_STREAM_ARRAY,    /* application/json: one array, written element by element */
    FGW_STREAM_FRAMES,   /* application/vnd.amazon.eventstream */
};

struct fgw_meter {
    const struct fgw_dialect_face *face;
    struct fgw_json_names *names; /* set by the caller after init, or NULL (fgw_json_names.h) */
    uint8_t dialect;
    uint8_t operation;
    uint8_t streaming;   /* enum fgw_stream_kind */
    uint8_t hide_usage;  /* set by the caller after init, from fgw_edits.hide_usage */
    uint8_t event;       /* enum fgw_event_flag of the event that just ended */
    uint8_t ever;        /* all of them or-ed, over the answer */
    uint8_t id_bytes;
    uint8_t model_bytes;
    uint8_t usage_state; /* private */
    uint8_t name_bytes;
    uint8_t head_bytes;
    uint8_t fed;
    uint8_t tracked; /* by fgw_meter_track */
    uint8_t told;    /* Anthropic: a number of output that is no placeholder has come */
    uint8_t whole;   /* fgw_meter_end has been called */
    uint64_t event_bytes;  /* decoded bytes of generated text in the event that just ended */
    uint64_t events;       /* dispatched */
    uint64_t text_events;  /* dispatched with generated text */
    uint64_t output_bytes; /* decoded bytes of generated text, all events or the whole body */
    struct fgw_usage_report report;
    struct fgw_usage_report iterations; /* Anthropic: the sum of those outside the top level, */
    struct fgw_usage_report passes;     /* of the object being read, */
    struct fgw_usage_report earlier;    /* and of messages before this one in the same stream */
    struct fgw_usage_report beside;     /* Bedrock: its own count beside the model's; realtime:
                                           what transcribing the client's sound used */
    struct fgw_units units; /* what is no tokens, as far as it was told; not those of pictures */
    struct fgw_tier_said said;
    struct fgw_bedrock_chunk chunk;
    struct fgw_sample *sample; /* NULL: none of the text is kept */
    struct fgw_quotes *quotes; /* NULL: no usage object is kept as it came */
    uint8_t iteration_flags;
    uint8_t pass_flags;
    char name[15]; /* event: of the block being read, cut */
    char head[8];  /* first bytes of its data, for [DONE] */
    union {
        struct fgw_sse sse;
        struct fgw_ndjson lines;
        struct fgw_json_array array;
        struct fgw_event_stream frames;
    } split; /* by `streaming` */
    struct fgw_json json; /* from here on nothing is touched by init */
    char id[FGW_METER_ID_MAX];       /* the answer's id, cut: id_bytes of it */
    char model[FGW_METER_MODEL_MAX]; /* the model that answered, cut: model_bytes */
    /* Of tracked streams alone: not touched otherwise. */
    struct fgw_stream_state state;  /* with the event that just ended */
    struct fgw_stream_state before; /* without it */
    uint64_t unheard;     /* tokens of text that no voice has heard: four bytes each */
    uint64_t sound_bytes; /* of sound, in base64 */
    uint64_t heard_bytes; /* of the event that is being read */
    uint8_t said_in[4];   /* by kind: the member that this event's strings are heard from */
    struct fgw_voices *voices; /* NULL: no tokenizer listens */
};

/* `streaming`: enum fgw_stream_kind (go by the answer's content-type, not by the request). */
void fgw_meter_init(struct fgw_meter *meter, uint8_t dialect, uint8_t operation, int streaming);

/* After init, of a stream: keeps `state` and `before`, and counts. */
void fgw_meter_track(struct fgw_meter *meter);

/* After track: a tokenizer counts what is said. `voices` is the caller's, and begun by it. */
void fgw_meter_listen(struct fgw_meter *meter, struct fgw_voices *voices);

/* After init: keeps some of the text, by which its tokens can be estimated. The
 * caller's. */
void fgw_meter_keep(struct fgw_meter *meter, struct fgw_sample *sample);

/* After init: keeps the provider's usage objects as they come. The caller's. (Ollama has none: its
 * numbers stand among the answer's other members.) */
void fgw_meter_quote(struct fgw_meter *meter, struct fgw_quotes *quotes);

/* Reads on from bytes[*at]. FGW_METER_EVENT: an event ended just before the new *at (`event`,
 * `event_bytes` tell about it; call again). FGW_METER_MORE: all is read. */
enum fgw_meter_code fgw_meter_next(struct fgw_meter *meter, const uint8_t *bytes, size_t length,
                                   size_t *at);

/* The body has ended, wherever: a last event without its blank line still counts. Idempotent. */
void fgw_meter_end(struct fgw_meter *meter);

/* Output tokens of a tracked stream once the event that just ended is out. Each number is the
 * largest of what is known: what the provider tells as it goes; one for each event with text; and
 *
 *     returned   what the voices have heard, plus a token for each four bytes that they could not
 *                (an event of an order that nobody sends) and for each FGW_SOUND_BYTES of sound;
 *     *certain   the text that voices with a `known` vocabulary have heard: never more than the
 *                provider counts.
 *
 * Both are exact, as far as the vocabulary is, where the first comes near `edge`; elsewhere they
 * lag by the last words. */
uint64_t fgw_meter_output(const struct fgw_meter *meter, uint64_t edge, uint64_t *certain);

/* Bytes of generated text so far; where some is kept, with what has come of a document that is not
 * whole. */
uint64_t fgw_meter_text_bytes(const struct fgw_meter *meter);

/* Tokens of the text that the voices have heard by their vocabulary, and of what they could not as
 * fgw_meter_output has it; sound apart. 0: no tokenizer listens. */
uint64_t fgw_meter_heard(const struct fgw_meter *meter);

/* PCM of 24 kHz and 16 bits, the only form that is streamed: in base64, a token for 50 ms. */
#define FGW_SOUND_BYTES 3200

/* What the provider has told of its output so far, placeholders apart; 0: nothing. */
uint64_t fgw_meter_told_output(const struct fgw_meter *meter);

/* 1 if the event being read, not ended yet, has borne generated text or sound, or is about to. */
int fgw_meter_bears_text(const struct fgw_meter *meter);

/* The classes so far. Returns `usage->flags`. */
uint32_t fgw_meter_usage(const struct fgw_meter *meter, struct fgw_usage *usage);

#endif
