#include "fgw_cel_machine.h"

/* An address as read: 4 or 16 bytes. */
struct address {
    uint8_t bytes[16];
    uint32_t length;
    uint8_t mapped; /* an IPv4 address in IPv6's form ::ffff:0:0/96: 1 in hex, 2 with dots */
};

/* "1.2.3.4", all of it. 0, or -1. Zeros in front are refused: some read them as octal. */
static int read_v4(const uint8_t *p, const uint8_t *end, uint8_t *out)
{
    for (int part = 0; part < 4; part++) {
        uint32_t number = 0, digits = 0;
        for (; p < end && *p >= '0' && *p <= '9' && digits < 4; p++, digits++)
            number = number * 10 + (uint32_t)(*p - '0');
        if (digits == 0 || number > 255 || (digits > 1 && p[-(int)digits] == '0'))
            return -1;
        out[part] = (uint8_t)number;
        if (part < 3 && (p == end || *p++ != '.'))
            return -1;
    }
    return p == end ? 0 : -1;
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Groups of hex, up to `end`; *gap is where "::" stood, in bytes, or -1. Bytes read, or -1. */
static int read_groups(const uint8_t *p, const uint8_t *end, uint8_t *out, int *gap, int *dots)
{
    int n = 0;
    while (p < end) {
        const uint8_t *group = p;
        uint32_t number = 0;
        for (; p < end && hex_digit(*p) >= 0; p++)
            number = (number & 0xFFFF) << 4 | (uint32_t)hex_digit(*p);
        if (p < end && *p == '.') { /* the last 32 bits as IPv4 */
            *dots = 1;
            return n <= 12 && read_v4(group, end, out + n) == 0 ? n + 4 : -1;
        }
        if (p == group || p - group > 4 || n > 14)
            return -1;
        out[n++] = (uint8_t)(number >> 8);
        out[n++] = (uint8_t)number;
        if (p == end)
            return n;
        if (*p++ != ':' || p == end)
            return -1;
        if (*p == ':') {
            if (*gap >= 0)
                return -1;
            *gap = n;
            p++;
        }
    }
    return n;
}

static int read_v6(const uint8_t *p, const uint8_t *end, struct address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    uint8_t groups[16];
    int gap = -1, dots = 0;
    if (end - p >= 2 && p[0] == ':' && p[1] == ':') {
        gap = 0;
        p += 2;
    }
    int n = read_groups(p, end, groups, &gap, &dots);
    if (n < 0 || (gap < 0 ? n != 16 : n > 14))
        return -1;
    if (gap < 0)
        gap = n;
    memset(address->bytes, 0, 16);
    memcpy(address->bytes, groups, (size_t)gap);
    memcpy(address->bytes + 16 - (n - gap), groups + gap, (size_t)(n - gap));
    address->length = 16;
    if (memcmp(address->bytes, mapped, 12) == 0)
        address->mapped = dots ? 2 : 1;
    return 0;
}

/* An address without zone. 0, or -1. */
static int read_address(const uint8_t *text, uint32_t length, struct address *address)
{
    *address = (struct address){.length = 4};
    if (length < 2 || length > 45)
        return -1;
    if (memchr(text, ':', length))
        return read_v6(text, text + length, address);
    return read_v4(text, text + length, address->bytes);
}

/* The IPv4 address inside of an IPv6 one. */
static void unmap(struct address *address)
{
    if (address->mapped) {
        memmove(address->bytes, address->bytes + 12, 4);
        address->length = 4;
    }
}

static struct fgw_value keep(struct fgw_cel *cel, uint32_t type, const struct address *address,
                             int64_t prefix)
{
    uint8_t *bytes = cel_take(cel, 16);
    if (bytes == NULL)
        return cel_over(cel);
    memcpy(bytes, address->bytes, 16);
    struct fgw_value value = cel_text(type, bytes, address->length);
    value.as.number = prefix;
    return value;
}

/* ip('…'): one written as IPv4 in IPv6 is refused, as it can mean either. */
static int read_ip(const struct fgw_value *text, struct address *address)
{
    if (read_address(text->bytes, text->length, address) || address->mapped == 2)
        return -1;
    unmap(address);
    return 0;
}

struct fgw_value fgw_cel_ip_parse(struct fgw_cel *cel, const struct fgw_value *text)
{
    struct address address;
    return read_ip(text, &address) ? cel_fail(cel, FGW_CEL_ERROR_PARSE)
                                   : keep(cel, FGW_VALUE_IP, &address, 0);
}

/* "address/bits". 0, or -1. */
static int read_cidr(const struct fgw_value *text, struct address *address, int64_t *prefix)
{
    const uint8_t *slash = text->length ? memchr(text->bytes, '/', text->length) : NULL;
    if (slash == NULL
        || read_address(text->bytes, (uint32_t)(slash - text->bytes), address)
        || address->mapped)
        return -1;
    const uint8_t *p = slash + 1, *end = text->bytes + text->length;
    if (p == end || end - p > 3 || (*p == '0' && end - p > 1))
        return -1;
    for (*prefix = 0; p < end; p++) {
        if (*p < '0' || *p > '9')
            return -1;
        *prefix = *prefix * 10 + (*p - '0');
    }
    return *prefix > (int64_t)address->length * 8 ? -1 : 0;
}

static int covers(const uint8_t *network, const uint8_t *address, int64_t bits)
{
    size_t whole = (size_t)(bits / 8);
    uint8_t mask = (uint8_t)(0xFF00 >> bits % 8);
    return memcmp(network, address, whole) == 0
           && (bits % 8 == 0 || ((network[whole] ^ address[whole]) & mask) == 0);
}

struct fgw_value fgw_cel_in_cidr(struct fgw_cel *cel, const struct fgw_value *ip,
                                 const struct fgw_value *cidr)
{
    struct address address;
    if (ip->type == FGW_VALUE_STRING) {
        /* A dual-stack socket names IPv4 clients ::ffff:1.2.3.4. */
        if (read_address(ip->bytes, ip->length, &address))
            return cel_fail(cel, FGW_CEL_ERROR_PARSE);
        unmap(&address);
    } else if (ip->type == FGW_VALUE_IP) {
        memcpy(address.bytes, ip->bytes, ip->length);
        address.length = ip->length;
    } else {
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    }
    return cel_bool(address.length == cidr->length
                    && covers(cidr->bytes, address.bytes, cidr->as.number));
}

uint32_t fgw_cel_address(const uint8_t *text, uint32_t length, uint8_t out[16])
{
    struct address address;
    if (read_address(text, length, &address))
        return 0;
    unmap(&address);
    memcpy(out, address.bytes, address.length);
    return address.length;
}

/* Writing. */

static uint32_t put_hex(uint8_t *out, uint32_t number)
{
    uint32_t n = 0;
    for (int shift = 12; shift >= 0; shift -= 4)
        if (n || shift == 0 || number >> shift)
            out[n++] = (uint8_t) "0123456789abcdef"[number >> shift & 15];
    return n;
}

/* RFC 5952: the longest run of zero groups, the first of them, is "::" if it has two or more. */
static uint32_t put_v6(uint8_t *out, const uint8_t *bytes)
{
    uint32_t n = 0, best = 8, best_length = 1;
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t end = i;
        while (end < 8 && bytes[2 * end] == 0 && bytes[2 * end + 1] == 0)
            end++;
        if (end - i > best_length) {
            best = i;
            best_length = end - i;
        }
    }
    for (uint32_t i = 0; i < 8; i++) {
        if (i == best) {
            out[n++] = ':';
            out[n++] = ':';
            i += best_length - 1;
            continue;
        }
        if (n && out[n - 1] != ':')
            out[n++] = ':';
        n += put_hex(out + n, (uint32_t)bytes[2 * i] << 8 | bytes[2 * i + 1]);
    }
    return n;
}

