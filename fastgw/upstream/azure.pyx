"""Phase UPSTREAM: Azure's paths and versions, where they differ from OpenAI's.

    client                                       at Azure          at OpenAI and the like
    /openai/deployments/{name}/…?api-version=…   as it came        /v1/…, name in the body
    /openai/…?api-version=…                      as it came        /v1/…
    /openai/v1/…                                 /openai/v1/…      /v1/…
    /models/…?api-version=… (Foundry)            as it came        /v1/…
    /v1/… (OpenAI's own)                         /openai/v1/…      as it came

A provider with an `api_version` is asked by its dated paths wherever the table has /openai/v1/.
"""

from libc.string cimport memcmp, memcpy

from fastgw.native.dialect cimport (
    FGW_DIALECT_AZURE,
    FGW_OPERATION_AUDIO,
    FGW_OPERATION_CHAT,
    FGW_OPERATION_COMPLETIONS,
    FGW_OPERATION_EMBEDDINGS,
    FGW_OPERATION_IMAGES,
    FGW_ROUTE_IN_PATH,
    FGW_ROUTE_SUB,
    FGW_SURFACE_MODELS,
    FGW_SURFACE_V1,
)
from fastgw.upstream.provider cimport Provider, write_encoded, write_query

cdef enum:
    DATE = 10              # bytes of 2024-09-01
    NAME = 12              # of api-version=

cdef bytes VERSION = b"api-version="
cdef bytes DEPLOYMENTS = b"/openai/deployments/"
cdef bytes RESOURCE = b"/openai"
cdef bytes MODELS = b"/models"
# The first that took stream_options and max_completion_tokens, as Microsoft's lifecycle of API
# versions has it; the stable ones: 2024-10-21. Before it, they are answered with a 400.
cdef const char *KNOWING = b"2024-09-01"


cdef bint is_azure(Exchange x, Candidate candidate) noexcept:
    return candidate.provider.azure or x.route.dialect == FGW_DIALECT_AZURE


cdef inline bint in_own_words(Exchange x, Provider provider) noexcept:
    """An Azure that is asked by the dated path that the client has written."""
    return (
        provider.azure and x.route.dialect == FGW_DIALECT_AZURE
        and x.route.surface != FGW_SURFACE_V1
    )


cdef bint wants_model(Exchange x, Candidate candidate) noexcept:
    return (
        x.route.dialect == FGW_DIALECT_AZURE and x.route.flags & FGW_ROUTE_IN_PATH
        and not candidate.provider.azure
    )


cdef size_t version_of(Exchange x, const uint8_t **value) noexcept:
    """The client's own `api-version`: its length, 0 if there is none."""
    cdef const uint8_t *query = x.bytes + x.head.query.off
    cdef size_t at = 0, end, length = x.head.query.len
    while at < length:
        end = at
        while end < length and query[end] != c"&":
            end += 1
        if end - at > NAME and memcmp(query + at, <const char *>VERSION, NAME) == 0:
            value[0] = query + at + NAME
            return end - at - NAME
        at = end + 1
    return 0


cdef bint is_old(Exchange x, Candidate candidate) noexcept:
    cdef Provider provider = candidate.provider
    cdef const uint8_t *version = NULL
    cdef size_t length = 0
    if not provider.azure:
        return False
    if x.route.dialect == FGW_DIALECT_AZURE and x.route.surface == FGW_SURFACE_MODELS:
        return True  # (Its API names neither, and refuses members that it does not know.)
    if in_own_words(x, provider):
        length = version_of(x, &version)
        if length == 0 and not provider.api_version:
            return True  # Azure will refuse it; nothing is added to what is refused
    if length == 0:
        version = provider.api_version
        length = <size_t>len(provider.api_version)
    # No version: v1. Words (`preview`) are newer than any date.
    return length != 0 and (
        length < DATE or memcmp(version, KNOWING, DATE) < 0
    )


cdef inline bint is_deployed(Exchange x) noexcept:
    """An operation that Azure's dated paths have below a deployment."""
    cdef int operation = x.route.operation
    if operation == FGW_OPERATION_IMAGES or operation == FGW_OPERATION_AUDIO:
        return True
    return not x.route.flags & FGW_ROUTE_SUB and (
        operation == FGW_OPERATION_CHAT or operation == FGW_OPERATION_COMPLETIONS
        or operation == FGW_OPERATION_EMBEDDINGS
    )


cdef inline size_t put(uint8_t *out, const void *text, size_t length) noexcept:
    memcpy(out, text, length)
    return length


cdef size_t put_model(Exchange x, Candidate candidate, uint8_t *out):
    if candidate.model:
        return write_encoded(out, candidate.model, <size_t>len(candidate.model))
    return write_encoded(
        out, <const uint8_t *>x.ask.model + x.split_model, x.ask.model_bytes - x.split_model
    )


cdef size_t put_version(uint8_t *out, bytes version, bint first) noexcept:
    cdef size_t at = 1
    out[0] = c"?" if first else c"&"
    at += put(out + at, <const char *>VERSION, NAME)
    return at + put(out + at, <const char *>version, <size_t>len(version))


cdef Py_ssize_t write_azure_target(Exchange x, Candidate candidate, uint8_t *out, size_t room):
    cdef Provider provider = candidate.provider
    cdef const uint8_t *path = x.bytes + x.path_at
    cdef const uint8_t *query = x.bytes + x.head.query.off
    cdef const uint8_t *own = NULL
    cdef size_t tail = x.route.tail_at
    cdef size_t at, queried
    cdef bint in_own = in_own_words(x, provider)
    cdef bint dated = in_own or (provider.azure and len(provider.api_version) != 0)
    cdef bint versioned = in_own and version_of(x, &own) != 0
    if room < (
        <size_t>len(provider.base_path) + x.path_length + x.head.query.len + 128
        + 3 * <size_t>max(len(candidate.model), x.ask.model_bytes)
    ):
        return -1
    if not dated:
        at = put(out, <const char *>provider.base_path, <size_t>len(provider.base_path))
    else:
        at = put(out, <const char *>provider.base_path, provider.root_length)
        if x.route.surface == FGW_SURFACE_MODELS:
            at += put(out + at, <const char *>MODELS, <size_t>len(MODELS))
        elif x.ask.model_bytes and is_deployed(x):
            at += put(out + at, <const char *>DEPLOYMENTS, <size_t>len(DEPLOYMENTS))
            at += put_model(x, candidate, out + at)
        else:
            at += put(out + at, <const char *>RESOURCE, <size_t>len(RESOURCE))
    at += put(out + at, path + tail, x.path_length - tail)
    queried = 0
    if x.head.query.len:
        queried = write_query(
            out + at, query, x.head.query.len, False,
            not versioned and (dated or not provider.azure),
        )
        at += queried
    if dated and not versioned and provider.api_version:
        at += put_version(out + at, provider.api_version, queried == 0)
    return <Py_ssize_t>at
