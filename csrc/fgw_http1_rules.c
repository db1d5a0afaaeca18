#include "fgw_http1_rules.h"

#include <string.h>

#include "fgw_ascii.h"

/* Fields that keep their meaning whatever Connection says: the gateway reads or writes them
 * itself, so a client that names them would make one party see them and another not. */
#define NOT_STRIPPABLE                                                                            \
    (FGW_H_BIT(FGW_H_HOST) | FGW_H_BIT(FGW_H_CONTENT_LENGTH) |                                    \
     FGW_H_BIT(FGW_H_TRANSFER_ENCODING) | FGW_H_BIT(FGW_H_CONTENT_TYPE) |                         \
     FGW_H_BIT(FGW_H_CONTENT_ENCODING) | FGW_H_BIT(FGW_H_AUTHORIZATION) |                         \
     FGW_H_BIT(FGW_H_X_API_KEY) | FGW_H_BIT(FGW_H_API_KEY) | FGW_H_BIT(FGW_H_X_GOOG_API_KEY) |    \
     FGW_H_BIT(FGW_H_ANTHROPIC_VERSION) | FGW_H_BIT(FGW_H_ANTHROPIC_BETA) |                       \
     FGW_H_BIT(FGW_H_OPENAI_ORGANIZATION) | FGW_H_BIT(FGW_H_OPENAI_PROJECT) |                     \
     FGW_H_BIT(FGW_H_X_REQUEST_ID) | FGW_H_BIT(FGW_H_X_FASTGW) | FGW_H_BIT(FGW_H_RETRY_AFTER) |   \
     FGW_H_BIT(FGW_H_RETRY_AFTER_MS) | FGW_H_BIT(FGW_H_X_SHOULD_RETRY))

/* Framing and credentials: a CGI-like reader behind us takes `Content_Length` for the real one. */
#define NO_ALIAS                                                                                  \
    (FGW_H_BIT(FGW_H_CONTENT_LENGTH) | FGW_H_BIT(FGW_H_TRANSFER_ENCODING) |                       \
     FGW_H_BIT(FGW_H_KEEP_ALIVE) | FGW_H_BIT(FGW_H_PROXY_CONNECTION) |                            \
     FGW_H_BIT(FGW_H_PROXY_AUTHENTICATE) | FGW_H_BIT(FGW_H_PROXY_AUTHORIZATION) |                 \
     FGW_H_BIT(FGW_H_X_API_KEY) | FGW_H_BIT(FGW_H_API_KEY) | FGW_H_BIT(FGW_H_X_GOOG_API_KEY) |    \
     FGW_H_BIT(FGW_H_X_FASTGW))

static int is_ipv4(const uint8_t *p, const uint8_t *end)
{
    for (int octets = 1;; octets++) {
        uint32_t value = 0;
        const uint8_t *start = p;
        while (p < end && fgw_ascii_is_digit(*p) && p - start < 3)
            value = value * 10 + (uint32_t)(*p++ - '0');
        if (p == start || value > 255)
            return 0;
        if (octets == 4)
            return p == end;
        if (p == end || *p++ != '.')
            return 0;
    }
}

/* RFC 4291 text form, without a zone. */
static int is_ipv6(const uint8_t *p, const uint8_t *end)
{
    int groups = 0, gap = 0;
    if (end - p >= 2 && p[0] == ':' && p[1] == ':') {
        gap = 1;
        p += 2;
        if (p == end)
            return 1;
    }
    for (;;) {
        const uint8_t *start = p;
        while (p < end && fgw_ascii_is(*p, FGW_ASCII_HEX) && p - start < 4)
            p++;
        if (p < end && *p == '.')
            return is_ipv4(start, end) && (gap ? groups + 2 < 8 : groups + 2 == 8);
        if (p == start || ++groups > 8)
            return 0;
        if (p == end)
            return gap ? groups < 8 : groups == 8;
        if (*p++ != ':')
            return 0;
        if (p < end && *p == ':') {
            if (gap++)
                return 0;
            if (++p == end)
                return groups < 8;
        }
    }
}

