#include <string.h>

#include "fgw_http1.h"

static const char *const ERROR_NAMES[FGW_E_COUNT] = {
    [FGW_E_NONE] = "no error",
    [FGW_E_METHOD] = "malformed method",
    [FGW_E_METHOD_UNKNOWN] = "unknown method",
    [FGW_E_METHOD_REFUSED] = "method not allowed",
    [FGW_E_TARGET] = "malformed request target",
    [FGW_E_TARGET_TOO_LONG] = "request target too long",
    [FGW_E_TARGET_AUTHORITY] = "malformed authority in request target",
    [FGW_E_VERSION] = "malformed HTTP version",
    [FGW_E_VERSION_UNSUPPORTED] = "HTTP version not supported",
    [FGW_E_LINE_END] = "line does not end in CRLF",
    [FGW_E_FIELD_NAME] = "malformed field name",
    [FGW_E_FIELD_FOLDED] = "folded field line",
    [FGW_E_FIELD_VALUE] = "control character in field value",
    [FGW_E_FIELD_ALIAS] = "underscore in the name of a framing or credential field",
    [FGW_E_HEAD_TOO_LARGE] = "head too large",
    [FGW_E_TOO_MANY_FIELDS] = "too many fields",
    [FGW_E_HOST_MISSING] = "no Host",
    [FGW_E_HOST_REPEATED] = "more than one Host",
    [FGW_E_HOST] = "malformed Host",
    [FGW_E_LENGTH] = "malformed Content-Length",
    [FGW_E_LENGTH_REPEATED] = "more than one Content-Length",
    [FGW_E_CODING] = "malformed Transfer-Encoding",
    [FGW_E_CODING_UNKNOWN] = "transfer coding not supported",
    [FGW_E_CODING_REPEATED] = "more than one Transfer-Encoding",
    [FGW_E_CODING_IN_1_0] = "Transfer-Encoding in HTTP/1.0",
    [FGW_E_CODING_AND_LENGTH] = "both Transfer-Encoding and Content-Length",
    [FGW_E_CONNECTION] = "malformed Connection",
    [FGW_E_EXPECT] = "expectation not supported",
    [FGW_E_STATUS] = "malformed status",
};

const char *fgw_http1_error_name(uint16_t error)
{
    return error < FGW_E_COUNT ? ERROR_NAMES[error] : "unknown error";
}

static inline uint64_t load8(const void *from)
{
    uint64_t word;
    memcpy(&word, from, 8);
    return word;
}

static inline uint32_t load4(const void *from)
{
    uint32_t word;
    memcpy(&word, from, 4);
    return word;
}

/* Bit 0x20 is set in every byte that the known names are made of (a-z, 0-9, '-'), and among tchar
 * only the upper-case letter maps onto each. So two ors replace a fold; whole words, the last one
 * overlapping, replace a loop, because len is a constant wherever this is inlined. */
static inline int same(const uint8_t *name, const char *lower, size_t len)
{
    const uint64_t fold = 0x2020202020202020u;
    if (len < 4)
        return (name[0] | 0x20) == lower[0] && (name[1] | 0x20) == lower[1];
    if (len < 8)
        return (load4(name) | (uint32_t)fold) == load4(lower) &&
               (load4(name + len - 4) | (uint32_t)fold) == load4(lower + len - 4);
    for (size_t i = 0; i + 8 < len; i += 8)
        if ((load8(name + i) | fold) != load8(lower + i))
            return 0;
    return (load8(name + len - 8) | fold) == load8(lower + len - 8);
}

#define NAME(text, id)                                                                            \
    if (same(name, text, sizeof(text) - 1))                                                       \
        return id
#define ONLY(text, id) return same(name, text, sizeof(text) - 1) ? (id) : FGW_H_OTHER

static uint8_t by_prefix(const uint8_t *name, uint32_t len)
{
    if (len > 12 && same(name, "x-stainless-", 12))
        return FGW_H_X_STAINLESS;
    if (len > 9 && same(name, "x-fastgw-", 9))
        return FGW_H_X_FASTGW;
    return FGW_H_OTHER;
}

