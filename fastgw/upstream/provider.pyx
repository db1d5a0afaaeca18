"""Phase ROUTE: the providers, their keys and where their API begins."""

import ssl
from urllib.parse import unquote_to_bytes

cimport cython
from libc.string cimport memcmp, memcpy

from fastgw.dialect.faces import BY_NUMBER, FACES
from fastgw.dialect.names import DIALECTS as NAMES
from fastgw.native.dialect cimport FGW_DIALECT_ANTHROPIC, FGW_DIALECT_GEMINI

# The wire dialect that a provider of the configuration speaks.
DIALECTS = {name: NAMES.index(name) for name in FACES}


# Where a credential may stand in a query (Google's APIs, old Azure ones): it ends here.
cdef tuple SECRETS = (b"key=", b"api_key=", b"api-key=", b"access_token=")


# What Google's APIs take as words about the answer and the request instead of parts of it: an
# answer without its usage, or written as no meter reads it.
cdef tuple STEERING = (b"fields", b"callback", b"oauth_token")
cdef tuple PLAIN_ALT = (b"alt=sse", b"alt=json")


cdef bytes IDENTITY = b"accept-encoding: identity\r\nx-fastgw-request-id: "


cdef bint steers(bytes parameter):
    """Whether Google's front end would do otherwise for it than the journey knows."""
    name = unquote_to_bytes(parameter.partition(b"=")[0])
    return (
        name.startswith(b"$") or name in STEERING
        or (name == b"alt" and parameter not in PLAIN_ALT)
    )


cdef size_t write_query(uint8_t *out, const uint8_t *query, size_t length, bint steered,
                        bint unversioned=False):
    """Write "?" and the query without the client's credentials, and where it is ``steered`` by it
    without what a client has no say in; returns the bytes written."""
    cdef size_t at = 0, start = 0, end
    cdef bytes secret
    cdef bint drop
    while start <= length:
        end = start
        while end < length and query[end] != c"&":
            end += 1
        drop = False
        for secret in SECRETS:
            if end - start >= <size_t>len(secret) and memcmp(
                query + start, <const char *>secret, <size_t>len(secret)
            ) == 0:
                drop = True
        if steered and not drop and end > start:
            drop = steers(query[start:end])
        if unversioned and end - start >= 12 and memcmp(query + start, b"api-version=", 12) == 0:
            drop = True
        if not drop:
            out[at] = c"&" if at else c"?"
            memcpy(out + at + 1, query + start, end - start)
            at += end - start + 1
        start = end + 1
    return at


cdef size_t write_encoded(uint8_t *out, const uint8_t *text, size_t length):
    cdef const char *digits = b"0123456789ABCDEF"
    cdef size_t i, at = 0
    cdef uint8_t c
    for i in range(length):
        c = text[i]
        if 97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 57 or c in b"-._~@:":
            out[at] = c
            at += 1
        else:
            out[at] = c"%"
            out[at + 1] = <uint8_t>digits[c >> 4]
            out[at + 2] = <uint8_t>digits[c & 15]
            at += 3
    return at


@cython.final
cdef class ProviderKey:
    """One key of the operator at a provider."""

    def __init__(self, str id, str value, uint8_t dialect, *, int weight=1,
                 uint64_t name_hash=0, object vendor=None):
        if any(ord(c) < 0x21 or ord(c) > 0x7e for c in value):
            raise ValueError(f"provider key {id!r} has characters that no header can carry")
        self.id = id
        self.weight = <uint32_t>weight
        self.name_hash = name_hash
        face = BY_NUMBER[dialect] if vendor is None else vendor
        field = "authorization: Bearer " if value.startswith(face.tokens) else face.credential
        self.credential_line = f"{field}{value}\r\n".encode() if value else b""

    def __repr__(self):
        return f"ProviderKey({self.id!r})"


