"""Phase STREAM: the head of the answer to the client.

The provider's fields are copied one by one; hop-by-hop fields, framing and whatever pretends to be
ours stay behind. What the gateway says of the request is added: its id, who served it, and how
much of each limit is left (draft-ietf-httpapi-ratelimit-headers).
"""

cimport cython
from libc.stdint cimport UINT64_MAX, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastgw.native.http1 cimport FGW_H_CONTENT_ENCODING, FGW_H_RATELIMIT, FGW_H_RATELIMIT_POLICY
from fastgw.native.http1 cimport (
    FGW_DROP_RESPONSE,
    fgw_http1_copy_fields,
    fgw_http1_put_field,
    fgw_http1_put_number,
    fgw_http1_put_status,
    fgw_http1_put_u64,
)
from fastgw.stream.relay cimport FRAMING_CHUNKED, FRAMING_LENGTH, FRAMING_NONE


cdef enum:
    OWN_BYTES = 2048
    SECOND = 1000000000


@cython.final
cdef class AnswerTexts:
    def __init__(self, str policy_version, list limits):
        """``limits``: (name as it is quoted, item of RateLimit-Policy) in the order of the
        policy's limits."""
        self.policy_version = f"x-fastgw-policy: {policy_version}\r\n".encode()
        cdef LimitTexts *one
        cdef bytes name, policy
        self.texts = [(quoted.encode() + b";r=", item.encode()) for quoted, item in limits]
        self.limits = <LimitTexts *>calloc(max(len(limits), 1), sizeof(LimitTexts))
        if self.limits == NULL:
            raise MemoryError()
        one = self.limits
        for name, policy in self.texts:
            one.name, one.name_bytes = name, <size_t>len(name)
            one.policy, one.policy_bytes = policy, <size_t>len(policy)
            one += 1

    def __dealloc__(self):
        free(self.limits)


cdef inline uint8_t *put(uint8_t *out, bytes text) noexcept:
    memcpy(out, <const char *>text, <size_t>len(text))
    return out + len(text)


cdef inline uint8_t *put_words(uint8_t *out, const char *words, size_t length) noexcept:
    """``length`` is known to the compiler."""
    memcpy(out, words, length)
    return out + length


cdef inline bint tells_limits(Exchange x) noexcept:
    """A shadow is nobody's business but the operator's."""
    cdef int i
    for i in range(x.n_traces):
        if x.traces[i].enforced:
            return True
    return False


cdef Py_ssize_t write_rate_limits(
    Exchange x, AnswerTexts texts, uint8_t *out, size_t room
) noexcept:
    cdef uint8_t *at = out
    cdef uint64_t left
    cdef int i
    cdef size_t need = 64
    cdef const LimitTexts *limit
    cdef bint first = True
    if not tells_limits(x):
        return 0
    for i in range(x.n_traces):
        need += 64 + 2 * texts.limits[x.effects.demands[i].limit].policy_bytes
    if need > room:
        return -1
    for i in range(x.n_traces):
        if x.traces[i].enforced:
            limit = &texts.limits[x.effects.demands[i].limit]
            at = put_words(at, b"ratelimit-policy: ", 18) if first else put_words(at, b", ", 2)
            first = False
            memcpy(at, limit.policy, limit.policy_bytes)
            at += limit.policy_bytes
    first = True
    for i in range(x.n_traces):
        if not x.traces[i].enforced:
            continue
        limit = &texts.limits[x.effects.demands[i].limit]
        at = put_words(at, b"\r\nratelimit: ", 13) if first else put_words(at, b", ", 2)
        first = False
        memcpy(at, limit.name, limit.name_bytes)
        at += limit.name_bytes
        left = 0
        if x.traces[i].used < x.traces[i].limit:
            left = x.traces[i].limit - x.traces[i].used
        at += fgw_http1_put_u64(at, 24, left)
        # No time brings back slots (0) and totals.
        if 0 < x.traces[i].reset_ns < UINT64_MAX:
            at = put_words(at, b";t=", 3)
            at += fgw_http1_put_u64(at, 24, (x.traces[i].reset_ns + SECOND - 1) // SECOND)
    return put_words(at, b"\r\n", 2) - out


cdef Py_ssize_t write_answer_head(
    Exchange x, AnswerTexts texts, const fgw_head *head, const uint8_t *source, uint8_t *out,
    size_t room, Framing framing, bint close, bint drop_coding
) noexcept:
    """Write the head; its length, or -1 where it does not fit (an upstream's head that large)."""
    cdef uint8_t *at = out
    cdef uint8_t *end = out + room - OWN_BYTES
    cdef int copied
    cdef Py_ssize_t added
    cdef uint64_t drop = FGW_DROP_RESPONSE
    if tells_limits(x):
        drop |= (<uint64_t>1 << FGW_H_RATELIMIT) | (<uint64_t>1 << FGW_H_RATELIMIT_POLICY)
    if drop_coding:
        drop |= <uint64_t>1 << FGW_H_CONTENT_ENCODING
    at += fgw_http1_put_status(at, 64, head.status)
    copied = fgw_http1_copy_fields(at, <unsigned int>(end - at), head, source, drop)
    if copied < 0:
        return -1
    at += copied
    if end - at < 0:
        return -1
    if framing == FRAMING_CHUNKED:
        at = put_words(at, b"transfer-encoding: chunked\r\n", 28)
    elif head.content_length >= 0 and (framing == FRAMING_LENGTH or framing == FRAMING_NONE):
        # Also where no body follows: HEAD and 304 tell the length that GET would have had.
        at += fgw_http1_put_number(at, 64, b"content-length", 14, <uint64_t>head.content_length)
    if close:
        at = put_words(at, b"connection: close\r\n", 19)
    elif x.head.minor == 0:
        at = put_words(at, b"connection: keep-alive\r\n", 24)
    at = put_words(at, b"x-fastgw-request-id: ", 21)
    memcpy(at, x.id_text, x.id_length)
    at += x.id_length
    at = put_words(at, b"\r\n", 2)
    if x.provider_line is not None:
        at = put(at, x.provider_line)
        if x.model_line is not None:
            at = put(at, x.model_line)
        elif x.ask.model_bytes:
            copied = fgw_http1_put_field(
                at, 512, b"x-fastgw-model", 14, <const uint8_t *>x.ask.model, x.ask.model_bytes
            )
            if copied > 0:
                at += copied
        at += fgw_http1_put_number(at, 64, b"x-fastgw-attempts", 17, <uint64_t>x.attempt)
    at = put(at, texts.policy_version)
    if x.rule_line is not None:
        at = put(at, x.rule_line)
    if x.said is not None and x.said.to_client is not None:
        if out + room - 2 - at < len(x.said.to_client):
            return -1
        at = put(at, x.said.to_client)
    added = write_rate_limits(x, texts, at, <size_t>(out + room - 2 - at))
    if added < 0:
        return -1
    at += added
    at[0] = c"\r"
    at[1] = c"\n"
    return at + 2 - out
