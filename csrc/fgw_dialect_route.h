/* fgw_dialect_route.h - which API and which of its operations a request is for.
 */
#ifndef FGW_DIALECT_ROUTE_H
#define FGW_DIALECT_ROUTE_H

#include <stddef.h>
#include <stdint.h>

/* Wire dialects, as records keep them: appended to, never renumbered. Each that is spoken has a
 * row in fgw_dialect_face.c. */
enum fgw_dialect {
    FGW_DIALECT_NONE = 0,
    FGW_DIALECT_OPENAI,
    FGW_DIALECT_ANTHROPIC,
    FGW_DIALECT_GEMINI, /* also Vertex AI */
    FGW_DIALECT_AZURE,  /* its clients; as a provider it is a vendor of the openai one */
    FGW_DIALECT_BEDROCK,
    FGW_DIALECT_OLLAMA,
    FGW_DIALECT_COHERE,
    FGW_DIALECTS
};

/* As records keep them, too. */
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
    FGW_OPERATION_GENERATE,
    FGW_OPERATION_CONVERSE,
    FGW_OPERATION_INVOKE,
    FGW_OPERATION_RERANK,
    FGW_OPERATIONS
};

enum fgw_route_flag {
    FGW_ROUTE_BODY = 1,    /* a JSON body that fgw_ask_* must accept before the request goes on */
    FGW_ROUTE_MODEL = 2,   /* that body must name a model */
    FGW_ROUTE_METERED = 4, /* the answer may bear usage: run a meter over it */
    FGW_ROUTE_SUB = 8,     /* a path below an operation's own, passed through */
    FGW_ROUTE_CAPPABLE = 16, /* generates tokens under a limit the request may carry */
    FGW_ROUTE_STREAM = 32,   /* the path asks for a stream, whatever the body says */
    FGW_ROUTE_IN_PATH = 64,  /* the model is the one that the path names (name_at) */
    FGW_ROUTE_FORM = 128,    /* the body may be a form instead (fgw_dialect_form.h) */
};

/* Azure has OpenAI's operations in four places. */
enum fgw_surface {
    FGW_SURFACE_V1 = 1,       /* /openai/v1/…: the deployment is the body's model */
    FGW_SURFACE_DATED = 2,    /* /openai/…?api-version=…, the same */
    FGW_SURFACE_DEPLOYED = 4, /* /openai/deployments/{model}/…?api-version=… */
    FGW_SURFACE_MODELS = 8,   /* /models/…?api-version=…: of Foundry, models of all makers */
};

struct fgw_route {
    uint8_t dialect;
    uint8_t operation;
    uint8_t flags;
    uint8_t methods;     /* with 405: 1 GET, 2 POST, 4 DELETE (for `allow`) */
    uint16_t status;     /* 0, 404 or 405 */
    uint16_t name_at;    /* where the path names a model (GET /v1/models/{model}): the name, still
                            percent-encoded; */
    uint16_t name_bytes; /* 0 where the path names none */
    uint16_t tail_at;    /* of APIs like OpenAI's: where the operation's own path begins, with its
                            slash, behind /v1, /openai/v1, /openai, /models or a
                            deployment */
    uint8_t surface;     /* of Azure's API: enum fgw_surface */
};

/* Says what `path` (absolute, without query; a /providers/{id} prefix taken off) asks for.
 * `told`: the dialect that the request's fields speak of (`anthropic-version`, `x-api-key`,
 * `x-goog-api-key`), which decides the paths that several have; NONE: openai. Returns 0, or -1
 * with `status` 404 (unknown, or a path that two parsers could read differently: empty or dot
 * segments, also encoded ones) or 405. */
int fgw_route_find(const char *method, size_t method_bytes, const char *path, size_t path_bytes,
                   uint8_t told, struct fgw_route *route);

/* What providers of such requests speak: Azure's differ from OpenAI's in their head alone. */
static inline uint8_t fgw_dialect_wire(uint8_t dialect)
{
    return dialect == FGW_DIALECT_AZURE ? FGW_DIALECT_OPENAI : dialect;
}

/* One byte of a path with its percent-encoding undone; `*at` < bytes moves past it. -1:
 * badly encoded. */
int fgw_route_byte(const char *path, size_t bytes, size_t *at);

#endif