uint32_t fgw_cel_net_write(const struct fgw_value *value, uint8_t *out)
{
    uint32_t n = 0;
    if (value->length == 16)
        n = put_v6(out, value->bytes);
    for (uint32_t i = 0; value->length == 4 && i < 4; i++) {
        if (i)
            out[n++] = '.';
        n += fgw_cel_digits(value->bytes[i], out + n);
    }
    if (value->type == FGW_VALUE_CIDR) {
        out[n++] = '/';
        n += fgw_cel_digits((uint64_t)value->as.number, out + n);
    }
    return n;
}

/* Functions. */

struct fgw_value fgw_cel_f_IP(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type == FGW_VALUE_IP)
        return *x;
    if (x->type == FGW_VALUE_CIDR)
        return cel_text(FGW_VALUE_IP, x->bytes, x->length);
    return x->type == FGW_VALUE_STRING ? fgw_cel_ip_parse(cel, x)
                                       : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_CIDR(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    struct address address;
    int64_t prefix;
    (void)n;
    if (x->type != FGW_VALUE_STRING)
        return x->type == FGW_VALUE_CIDR ? *x : cel_fail(cel, FGW_CEL_ERROR_TYPE);
    if (x->length > 64 || read_cidr(x, &address, &prefix))
        return cel_fail(cel, FGW_CEL_ERROR_PARSE);
    return keep(cel, FGW_VALUE_CIDR, &address, prefix);
}

