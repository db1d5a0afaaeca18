#include "fgw_http1_write.h"

#include <string.h>

#include "fgw_ascii.h"

/* Where the next byte goes; `out` NULL once the room was too small. */
struct sink {
    uint8_t *start, *out, *end;
};

static void put(struct sink *sink, const void *bytes, size_t len)
{
    if (!sink->out || (size_t)(sink->end - sink->out) < len) {
        sink->out = NULL;
        return;
    }
    if (len) /* an empty value may be NULL */
        memcpy(sink->out, bytes, len);
    sink->out += len;
}

static int32_t written(const struct sink *sink)
{
    return sink->out ? (int32_t)(sink->out - sink->start) : -1;
}

static struct sink sink_of(uint8_t *out, uint32_t cap)
{
    const uint32_t room = cap < INT32_MAX ? cap : INT32_MAX;
    return (struct sink){out, out, out + room};
}

/* Room for len bytes at *out, taken; NULL where there is not so much. */
static inline uint8_t *take(uint8_t **out, const uint8_t *end, size_t len)
{
    uint8_t *at = *out;
    if ((size_t)(end - at) < len)
        return NULL;
    *out += len;
    return at;
}

/* A line that is not as we write it, as we write it. */
static int put_anew(uint8_t **out, const uint8_t *end, const struct fgw_header *header,
                    const uint8_t *buf)
{
    uint8_t *at = take(out, end, (size_t)header->name_len + header->value_len + 4);
    if (!at)
        return -1;
    memcpy(at, buf + header->name_off, header->name_len);
    at += header->name_len;
    memcpy(at, ": ", 2);
    memcpy(at + 2, buf + header->value_off, header->value_len);
    memcpy(at + 2 + header->value_len, "\r\n", 2);
    return 0;
}

int32_t fgw_http1_copy_fields(uint8_t *out, uint32_t cap, const struct fgw_head *head,
                              const uint8_t *buf, uint64_t drop_mask)
{
    uint8_t *const start = out, *at;
    const uint8_t *const end = out + (cap < INT32_MAX ? cap : INT32_MAX);
    const struct fgw_header *header = head->headers, *const behind = header + head->n_headers;

    while (header < behind) {
        if (header->nominated || (drop_mask >> header->id) & 1) {
            header++;
            continue;
        }
        if (!header->plain) {
            if (put_anew(&out, end, header++, buf))
                return -1;
            continue;
        }
        /* Plain lines that touch leave in one copy. */
        const uint32_t run = header->name_off;
        uint32_t run_end = run;
        while (header < behind && header->plain && header->name_off == run_end &&
               !header->nominated && !((drop_mask >> header->id) & 1)) {
            run_end = header->value_off + header->value_len + 2;
            header++;
        }
        if (!(at = take(&out, end, run_end - run)))
            return -1;
        memcpy(at, buf + run, run_end - run);
    }
    return (int32_t)(out - start);
}