@cython.final
cdef class Provider:
    """Where requests of one ``providers`` entry go.

    Times are in nanoseconds. ``base_url`` is what that provider's own SDK takes. ``vendor``: its
    row of `fastgw.dialect.vendors`; None: it does as the API's inventor does. ``api_version``:
    Azure's, where its dated paths are to be asked.
    """

    def __init__(self, str id, uint8_t dialect, *, str scheme, str host, int port, str path,
                 list keys, uint64_t connect_ns, uint64_t first_byte_ns, uint64_t idle_ns,
                 uint64_t total_ns, int retries_max=2, retry_statuses=frozenset(),
                 bint retry_connect=True, object tls=None,
                 uint64_t name_hash=0, PriceList prices=None, object vendor=None,
                 str api_version=""):
        cdef ProviderKey key
        self.id = id
        self.id_text = id.encode()
        self.name_hash = name_hash
        self.prices = prices
        self.answer_line = b"x-fastgw-provider: " + self.id_text + b"\r\n"
        self.dialect = dialect
        self.host = host
        self.port = port
        self.secure = scheme == "https"
        self.tls = tls
        usual = 443 if scheme == "https" else 80
        shown = f"[{host}]" if ":" in host else host
        host_line = f"host: {shown if port == usual else f'{shown}:{port}'}\r\n".encode()
        self.lines = b" HTTP/1.1\r\n" + host_line + IDENTITY
        for key in keys:
            key.lines = b" HTTP/1.1\r\n" + host_line + key.credential_line + IDENTITY
        self.base_path = path.rstrip("/").encode()
        # Clients put "/v1/chat/completions" behind a host; the base_url that OpenAI's SDK takes
        # ends in "/v1" already.
        self.strip = BY_NUMBER[dialect].strip
        self.keys = keys
        self.connect_ns = connect_ns
        self.first_byte_ns = first_byte_ns
        self.idle_ns = idle_ns
        self.total_ns = total_ns
        self.retries_max = retries_max
        self.retry_statuses = frozenset(retry_statuses)
        self.retry_connect = retry_connect
        self.usage_option = vendor is None or vendor.usage_option
        self.old_limit_name = vendor is not None and vendor.old_limit_name
        self.openai = BY_NUMBER[dialect].name == "openai" and (
            vendor is None or vendor.name == "azure")
        self.azure = vendor is not None and vendor.name == "azure"
        self.api_version = api_version.encode()
        root = path.rstrip("/").removesuffix("/v1").removesuffix("/openai")
        self.root_length = <size_t>len(root.encode())

    def open_tls(self):
        """After the fork: a context belongs to one process. Verifies names and chains."""
        if self.secure and self.tls is None:
            self.tls = ssl.create_default_context()

    cdef ProviderKey choose_key(self):
        """The next key, by smooth weighted round robin; None where the provider wants none."""
        cdef ProviderKey key, best = None
        cdef int64_t total = 0
        if len(self.keys) <= 1:
            return <ProviderKey>self.keys[0] if self.keys else None
        for key in self.keys:
            key.current += key.weight
            total += key.weight
            if best is None or key.current > best.current:
                best = key
        best.current -= total
        return best

    cdef Py_ssize_t write_target(self, uint8_t *out, size_t room, const uint8_t *path,
                                 size_t path_length, const uint8_t *query, size_t query_length,
                                 const Renamed *renamed):
        """Write base path + path (+ "?" + query); returns its length, -1 if there is no room."""
        cdef size_t base = <size_t>len(self.base_path)
        cdef size_t cut = <size_t>len(self.strip)
        cdef size_t at, name
        if not (cut and path_length >= cut and memcmp(path, <const char *>self.strip, cut) == 0):
            cut = 0
        if base + path_length + query_length + 1 + 3 * renamed.length > room:
            return -1
        memcpy(out, <const char *>self.base_path, base)
        at = base
        if renamed.length:
            name = renamed.at
            memcpy(out + at, path + cut, name - cut)
            at += name - cut
            at += write_encoded(out + at, renamed.model, renamed.length)
            cut = name + renamed.drop
        memcpy(out + at, path + cut, path_length - cut)
        at += path_length - cut
        if query_length:
            at += write_query(
                out + at, query, query_length,
                # (Models of Anthropic are at Google's, too.)
                self.dialect in (FGW_DIALECT_GEMINI, FGW_DIALECT_ANTHROPIC),
            )
        return <Py_ssize_t>at
