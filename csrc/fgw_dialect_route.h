/* fgw_dialect_route.h - which API and which of its operations a request is for.
 */
#ifndef FGW_DIALECT_ROUTE_H
#define FGW_DIALECT_ROUTE_H

#include <stddef.h>
#include <stdint.h>

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
 * both dialects have. Returns 0, or -1 with `status` 404 (unknown, or a path that two parsers
 * could read differently: empty or dot segments, also encoded ones) or 405. */
int fgw_route_find(const char *method, size_t method_bytes, const char *path, size_t path_bytes,
                   int anthropic, struct fgw_route *route);

#endif
