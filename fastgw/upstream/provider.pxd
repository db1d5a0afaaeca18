# Providers as the operator named them, and what a request needs of one.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastgw.upstream.pricing cimport PriceList


# Writes "?" and the query without the client's credentials (and `api-version`); returns the bytes
# written.
cdef size_t write_query(uint8_t *out, const uint8_t *query, size_t length, bint steered,
                        bint unversioned=*)

# Writes a segment of a path: what RFC 3986 has no unreserved character for, in %XX.
cdef size_t write_encoded(uint8_t *out, const uint8_t *text, size_t length)


cdef class ProviderKey:
    cdef:
        readonly str id
        uint64_t name_hash
        bytes credential_line  # "authorization: Bearer …\r\n"
        bytes lines            # as its provider's `lines`, with the credential
        uint32_t weight
        int64_t current        # smooth weighted round robin


cdef struct Renamed:
    # Another model for a path that names one.
    size_t at             # where the path has it,
    size_t drop           # in so many bytes
    const uint8_t *model  # plain, to be written percent-encoded
    size_t length         # 0: the path stays as it is


cdef class Provider:
    cdef:
        readonly str id
        readonly str host
        readonly int port
        readonly bint secure
        readonly object tls          # ssl.SSLContext, once open_tls() was called
        readonly uint8_t dialect
        bytes id_text
        bytes answer_line            # "x-fastgw-provider: …\r\n"
        bytes lines                  # of a request: from behind its target to the request's id
        bytes base_path              # what base_url has behind the authority, without a last "/"
        bytes strip                  # what a client's path has and base_url has already ("/v1")
        uint64_t name_hash
        readonly PriceList prices    # of models that no candidate names; None: none is known
        list keys
        readonly uint64_t connect_ns
        readonly uint64_t first_byte_ns
        readonly uint64_t idle_ns
        readonly uint64_t total_ns
        readonly int retries_max
        readonly frozenset retry_statuses
        readonly bint retry_connect
        readonly bint usage_option   # streams bear usage only where asked for it
        readonly bint old_limit_name  # chat's limit is max_tokens alone
        readonly bint openai         # what OpenAI's models are called here, they are
        readonly bint azure          # Azure's API: the paths of a resource
        bytes api_version            # … and by which of its dated ones it is asked; b"": v1
        size_t root_length           # of base_path: what stands before /openai
        object idle                  # the upstream.connection.Connection to reuse next, or None

    cdef ProviderKey choose_key(self)
    cdef Py_ssize_t write_target(self, uint8_t *out, size_t room, const uint8_t *path,
                                 size_t path_length, const uint8_t *query, size_t query_length,
                                 const Renamed *renamed)
