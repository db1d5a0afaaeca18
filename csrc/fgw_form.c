#include "fgw_form.h"

#include <string.h>

#include "fgw_ascii.h"

/* Whether the text is `lower`, in any case of its letters. */
static int same(const uint8_t *at, const char *lower, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 0x20 : at[i]) != (uint8_t)lower[i])
            return 0;
    return 1;
}

static size_t skip_blank(const uint8_t *text, size_t at, size_t end)
{
    while (at < end && (text[at] == ' ' || text[at] == '\t'))
        at++;
    return at;
}

/* One parameter of a field. */
struct parameter {
    size_t name_at, name_bytes, value_at, value_bytes;
};

/* The next `; name=value` of [*at, end): 1, or 0 at the end, or -1. A value in quotes has no
 * escape: some take a backslash for one, others do not. */
static int next_parameter(const uint8_t *text, size_t *at, size_t end, struct parameter *found)
{
    size_t i = skip_blank(text, *at, end);

    if (i == end)
        return 0;
    if (text[i++] != ';')
        return -1;
    i = skip_blank(text, i, end);
    found->name_at = i;
    while (i < end && fgw_ascii_is(text[i], FGW_ASCII_TOKEN))
        i++;
    found->name_bytes = i - found->name_at;
    if (!found->name_bytes || i == end || text[i++] != '=')
        return -1;
    int quoted = i < end && text[i] == '"';
    i += (size_t)quoted;
    found->value_at = i;
    while (i < end && (quoted ? text[i] != '"' : fgw_ascii_is(text[i], FGW_ASCII_TOKEN))) {
        if (text[i] == '\\' || text[i] < 0x20 || text[i] == 0x7f)
            return -1;
        i++;
    }
    found->value_bytes = i - found->value_at;
    if (quoted && i++ == end)
        return -1;
    *at = i;
    return quoted || found->value_bytes ? 1 : -1;
}

static int is_named(const uint8_t *text, const struct parameter *one, const char *name)
{
    return one->name_bytes == strlen(name) && same(text + one->name_at, name, one->name_bytes);
}

size_t fgw_form_boundary(const uint8_t *type, size_t length, char boundary[FGW_BOUNDARY_MAX])
{
    static const char TYPE[] = "multipart/form-data";
    size_t at = sizeof TYPE - 1, bytes = 0;
    struct parameter one;
    int more;

    if (length < at || !same(type, TYPE, at))
        return 0;
    while ((more = next_parameter(type, &at, length, &one)) > 0) {
        if (one.name_bytes < 8 || !same(type + one.name_at, "boundary", 8))
            continue;
        if (bytes || one.name_bytes > 8 || !one.value_bytes || one.value_bytes > FGW_BOUNDARY_MAX)
            return 0;
        bytes = one.value_bytes;
        memcpy(boundary, type + one.value_at, bytes);
        if (boundary[bytes - 1] == ' ')
            return 0;
    }
    return more < 0 ? 0 : bytes;
}

/* Whether `--boundary` stands at `at`. */
static int is_delimiter(const struct fgw_form *form, size_t at)
{
    return form->length - at >= form->boundary_bytes + 2 && form->body[at] == '-' &&
           form->body[at + 1] == '-' &&
           !memcmp(form->body + at + 2, form->boundary, form->boundary_bytes);
}

/* Goes on behind a delimiter that begins at `at`: to the next part, or to the end. */
static int pass_delimiter(struct fgw_form *form, size_t at)
{
    const uint8_t *body = form->body;

    at += 2 + form->boundary_bytes;
    if (form->length - at >= 2 && body[at] == '\r' && body[at + 1] == '\n') {
        form->at = at + 2;
        return 0;
    }
    if (form->length - at < 2 || body[at] != '-' || body[at + 1] != '-')
        return -1;
    at += 2;
    form->ended = 1;
    form->at = at;
    return at == form->length ||
           (form->length - at == 2 && body[at] == '\r' && body[at + 1] == '\n') ? 0 : -1;
}

