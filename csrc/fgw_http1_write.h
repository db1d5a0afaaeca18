/* fgw_http1_write.h - heads of messages, written anew.
 *
 * Each function appends at `out`, which has room for `cap` bytes, and returns the bytes written,
 * or -1 with nothing promised about out[0, cap) where the room is too small or a byte may not
 * stand there. A head is: a start line, fields of the message that is relayed
 * (fgw_http1_copy_fields), our own fields (fgw_http1_put_field ...), fgw_http1_put_end.
 */
#ifndef FGW_HTTP1_WRITE_H
#define FGW_HTTP1_WRITE_H

#include <stdint.h>

#include "fgw_http1.h"

/* Fields of one hop: never forwarded, in either direction. */
#define FGW_DROP_HOP                                                                              \
    (FGW_H_BIT(FGW_H_CONNECTION) | FGW_H_BIT(FGW_H_KEEP_ALIVE) |                                  \
     FGW_H_BIT(FGW_H_PROXY_CONNECTION) | FGW_H_BIT(FGW_H_TE) | FGW_H_BIT(FGW_H_TRAILER) |         \
     FGW_H_BIT(FGW_H_TRANSFER_ENCODING) | FGW_H_BIT(FGW_H_UPGRADE) |                              \
     FGW_H_BIT(FGW_H_PROXY_AUTHENTICATE) | FGW_H_BIT(FGW_H_PROXY_AUTHORIZATION))

/* A client's credentials: they end here. */
#define FGW_DROP_CREDENTIALS                                                                      \
    (FGW_H_BIT(FGW_H_AUTHORIZATION) | FGW_H_BIT(FGW_H_X_API_KEY) | FGW_H_BIT(FGW_H_API_KEY) |     \
     FGW_H_BIT(FGW_H_X_GOOG_API_KEY) | FGW_H_BIT(FGW_H_COOKIE))

/* What a request to an upstream gets from the gateway itself, or not at all. */
#define FGW_DROP_REQUEST                                                                          \
    (FGW_DROP_HOP | FGW_DROP_CREDENTIALS | FGW_H_BIT(FGW_H_HOST) |                                \
     FGW_H_BIT(FGW_H_CONTENT_LENGTH) | FGW_H_BIT(FGW_H_EXPECT) |                                  \
     FGW_H_BIT(FGW_H_ACCEPT_ENCODING) | FGW_H_BIT(FGW_H_X_FASTGW) | FGW_H_BIT(FGW_H_OVERRIDE))

/* The same for a response to a client. Date stays. */
#define FGW_DROP_RESPONSE                                                                         \
    (FGW_DROP_HOP | FGW_H_BIT(FGW_H_CONTENT_LENGTH) | FGW_H_BIT(FGW_H_X_FASTGW))

/* Appends the fields of `head` (which lies in buf) as `name: value\r\n`, but for those whose id is
 * in drop_mask and those that Connection nominated. */
int32_t fgw_http1_copy_fields(uint8_t *out, uint32_t cap, const struct fgw_head *head,
                              const uint8_t *buf, uint64_t drop_mask);

/* `HTTP/1.1 404 Not Found\r\n`; a status without a known phrase gets an empty one. 100-999. */
int32_t fgw_http1_put_status(uint8_t *out, uint32_t cap, uint16_t status);

/* `POST /v1/x?y HTTP/1.1\r\n` of a request in origin-form, whatever form it came in. */
int32_t fgw_http1_put_request_line(uint8_t *out, uint32_t cap, const struct fgw_head *head,
                                   const uint8_t *buf);

/* `name: value\r\n`. -1 also for a name that is no token and for a control byte in the value: what
 * we generate is held to the rule for what we receive (Envoy CVE-2023-27493). */
int32_t fgw_http1_put_field(uint8_t *out, uint32_t cap, const char *name, uint32_t name_len,
                            const uint8_t *value, uint32_t value_len);

/* `name: 123\r\n`; the name is ours and is not checked. */
int32_t fgw_http1_put_number(uint8_t *out, uint32_t cap, const char *name, uint32_t name_len,
                             uint64_t value);

/* The bytes as they are. */
int32_t fgw_http1_put_bytes(uint8_t *out, uint32_t cap, const void *bytes, uint32_t len);

/* Decimal, without sign or leading zero. */
int32_t fgw_http1_put_u64(uint8_t *out, uint32_t cap, uint64_t value);

/* Eight hexadecimal digits. */
void fgw_http1_put_hex(uint8_t out[8], uint32_t number);

/* `1a2\r\n`: the line before a chunk of `size` bytes. At most FGW_CHUNK_LINE_MAX bytes. The chunk
 * is followed by "\r\n", the body by "0\r\n\r\n". */
enum { FGW_CHUNK_LINE_MAX = 18 };
int32_t fgw_http1_put_chunk_size(uint8_t *out, uint32_t cap, uint64_t size);

/* The empty line. */
int32_t fgw_http1_put_end(uint8_t *out, uint32_t cap);

#endif
