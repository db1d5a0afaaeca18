/* fgw_dialect.h - what a request of the openai and anthropic APIs says, and how to edit it.
 *
 * Three steps, all on the caller's memory and without Python:
 *
 *     fgw_route_* method and path          -> dialect, operation, or 404 / 405
 *     fgw_ask_*   the JSON body, one pass  -> struct fgw_ask: model, stream, limits, sizes
 *     fgw_edit_*  ask + what is wanted     -> a few byte splices of that body
 */
#ifndef FGW_DIALECT_H
#define FGW_DIALECT_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_json.h"

enum fgw_dialect { FGW_DIALECT_NONE = 0, FGW_DIALECT_OPENAI, FGW_DIALECT_ANTHROPIC };

enum fgw_operation {
    FGW_OPERATION_OTHER = 0,
    FGW_OPERATION_CHAT,
    FGW_OPERATION_RESPONSES,
    FGW_OPERATION_COMPLETIONS,
    FGW_OPERATION_EMBEDDINGS,
    FGW_OPERATION_MODELS,
    FGW_OPERATION_MESSAGES,
    FGW_OPERATION_COUNT_TOKENS,
    FGW_OPERATION_MODERATIONS,
    FGW_OPERATION_IMAGES,
    FGW_OPERATION_AUDIO,
    FGW_OPERATION_FILES,
    FGW_OPERATION_BATCHES,
    FGW_OPERATION_REALTIME,
};

enum fgw_route_flag {
    FGW_ROUTE_BODY = 1,    /* a JSON body that fgw_ask_* must accept before the request goes on */
    FGW_ROUTE_MODEL = 2,   /* that body must name a model */
    FGW_ROUTE_METERED = 4, /* the answer may bear usage: run a meter over it */
    FGW_ROUTE_SUB = 8,     /* a path below an operation's own, passed through */
    FGW_ROUTE_CAPPABLE = 16 /* generates tokens under a limit the request may carry */
};

struct fgw_route {
    uint8_t dialect;
    uint8_t operation;
    uint8_t flags;
    uint8_t methods;     /* with 405: 1 GET, 2 POST, 4 DELETE (for `allow`) */
    uint16_t status;     /* 0, 404 or 405 */
    uint16_t name_at;    /* GET /v1/models/{model}: the name, still percent-encoded; */
    uint16_t name_bytes; /* 0 where the path names none */
};

/* Says what `path` (absolute, without query; a /providers/{id} prefix taken off) asks for.
 * `anthropic`: the request has `anthropic-version` or `x-api-key`, which decides the paths that
 * both dialects have. Returns 0, or -1 with `status` 404 (unknown, or a path that two parsers could
 * read differently: empty or dot segments, also encoded ones) or 405. */
int fgw_route_find(const char *method, size_t method_bytes, const char *path, size_t path_bytes,
                   int anthropic, struct fgw_route *route);

#define FGW_MODEL_MAX 256
#define FGW_USER_MAX 128

enum fgw_ask_error {
    FGW_ASK_OK = 0,
    FGW_ASK_NOT_JSON,       /* not valid JSON (json->error has the reason) */
    FGW_ASK_NOT_OBJECT,     /* JSON, but no object */
    FGW_ASK_DUPLICATE,      /* a member the gateway acts on came twice: parsers differ on which wins */
    FGW_ASK_MODEL_MISSING,  /* no model, or null */
    FGW_ASK_MODEL_INVALID,  /* no string, empty, > FGW_MODEL_MAX bytes, or with control characters */
    FGW_ASK_STREAM_INVALID, /* `stream` is neither a boolean nor null */
    FGW_ASK_N_INVALID,      /* `n` or `best_of` is no integer in 1..1024, nor null */
    FGW_ASK_LIMIT_INVALID,  /* an output limit that is no whole number >= 0, nor null */
};

