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
    uint8_t azure; /* enum fgw_surface: where Azure has it, too */
};

#define RESOURCE (FGW_SURFACE_V1 | FGW_SURFACE_DATED)
#define DEPLOYED (FGW_SURFACE_V1 | FGW_SURFACE_DEPLOYED)
#define ASKS (FGW_ROUTE_BODY | FGW_ROUTE_MODEL | FGW_ROUTE_METERED)
#define TAKES_FORMS (FGW_ROUTE_BODY | FGW_ROUTE_FORM | FGW_ROUTE_METERED)

/* Below /v1/ and what Azure has instead. Longer paths stand before those that they begin with. */
static const struct place PLACES[] = {
    {"chat/completions", FGW_DIALECT_OPENAI, FGW_OPERATION_CHAT, POST, ANY,
     ASKS | FGW_ROUTE_CAPPABLE, DEPLOYED | FGW_SURFACE_MODELS},
    {"responses/compact", FGW_DIALECT_OPENAI, FGW_OPERATION_RESPONSES, POST, 0,
     ASKS | FGW_ROUTE_SUB, RESOURCE}, /* no limit bounds what it writes */
    {"responses/input_tokens", FGW_DIALECT_OPENAI, FGW_OPERATION_COUNT_TOKENS, POST, 0,
     FGW_ROUTE_BODY, RESOURCE},
    {"responses", FGW_DIALECT_OPENAI, FGW_OPERATION_RESPONSES, POST, ANY,
     ASKS | FGW_ROUTE_CAPPABLE, RESOURCE},
    {"completions", FGW_DIALECT_OPENAI, FGW_OPERATION_COMPLETIONS, POST, 0,
     ASKS | FGW_ROUTE_CAPPABLE, DEPLOYED},
    {"embeddings", FGW_DIALECT_OPENAI, FGW_OPERATION_EMBEDDINGS, POST, 0, ASKS,
     DEPLOYED | FGW_SURFACE_MODELS},
    {"moderations", FGW_DIALECT_OPENAI, FGW_OPERATION_MODERATIONS, POST, 0,
     FGW_ROUTE_BODY | FGW_ROUTE_METERED, 0},
    {"images/generations", FGW_DIALECT_OPENAI, FGW_OPERATION_IMAGES, POST, 0,
     FGW_ROUTE_BODY | FGW_ROUTE_METERED, DEPLOYED},
    {"images", FGW_DIALECT_OPENAI, FGW_OPERATION_IMAGES, 0, POST, TAKES_FORMS, DEPLOYED},
    {"audio/speech", FGW_DIALECT_OPENAI, FGW_OPERATION_AUDIO, POST, 0, ASKS, DEPLOYED},
    {"audio/transcriptions", FGW_DIALECT_OPENAI, FGW_OPERATION_AUDIO, POST, 0,
     TAKES_FORMS | FGW_ROUTE_MODEL, DEPLOYED},
    {"audio/translations", FGW_DIALECT_OPENAI, FGW_OPERATION_AUDIO, POST, 0,
     TAKES_FORMS | FGW_ROUTE_MODEL, DEPLOYED},
    {"audio", FGW_DIALECT_OPENAI, FGW_OPERATION_AUDIO, 0, POST, TAKES_FORMS, DEPLOYED},
    /* Below it clients are given keys of their own at the provider: nobody would meter those. */
    {"realtime", FGW_DIALECT_OPENAI, FGW_OPERATION_REALTIME, GET, 0, 0, RESOURCE},
    {"batches", FGW_DIALECT_OPENAI, FGW_OPERATION_BATCHES, GET | POST, ANY, 0, RESOURCE},
    {"messages/count_tokens", FGW_DIALECT_ANTHROPIC, FGW_OPERATION_COUNT_TOKENS, POST, 0,
     FGW_ROUTE_BODY | FGW_ROUTE_MODEL, 0},
    {"messages/batches", FGW_DIALECT_ANTHROPIC, FGW_OPERATION_BATCHES, GET | POST, ANY, 0, 0},
    {"messages", FGW_DIALECT_ANTHROPIC, FGW_OPERATION_MESSAGES, POST, 0,
     ASKS | FGW_ROUTE_CAPPABLE, 0},
    {"models", FGW_DIALECT_NONE, FGW_OPERATION_MODELS, GET, GET | DELETE, 0, RESOURCE},
    {"files", FGW_DIALECT_NONE, FGW_OPERATION_FILES, GET | POST, ANY, 0, RESOURCE},
};

/* Anywhere else; where `tail` is not NULL, a model's name, one segment or the beginning of one,
 * stands between the two. A `*` in the head is any one segment. */
