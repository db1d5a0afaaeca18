/* fgw_form.h - multipart/form-data (RFC 7578), read as no two servers could differ.
 *
 *     --boundary CRLF                              the body begins with it: no preamble
 *     Content-Disposition: form-data; name="…"     CRLF, and fields that say nothing of the name
 *     CRLF
 *     value                                        any bytes
 *     CRLF --boundary CRLF …                       the next part
 *     CRLF --boundary--                            the end; a CRLF may follow, nothing else
 *
 * What servers read differently is no form here: escapes in names, names twice or in an extended
 * form (`name*`), folded fields, encodings of a part, a delimiter that goes on.
 */
#ifndef FGW_FORM_H
#define FGW_FORM_H

#include <stddef.h>
#include <stdint.h>

#define FGW_BOUNDARY_MAX 70 /* RFC 2046 */

struct fgw_form {
    const uint8_t *body;
    size_t length;
    size_t at; /* behind the delimiter line of the next part */
    const char *boundary;
    size_t boundary_bytes;
    uint8_t ended;
};

/* Offsets into the body. */
struct fgw_form_part {
    size_t name_at;
    size_t name_bytes; /* > 0 */
    size_t value_at;
    size_t value_bytes;
    uint8_t file; /* it has a filename */
};

/* The boundary that a Content-Type names, copied to `boundary`. Returns its length, 0 where the
 * type is no multipart/form-data with one. */
size_t fgw_form_boundary(const uint8_t *type, size_t length, char boundary[FGW_BOUNDARY_MAX]);

/* `boundary` is kept. 0; -1: the body does not begin with it. */
int fgw_form_begin(struct fgw_form *form, const uint8_t *body, size_t length,
                   const char *boundary, size_t boundary_bytes);

/* 1: a part; 0: the end; -1: this is no form that all read alike. */
int fgw_form_next(struct fgw_form *form, struct fgw_form_part *part);

#endif