enum fgw_ask_flag {
    FGW_ASK_STREAM = 1,
    FGW_ASK_TOOLS = 2,         /* `tools` or `functions` is not empty */
    FGW_ASK_INCLUDE_USAGE = 4, /* the client asked for the usage chunk itself */
    FGW_ASK_UNBOUNDED = 8,     /* inputs that the provider fetches or makes: no bound from the bytes here */
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
    uint8_t limit_fields; /* which limit members hold a number: 1 first of limit_at, 2 second */
    uint16_t model_bytes;
    uint16_t user_bytes;
    uint32_t n;             /* answers asked for (the larger of `n` and `best_of`), 1 if none said */
    uint32_t messages;      /* elements of messages or input; 1 for a string, 0 if absent */
    uint32_t binaries;      /* images, audio, files inside the body */
    uint32_t remotes;       /* images and files by reference */
    int64_t output_limit;   /* tokens per answer, the smallest given; -1: none */
    uint64_t body_bytes;
    uint64_t text_bytes;    /* decoded bytes of all text that becomes input tokens */
    uint64_t tools_bytes;   /* raw bytes of the tool definitions */
    uint64_t binary_bytes;  /* raw bytes of base64 */
    uint64_t members_at;    /* just past the opening brace: where a member can be put in */
    struct fgw_place model_at;
    struct fgw_place limit_at[2]; /* chat: max_completion_tokens, max_tokens; else: the one, - */
    struct fgw_place options_at;  /* stream_options, its whole value */
    struct fgw_place include_at;  /* stream_options.include_usage, its value */
    uint32_t options_members;    /* members inside stream_options; 0 if it is no object */
    uint8_t options_type;        /* enum fgw_json_type */
    char model[FGW_MODEL_MAX];   /* decoded, not terminated */
    char user[FGW_USER_MAX];     /* decoded, cut at FGW_USER_MAX */
};

/* Reads a body that comes in pieces: begin, then fgw_json_feed(json, ...) for each, then finish.
 * `json` is scratch: one per worker will do for bodies that are whole. finish returns 0 or -1 with
 * ask->error set; the sizes are right in both cases as far as the body went. */
void fgw_ask_begin(struct fgw_json *json, uint8_t dialect, uint8_t operation);
int fgw_ask_finish(struct fgw_ask *ask, struct fgw_json *json, const struct fgw_route *route);

/* The three steps on a body in one piece. */
int fgw_ask_scan(struct fgw_ask *ask, struct fgw_json *json, const struct fgw_route *route,
                 const uint8_t *body, size_t length);

/* Input tokens, O(1): a point (text bytes / 4, tools / 4, a few per message, 800 a picture), and a
 * bound that they do not pass unless FGW_ASK_UNBOUNDED (a token is at least one byte of text;
 * FGW_INPUT_ALLOWANCE for what the provider adds; FGW_BINARY_ALLOWANCE for each picture). */
#define FGW_INPUT_ALLOWANCE 4096u
#define FGW_BINARY_ALLOWANCE 50000u
uint64_t fgw_ask_input_estimate(const struct fgw_ask *ask);
uint64_t fgw_ask_input_bound(const struct fgw_ask *ask);

/* What the gateway wants changed in a body. Zero-filled: nothing. */
struct fgw_want {
    int64_t output_limit;    /* put this limit in where the body has a larger one or none; -1 or 0: leave */
    const char *model;       /* another model name (UTF-8), or NULL */
    uint16_t model_bytes;    /* <= FGW_MODEL_MAX */
    uint8_t include_usage;   /* 1: ask for the usage chunk, if this is a chat or completions stream */
};

/* At `at`, `drop` bytes of the body give way to `bytes` bytes from text[source]. */
struct fgw_edit {
    uint64_t at;
    uint64_t drop;
    uint16_t source;
    uint16_t bytes;
};

#define FGW_EDITS_MAX 4
#define FGW_EDITS_TEXT (FGW_MODEL_MAX * 6 + 192)
struct fgw_edits {
    uint32_t count;
    uint32_t hide_usage; /* 1: include_usage was put in by us, so the client must not see its chunk */
    int64_t length_change; /* new length - old length */
    struct fgw_edit edit[FGW_EDITS_MAX]; /* ascending, apart from each other */
    uint16_t used;
    char text[FGW_EDITS_TEXT];
};

/* Plans the edits. Returns their number, or -1 if `want` cannot be met (a model name too long). */
int fgw_edits_plan(struct fgw_edits *edits, const struct fgw_ask *ask, const struct fgw_want *want);

struct fgw_slice {
    const uint8_t *bytes;
    size_t length;
};
#define FGW_SLICES_MAX (2 * FGW_EDITS_MAX + 1)

/* The edited body as slices of the old one and of `edits->text` (for writev; nothing is copied).
 * Returns how many were written to `slices`. */
int fgw_edits_slices(const struct fgw_edits *edits, const uint8_t *body, size_t length,
                     struct fgw_slice slices[FGW_SLICES_MAX]);

/* The edited body copied to `out`, which has room for length + length_change. Returns that. */
size_t fgw_edits_copy(const struct fgw_edits *edits, const uint8_t *body, size_t length, uint8_t *out);

#endif