static int is_port(const uint8_t *p, const uint8_t *end)
{
    uint32_t port = 0;
    for (; p < end; p++) {
        if (!fgw_ascii_is_digit(*p))
            return 0;
        port = port * 10 + (uint32_t)(*p - '0');
        if (port > 65535)
            return 0;
    }
    return 1;
}

uint16_t fgw_rule_host(const uint8_t *text, uint32_t len)
{
    const uint8_t *p = text, *end = text + len;
    if (p < end && *p == '[') {
        const uint8_t *close = memchr(p, ']', len);
        if (!close || !is_ipv6(p + 1, close))
            return FGW_E_HOST;
        p = close + 1;
    } else {
        while (p < end && fgw_ascii_is(*p, FGW_ASCII_HOST))
            p++;
        if (p == text)
            return FGW_E_HOST;
    }
    if (p == end)
        return FGW_E_NONE;
    return *p == ':' && is_port(p + 1, end) ? FGW_E_NONE : FGW_E_HOST;
}

uint16_t fgw_rule_length(const uint8_t *text, uint32_t len, int64_t *length)
{
    uint64_t value = 0;
    if (len == 0)
        return FGW_E_LENGTH;
    if (len <= 18) { /* cannot be too large */
        for (uint32_t i = 0; i < len; i++) {
            if (!fgw_ascii_is_digit(text[i]))
                return FGW_E_LENGTH;
            value = value * 10 + (uint64_t)(text[i] - '0');
        }
        *length = (int64_t)value;
        return FGW_E_NONE;
    }
    for (uint32_t i = 0; i < len; i++) {
        if (!fgw_ascii_is_digit(text[i]))
            return FGW_E_LENGTH;
        const uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > ((uint64_t)INT64_MAX - digit) / 10)
            return FGW_E_LENGTH;
        value = value * 10 + digit;
    }
    *length = (int64_t)value;
    return FGW_E_NONE;
}

/* One element of a comma list in [*off, len): its span, *off moved behind its comma. 0 at the end.
 * Elements may be empty; white space around them is left out. */
static int next_element(const uint8_t *text, uint32_t len, uint32_t *off, struct fgw_span *element)
{
    uint32_t from = *off, to;
    if (from > len)
        return 0;
    const uint8_t *comma = memchr(text + from, ',', len - from);
    to = comma ? (uint32_t)(comma - text) : len;
    *off = to + 1;
    while (from < to && (text[from] == ' ' || text[from] == '\t'))
        from++;
    while (to > from && (text[to - 1] == ' ' || text[to - 1] == '\t'))
        to--;
    element->off = from;
    element->len = to - from;
    return 1;
}

static int is_token(const uint8_t *text, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        if (!fgw_ascii_is(text[i], FGW_ASCII_TOKEN))
            return 0;
    return len > 0;
}

uint16_t fgw_rule_coding(const uint8_t *text, uint32_t len)
{
    if (fgw_ascii_same(text, len, "chunked", 7))
        return FGW_E_NONE;

    /* Wrong in any case; the rest only says whether we lack a coding (501) or the peer a frame. */
    uint32_t off = 0, chunked = 0;
    int last = 0;
    struct fgw_span element;
    while (next_element(text, len, &off, &element)) {
        if (!is_token(text + element.off, element.len))
            return FGW_E_CODING;
        last = fgw_ascii_same(text + element.off, element.len, "chunked", 7);
        chunked += (uint32_t)last;
    }
    return last && chunked == 1 ? FGW_E_CODING_UNKNOWN : FGW_E_CODING;
}