struct fgw_value fgw_cel_f_IS_IP(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    struct address address;
    (void)n;
    return x->type == FGW_VALUE_STRING ? cel_bool(read_ip(x, &address) == 0)
                                       : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_IS_CIDR(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    struct address address;
    int64_t prefix;
    (void)n;
    return x->type == FGW_VALUE_STRING
               ? cel_bool(x->length <= 64 && read_cidr(x, &address, &prefix) == 0)
               : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_IP_IS_CANONICAL(struct fgw_cel *cel, const struct fgw_value *x,
                                           uint32_t n)
{
    struct address address;
    uint8_t text[FGW_CEL_NET_TEXT];
    (void)n;
    if (x->type != FGW_VALUE_STRING)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    if (read_ip(x, &address))
        return cel_fail(cel, FGW_CEL_ERROR_PARSE);
    struct fgw_value ip = cel_text(FGW_VALUE_IP, address.bytes, address.length);
    return cel_bool(fgw_cel_net_write(&ip, text) == x->length
                    && memcmp(text, x->bytes, x->length) == 0);
}

struct fgw_value fgw_cel_f_FAMILY(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return x->type == FGW_VALUE_IP ? cel_int(x->length == 4 ? 4 : 6)
                                   : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

/* Kinds of addresses, as Go's net/netip has them, which CEL's library is defined by. */

static int all_zero(const uint8_t *bytes, uint32_t length)
{
    uint8_t any = 0;
    for (uint32_t i = 0; i < length; i++)
        any |= bytes[i];
    return any == 0;
}

static int is_loopback(const struct fgw_value *x)
{
    return x->length == 4 ? x->bytes[0] == 127 : all_zero(x->bytes, 15) && x->bytes[15] == 1;
}

static int is_multicast(const struct fgw_value *x)
{
    return x->length == 4 ? (x->bytes[0] & 0xF0) == 0xE0 : x->bytes[0] == 0xFF;
}

static int is_link_local(const struct fgw_value *x)
{
    return x->length == 4 ? x->bytes[0] == 169 && x->bytes[1] == 254
                          : x->bytes[0] == 0xFE && (x->bytes[1] & 0xC0) == 0x80;
}

static int is_link_local_multicast(const struct fgw_value *x)
{
    return x->length == 4 ? x->bytes[0] == 224 && x->bytes[1] == 0 && x->bytes[2] == 0
                          : x->bytes[0] == 0xFF && (x->bytes[1] & 0x0F) == 2;
}

static int is_broadcast(const struct fgw_value *x)
{
    return x->length == 4 && (x->bytes[0] & x->bytes[1] & x->bytes[2] & x->bytes[3]) == 0xFF;
}

static int is_global(const struct fgw_value *x)
{
    return !is_loopback(x) && !is_multicast(x) && !is_link_local(x) && !is_broadcast(x)
           && !all_zero(x->bytes, x->length);
}

#define KIND(name, expression)                                                                    \
    struct fgw_value fgw_cel_f_##name(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n) \
    {                                                                                             \
        (void)n;                                                                                  \
        return x->type == FGW_VALUE_IP ? cel_bool(expression)                                     \
                                       : cel_fail(cel, FGW_CEL_ERROR_TYPE);                       \
    }

KIND(IS_UNSPECIFIED, all_zero(x->bytes, x->length))
KIND(IS_LOOPBACK, is_loopback(x))
KIND(IS_GLOBAL_UNICAST, is_global(x))
KIND(IS_LINK_LOCAL_MULTICAST, is_link_local_multicast(x))
KIND(IS_LINK_LOCAL_UNICAST, is_link_local(x))

struct fgw_value fgw_cel_f_CONTAINS_IP(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return x->type == FGW_VALUE_CIDR ? fgw_cel_in_cidr(cel, &x[1], x)
                                     : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_CONTAINS_CIDR(struct fgw_cel *cel, const struct fgw_value *x,
                                         uint32_t n)
{
    struct fgw_value other = x[1];
    if (other.type == FGW_VALUE_STRING)
        other = fgw_cel_f_CIDR(cel, &x[1], 1);
    (void)n;
    if (other.type == FGW_VALUE_ERROR)
        return other;
    if (x->type != FGW_VALUE_CIDR || other.type != FGW_VALUE_CIDR)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    return cel_bool(x->length == other.length && x->as.number <= other.as.number
                    && covers(x->bytes, other.bytes, x->as.number));
}

struct fgw_value fgw_cel_f_MASKED(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    struct address address = {.length = x->length};
    (void)n;
    if (x->type != FGW_VALUE_CIDR)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    int64_t bits = x->as.number;
    memcpy(address.bytes, x->bytes, (size_t)(bits + 7) / 8);
    if (bits % 8)
        address.bytes[bits / 8] &= (uint8_t)(0xFF00 >> bits % 8);
    return keep(cel, FGW_VALUE_CIDR, &address, bits);
}

struct fgw_value fgw_cel_f_PREFIX_LENGTH(struct fgw_cel *cel, const struct fgw_value *x,
                                         uint32_t n)
{
    (void)n;
    return x->type == FGW_VALUE_CIDR ? cel_int(x->as.number) : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}