struct pattern {
    const char *head;
    const char *tail;
    uint8_t dialect; /* NONE as above */
    uint8_t operation;
    uint8_t methods;
    uint8_t flags;
};

#define GENERATES (FGW_ROUTE_BODY | FGW_ROUTE_METERED | FGW_ROUTE_CAPPABLE | FGW_ROUTE_IN_PATH)
#define COUNTS (FGW_ROUTE_BODY | FGW_ROUTE_IN_PATH)
#define EMBEDS (FGW_ROUTE_BODY | FGW_ROUTE_METERED | FGW_ROUTE_IN_PATH)

#define GEMINI(head) \
    {head, ":generateContent", FGW_DIALECT_GEMINI, FGW_OPERATION_GENERATE, POST, GENERATES}, \
    {head, ":streamGenerateContent", FGW_DIALECT_GEMINI, FGW_OPERATION_GENERATE, POST, \
     GENERATES | FGW_ROUTE_STREAM}, \
    {head, ":embedContent", FGW_DIALECT_GEMINI, FGW_OPERATION_EMBEDDINGS, POST, EMBEDS}, \
    {head, ":batchEmbedContents", FGW_DIALECT_GEMINI, FGW_OPERATION_EMBEDDINGS, POST, EMBEDS}, \
    {head, ":predict", FGW_DIALECT_GEMINI, FGW_OPERATION_EMBEDDINGS, POST, EMBEDS}, \
    {head, ":countTokens", FGW_DIALECT_GEMINI, FGW_OPERATION_COUNT_TOKENS, POST, COUNTS}, \
    {head, "", FGW_DIALECT_GEMINI, FGW_OPERATION_MODELS, GET, 0}

/* Vertex AI: Google's own models, and those of Anthropic, which speak their own dialect there. */
#define VERTEX(version) \
    GEMINI(version "/projects/*/locations/*/publishers/google/models/"), \
    {version "/projects/*/locations/*/publishers/anthropic/models/count-tokens:rawPredict", \
     NULL, FGW_DIALECT_ANTHROPIC, FGW_OPERATION_COUNT_TOKENS, POST, \
     FGW_ROUTE_BODY | FGW_ROUTE_MODEL}, \
    {version "/projects/*/locations/*/publishers/anthropic/models/", ":rawPredict", \
     FGW_DIALECT_ANTHROPIC, FGW_OPERATION_MESSAGES, POST, GENERATES}, \
    {version "/projects/*/locations/*/publishers/anthropic/models/", ":streamRawPredict", \
     FGW_DIALECT_ANTHROPIC, FGW_OPERATION_MESSAGES, POST, GENERATES | FGW_ROUTE_STREAM}

static const struct pattern PATTERNS[] = {
    GEMINI("/v1beta/models/"),
    {"/v1beta/models", NULL, FGW_DIALECT_GEMINI, FGW_OPERATION_MODELS, GET, 0},
    GEMINI("/v1/models/"), /* with POST: GET has been found already */
    VERTEX("/v1"),
    VERTEX("/v1beta1"),
    {"/v1beta1/publishers/google/models", NULL, FGW_DIALECT_GEMINI, FGW_OPERATION_MODELS, GET, 0},
    {"/api/chat", NULL, FGW_DIALECT_OLLAMA, FGW_OPERATION_CHAT, POST, ASKS | FGW_ROUTE_CAPPABLE},
    {"/api/generate", NULL, FGW_DIALECT_OLLAMA, FGW_OPERATION_GENERATE, POST,
     ASKS | FGW_ROUTE_CAPPABLE},
    {"/api/embed", NULL, FGW_DIALECT_OLLAMA, FGW_OPERATION_EMBEDDINGS, POST, ASKS},
    {"/api/embeddings", NULL, FGW_DIALECT_OLLAMA, FGW_OPERATION_EMBEDDINGS, POST, ASKS},
    {"/api/show", NULL, FGW_DIALECT_OLLAMA, FGW_OPERATION_MODELS, POST,
     FGW_ROUTE_BODY | FGW_ROUTE_MODEL},
    {"/api/tags", NULL, FGW_DIALECT_OLLAMA, FGW_OPERATION_MODELS, GET, 0},
    {"/api/ps", NULL, FGW_DIALECT_OLLAMA, FGW_OPERATION_MODELS, GET, 0},
    {"/api/version", NULL, FGW_DIALECT_OLLAMA, FGW_OPERATION_MODELS, GET, 0},
    {"/v2/chat", NULL, FGW_DIALECT_COHERE, FGW_OPERATION_CHAT, POST, ASKS | FGW_ROUTE_CAPPABLE},
    {"/v2/embed", NULL, FGW_DIALECT_COHERE, FGW_OPERATION_EMBEDDINGS, POST, ASKS},
    {"/v2/rerank", NULL, FGW_DIALECT_COHERE, FGW_OPERATION_RERANK, POST, ASKS},
};

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int fgw_route_byte(const char *path, size_t bytes, size_t *at)
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
        int byte = fgw_route_byte(tail, bytes, &at);
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

