"""Phase UPSTREAM: the head of the request to a provider.

Nothing of the client's head goes on by itself: fields are copied one by one, without hop-by-hop
fields, those that the client's Connection names, its credentials, and ours.
"""

import orjson
from libc.stdint cimport int64_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from fastgw.native.dialect cimport (
    FGW_DIALECT_ANTHROPIC,
    FGW_OPERATION_EMBEDDINGS,
    FGW_ROUTE_IN_PATH,
    fgw_edits_plan,
    fgw_edits_slices,
    fgw_slice,
    fgw_want,
)
from fastgw.exchange cimport Said, body_of
from fastgw.native.http1 cimport (
    FGW_FRAMING_NONE,
    FGW_H_ANTHROPIC_VERSION,
    FGW_M_PATCH,
    FGW_M_POST,
    FGW_M_PUT,
    fgw_http1_find,
)
from fastgw.native.http1 cimport (
    FGW_DROP_REQUEST, fgw_http1_copy_fields, fgw_http1_put_hex, fgw_http1_put_number)
from fastgw.native.price cimport FGW_PRICE_OLD_LIMIT_NAME
from fastgw.upstream.azure cimport is_azure, is_old, wants_model, write_azure_target
from fastgw.upstream.provider cimport Provider, ProviderKey, Renamed
from fastgw.upstream.route cimport Candidate

cdef enum:
    OWN_BYTES = 1024     # of fields that the gateway adds, the host and the credential apart
    BESIDE_BYTES = 2048  # a body of no more is copied behind its head: one piece is sent cheaper

cdef bytes ANTHROPIC_VERSION = b"anthropic-version: 2023-06-01\r\n"


cdef inline uint8_t *put(uint8_t *out, bytes text) noexcept:
    memcpy(out, <const char *>text, <size_t>len(text))
    return out + len(text)


cdef inline uint8_t *put_hex(uint8_t *out, uint64_t number, size_t digits) noexcept:
    """In so many digits, more only where it needs them."""
    cdef uint8_t text[16]
    fgw_http1_put_hex(text, <uint32_t>(number >> 32))
    fgw_http1_put_hex(text + 8, <uint32_t>number)
    if number >> (4 * digits) == 0:
        memcpy(out, text + 16 - digits, digits)  # of a length that the compiler knows
        return out + digits
    while digits < 16 and number >> (4 * digits):
        digits += 1
    memcpy(out, text + 16 - digits, digits)
    return out + digits


cdef size_t write_id(Exchange x, uint8_t *out) noexcept:
    cdef uint8_t *at = out + 8
    fgw_http1_put_hex(out, x.id.generation)
    at[0] = c"-"
    at = put_hex(at + 1, x.id.worker, 2)
    at[0] = c"-"
    return <size_t>(put_hex(at + 1, x.id.sequence, 10) - out)


cdef bint passes_version(Exchange x) noexcept:
    """Whether the client's own goes on: not where a rule takes it away. Without any the API
    refuses."""
    cdef int i = fgw_http1_find(&x.head, FGW_H_ANTHROPIC_VERSION)
    return i >= 0 and not x.head.headers[i].nominated


cdef void rename(Exchange x, Candidate candidate, Renamed *renamed) noexcept:
    """The model in the path gives way to the candidate's own name for it."""
    renamed.at = x.route.name_at
    renamed.drop = x.route.name_bytes
    if candidate.model:
        renamed.model = candidate.model
        renamed.length = <size_t>len(candidate.model)
    elif x.split_model:
        renamed.model = <const uint8_t *>x.ask.model + x.split_model
        renamed.length = <size_t>(x.ask.model_bytes - x.split_model)


cdef bint says_version(Said said) noexcept:
    """A rule has added the field itself."""
    cdef bytes lines = said.to_provider if said is not None else None
    return lines is not None and (
        lines.startswith(b"anthropic-version:") or b"\nanthropic-version:" in lines
    )


cdef Py_ssize_t write_target(Exchange x, Candidate candidate, uint8_t *out, size_t room):
    """Path and query; their length, -1 if there is no room."""
    cdef Renamed renamed
    if is_azure(x, candidate):
        return write_azure_target(x, candidate, out, room)
    renamed.length = 0
    if x.route.flags & FGW_ROUTE_IN_PATH:
        rename(x, candidate, &renamed)
    return candidate.provider.write_target(
        out, room, x.bytes + x.path_at, x.path_length,
        x.bytes + x.head.query.off, x.head.query.len, &renamed,
    )


