/* fgw_http1.h - heads of HTTP/1.1 messages, read strictly and in place.
 *
 * A head is parsed where it lies: the result is offsets into the caller's buffer, whose first byte
 * is the first byte of the message (or of the one empty line that may come before it).
 *
 *     buf  P O S T   / v 1 / x ? a = b   H T T P / 1 . 1 \r\n H o s t :   h \r\n ... \r\n | body
 *          method    path      query                          name        value           ^
 *                    target..............                   one fgw_header            | returned
 *
 * The buffer may grow and move between calls, the bytes already in it may not change. Each line is
 * judged when it is complete, and never again; an unfinished line is looked at once more when it
 * ends. So a head that comes byte by byte costs at most three looks at each byte, and what is said
 * of a message does not depend on how it was cut.
 *
 * Stricter than RFC 9110/9112 where leniency has been used to smuggle: any repeat of
 * Content-Length, any coding but one `chunked`, obs-fold, bare CR or LF, a control byte, a second
 * Host, an alias such as `Transfer_Encoding`. Accepted although the grammar of URIs lacks them:
 * `[` and `]` in a target.
 */
#ifndef FGW_HTTP1_H
#define FGW_HTTP1_H

#include <stdint.h>

enum {
    FGW_HEADERS_MAX = 100,    /* fields in one head */
    FGW_NOMINATED_MAX = 10,   /* fields that Connection may name (Envoy's number) */
    FGW_HEAD_BYTES = 32768,   /* default of fgw_http1_limits.head_max */
    FGW_HEAD_BYTES_MAX = 65535, /* no limit may be set above this: lengths of names are 16 bits */
    FGW_TARGET_BYTES = 8192   /* default of fgw_http1_limits.target_max */
};

struct fgw_span {
    uint32_t off, len;
};

enum fgw_method {
    FGW_M_NONE,
    FGW_M_GET, FGW_M_HEAD, FGW_M_POST, FGW_M_PUT, FGW_M_PATCH, FGW_M_DELETE, FGW_M_OPTIONS
};

/* What is known by name: below 64, so that a set of them is one word (FGW_H_BIT). */
enum fgw_field {
    FGW_H_OTHER,
    FGW_H_HOST, FGW_H_CONTENT_LENGTH, FGW_H_TRANSFER_ENCODING, FGW_H_CONNECTION, FGW_H_KEEP_ALIVE,
    FGW_H_PROXY_CONNECTION, FGW_H_TE, FGW_H_TRAILER, FGW_H_UPGRADE, FGW_H_EXPECT,
    FGW_H_PROXY_AUTHENTICATE, FGW_H_PROXY_AUTHORIZATION,
    FGW_H_AUTHORIZATION, FGW_H_X_API_KEY, FGW_H_API_KEY, FGW_H_X_GOOG_API_KEY, FGW_H_COOKIE,
    FGW_H_CONTENT_TYPE, FGW_H_CONTENT_ENCODING, FGW_H_ACCEPT, FGW_H_ACCEPT_ENCODING,
    FGW_H_ANTHROPIC_VERSION, FGW_H_ANTHROPIC_BETA, FGW_H_OPENAI_ORGANIZATION,
    FGW_H_OPENAI_PROJECT, FGW_H_X_REQUEST_ID, FGW_H_X_FORWARDED_FOR, FGW_H_FORWARDED,
    FGW_H_USER_AGENT, FGW_H_RETRY_AFTER, FGW_H_RETRY_AFTER_MS, FGW_H_X_SHOULD_RETRY, FGW_H_DATE,
    FGW_H_SERVER, FGW_H_SET_COOKIE, FGW_H_RATELIMIT, FGW_H_RATELIMIT_POLICY,
    FGW_H_X_MOCK,
    FGW_H_X_FASTGW,    /* x-fastgw-* */
    FGW_H_X_STAINLESS, /* x-stainless-* */
    FGW_H_OVERRIDE,    /* that make a provider do, or tell, something else than is asked */
    FGW_H_COUNT
};
#define FGW_H_BIT(id) ((uint64_t)1 << (id))

/* Which rule a head broke. Names for people: fgw_http1_error_name. */
enum fgw_http1_error {
    FGW_E_NONE,
    FGW_E_METHOD,            /* not a token, or no single space behind it */
    FGW_E_METHOD_UNKNOWN,    /* 501 */
    FGW_E_METHOD_REFUSED,    /* 405: CONNECT, TRACE */
    FGW_E_TARGET,            /* neither origin-form nor absolute-form, or a byte that no URI has */
    FGW_E_TARGET_TOO_LONG,   /* 414 */
    FGW_E_TARGET_AUTHORITY,  /* absolute-form: userinfo, bad host or port */
    FGW_E_VERSION,           /* not HTTP/n.n */
    FGW_E_VERSION_UNSUPPORTED, /* 505; HTTP/2's preface is one of these */
    FGW_E_LINE_END,          /* bare CR or LF */
    FGW_E_FIELD_NAME,        /* empty, not a token, space before the colon, or no colon */
    FGW_E_FIELD_FOLDED,      /* line that begins with white space */
    FGW_E_FIELD_VALUE,       /* control byte */
    FGW_E_FIELD_ALIAS,       /* `_` for `-` in a framing or credential field */
    FGW_E_HEAD_TOO_LARGE,    /* 431: bytes */
    FGW_E_TOO_MANY_FIELDS,   /* 431: count */
    FGW_E_HOST_MISSING,
    FGW_E_HOST_REPEATED,
    FGW_E_HOST,              /* not uri-host [":" port] */
    FGW_E_LENGTH,            /* not digits, or beyond 2^63 - 1 */
    FGW_E_LENGTH_REPEATED,   /* even if they agree */
    FGW_E_CODING,            /* no final `chunked`, or twice */
    FGW_E_CODING_UNKNOWN,    /* 501: something before a final `chunked` */
    FGW_E_CODING_REPEATED,   /* more than one field */
    FGW_E_CODING_IN_1_0,
    FGW_E_CODING_AND_LENGTH,
    FGW_E_CONNECTION,        /* not a list of tokens, or more than FGW_NOMINATED_MAX */
    FGW_E_EXPECT,            /* 417: anything but 100-continue */
    FGW_E_STATUS,            /* response: not three digits 100-599 */
    FGW_E_COUNT
};