int fgw_form_begin(struct fgw_form *form, const uint8_t *body, size_t length,
                   const char *boundary, size_t boundary_bytes)
{
    memset(form, 0, sizeof *form);
    form->body = body;
    form->length = length;
    form->boundary = boundary;
    form->boundary_bytes = boundary_bytes;
    return is_delimiter(form, 0) ? pass_delimiter(form, 0) : -1;
}

/* `form-data; name="…"` and perhaps a filename. */
static int read_disposition(const struct fgw_form *form, size_t at, size_t end,
                            struct fgw_form_part *part)
{
    static const char KIND[] = "form-data";
    const uint8_t *body = form->body;
    struct parameter one;
    int more;

    if (part->name_bytes || end - at < sizeof KIND - 1 || !same(body + at, KIND, sizeof KIND - 1))
        return -1;
    at += sizeof KIND - 1;
    while ((more = next_parameter(body, &at, end, &one)) > 0) {
        if (is_named(body, &one, "filename") || is_named(body, &one, "filename*")) {
            part->file = 1;
            continue;
        }
        /* What some undo (percents), or take for a name, too. */
        if (!is_named(body, &one, "name") || part->name_bytes || !one.value_bytes ||
            memchr(body + one.value_at, '%', one.value_bytes))
            return -1;
        part->name_at = one.value_at;
        part->name_bytes = one.value_bytes;
    }
    return more;
}

/* One field of a part's head; [at, end) is its line. */
static int read_field(const struct fgw_form *form, size_t at, size_t end,
                      struct fgw_form_part *part)
{
    static const char DISPOSITION[] = "content-disposition";
    static const char ENCODING[] = "content-transfer-encoding";
    const uint8_t *body = form->body;
    size_t name = at;

    while (at < end && fgw_ascii_is(body[at], FGW_ASCII_TOKEN))
        at++;
    size_t bytes = at - name;
    if (!bytes || at == end || body[at] != ':')
        return -1;
    at = skip_blank(body, at + 1, end);
    while (end > at && (body[end - 1] == ' ' || body[end - 1] == '\t'))
        end--;
    if (bytes == sizeof ENCODING - 1 && same(body + name, ENCODING, bytes))
        return (end - at == 6 && same(body + at, "binary", 6)) ||
               (end - at == 4 && same(body + at, "8bit", 4)) ||
               (end - at == 4 && same(body + at, "7bit", 4)) ? 0 : -1;
    if (bytes == sizeof DISPOSITION - 1 && same(body + name, DISPOSITION, bytes))
        return read_disposition(form, at, end, part);
    return 0;
}

int fgw_form_next(struct fgw_form *form, struct fgw_form_part *part)
{
    const uint8_t *body = form->body;
    const uint8_t *found;
    size_t at = form->at;

    memset(part, 0, sizeof *part);
    if (form->ended)
        return 0;
    for (;;) { /* a field a line, up to the empty one */
        found = memchr(body + at, '\r', form->length - at);
        size_t end = found ? (size_t)(found - body) : form->length;
        if (form->length - end < 2 || body[end + 1] != '\n' ||
            memchr(body + at, '\n', end - at) || memchr(body + at, '\0', end - at))
            return -1;
        if (end == at)
            break;
        if (read_field(form, at, end, part))
            return -1;
        at = end + 2;
    }
    part->value_at = at += 2;
    if (!part->name_bytes)
        return -1;
    for (; (found = memchr(body + at, '-', form->length - at)) != NULL; at++) {
        at = (size_t)(found - body);
        if (!is_delimiter(form, at) || (body[at - 1] != '\n' && body[at - 1] != '\r'))
            continue;
        /* A line of its own; some servers take it for one behind any end of a line. */
        if (at < part->value_at + 2 || body[at - 1] != '\n' || body[at - 2] != '\r')
            return -1;
        part->value_bytes = at - 2 - part->value_at;
        return pass_delimiter(form, at) ? -1 : 1;
    }
    return -1;
}
