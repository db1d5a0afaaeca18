/* fgw_dialect_ask.h - what the JSON body of a request asks for, in one pass.
 */
#ifndef FGW_DIALECT_ASK_H
#define FGW_DIALECT_ASK_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_dialect_route.h"
#include "fgw_form.h"
#include "fgw_json.h"
#include "fgw_tier.h"

#define FGW_MODEL_MAX 256
#define FGW_USER_MAX 128
#define FGW_TIER_MAX 24 /* bytes of a word that names one */

enum fgw_ask_error {
    FGW_ASK_OK = 0,
    FGW_ASK_NOT_JSON,       /* not valid JSON (json->error has the reason) */
    FGW_ASK_NOT_OBJECT,     /* JSON, but no object */
    /* a member the gateway acts on came twice, or in another case: parsers differ on which wins */
    FGW_ASK_DUPLICATE,
    FGW_ASK_MODEL_MISSING,  /* no model, or null */
    /* no string, empty, > FGW_MODEL_MAX bytes, or with control characters */
    FGW_ASK_MODEL_INVALID,
    FGW_ASK_STREAM_INVALID, /* `stream` is neither a boolean nor null */
    FGW_ASK_N_INVALID,      /* `n` or `best_of` is no integer in 1..1024, nor null; or too many */
    FGW_ASK_LIMIT_INVALID,  /* an output limit that is no whole number >= 0, nor null */
    FGW_ASK_FORM_INVALID,   /* a form that servers may read in two ways (fgw_form.h) */
};

enum fgw_ask_flag {
    FGW_ASK_STREAM = 1,
    FGW_ASK_TOOLS = 2,         /* `tools` or `functions` is not empty */
    FGW_ASK_INCLUDE_USAGE = 4, /* the client asked for the usage chunk itself */
    FGW_ASK_UNBOUNDED = 8,     /* inputs that the provider fetches or makes: no bound from here */
    FGW_ASK_MORE_MODELS = 16,  /* names further models (`models`, `fallbacks`): the one in `model`
                                  is not all that may answer */
    FGW_ASK_BACKGROUND = 32,   /* the provider goes on whoever waits for the answer, or leaves */
    FGW_ASK_IN_PATH = 64,      /* the model is the one in the path: none is put into the body */
};

/* A value's place in the body; bytes 0: absent. */
struct fgw_place {
    uint64_t at;
    uint64_t bytes;
};

struct fgw_ask {
    uint8_t dialect;
    uint8_t operation;
    uint8_t flags;
    uint8_t error;        /* enum fgw_ask_error */
    uint8_t tier;         /* enum fgw_tier that it names, or FGW_TIER_UNTOLD */
    uint8_t tiers;        /* FGW_TIER_BIT of all that its answer may come at */
    uint8_t limit_fields; /* which of limit_at hold a number: 1 the first, 2 the second */
    uint16_t model_bytes;
    uint16_t user_bytes;
    /* answers asked for: the larger of `n` and `best_of`, 1 if none said, for each prompt */
    uint32_t n;
    uint32_t messages;      /* elements of messages or input; 1 for a string, 0 if absent */
    uint32_t binaries;      /* images, audio, files inside the body */
    uint32_t remotes;       /* images and files by reference */
    int64_t output_limit;   /* tokens per answer, the largest given (providers differ on which
                               they obey); -1: none, or 0, which some take for none */
    int64_t limit[2];       /* each of them */
    uint64_t body_bytes;
    uint64_t text_bytes;    /* decoded bytes of all text that becomes input tokens */
    uint64_t tools_bytes;   /* raw bytes of the tool definitions and of a schema for the answer */
    uint64_t input_bytes;   /* raw bytes of messages, input or prompt */
    uint64_t binary_bytes;  /* raw bytes of base64; of a form's files */
    uint64_t characters;    /* code points of what is to be spoken (audio/speech); else 0 */
    uint64_t picture;       /* fgw_price_kind of what is to be drawn (images); else 0 */
    uint64_t members_at;    /* just past the opening brace: where a member can be put in; of a
                               form past its first delimiter */
    uint32_t members;       /* of the whole body; parts of a form */
    struct fgw_place model_at;    /* its value, also where that is null */
    struct fgw_place limit_at[2]; /* as fgw_limit_members has them */
    struct fgw_place options_at;  /* stream_options, or what the limit stands in */
    struct fgw_place include_at;  /* stream_options.include_usage, its value */
    uint32_t options_members;    /* members inside it; 0 if it is no object */
    uint8_t options_type;        /* enum fgw_json_type */
    uint8_t form;                /* the body is a form: bytes of its boundary; 0: JSON */
    char model[FGW_MODEL_MAX];   /* decoded, not terminated */
    char user[FGW_USER_MAX];     /* decoded, cut at FGW_USER_MAX */
    char boundary[FGW_BOUNDARY_MAX];
};