/* How the body of a message ends. */
enum fgw_framing {
    FGW_FRAMING_NONE,    /* no body */
    FGW_FRAMING_LENGTH,  /* content_length bytes, > 0 */
    FGW_FRAMING_CHUNKED, /* fgw_chunk.h */
    FGW_FRAMING_CLOSE    /* response only: until the connection ends */
};

struct fgw_header {
    uint32_t name_off;
    uint16_t name_len;
    uint8_t id;        /* enum fgw_field */
    uint8_t nominated; /* named by Connection, or an alias in a response: not to be forwarded */
    uint32_t value_off; /* white space around the value is left out */
    uint16_t value_len;
    uint8_t plain; /* the line is `name: value\r\n`, as we would write it */
    uint8_t reserved;
};

struct fgw_http1_limits {
    uint32_t head_max;    /* bytes up to and with the empty line; <= FGW_HEAD_BYTES_MAX */
    uint32_t target_max;  /* bytes of the target */
    uint32_t headers_max; /* fields; <= FGW_HEADERS_MAX */
};

/* One message's head. fgw_http1_begin before the first call; fields are final once a parser has
 * returned > 0. ~2 KB: a connection needs one only while a head is incomplete or in use. */
struct fgw_head {
    /* parse state; not for callers */
    uint32_t line_off;    /* first byte of the first line not yet judged */
    uint32_t scanned;     /* no LF in [line_off, scanned) */
    uint8_t stage;
    uint8_t blank_seen;

    /* start line */
    uint8_t method;       /* enum fgw_method */
    uint8_t minor;        /* 0 or 1: HTTP/1.minor */
    uint16_t status;      /* request: 0, or what to answer to the error; response: its own */
    uint16_t error;       /* enum fgw_http1_error, when -1 was returned */
    struct fgw_span method_text;
    struct fgw_span target; /* as received, raw */
    /* begins with '/' or is "*"; never empty (absolute-form without one: "/") */
    struct fgw_span path;
    struct fgw_span query;  /* behind '?'; off 0: the target has no '?' */
    /* absolute-form's, else Host's value; off 0: none (HTTP/1.0 only) */
    struct fgw_span authority;
    struct fgw_span reason;    /* response */

    /* framing */
    int64_t content_length; /* -1: none */
    uint8_t framing;        /* enum fgw_framing */
    uint8_t chunked;        /* Transfer-Encoding: chunked */
    uint8_t keep_alive;     /* the connection may be used again once this message is whole */
    uint8_t expect_continue; /* Expect: 100-continue, in HTTP/1.1 */
    uint8_t upgrade;        /* Upgrade, named by Connection. Never acted on here */
    uint8_t absolute;       /* target was in absolute-form */
    /* response: 100, 102-199; the final one is still to come. 101 is not interim */
    uint8_t interim;

    /* fields */
    uint8_t n_nominated;
    uint16_t n_headers;
    uint64_t seen;          /* FGW_H_BIT of every known field */
    uint64_t repeated;      /* of those that came more than once */
    uint8_t first[FGW_H_COUNT]; /* index of a field's first line; valid where `seen` says so */
    uint8_t close_seen, keep_alive_seen; /* tokens of Connection */
    uint8_t upgrade_seen;
    struct fgw_span nominated[FGW_NOMINATED_MAX];
    struct fgw_header headers[FGW_HEADERS_MAX];
};

/* Makes *head ready for a new message. Touches no header. */
void fgw_http1_begin(struct fgw_head *head);

/* Parses a request head in buf[0, len), whose beginning earlier calls have seen. `lines`: field
 * lines of earlier messages (fgw_http1_lines.h), or NULL; what is said does not depend on them.
 * After > 0 or -1 comes fgw_http1_begin, not another call.
 * Returns the bytes of the head, through its empty line (> 0), -2 if there is more to come, or
 * -1 with head->error and head->status (400 405 414 417 431 501 505): answer and close. */
struct fgw_lines;
int32_t fgw_http1_request(struct fgw_head *head, const uint8_t *buf, uint32_t len,
                          const struct fgw_http1_limits *limits, struct fgw_lines *lines);

/* The same for a response to `method` (enum fgw_method). -1: answer 502 and close the upstream.
 * After an interim response call fgw_http1_begin and parse on, behind its head. */
int32_t fgw_http1_response(struct fgw_head *head, const uint8_t *buf, uint32_t len,
                           const struct fgw_http1_limits *limits, struct fgw_lines *lines,
                           uint8_t method);

/* Index in head->headers of the first field with this id, or -1. */
static inline int32_t fgw_http1_find(const struct fgw_head *head, uint8_t id)
{
    return (head->seen >> id) & 1 ? head->first[id] : -1;
}

/* Id of a field name, any case; FGW_H_OTHER if unknown. */
uint8_t fgw_http1_field_id(const uint8_t *name, uint32_t len);

/* Short text of a rule, for a log or an error body: "bad Host". Never NULL. */
const char *fgw_http1_error_name(uint16_t error);

#endif
