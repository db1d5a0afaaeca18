"""Phase IDENTIFY, for phase POLICY: the facts of one request, those that the policy reads only."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t
from libc.string cimport memset

from urllib.parse import parse_qsl

from fastgw.identity.keys cimport Principal
from fastgw.native.cel cimport (
    FGW_CEL_SOURCE_HEADERS,
    FGW_CEL_SOURCE_HEADER_LINES,
    FGW_CEL_SOURCE_OWNER,
    FGW_CEL_SOURCE_QUERY,
    FGW_CEL_SOURCE_TAGS,
)
from fastgw.native.dialect cimport FGW_ASK_STREAM, FGW_ASK_TOOLS
from fastgw.native.policy cimport (
    FGW_FACTS_FIXED,
    FGW_FACT_AI_DIALECT,
    FGW_FACT_AI_INPUT_TOKENS,
    FGW_FACT_AI_MAX_OUTPUT_TOKENS,
    FGW_FACT_AI_MODEL,
    FGW_FACT_AI_N,
    FGW_FACT_AI_OPERATION,
    FGW_FACT_AI_PROVIDER,
    FGW_FACT_AI_STREAM,
    FGW_FACT_AI_TOOLS,
    FGW_FACT_AI_USER,
    FGW_FACT_CONN_CLIENT_IP,
    FGW_FACT_CONN_TLS,
    FGW_FACT_KEY_ID,
    FGW_FACT_REQ_HOST,
    FGW_FACT_REQ_METHOD,
    FGW_FACT_REQ_PATH,
    FGW_FACT_REQ_QUERY,
    FGW_FACT_REQ_SIZE,
    FGW_FACT_TIME_HOUR,
    FGW_FACT_TIME_NOW,
    FGW_FACT_TIME_WEEKDAY,
    FGW_VALUE_ABSENT,
    FGW_VALUE_BOOL,
    FGW_VALUE_INT,
    FGW_VALUE_STRING,
    FGW_VALUE_TIMESTAMP,
    fgw_value,
)

from fastgw.dialect.names import DIALECTS, OPERATIONS

# By number of enum fgw_operation: the words of `ai.operation` and of records.
cdef tuple _OPERATIONS = tuple(name.encode() for name in OPERATIONS)
# By enum fgw_dialect: the words of `ai.dialect`.
cdef tuple _DIALECTS = tuple(name.encode() or b"openai" for name in DIALECTS)


@cython.final
cdef class Facts:
    """One per worker: a decision runs to completion before the next begins.

    ``dynamic``, ``used`` and ``sources`` are ``Policy.dynamic_facts``, ``Policy.facts_used`` and
    ``Policy.sources_used``.
    """

    def __init__(self, tuple dynamic, uint64_t used, uint64_t sources=0):
        cdef int fact = FGW_FACTS_FIXED
        self.used = used
        self.sources = sources
        self.maps = {}
        memset(&self.source, 0, sizeof(self.source))
        self.source.owner = <const void *>self
        self.source.count = source_count
        self.source.entry = source_entry
        self.source.find = source_find
        self.headers = []
        self.queries = []
        self.owned = []
        self.owned_values = {}
        self.keep = []
        for kind, name in dynamic:
            if kind == "header":
                self.headers.append((fact, name.lower().encode()))
            elif kind == "query":
                self.queries.append((fact, name.encode()))
            elif kind in ("tag", "owner"):
                self.owned.append((fact, kind, name))
            fact += 1
        self.count = fact

    cdef void _text(self, int fact, const uint8_t *bytes, size_t length) noexcept:
        self.values[fact].bytes = bytes
        self.values[fact].length = <unsigned int>length
        self.values[fact].type = FGW_VALUE_STRING

    cdef void _number(self, int fact, int kind, long long number) noexcept:
        self.values[fact].type = <unsigned int>kind
        self.values[fact].as_.number = number

    cdef int fill(self, Exchange x, bytes client_ip) except -1:
        cdef uint64_t used = self.used
        cdef Principal principal
        cdef bytes text
        cdef long long seconds
        if used == 0:
            return 0
        if used & ((<uint64_t>1 << (FGW_FACT_CONN_TLS + 1)) - 1):
            self._text(FGW_FACT_REQ_METHOD, x.bytes + x.head.method_text.off,
                       x.head.method_text.len)
            self._text(FGW_FACT_REQ_PATH, x.bytes + x.head.path.off, x.head.path.len)
            self._text(FGW_FACT_REQ_QUERY, x.bytes + x.head.query.off, x.head.query.len)
            self._text(FGW_FACT_REQ_HOST, x.bytes + x.head.authority.off, x.head.authority.len)
            self._number(FGW_FACT_REQ_SIZE, FGW_VALUE_INT, <long long>x.body_length)
            self._text(FGW_FACT_CONN_CLIENT_IP, client_ip, <size_t>len(client_ip))
            self._number(FGW_FACT_CONN_TLS, FGW_VALUE_BOOL, 0)
        text = <bytes>_DIALECTS[x.route.dialect]
        self._text(FGW_FACT_AI_DIALECT, text, <size_t>len(text))
        text = <bytes>_OPERATIONS[x.route.operation]
        self._text(FGW_FACT_AI_OPERATION, text, <size_t>len(text))
        if x.split_model:
            self._text(
                FGW_FACT_AI_PROVIDER, <const uint8_t *>x.ask.model, <size_t>(x.split_model - 1)
            )
        else:
            self._text(FGW_FACT_AI_PROVIDER, x.bytes + x.pinned_at, x.pinned_length)
        self._text(
            FGW_FACT_AI_MODEL, <const uint8_t *>x.ask.model + x.split_model,
            <size_t>(x.ask.model_bytes - x.split_model),
        )
        self._text(FGW_FACT_AI_USER, <const uint8_t *>x.ask.user, x.ask.user_bytes)
        self._number(FGW_FACT_AI_STREAM, FGW_VALUE_BOOL, (x.ask.flags & FGW_ASK_STREAM) != 0)
        self._number(FGW_FACT_AI_TOOLS, FGW_VALUE_BOOL, (x.ask.flags & FGW_ASK_TOOLS) != 0)
        self._number(FGW_FACT_AI_N, FGW_VALUE_INT, x.ask.n)
        self._number(FGW_FACT_AI_INPUT_TOKENS, FGW_VALUE_INT, <long long>x.input_estimate)
        self._number(FGW_FACT_AI_MAX_OUTPUT_TOKENS, FGW_VALUE_INT,
                     x.ask.output_limit if x.ask.output_limit > 0 else 0)
        principal = <Principal>x.principal
        self._text(FGW_FACT_KEY_ID, principal.id_text, <size_t>len(principal.id_text))
        seconds = <long long>(x.wall_ns // 1000000000)
        self._number(FGW_FACT_TIME_NOW, FGW_VALUE_TIMESTAMP, seconds)
        self.values[<int>FGW_FACT_TIME_NOW].length = <unsigned int>(x.wall_ns % 1000000000)
        self._number(FGW_FACT_TIME_HOUR, FGW_VALUE_INT, (seconds // 3600) % 24)
        # 1970-01-01 was a Thursday; 0 is Monday.
        self._number(FGW_FACT_TIME_WEEKDAY, FGW_VALUE_INT, (seconds // 86400 + 3) % 7)
        if self.headers:
            self._headers(x)
        if self.owned:
            self._owned(x)
        if self.queries or self.sources:
            self.maps.clear()
            self.x = x
            self._queries(x)
        return 0

    cdef int _headers(self, Exchange x) except -1:
        """Repeated fields are one value, joined by ", " (RFC 9110 section 5.3)."""
        cdef int fact, i
        cdef bytes name, joined
        cdef size_t length
        self.keep.clear()
        for fact, name in self.headers:
            self.values[fact].type = FGW_VALUE_ABSENT
            length = <size_t>len(name)
            for i in range(x.head.n_headers):
                if x.head.headers[i].name_len != length or not same_name(
                    x.bytes + x.head.headers[i].name_off, name, length
                ):
                    continue
                if self.values[fact].type == FGW_VALUE_ABSENT:
                    self._text(fact, x.bytes + x.head.headers[i].value_off,
                               x.head.headers[i].value_len)
                else:
                    joined = self.values[fact].bytes[:self.values[fact].length] + b", " + (
                        x.bytes + x.head.headers[i].value_off
                    )[:x.head.headers[i].value_len]
                    self.keep.append(joined)
                    self._text(fact, joined, <size_t>len(joined))
        return 0

    cdef int _owned(self, Exchange x) except -1:
        cdef Principal principal = <Principal>x.principal
        cdef list texts = self.owned_values.get(principal)
        cdef int i, fact
        cdef bytes text
        if texts is None:
            texts = []
            for _, kind, name in self.owned:
                value = (principal.tags if kind == "tag" else principal.owner).get(name)
                texts.append(None if value is None else str(value).encode())
            self.owned_values[principal] = texts
        for i in range(len(texts)):
            fact = (<tuple>self.owned[i])[0]
            if texts[i] is None:
                self.values[fact].type = FGW_VALUE_ABSENT
            else:
                text = <bytes>texts[i]
                self._text(fact, text, <size_t>len(text))
        return 0

    cdef int _queries(self, Exchange x) except -1:
        cdef int fact
        cdef bytes text
        if not self.queries:
            return 0
        known = self.entries(FGW_CEL_SOURCE_QUERY)[1]
        for fact, name in self.queries:
            text = known.get(name)
            if text is None:
                self.values[fact].type = FGW_VALUE_ABSENT
            else:
                self._text(fact, text, <size_t>len(text))
        return 0

    cdef tuple entries(self, int number):
        """Map ``number`` of this request: its entries in order, and the same as a dict. It stays
        until the next request, as values point into it."""
        found = self.maps.get(number)
        if found is None:
            pairs = self._pairs(number)
            found = self.maps[number] = (pairs, dict(pairs))
        return found

    def _pairs(self, int number):
        cdef Exchange x = self.x
        cdef Principal principal
        if number == FGW_CEL_SOURCE_QUERY:
            text = (x.bytes + x.head.query.off)[:x.head.query.len].decode("latin-1")
            found = parse_qsl(text, keep_blank_values=True)
            first = {}  # of a name that comes twice the first is its value
            for name, value in found:
                first.setdefault(name.encode(), value.encode())
            return list(first.items())
        if number in (FGW_CEL_SOURCE_TAGS, FGW_CEL_SOURCE_OWNER):
            principal = <Principal>x.principal
            owned = principal.tags if number == FGW_CEL_SOURCE_TAGS else principal.owner
            return [(name.encode(), str(value).encode()) for name, value in owned.items()]
        lines = [((x.bytes + x.head.headers[i].name_off)[:x.head.headers[i].name_len],
                  (x.bytes + x.head.headers[i].value_off)[:x.head.headers[i].value_len])
                 for i in range(x.head.n_headers)]
        lines = [line for line in lines if line[0].lower() not in CREDENTIALS]
        if number == FGW_CEL_SOURCE_HEADER_LINES:
            return lines
        joined = {}
        for name, value in lines:
            known = joined.get(name.lower())
            joined[name.lower()] = value if known is None else known + b", " + value
        return list(joined.items())


# Never part of a map as a whole: what is done with all headers (a log, an answer) must not show
# who asks. A rule may still name one of them.
CREDENTIALS = frozenset([
    b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-goog-api-key",
    b"cookie",
])


cdef void point(fgw_value *value, bytes text) noexcept:
    value.bytes = <const uint8_t *>PyBytes_AS_STRING(text)
    value.length = <uint32_t>PyBytes_GET_SIZE(text)
    value.type = FGW_VALUE_STRING


# fgw_cel_source: only rules that name a map as a whole, or compute a name, come here.
cdef uint32_t source_count(const void *owner, uint32_t number) noexcept with gil:
    return <uint32_t>len((<Facts>owner).entries(<int>number)[0])


cdef void source_entry(const void *owner, uint32_t number, uint32_t i, fgw_value *key,
                       fgw_value *value) noexcept with gil:
    name, text = (<Facts>owner).entries(<int>number)[0][i]
    point(key, <bytes>name)
    point(value, <bytes>text)


cdef int source_find(const void *owner, uint32_t number, const uint8_t *key, uint32_t length,
                     fgw_value *value) noexcept with gil:
    cdef bytes name = key[:length]
    if number == FGW_CEL_SOURCE_HEADERS:
        name = name.lower()
    text = (<Facts>owner).entries(<int>number)[1].get(name)
    if text is None:
        return 0
    point(value, <bytes>text)
    return 1


cdef bint same_name(const uint8_t *name, const uint8_t *lower, size_t length) noexcept:
    cdef size_t i
    cdef uint8_t c
    for i in range(length):
        c = name[i]
        if 65 <= c <= 90:
            c |= 0x20
        if c != lower[i]:
            return False
    return True
