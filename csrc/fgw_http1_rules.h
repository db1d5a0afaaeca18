/* fgw_http1_rules.h - what single fields must say. Private to the http1 kernels.
 *
 * Each returns FGW_E_NONE or the rule that is broken.
 */
#ifndef FGW_HTTP1_RULES_H
#define FGW_HTTP1_RULES_H

#include <string.h>

#include "fgw_ascii.h"
#include "fgw_http1.h"

/* uri-host [":" [port]], no userinfo, port <= 65535: RFC 9110 7.2, without percent-encoding. */
uint16_t fgw_rule_host(const uint8_t *text, uint32_t len);

/* Digits only, at most 2^63 - 1; leading zeros count for nothing (never octal). */
uint16_t fgw_rule_length(const uint8_t *text, uint32_t len, int64_t *length);

/* Exactly `chunked`. */
uint16_t fgw_rule_coding(const uint8_t *text, uint32_t len);

/* A list of tokens: close, keep-alive and upgrade are noted in head, the rest nominated. */
uint16_t fgw_rule_connection(struct fgw_head *head, const uint8_t *buf, uint32_t off,
                             uint32_t len);

/* Marks the fields of head that Connection nominated, but for those that a peer may not strip. */
void fgw_rule_nominate(struct fgw_head *head, const uint8_t *buf);

/* The field that a name means to a reader to whom `_` is `-`, if that is a field whose alias may
 * not pass; else FGW_H_OTHER. */
uint8_t fgw_rule_alias(const uint8_t *name, uint32_t len);

/* Notes the method in head, where it is one that passes. */
uint16_t fgw_rule_method(struct fgw_head *head, const uint8_t *text, uint32_t len);

/* The status to answer a request with that broke a rule. */
uint16_t fgw_rule_status(uint16_t error);

/* At line: `Content-Length: 635` and its end, as nearly everybody writes it: digits, 0 for
 * anything else. The line is 18 bytes more. */
static inline uint32_t fgw_rule_length_line(const uint8_t *line, const uint8_t *end)
{
    if (end - line < 19 || (line[0] | 0x20) != 'c')
        return 0;
    if (memcmp(line, "Content-Length: ", 16) != 0 && memcmp(line, "content-length: ", 16) != 0)
        return 0;
    const uint8_t *const digits = line + 16, *p = digits;
    while (p < end && fgw_ascii_is_digit(*p))
        p++;
    return end - p >= 2 && p[0] == '\r' && p[1] == '\n' ? (uint32_t)(p - digits) : 0;
}

#endif