/* What a body that says nothing asks for: all but the texts. */
void fgw_ask_clear(struct fgw_ask *ask, const struct fgw_route *route);

/* Reads a body that comes in pieces: begin, then fgw_json_feed(json, ...) for each, then finish.
 * `json` is scratch: one per worker will do for bodies that are whole. finish returns 0 or -1 with
 * ask->error set; the sizes are right in both cases as far as the body went. */
void fgw_ask_begin(struct fgw_json *json, uint8_t dialect, uint8_t operation);
int fgw_ask_finish(struct fgw_ask *ask, struct fgw_json *json, const struct fgw_route *route);

/* The three steps on a body in one piece. json->names, which the caller has set, stays. */
int fgw_ask_scan(struct fgw_ask *ask, struct fgw_json *json, const struct fgw_route *route,
                 const uint8_t *body, size_t length);

/* Which kind of picture "quality" and "size" name; those left out (no bytes) are what dall-e
 * takes them for. */
uint64_t fgw_ask_picture(const uint8_t *body, struct fgw_place quality, struct fgw_place size);

/* Takes the model from the path of a route with FGW_ROUTE_IN_PATH, after finish: what the body has
 * to say of it must be the same, or is not looked at (fgw_dialect_face.model_prefix). Returns 0,
 * or -1 with ask->error MODEL_INVALID. */
int fgw_ask_take_path(struct fgw_ask *ask, const struct fgw_route *route, const char *path);

/* The model that its own provider takes where the request names none; NULL: one is named, or
 * nobody says which it is. */
const char *fgw_ask_default_model(const struct fgw_ask *ask);

/* Input tokens, O(1): a guess for all but pictures (text bytes / 4, tools / 4, a few per message;
 * base64 is no text; fgw_estimate.h makes an estimate of it), and a bound that they do not pass
 * unless FGW_ASK_UNBOUNDED (a token is at least one byte of text; FGW_INPUT_ALLOWANCE for what the
 * provider adds; FGW_BINARY_ALLOWANCE for each picture, and a token for each FGW_BINARY_BYTES of
 * base64: sound of 8 kbit/s has one in 133). */
#define FGW_INPUT_ALLOWANCE 4096u
#define FGW_BINARY_ALLOWANCE 50000u
#define FGW_BINARY_BYTES 64u
uint64_t fgw_ask_input_guess(const struct fgw_ask *ask);
uint64_t fgw_ask_input_bound(const struct fgw_ask *ask);

/* Pictures and other files, in the body or by reference. */
static inline uint64_t fgw_ask_pictures(const struct fgw_ask *ask)
{
    return (uint64_t)ask->binaries + ask->remotes;
}

/* Whether the body may ask for its input to be written to a cache (Anthropic's `cache_control`,
 * anywhere, also in escapes): 0 only if it surely does not. Looks at every byte. */
int fgw_ask_may_cache(const struct fgw_ask *ask, const uint8_t *body, size_t length);

#endif