static int ends_with(const char *path, size_t bytes, const char *tail)
{
    size_t length = strlen(tail);

    return bytes > length && !memcmp(path + bytes - length, tail, length);
}

/* Whether a Google model's name goes on with what to do with it: no GET does that, whatever makes
 * a POST of it on the way. */
static int calls(const char *name, size_t bytes)
{
    size_t at = 0;

    while (at < bytes)
        if (fgw_route_byte(name, bytes, &at) == ':')
            return 1;
    return 0;
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

static int take(struct fgw_route *route, const struct place *place, uint8_t method, uint8_t told,
                int sub)
{
    uint8_t methods = sub ? place->below : place->methods;

    route->dialect = place->dialect;
    if (place->dialect == FGW_DIALECT_NONE)
        route->dialect = told ? told : FGW_DIALECT_OPENAI;
    route->operation = place->operation;
    if (!methods)
        return refuse(route, 404, 0);
    if (!(method & methods))
        return refuse(route, 405, methods);
    route->flags = place->flags;
    if (sub) {
        /* Below an operation lie its stored results: their usage was billed when they were made.
         * What has forms has nothing stored: the model is in each of its bodies. */
        route->flags = FGW_ROUTE_SUB;
        if (method == POST && place->flags & FGW_ROUTE_FORM)
            route->flags |= place->flags & TAKES_FORMS;
    }
    return 0;
}

/* How many bytes of the path the head matches; 0: not this pattern. */
static size_t match_head(const char *head, const char *path, size_t bytes)
{
    size_t at = 0;

    for (; *head; head++) {
        size_t from = at;
        if (*head != '*') {
            if (at == bytes || path[at++] != *head)
                return 0;
            continue;
        }
        while (at < bytes && path[at] != '/')
            at++;
        if (at == from)
            return 0;
    }
    return at;
}

/* Where the pattern's model stands; 0: the path is not of this pattern. */
static int match(const struct pattern *pattern, const char *path, size_t bytes, size_t *model_at,
                 size_t *model_bytes)
{
    size_t head = match_head(pattern->head, path, bytes), tail;

    *model_at = *model_bytes = 0;
    if (!head || !pattern->tail)
        return head && head == bytes;
    tail = strlen(pattern->tail);
    if (bytes <= head + tail || memcmp(path + bytes - tail, pattern->tail, tail) ||
        memchr(path + head, '/', bytes - head - tail) != NULL)
        return 0;
    *model_at = head;
    *model_bytes = bytes - head - tail;
    return 1;
}

static int find_pattern(struct fgw_route *route, const char *path, size_t bytes, uint8_t method,
                        uint8_t told)
{
    uint8_t methods = 0;

    for (size_t i = 0; i < sizeof PATTERNS / sizeof *PATTERNS; i++) {
        const struct pattern *pattern = &PATTERNS[i];
        size_t at, length;
        if (!match(pattern, path, bytes, &at, &length))
            continue;
        route->dialect = pattern->dialect ? pattern->dialect : told ? told : FGW_DIALECT_OPENAI;
        route->operation = pattern->operation;
        methods |= pattern->methods;
        if (!(pattern->methods & method))
            continue;
        if (pattern->methods == GET && calls(path + at, length))
            continue;
        if (!unambiguous(path + 1, bytes - 1))
            break;
        route->flags = pattern->flags;
        route->name_at = (uint16_t)at;
        route->name_bytes = (uint16_t)length;
        return 0;
    }
    return refuse(route, methods & method || !methods ? 404 : 405, methods);
}

/* Of one place the path below it, from `rest` on, asks for something; 1: it is not this place. */
static int take_below(struct fgw_route *route, const struct place *place, const char *rest,
                      size_t bytes, uint8_t asked, uint8_t told)
{
    size_t length = strlen(place->path);

    if (bytes < length || memcmp(rest, place->path, length))
        return 1;
    if (bytes == length)
        return take(route, place, asked, told, 0);
    if (rest[length] != '/' || bytes == length + 1)
        return 1;
    if (!unambiguous(rest + length + 1, bytes - length - 1))
        return refuse(route, 404, 0);
    /* What POST does with a stored response is to cancel it; anything else would be new. */
    if (place->operation == FGW_OPERATION_RESPONSES && asked == POST &&
        !ends_with(rest, bytes, "/cancel"))
        return refuse(route, 404, 0);
    if (place->operation == FGW_OPERATION_MODELS) {
        if (told == FGW_DIALECT_GEMINI && asked == GET && calls(rest + length, bytes - length))
            return refuse(route, 405, POST);
        route->name_at = (uint16_t)(route->tail_at + 1 + length + 1);
        route->name_bytes = (uint16_t)(bytes - length - 1);
    }
    return take(route, place, asked, told, 1);
}

static int find_place(struct fgw_route *route, const char *path, size_t path_bytes,
                      uint8_t asked, uint8_t told)
{
    route->tail_at = 3;
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        const struct place *place = &PLACES[i];
        int taken = take_below(route, place, path + 4, path_bytes - 4, asked, told);
        if (taken > 0)
            continue;
        if (taken < 0 && asked == POST && place->operation == FGW_OPERATION_MODELS) {
            struct fgw_route google = {0}; /* its methods stand below /v1/models/, too */
            if (find_pattern(&google, path, path_bytes, asked, told) == 0)
                *route = google;
        }
        return route->status ? -1 : 0;
    }
    route->tail_at = 0;
    return find_pattern(route, path, path_bytes, asked, told);
}