uint16_t fgw_rule_connection(struct fgw_head *head, const uint8_t *buf, uint32_t off,
                             uint32_t len)
{
    const uint8_t *text = buf + off;
    uint32_t next = 0;
    struct fgw_span element;
    if (len == 10 && memcmp(text, "keep-alive", 10) == 0) { /* nearly always */
        head->keep_alive_seen = 1;
        return FGW_E_NONE;
    }
    while (next_element(text, len, &next, &element)) {
        const uint8_t *token = text + element.off;
        if (element.len == 0)
            continue;
        if (!is_token(token, element.len))
            return FGW_E_CONNECTION;
        if (fgw_ascii_same(token, element.len, "close", 5))
            head->close_seen = 1;
        else if (fgw_ascii_same(token, element.len, "keep-alive", 10))
            head->keep_alive_seen = 1;
        else if (fgw_ascii_same(token, element.len, "upgrade", 7))
            head->upgrade_seen = 1;
        else if (head->n_nominated == FGW_NOMINATED_MAX)
            return FGW_E_CONNECTION;
        else
            head->nominated[head->n_nominated++] =
                (struct fgw_span){off + element.off, element.len};
    }
    return FGW_E_NONE;
}

static int same_name(const uint8_t *a, const uint8_t *b, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        const uint8_t differ = (uint8_t)(a[i] ^ b[i]);
        const uint8_t lower = (uint8_t)(a[i] | 0x20);
        if (differ && (differ != 0x20 || lower < 'a' || lower > 'z'))
            return 0;
    }
    return 1;
}

void fgw_rule_nominate(struct fgw_head *head, const uint8_t *buf)
{
    for (uint32_t n = 0; n < head->n_nominated; n++) {
        const struct fgw_span *token = &head->nominated[n];
        for (uint32_t i = 0; i < head->n_headers; i++) {
            struct fgw_header *header = &head->headers[i];
            if (header->name_len == token->len && !((NOT_STRIPPABLE >> header->id) & 1) &&
                same_name(buf + header->name_off, buf + token->off, token->len))
                header->nominated = 1;
        }
    }
}

uint8_t fgw_rule_alias(const uint8_t *name, uint32_t len)
{
    uint8_t dashed[32];
    const uint32_t kept = len < sizeof dashed ? len : (uint32_t)sizeof dashed;
    for (uint32_t i = 0; i < kept; i++)
        dashed[i] = name[i] == '_' ? '-' : name[i];
    if (kept >= 9 && fgw_ascii_same(dashed, 9, "x-fastgw-", 9))
        return FGW_H_X_FASTGW;
    if (len > kept)
        return FGW_H_OTHER;
    const uint8_t id = fgw_http1_field_id(dashed, len);
    return (NO_ALIAS >> id) & 1 ? id : FGW_H_OTHER;
}

uint16_t fgw_rule_status(uint16_t error)
{
    switch (error) {
    case FGW_E_METHOD_UNKNOWN:
    case FGW_E_CODING_UNKNOWN:
        return 501;
    case FGW_E_METHOD_REFUSED:
        return 405;
    case FGW_E_TARGET_TOO_LONG:
        return 414;
    case FGW_E_VERSION_UNSUPPORTED:
        return 505;
    case FGW_E_HEAD_TOO_LARGE:
    case FGW_E_TOO_MANY_FIELDS:
        return 431;
    case FGW_E_EXPECT:
        return 417;
    default:
        return 400;
    }
}

uint16_t fgw_rule_method(struct fgw_head *head, const uint8_t *text, uint32_t len)
{
    static const struct {
        char text[8];
        uint8_t len, method;
    } METHODS[] = {
        {"POST", 4, FGW_M_POST},     {"GET", 3, FGW_M_GET},
        {"HEAD", 4, FGW_M_HEAD},     {"PUT", 3, FGW_M_PUT},
        {"PATCH", 5, FGW_M_PATCH},   {"DELETE", 6, FGW_M_DELETE},
        {"OPTIONS", 7, FGW_M_OPTIONS},
    };
    for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++) {
        if (METHODS[i].len == len && memcmp(METHODS[i].text, text, len) == 0) {
            head->method = METHODS[i].method;
            return FGW_E_NONE;
        }
    }
    if ((len == 7 && memcmp(text, "CONNECT", 7) == 0) ||
        (len == 5 && memcmp(text, "TRACE", 5) == 0))
        return FGW_E_METHOD_REFUSED;
    return FGW_E_METHOD_UNKNOWN;
}