static const char *phrase(uint16_t status)
{
    static const struct {
        uint16_t status;
        const char *text;
    } PHRASES[] = {
        {200, "OK"}, {100, "Continue"}, {101, "Switching Protocols"}, {201, "Created"},
        {202, "Accepted"}, {204, "No Content"}, {206, "Partial Content"},
        {301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"}, {304, "Not Modified"},
        {307, "Temporary Redirect"}, {308, "Permanent Redirect"}, {400, "Bad Request"},
        {401, "Unauthorized"}, {402, "Payment Required"}, {403, "Forbidden"}, {404, "Not Found"},
        {405, "Method Not Allowed"}, {406, "Not Acceptable"}, {408, "Request Timeout"},
        {409, "Conflict"}, {410, "Gone"}, {411, "Length Required"}, {412, "Precondition Failed"},
        {413, "Content Too Large"}, {414, "URI Too Long"}, {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"}, {417, "Expectation Failed"},
        {421, "Misdirected Request"}, {422, "Unprocessable Content"}, {424, "Failed Dependency"},
        {425, "Too Early"}, {426, "Upgrade Required"}, {428, "Precondition Required"},
        {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"}, {500, "Internal Server Error"},
        {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
        {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"}, {529, "Overloaded"},
    };
    for (size_t i = 0; i < sizeof PHRASES / sizeof PHRASES[0]; i++)
        if (PHRASES[i].status == status)
            return PHRASES[i].text;
    return "";
}

int32_t fgw_http1_put_status(uint8_t *out, uint32_t cap, uint16_t status)
{
    static const char OK[] = "HTTP/1.1 200 OK\r\n"; /* nearly always */
    if (status == 200 && cap >= sizeof OK - 1) {
        memcpy(out, OK, sizeof OK - 1);
        return sizeof OK - 1;
    }
    struct sink sink = sink_of(out, cap);
    if (status < 100 || status > 999)
        return -1;
    const char digits[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                            (char)('0' + status % 10), ' '};
    const char *text = phrase(status);
    put(&sink, "HTTP/1.1 ", 9);
    put(&sink, digits, 4);
    put(&sink, text, strlen(text));
    put(&sink, "\r\n", 2);
    return written(&sink);
}

int32_t fgw_http1_put_request_line(uint8_t *out, uint32_t cap, const struct fgw_head *head,
                                   const uint8_t *buf)
{
    struct sink sink = sink_of(out, cap);
    put(&sink, buf + head->method_text.off, head->method_text.len);
    put(&sink, " ", 1);
    put(&sink, buf + head->path.off, head->path.len);
    if (head->query.off) {
        put(&sink, "?", 1);
        put(&sink, buf + head->query.off, head->query.len);
    }
    put(&sink, " HTTP/1.1\r\n", 11);
    return written(&sink);
}

int32_t fgw_http1_put_field(uint8_t *out, uint32_t cap, const char *name, uint32_t name_len,
                            const uint8_t *value, uint32_t value_len)
{
    struct sink sink = sink_of(out, cap);
    if (name_len == 0)
        return -1;
    for (uint32_t i = 0; i < name_len; i++)
        if (!fgw_ascii_is((uint8_t)name[i], FGW_ASCII_TOKEN))
            return -1;
    for (uint32_t i = 0; i < value_len; i++)
        if (!fgw_ascii_is(value[i], FGW_ASCII_VALUE))
            return -1;
    put(&sink, name, name_len);
    put(&sink, ": ", 2);
    put(&sink, value, value_len);
    put(&sink, "\r\n", 2);
    return written(&sink);
}

static const char PAIRS[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

/* Digits of value at the end of text[0, 20): where they begin. */
static uint32_t decimal(char *text, uint64_t value)
{
    uint32_t at = 20;
    while (value >= 10) {
        at -= 2;
        memcpy(text + at, PAIRS + 2 * (value % 100), 2);
        value /= 100;
        if (value == 0)
            return at;
    }
    text[--at] = (char)('0' + value);
    return at;
}

/* The digits of value to out, which has room for 20. Returns how many. */
static inline uint32_t digits_of(uint8_t *out, uint64_t value)
{
    if (value < 10) {
        *out = (uint8_t)('0' + value);
        return 1;
    }
    if (value < 100) {
        memcpy(out, PAIRS + 2 * value, 2);
        return 2;
    }
    uint32_t n = 3;
    for (uint64_t most = 1000; n < 20 && value >= most; most *= 10)
        n++;
    uint8_t *at = out + n;
    for (; value >= 10; value /= 100) {
        at -= 2;
        memcpy(at, PAIRS + 2 * (value % 100), 2);
    }
    if (at > out)
        *out = (uint8_t)('0' + value);
    return n;
}

int32_t fgw_http1_put_number(uint8_t *out, uint32_t cap, const char *name, uint32_t name_len,
                             uint64_t value)
{
    if (cap >= name_len + 24) {
        memcpy(out, name, name_len);
        memcpy(out + name_len, ": ", 2);
        const uint32_t at = name_len + 2 + digits_of(out + name_len + 2, value);
        memcpy(out + at, "\r\n", 2);
        return (int32_t)(at + 2);
    }
    struct sink sink = sink_of(out, cap);
    char text[20];
    const uint32_t at = decimal(text, value);
    put(&sink, name, name_len);
    put(&sink, ": ", 2);
    put(&sink, text + at, 20 - at);
    put(&sink, "\r\n", 2);
    return written(&sink);
}

int32_t fgw_http1_put_bytes(uint8_t *out, uint32_t cap, const void *bytes, uint32_t len)
{
    struct sink sink = sink_of(out, cap);
    put(&sink, bytes, len);
    return written(&sink);
}

int32_t fgw_http1_put_u64(uint8_t *out, uint32_t cap, uint64_t value)
{
    char text[20];
    if (cap >= 20)
        return (int32_t)digits_of(out, value);
    const uint32_t at = decimal(text, value);
    return fgw_http1_put_bytes(out, cap, text + at, 20 - at);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "low bytes stand first");

static inline uint64_t hex8(uint64_t number)
{
    uint64_t x = (number & 0xffff) | (number & 0xffff0000) << 16;
    x = (x & 0x000000ff000000ff) | (x & 0x0000ff000000ff00) << 8;
    x = (x & 0x000f000f000f000f) | (x & 0x00f000f000f000f0) << 4;
    /* A digit a byte; those above 9 are letters. */
    const uint64_t letters = ((x + 0x0606060606060606) >> 4) & 0x0101010101010101;
    return x + 0x3030303030303030 + letters * ('a' - '9' - 1);
}

void fgw_http1_put_hex(uint8_t out[8], uint32_t number)
{
    const uint64_t digits = __builtin_bswap64(hex8(number));
    memcpy(out, &digits, 8);
}

int32_t fgw_http1_put_chunk_size(uint8_t *out, uint32_t cap, uint64_t size)
{
    char line[FGW_CHUNK_LINE_MAX] = {[16] = '\r', [17] = '\n'};
    uint32_t at = 16;
    do {
        line[--at] = "0123456789abcdef"[size & 15];
        size >>= 4;
    } while (size);
    return fgw_http1_put_bytes(out, cap, line + at, FGW_CHUNK_LINE_MAX - at);
}

int32_t fgw_http1_put_end(uint8_t *out, uint32_t cap)
{
    return fgw_http1_put_bytes(out, cap, "\r\n", 2);
}
