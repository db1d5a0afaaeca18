#include "fgw_dialect_edit.h"

#include <string.h>

#include "fgw_dialect_face.h"

#define MEMBERS_MAX (FGW_MODEL_MAX * 6 + 160)

/* Text that grows at the end of a caller's buffer, which is always large
 * enough (FGW_EDITS_TEXT). */
struct pen {
    char *text;
    size_t used;
};

static void write_text(struct pen *pen, const char *text)
{
    size_t length = strlen(text);
    memcpy(pen->text + pen->used, text, length);
    pen->used += length;
}

static void write_number(struct pen *pen, int64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    memcpy(pen->text + pen->used, digits + at, sizeof digits - at);
    pen->used += sizeof digits - at;
}

/* `prefix` has nothing that JSON would escape. */
static void write_string(struct pen *pen, const char *prefix, const char *bytes, size_t length)
{
    static const char HEX[] = "0123456789abcdef";

    pen->text[pen->used++] = '"';
    write_text(pen, prefix);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '"' || byte == '\\') {
            pen->text[pen->used++] = '\\';
        } else if (byte < 0x20) {
            write_text(pen, "\\u00");
            pen->text[pen->used++] = HEX[byte >> 4];
            pen->text[pen->used++] = HEX[byte & 15];
            continue;
        }
        pen->text[pen->used++] = (char)byte;
    }
    pen->text[pen->used++] = '"';
}

/* Notes that text[source .. used) takes the place of `drop` bytes at `at`. */
static void add_edit(struct fgw_edits *edits, const struct pen *pen, size_t source, uint64_t at,
                     uint64_t drop)
{
    struct fgw_edit edit = {at, drop, (uint16_t)source, (uint16_t)(pen->used - source)};
    uint32_t index = edits->count++;

    while (index && edits->edit[index - 1].at > at) {
        edits->edit[index] = edits->edit[index - 1];
        index--;
    }
    edits->edit[index] = edit;
    edits->length_change += (int64_t)edit.bytes - (int64_t)drop;
}

/* A limit that no member bears yet, put where this operation has it. */
static void put_limit(struct fgw_edits *edits, const struct fgw_ask *ask,
                      const struct fgw_limit_members *known, const char *name, int64_t limit,
                      struct pen *pen, struct pen *members)
{
    size_t source = pen->used;

    if (!known->object || !ask->options_at.bytes) {
        if (known->object) {
            write_text(members, known->object);
            write_text(members, "{");
        }
        write_text(members, name);
        write_number(members, limit);
        write_text(members, known->object ? "}," : ",");
        return;
    }
    int inside = ask->options_type == FGW_JSON_OBJECT; /* null gives way to an object */
    if (!inside)
        write_text(pen, "{");
    write_text(pen, name);
    write_number(pen, limit);
    if (inside && ask->options_members)
        write_text(pen, ",");
    if (!inside)
        write_text(pen, "}");
    add_edit(edits, pen, source, ask->options_at.at + (uint64_t)inside,
             inside ? 0 : ask->options_at.bytes);
}

static void plan_limit(struct fgw_edits *edits, const struct fgw_ask *ask,
                       const struct fgw_want *want, struct pen *pen, struct pen *members)
{
    const struct fgw_limit_members *names = fgw_dialect_face(ask->dialect)->limits(ask->operation);
    int old = want->old_limit_name && names->old_name;
    int64_t limit = want->output_limit;
    /* What stands under a name that the API does not know is no limit there. */
    unsigned known = old ? 2 : 3;
    int in_force = (ask->limit_fields & known) != 0;

    if (!names->name || limit <= 0)
        return;
    for (unsigned i = 0; i < 2; i++) {
        int number = ask->limit_fields >> i & 1, zero = number && !ask->limit[i];
        if (!ask->limit_at[i].bytes ||
            (number ? ask->limit[i] <= limit && !zero : in_force || !(known >> i & 1)))
            continue;
        size_t source = pen->used; /* larger than allowed; or null, and no other says anything */
        write_number(pen, limit);
        add_edit(edits, pen, source, ask->limit_at[i].at, ask->limit_at[i].bytes);
        in_force = in_force || (known >> i & 1);
    }
    if (!in_force)
        put_limit(edits, ask, names, old ? names->old_name : names->name, limit, pen, members);
}

static void plan_usage(struct fgw_edits *edits, const struct fgw_ask *ask, struct pen *pen,
                       struct pen *members)
{
    size_t source = pen->used;

