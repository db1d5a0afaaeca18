#include "fgw_dialect_route.h"

#include <string.h>

enum { GET = 1, POST = 2, DELETE = 4, ANY = GET | POST | DELETE };

/* A place in the tree of paths. `below`: what the paths under it take (0: there are none). */
struct place {
    const char *path;
    uint8_t dialect; /* NONE: both have it; the request's headers decide */
    uint8_t operation;
    uint8_t methods;
    uint8_t below;
    uint8_t flags;
};

#define ASKS (FGW_ROUTE_BODY | FGW_ROUTE_MODEL | FGW_ROUTE_METERED)

/* Longer paths stand before those that they begin with. */
static const struct place PLACES[] = {
    {"chat/completions", FGW_DIALECT_OPENAI, FGW_OPERATION_CHAT, POST, ANY,
     ASKS | FGW_ROUTE_CAPPABLE},
    {"responses", FGW_DIALECT_OPENAI, FGW_OPERATION_RESPONSES, POST, ANY,
     ASKS | FGW_ROUTE_CAPPABLE},
    {"completions", FGW_DIALECT_OPENAI, FGW_OPERATION_COMPLETIONS, POST, 0,
     ASKS | FGW_ROUTE_CAPPABLE},
    {"embeddings", FGW_DIALECT_OPENAI, FGW_OPERATION_EMBEDDINGS, POST, 0, ASKS},
    {"moderations", FGW_DIALECT_OPENAI, FGW_OPERATION_MODERATIONS, POST, 0,
     FGW_ROUTE_BODY | FGW_ROUTE_METERED},
    {"images/generations", FGW_DIALECT_OPENAI, FGW_OPERATION_IMAGES, POST, 0,
     FGW_ROUTE_BODY | FGW_ROUTE_METERED},
    {"images", FGW_DIALECT_OPENAI, FGW_OPERATION_IMAGES, 0, POST, FGW_ROUTE_METERED},
    {"audio/speech", FGW_DIALECT_OPENAI, FGW_OPERATION_AUDIO, POST, 0, ASKS},
    {"audio", FGW_DIALECT_OPENAI, FGW_OPERATION_AUDIO, 0, POST, FGW_ROUTE_METERED},
    {"realtime", FGW_DIALECT_OPENAI, FGW_OPERATION_REALTIME, GET, ANY, 0},
    {"batches", FGW_DIALECT_OPENAI, FGW_OPERATION_BATCHES, GET | POST, ANY, 0},
    {"messages/count_tokens", FGW_DIALECT_ANTHROPIC, FGW_OPERATION_COUNT_TOKENS, POST, 0,
     FGW_ROUTE_BODY | FGW_ROUTE_MODEL},
    {"messages/batches", FGW_DIALECT_ANTHROPIC, FGW_OPERATION_BATCHES, GET | POST, ANY, 0},
    {"messages", FGW_DIALECT_ANTHROPIC, FGW_OPERATION_MESSAGES, POST, 0,
     ASKS | FGW_ROUTE_CAPPABLE},
    {"models", FGW_DIALECT_NONE, FGW_OPERATION_MODELS, GET, GET | DELETE, 0},
    {"files", FGW_DIALECT_NONE, FGW_OPERATION_FILES, GET | POST, ANY, 0},
};

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* One byte of the path with its percent-encoding undone; `*at` moves past it. -1:
 * badly encoded. */
static int next_byte(const char *path, size_t bytes, size_t *at)
{
    if (path[*at] != '%')
        return (unsigned char)path[(*at)++];
    if (bytes - *at < 3)
        return -1;
    int high = hex(path[*at + 1]), low = hex(path[*at + 2]);
    if (high < 0 || low < 0)
        return -1;
    *at += 3;
    return high << 4 | low;
}

/* Whether every parser splits this tail into the same segments: none empty, `.` or `..`, whatever
 * is encoded; no control bytes, no backslash (which some take for a slash). */
static int unambiguous(const char *tail, size_t bytes)
{
    size_t at = 0, dots = 0, others = 0;

    while (at < bytes) {
        int byte = next_byte(tail, bytes, &at);
        if (byte < 0x20 || byte == 0x7f || byte == '\\')
            return 0;
        if (byte == '/') {
            if (!others && dots < 3)
                return 0;
            dots = others = 0;
        } else if (byte == '.') {
            dots++;
        } else {
            others++;
        }
    }
    return others || dots > 2;
}

static uint8_t method_bit(const char *method, size_t bytes)
{
    if (bytes == 3 && !memcmp(method, "GET", 3))
        return GET;
    if (bytes == 4 && !memcmp(method, "POST", 4))
        return POST;
    if (bytes == 6 && !memcmp(method, "DELETE", 6))
        return DELETE;
    return 0;
}

static int refuse(struct fgw_route *route, uint16_t status, uint8_t methods)
{
    route->status = status;
    route->methods = methods;
    return -1;
}

static int take(struct fgw_route *route, const struct place *place, uint8_t method, int anthropic,
                int sub)
{
    uint8_t methods = sub ? place->below : place->methods;

    route->dialect = place->dialect;
    if (place->dialect == FGW_DIALECT_NONE)
        route->dialect = anthropic ? FGW_DIALECT_ANTHROPIC : FGW_DIALECT_OPENAI;
    route->operation = place->operation;
    if (!methods)
        return refuse(route, 404, 0);
    if (!(method & methods))
        return refuse(route, 405, methods);
    route->flags = place->flags;
    if (sub) {
        /* Below an operation lie its stored results: their usage was billed when they were made,
         * so only what makes something new (POST) is metered. */
        route->flags = FGW_ROUTE_SUB;
        if (method == POST)
            route->flags |= place->flags & FGW_ROUTE_METERED;
    }
    return 0;
}

int fgw_route_find(const char *method, size_t method_bytes, const char *path, size_t path_bytes,
                   int anthropic, struct fgw_route *route)
{
    uint8_t asked = method_bit(method, method_bytes);

    memset(route, 0, sizeof *route);
    if (path_bytes < 4 || path_bytes > UINT16_MAX || memcmp(path, "/v1/", 4))
        return refuse(route, 404, 0);
    const char *rest = path + 4;
    size_t bytes = path_bytes - 4;
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        const struct place *place = &PLACES[i];
        size_t length = strlen(place->path);
        if (bytes < length || memcmp(rest, place->path, length))
            continue;
        if (bytes == length)
            return take(route, place, asked, anthropic, 0);
        if (rest[length] != '/' || bytes == length + 1)
            continue;
        if (!unambiguous(rest + length + 1, bytes - length - 1))
            return refuse(route, 404, 0);
        if (place->operation == FGW_OPERATION_MODELS) {
            route->name_at = (uint16_t)(4 + length + 1);
            route->name_bytes = (uint16_t)(bytes - length - 1);
        }
        return take(route, place, asked, anthropic, 1);
    }
    return refuse(route, 404, 0);
}
