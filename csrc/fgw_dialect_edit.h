/* fgw_dialect_edit.h - changes to a request body, as splices of its bytes.
 */
#ifndef FGW_DIALECT_EDIT_H
#define FGW_DIALECT_EDIT_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_dialect_ask.h"

/* What the gateway wants changed in a body. Zero-filled: nothing. */
struct fgw_want {
    /* put this limit in where the body has a larger one or none (0 is none: some providers take
     * it so); -1 or 0: leave */
    int64_t output_limit;
    const char *model;       /* another model name (UTF-8), or NULL */
    uint16_t model_bytes;    /* <= FGW_MODEL_MAX */
    /* 1: ask for the usage chunk, if this is a chat or completions stream */
    uint8_t include_usage;
    /* 1: chat's limit must stand in `max_tokens`; the API knows no other name */
    uint8_t old_limit_name;
    /* 1: the model stands in the path here, and in the body where this goes: it is put there,
     * whatever the body has said */
    uint8_t model_in_body;
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
    /* 1: include_usage was put in by us, so the client must not see its chunk */
    uint32_t hide_usage;
    int64_t length_change; /* new length - old length */
    struct fgw_edit edit[FGW_EDITS_MAX]; /* ascending, apart from each other */
    uint16_t used;
    char text[FGW_EDITS_TEXT];
};

/* Plans the edits. Returns their number, or -1 if `want` cannot be met (a model name too long). */
int fgw_edits_plan(struct fgw_edits *edits, const struct fgw_ask *ask,
                   const struct fgw_want *want);

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
size_t fgw_edits_copy(const struct fgw_edits *edits, const uint8_t *body, size_t length,
                      uint8_t *out);

#endif