    if (!(ask->flags & FGW_ASK_STREAM) || ask->flags & FGW_ASK_INCLUDE_USAGE ||
        !fgw_dialect_face(ask->dialect)->usage_option ||
        (ask->operation != FGW_OPERATION_CHAT && ask->operation != FGW_OPERATION_COMPLETIONS))
        return;
    edits->hide_usage = 1;
    if (!ask->options_at.bytes) {
        write_text(members, "\"stream_options\":{\"include_usage\":true},");
    } else if (ask->options_type != FGW_JSON_OBJECT) {
        write_text(pen, "{\"include_usage\":true}");
        add_edit(edits, pen, source, ask->options_at.at, ask->options_at.bytes);
    } else if (ask->include_at.bytes) {
        write_text(pen, "true");
        add_edit(edits, pen, source, ask->include_at.at, ask->include_at.bytes);
    } else {
        write_text(pen,
                   ask->options_members ? "\"include_usage\":true," : "\"include_usage\":true");
        add_edit(edits, pen, source, ask->options_at.at + 1, 0);
    }
}

/* The model of a form: its value, or a part of its own, the first. */
static void plan_part(struct fgw_edits *edits, const struct fgw_ask *ask,
                      const struct fgw_want *want, struct pen *pen)
{
    size_t source = pen->used;
    int stands = ask->model_at.bytes != 0;

    if (!stands && ask->flags & FGW_ASK_IN_PATH && !want->model_in_body)
        return;
    if (!stands)
        write_text(pen, "Content-Disposition: form-data; name=\"model\"\r\n\r\n");
    memcpy(pen->text + pen->used, want->model, want->model_bytes);
    pen->used += want->model_bytes;
    if (!stands) {
        write_text(pen, "\r\n--");
        memcpy(pen->text + pen->used, ask->boundary, ask->form);
        pen->used += ask->form;
        write_text(pen, "\r\n");
    }
    add_edit(edits, pen, source, stands ? ask->model_at.at : ask->members_at,
             ask->model_at.bytes);
}

static void plan_model(struct fgw_edits *edits, const struct fgw_ask *ask,
                       const struct fgw_want *want, struct pen *pen, struct pen *members)
{
    size_t source = pen->used;
    int in_path = ask->flags & FGW_ASK_IN_PATH && !want->model_in_body;

    if (!want->model || (!want->model_in_body && ask->model_bytes == want->model_bytes &&
                         !memcmp(ask->model, want->model, want->model_bytes)))
        return;
    if (ask->form) {
        plan_part(edits, ask, want, pen);
        return;
    }
    if (!ask->model_at.bytes) {
        if (in_path)
            return;
        write_text(members, "\"model\":");
        write_string(members, "", want->model, want->model_bytes);
        write_text(members, ",");
        return;
    }
    const char *prefix = fgw_dialect_face(ask->dialect)->model_prefix;
    if (!in_path || !prefix)
        prefix = "";
    write_string(pen, prefix, want->model, want->model_bytes);
    add_edit(edits, pen, source, ask->model_at.at, ask->model_at.bytes);
}

int fgw_edits_plan(struct fgw_edits *edits, const struct fgw_ask *ask, const struct fgw_want *want)
{
    char buffer[MEMBERS_MAX];
    struct pen pen = {edits->text, 0}, members = {buffer, 0};

    edits->count = 0;
    edits->hide_usage = 0;
    edits->length_change = 0;
    edits->used = 0;
    if (want->model_bytes > FGW_MODEL_MAX)
        return -1;
    plan_model(edits, ask, want, &pen, &members);
    plan_limit(edits, ask, want, &pen, &members);
    if (want->include_usage)
        plan_usage(edits, ask, &pen, &members);
    if (members.used) { /* new members go first, so only a body without any needs no comma */
        size_t source = pen.used, length = ask->members ? members.used : members.used - 1;
        memcpy(edits->text + pen.used, buffer, length);
        pen.used += length;
        add_edit(edits, &pen, source, ask->members_at, 0);
    }
    edits->used = (uint16_t)pen.used;
    return (int)edits->count;
}

static int add_slice(struct fgw_slice *slices, int count, const uint8_t *bytes, uint64_t length)
{
    if (!length)
        return count;
    slices[count].bytes = bytes;
    slices[count].length = (size_t)length;
    return count + 1;
}

int fgw_edits_slices(const struct fgw_edits *edits, const uint8_t *body, size_t length,
                     struct fgw_slice slices[FGW_SLICES_MAX])
{
    uint64_t at = 0;
    int count = 0;

    for (uint32_t i = 0; i < edits->count; i++) {
        const struct fgw_edit *edit = &edits->edit[i];
        count = add_slice(slices, count, body + at, edit->at - at);
        count = add_slice(slices, count, (const uint8_t *)edits->text + edit->source, edit->bytes);
        at = edit->at + edit->drop;
    }
    return add_slice(slices, count, body + at, length - at);
}

size_t fgw_edits_copy(const struct fgw_edits *edits, const uint8_t *body, size_t length,
                      uint8_t *out)
{
    struct fgw_slice slices[FGW_SLICES_MAX];
    int count = fgw_edits_slices(edits, body, length, slices);
    size_t used = 0;

    for (int i = 0; i < count; i++) {
        memcpy(out + used, slices[i].bytes, slices[i].length);
        used += slices[i].length;
    }
    return used;
}