cdef Py_ssize_t write_head(Exchange x, uint8_t *out, size_t room, uint64_t body_length) noexcept:
    cdef Provider provider = (<Candidate>x.candidate).provider
    cdef ProviderKey key = <ProviderKey>x.provider_key
    cdef bytes lines = key.lines if key is not None else provider.lines
    cdef uint8_t *at = out
    cdef Py_ssize_t length
    cdef int copied
    cdef size_t fixed = x.head.method_text.len + <size_t>len(lines) + OWN_BYTES
    if x.said is not None and x.said.to_provider is not None:
        fixed += <size_t>len(x.said.to_provider)
    if fixed > room:
        return -1
    memcpy(at, x.bytes + x.head.method_text.off, x.head.method_text.len)
    at += x.head.method_text.len
    at[0] = c" "
    length = write_target(x, <Candidate>x.candidate, at + 1, room - fixed)
    if length < 0:
        return -1
    at = put(at + 1 + length, lines)
    memcpy(at, x.id_text, x.id_length)
    at += x.id_length
    memcpy(at, <const char *>b"\r\nx-fastgw-attempt: 0\r\n", 23)
    at[20] = <uint8_t>(48 + x.attempt % 10)
    at += 23
    if x.route.dialect == FGW_DIALECT_ANTHROPIC and not passes_version(x) \
            and not says_version(x.said):
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
    if x.said is not None and x.said.to_provider is not None:
        if out + room - at < len(x.said.to_provider) + 2:
            return -1
        at = put(at, x.said.to_provider)
    at[0] = c"\r"
    at[1] = c"\n"
    return at + 2 - out


cdef int rename_requests(Exchange x) except -1:
    """Google wants the model of the path in each request of a batch, too. So many places are no
    splices: the body is written anew (as json.loads and dumps have it)."""
    cdef Candidate candidate = <Candidate>x.candidate
    cdef bytes name = candidate.model
    if (
        not x.route.flags & FGW_ROUTE_IN_PATH or x.route.operation != FGW_OPERATION_EMBEDDINGS
        or x.ask.messages == 0 or (not name and not x.split_model)
    ):
        return 0
    if not name:
        name = x.ask.model[x.split_model:x.ask.model_bytes]
    document = orjson.loads(body_of(x)[:x.body_length])
    requests = document.get("requests")
    for one in requests if isinstance(requests, list) else ():
        if isinstance(one, dict) and "model" in one:
            one["model"] = "models/" + name.decode()
    if "model" in document:
        document["model"] = "models/" + name.decode()
        x.ask.model_at.bytes = 0  # so no splice is due
    x.screened = orjson.dumps(document)
    x.body_length = <size_t>len(x.screened)
    return 0


cdef void plan_edits(Exchange x) noexcept:
    cdef Candidate candidate = <Candidate>x.candidate
    cdef fgw_want want
    cdef bint old = False
    if x.body_length == 0 or x.ask.body_bytes == 0:
        return
    memset(&want, 0, sizeof(want))
    want.include_usage = candidate.provider.usage_option
    if is_azure(x, candidate):
        want.model_in_body = wants_model(x, candidate)
        if is_old(x, candidate):
            want.include_usage = 0
            old = True
    want.old_limit_name = old or candidate.provider.old_limit_name or (
        x.price != NULL and x.price.flags & FGW_PRICE_OLD_LIMIT_NAME)
    if x.limit_written or want.old_limit_name:
        want.output_limit = <int64_t>x.output_max
    if candidate.model:
        want.model = candidate.model
        want.model_bytes = <uint16_t>len(candidate.model)
    elif x.split_model or want.model_in_body:
        want.model = x.ask.model + x.split_model
        want.model_bytes = x.ask.model_bytes - x.split_model
    fgw_edits_plan(&x.edits, &x.ask, &want)


cdef int write_request(Exchange x, uint8_t *out, size_t room, iovec *pieces,
                       uint64_t *body) noexcept:
    cdef fgw_slice slices[PIECES_MAX]
    cdef int count = 0, i
    cdef Py_ssize_t length
    body[0] = x.body_length
    if x.edits.count:
        count = fgw_edits_slices(&x.edits, body_of(x), x.body_length, slices)
        body[0] = <uint64_t>(<int64_t>x.body_length + x.edits.length_change)
    elif x.body_length:
        slices[0].bytes = body_of(x)
        slices[0].length = x.body_length
        count = 1
    length = write_head(x, out, room, body[0])
    if length < 0:
        return -1
    pieces[0].iov_base = out
    pieces[0].iov_len = <size_t>length
    if body[0] <= BESIDE_BYTES and body[0] <= room - <size_t>length:
        out += length
        for i in range(count):
            memcpy(out, slices[i].bytes, slices[i].length)
            out += slices[i].length
        pieces[0].iov_len += <size_t>body[0]
        return 1
    for i in range(count):
        pieces[i + 1].iov_base = <void *>slices[i].bytes
        pieces[i + 1].iov_len = slices[i].length
    return count + 1
