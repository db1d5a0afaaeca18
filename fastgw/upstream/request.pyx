"""Phase UPSTREAM: the head of the request to a provider.

Nothing of the client's head goes on by itself: fields are copied one by one, without hop-by-hop
fields, those that the client's Connection names, its credentials, and ours.
"""

from libc.string cimport memcpy

from fastgw.native.dialect cimport FGW_DIALECT_ANTHROPIC
from fastgw.native.http1 cimport (
    FGW_FRAMING_NONE,
    FGW_H_ANTHROPIC_VERSION,
    FGW_M_PATCH,
    FGW_M_POST,
    FGW_M_PUT,
    fgw_http1_find,
)
from fastgw.native.http1 cimport FGW_DROP_REQUEST, fgw_http1_copy_fields, fgw_http1_put_number
from fastgw.upstream.provider cimport Provider, ProviderKey
from fastgw.upstream.route cimport Candidate

cdef enum:
    OWN_BYTES = 1024    # of fields that the gateway adds, the host and the credential apart

cdef bytes VERSION_END = b" HTTP/1.1\r\n"
cdef bytes IDENTITY = b"accept-encoding: identity\r\nx-fastgw-request-id: "
cdef bytes ATTEMPT = b"\r\nx-fastgw-attempt: "
cdef bytes ANTHROPIC_VERSION = b"anthropic-version: 2023-06-01\r\n"


cdef inline uint8_t *put(uint8_t *out, bytes text) noexcept:
    memcpy(out, <const char *>text, <size_t>len(text))
    return out + len(text)


cdef uint8_t *put_hex(uint8_t *out, uint64_t number, int digits) noexcept:
    cdef int i
    cdef uint8_t digit
    while digits < 16 and number >> (4 * digits):
        digits += 1
    for i in range(digits - 1, -1, -1):
        digit = <uint8_t>(number & 15)
        out[i] = digit + (48 if digit < 10 else 87)
        number >>= 4
    return out + digits


cdef size_t write_id(Exchange x, uint8_t *out) noexcept:
    cdef uint8_t *at = put_hex(out, x.id.generation, 8)
    at[0] = c"-"
    at = put_hex(at + 1, x.id.worker, 2)
    at[0] = c"-"
    return <size_t>(put_hex(at + 1, x.id.sequence, 10) - out)


cdef Py_ssize_t write_head(Exchange x, uint8_t *out, size_t room, uint64_t body_length) noexcept:
    cdef Provider provider = (<Candidate>x.candidate).provider
    cdef ProviderKey key = <ProviderKey>x.provider_key
    cdef uint8_t *at = out
    cdef Py_ssize_t length
    cdef int copied
    cdef size_t fixed = (
        x.head.method_text.len + <size_t>len(provider.host_line) + OWN_BYTES
        + (<size_t>len(key.credential_line) if key is not None else 0)
    )
    if fixed > room:
        return -1
    memcpy(at, x.bytes + x.head.method_text.off, x.head.method_text.len)
    at += x.head.method_text.len
    at[0] = c" "
    length = provider.write_target(
        at + 1, room - fixed, x.bytes + x.path_at, x.path_length,
        x.bytes + x.head.query.off, x.head.query.len,
    )
    if length < 0:
        return -1
    at = put(at + 1 + length, VERSION_END)
    at = put(at, provider.host_line)
    if key is not None:
        at = put(at, key.credential_line)
    at = put(at, IDENTITY)
    at += write_id(x, at)
    at = put(at, ATTEMPT)
    at[0] = <uint8_t>(48 + x.attempt % 10)
    at[1] = c"\r"
    at[2] = c"\n"
    at += 3
    if x.route.dialect == FGW_DIALECT_ANTHROPIC and fgw_http1_find(
        &x.head, FGW_H_ANTHROPIC_VERSION
    ) < 0:
        at = put(at, ANTHROPIC_VERSION)
    if body_length or x.head.framing != FGW_FRAMING_NONE or x.head.method in (
        FGW_M_POST, FGW_M_PUT, FGW_M_PATCH
    ):
        at += fgw_http1_put_number(at, 64, b"content-length", 14, body_length)
    copied = fgw_http1_copy_fields(
        at, <unsigned int>(room - <size_t>(at - out) - 2), &x.head, x.bytes, FGW_DROP_REQUEST
    )
    if copied < 0:
        return -1
    at += copied
    at[0] = c"\r"
    at[1] = c"\n"
    return at + 2 - out
