/* fgw_dialect_form.h - what a request says whose body is a form: sound or pictures, and who is to
 * make something of them.
 *
 * The same struct fgw_ask as of a JSON body, from the fields `model`, `stream`, `n`, `user` and
 * the sizes of the others; edits of it (fgw_dialect_edit.h) put values in as they are.
 */
#ifndef FGW_DIALECT_FORM_H
#define FGW_DIALECT_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_dialect_ask.h"

/* Whether a Content-Type says that the body is a form. */
int fgw_ask_is_form(const uint8_t *type, size_t length);

/* `type`: the Content-Type. 0, or -1 with ask->error set: FORM_INVALID, or as of JSON. */
int fgw_ask_form(struct fgw_ask *ask, const struct fgw_route *route, const uint8_t *type,
                 size_t type_bytes, const uint8_t *body, size_t length);

#endif