/* "/openai/" or "/models/" and what follows, as Azure has it. */
static int find_azure(struct fgw_route *route, const char *path, size_t path_bytes, uint8_t asked)
{
    static const char V1[] = "/openai/v1/", DEPLOYMENTS[] = "/openai/deployments/";
    size_t at = sizeof "/openai" - 1; /* and of "/models" */

    route->dialect = FGW_DIALECT_AZURE;
    route->surface = path[1] == 'm' ? FGW_SURFACE_MODELS : FGW_SURFACE_DATED;
    if (path_bytes > sizeof V1 - 1 && !memcmp(path, V1, sizeof V1 - 1)) {
        route->surface = FGW_SURFACE_V1;
        at = sizeof V1 - 2;
    } else if (path_bytes > sizeof DEPLOYMENTS - 1 &&
               !memcmp(path, DEPLOYMENTS, sizeof DEPLOYMENTS - 1)) {
        size_t name = sizeof DEPLOYMENTS - 1;
        const char *slash = memchr(path + name, '/', path_bytes - name);
        if (slash == NULL || !unambiguous(path + name, path_bytes - name))
            return refuse(route, 404, 0);
        route->surface = FGW_SURFACE_DEPLOYED;
        route->name_at = (uint16_t)name;
        at = (size_t)(slash - path);
        route->name_bytes = (uint16_t)(at - name);
    }
    route->tail_at = (uint16_t)at;
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        if (!(PLACES[i].azure & route->surface))
            continue;
        int taken = take_below(route, &PLACES[i], path + at + 1, path_bytes - at - 1, asked, 0);
        if (taken > 0)
            continue;
        route->dialect = FGW_DIALECT_AZURE; /* not the place's */
        if (taken < 0 || route->surface & (FGW_SURFACE_V1 | FGW_SURFACE_DATED))
            return taken;
        if (route->flags & FGW_ROUTE_SUB && PLACES[i].methods)
            return refuse(route, 404, 0); /* what is stored lies nowhere below these */
        if (route->surface == FGW_SURFACE_MODELS)
            return 0; /* the model is the body's */
        route->flags = (uint8_t)((route->flags & ~(unsigned)FGW_ROUTE_MODEL) |
                                 FGW_ROUTE_IN_PATH);
        return 0;
    }
    return refuse(route, 404, 0);
}

/* A path of Google's APIs, also one that is not served here. */
static int is_googles(const char *path, size_t bytes)
{
    static const char *const HEADS[] = {"/v1beta", "/v1alpha", "/upload/v1beta", "/ws/google."};

    for (size_t i = 0; i < sizeof HEADS / sizeof *HEADS; i++)
        if (bytes > strlen(HEADS[i]) && !memcmp(path, HEADS[i], strlen(HEADS[i])))
            return 1;
    return 0;
}

int fgw_route_find(const char *method, size_t method_bytes, const char *path, size_t path_bytes,
                   uint8_t told, struct fgw_route *route)
{
    uint8_t asked = method_bit(method, method_bytes);

    memset(route, 0, sizeof *route);
    if (path_bytes < 4 || path_bytes > UINT16_MAX)
        return refuse(route, 404, 0);
    if (!memcmp(path, "/v1/", 4))
        return find_place(route, path, path_bytes, asked, told);
    if (path_bytes > 8 && (!memcmp(path, "/openai/", 8) || !memcmp(path, "/models/", 8)))
        return find_azure(route, path, path_bytes, asked);
    if (find_pattern(route, path, path_bytes, asked, told) == 0)
        return 0;
    if (!route->dialect && is_googles(path, path_bytes))
        route->dialect = FGW_DIALECT_GEMINI; /* so it is refused in its words */
    return -1;
}