/* Lengths 2 to 12. */
static uint8_t short_name(const uint8_t *name, uint32_t len)
{
    switch (len) {
    case 2:
        ONLY("te", FGW_H_TE);
    case 4:
        NAME("host", FGW_H_HOST);
        ONLY("date", FGW_H_DATE);
    case 6:
        NAME("accept", FGW_H_ACCEPT);
        NAME("expect", FGW_H_EXPECT);
        NAME("cookie", FGW_H_COOKIE);
        NAME("server", FGW_H_SERVER);
        ONLY("x-mock", FGW_H_X_MOCK);
    case 7:
        NAME("api-key", FGW_H_API_KEY);
        NAME("upgrade", FGW_H_UPGRADE);
        ONLY("trailer", FGW_H_TRAILER);
    case 9:
        NAME("x-api-key", FGW_H_X_API_KEY);
        NAME("forwarded", FGW_H_FORWARDED);
        ONLY("ratelimit", FGW_H_RATELIMIT);
    case 10:
        NAME("connection", FGW_H_CONNECTION);
        NAME("user-agent", FGW_H_USER_AGENT);
        NAME("keep-alive", FGW_H_KEEP_ALIVE);
        ONLY("set-cookie", FGW_H_SET_COOKIE);
    case 11:
        ONLY("retry-after", FGW_H_RETRY_AFTER);
    case 12:
        NAME("content-type", FGW_H_CONTENT_TYPE);
        ONLY("x-request-id", FGW_H_X_REQUEST_ID);
    default:
        return FGW_H_OTHER;
    }
}

/* Lengths 13 and more. */
static uint8_t long_name(const uint8_t *name, uint32_t len)
{
    switch (len) {
    case 13:
        NAME("authorization", FGW_H_AUTHORIZATION);
        ONLY("x-http-method", FGW_H_OVERRIDE);
    case 14:
        NAME("content-length", FGW_H_CONTENT_LENGTH);
        NAME("anthropic-beta", FGW_H_ANTHROPIC_BETA);
        NAME("openai-project", FGW_H_OPENAI_PROJECT);
        NAME("x-goog-api-key", FGW_H_X_GOOG_API_KEY);
        NAME("retry-after-ms", FGW_H_RETRY_AFTER_MS);
        ONLY("x-should-retry", FGW_H_X_SHOULD_RETRY);
    case 15:
        NAME("accept-encoding", FGW_H_ACCEPT_ENCODING);
        ONLY("x-forwarded-for", FGW_H_X_FORWARDED_FOR);
    case 16:
        NAME("content-encoding", FGW_H_CONTENT_ENCODING);
        NAME("proxy-connection", FGW_H_PROXY_CONNECTION);
        NAME("x-goog-fieldmask", FGW_H_OVERRIDE);
        ONLY("ratelimit-policy", FGW_H_RATELIMIT_POLICY);
    case 17:
        NAME("transfer-encoding", FGW_H_TRANSFER_ENCODING);
        NAME("x-method-override", FGW_H_OVERRIDE);
        ONLY("anthropic-version", FGW_H_ANTHROPIC_VERSION);
    case 18:
        ONLY("proxy-authenticate", FGW_H_PROXY_AUTHENTICATE);
    case 19:
        NAME("proxy-authorization", FGW_H_PROXY_AUTHORIZATION);
        ONLY("openai-organization", FGW_H_OPENAI_ORGANIZATION);
    case 22:
        ONLY("x-http-method-override", FGW_H_OVERRIDE);
    default:
        return FGW_H_OTHER;
    }
}

uint8_t fgw_http1_field_id(const uint8_t *name, uint32_t len)
{
    const uint8_t id = len <= 12 ? short_name(name, len) : long_name(name, len);
    if (id == FGW_H_OTHER && len > 9 && (name[0] | 0x20) == 'x')
        return by_prefix(name, len);
    return id;
}
