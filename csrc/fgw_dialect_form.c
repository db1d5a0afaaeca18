#include "fgw_dialect_form.h"

#include <string.h>

#include "fgw_form.h"

#define N_MAX 1024

enum field { OTHER = 0, MODEL, STREAM, N, USER, QUALITY, SIZE };

/* What was met so far. */
struct met {
    unsigned fields;
    struct fgw_place quality;
    struct fgw_place size;
};

int fgw_ask_is_form(const uint8_t *type, size_t length)
{
    static const char KIND[] = "multipart/";

    for (size_t i = 0; i < sizeof KIND - 1; i++)
        if (i == length || (type[i] != (uint8_t)KIND[i] && (type[i] | 0x20) != KIND[i]))
            return 0;
    return 1;
}

/* Which field it is; -1: one of them in another case, which some servers take for it. */
static int field_of(const uint8_t *name, size_t length)
{
    static const char *const NAMES[] = {[MODEL] = "model", [STREAM] = "stream", [N] = "n",
                                        [USER] = "user", [QUALITY] = "quality",
                                        [SIZE] = "size"};

    for (int field = MODEL; field <= SIZE; field++) {
        size_t i = 0, bytes = strlen(NAMES[field]);
        while (i < length && i < bytes && (name[i] | 0x20) == NAMES[field][i])
            i++;
        if (i == length && i == bytes)
            return memcmp(name, NAMES[field], bytes) ? -1 : field;
    }
    return OTHER;
}

static enum fgw_ask_error read_model(struct fgw_ask *ask, const uint8_t *body,
                                     const struct fgw_form_part *part)
{
    if (part->file || !part->value_bytes || part->value_bytes > FGW_MODEL_MAX)
        return FGW_ASK_MODEL_INVALID;
    memcpy(ask->model, body + part->value_at, part->value_bytes);
    for (size_t i = 0; i < part->value_bytes; i++)
        if ((unsigned char)ask->model[i] < 0x20 || ask->model[i] == 0x7f)
            return FGW_ASK_MODEL_INVALID;
    ask->model_bytes = (uint16_t)part->value_bytes;
    ask->model_at.at = part->value_at;
    ask->model_at.bytes = part->value_bytes;
    return FGW_ASK_OK;
}

static enum fgw_ask_error read_stream(struct fgw_ask *ask, const uint8_t *value, size_t length)
{
    if (length == 4 && !memcmp(value, "true", 4))
        ask->flags |= FGW_ASK_STREAM;
    else if (length != 5 || memcmp(value, "false", 5))
        return FGW_ASK_STREAM_INVALID;
    return FGW_ASK_OK;
}

static enum fgw_ask_error read_n(struct fgw_ask *ask, const uint8_t *value, size_t length)
{
    uint32_t n = 0;

    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9' || n > N_MAX)
            return FGW_ASK_N_INVALID;
        n = n * 10 + (uint32_t)(value[i] - '0');
    }
    if (!n || n > N_MAX)
        return FGW_ASK_N_INVALID;
    ask->n = n;
    return FGW_ASK_OK;
}

static enum fgw_ask_error read_part(struct fgw_ask *ask, const uint8_t *body,
                                    const struct fgw_form_part *part, struct met *met)
{
    const uint8_t *value = body + part->value_at;
    int field = field_of(body + part->name_at, part->name_bytes);

    if (part->file && field == OTHER) {
        ask->binary_bytes += part->value_bytes;
        ask->binaries += ask->operation == FGW_OPERATION_IMAGES;
        return FGW_ASK_OK;
    }
    if (field < 0 || met->fields >> field & 1)
        return FGW_ASK_DUPLICATE;
    if (field != OTHER)
        met->fields |= 1u << field;
    switch (field) {
    case MODEL:
        return read_model(ask, body, part);
    case STREAM:
        return read_stream(ask, value, part->value_bytes);
    case N:
        return read_n(ask, value, part->value_bytes);
    case USER:
        ask->user_bytes = (uint16_t)(part->value_bytes < FGW_USER_MAX ? part->value_bytes
                                                                       : FGW_USER_MAX);
        memcpy(ask->user, value, ask->user_bytes);
        return FGW_ASK_OK;
    case QUALITY:
        met->quality = (struct fgw_place){part->value_at, part->value_bytes};
        return FGW_ASK_OK;
    case SIZE:
        met->size = (struct fgw_place){part->value_at, part->value_bytes};
        return FGW_ASK_OK;
    default:
        ask->text_bytes += part->value_bytes;
        return FGW_ASK_OK;
    }
}

static enum fgw_ask_error read_parts(struct fgw_ask *ask, const uint8_t *body, size_t length)
{
    struct fgw_form form;
    struct fgw_form_part part;
    struct met met = {0};
    int more;

    if (!ask->form || fgw_form_begin(&form, body, length, ask->boundary, ask->form))
        return FGW_ASK_FORM_INVALID;
    ask->members_at = form.at;
    while ((more = fgw_form_next(&form, &part)) > 0) {
        enum fgw_ask_error error = read_part(ask, body, &part, &met);
        if (error)
            return error;
        ask->members++;
    }
    if (ask->operation == FGW_OPERATION_IMAGES)
        ask->picture = fgw_ask_picture(body, met.quality, met.size);
    return more < 0 || !ask->members ? FGW_ASK_FORM_INVALID : FGW_ASK_OK;
}

int fgw_ask_form(struct fgw_ask *ask, const struct fgw_route *route, const uint8_t *type,
                 size_t type_bytes, const uint8_t *body, size_t length)
{
    enum fgw_ask_error error;

    fgw_ask_clear(ask, route);
    ask->body_bytes = length;
    ask->form = (uint8_t)fgw_form_boundary(type, type_bytes, ask->boundary);
    error = read_parts(ask, body, length);
    if (!error && route->flags & FGW_ROUTE_MODEL && !ask->model_bytes)
        error = FGW_ASK_MODEL_MISSING;
    ask->error = (uint8_t)error;
    return error ? -1 : 0;
}
