"""Phase IDENTIFY, for phase POLICY: the facts of one request, those that the policy reads only."""

cimport cython

from fastgw.identity.keys cimport Principal
from fastgw.native.dialect cimport FGW_ASK_STREAM, FGW_ASK_TOOLS, FGW_DIALECT_ANTHROPIC
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
)

# By number of enum fgw_operation: the words of `ai.operation` and of records.
OPERATIONS = (
    b"other", b"chat", b"responses", b"completions", b"embeddings", b"models", b"messages",
    b"count_tokens", b"moderations", b"images", b"audio", b"files", b"batches", b"realtime",
)
cdef tuple _OPERATIONS = OPERATIONS


@cython.final
cdef class Facts:
    """One per worker: a decision runs to completion before the next begins.

    ``dynamic`` and ``used`` are ``Policy.dynamic_facts`` and ``Policy.facts_used``.
    """

    def __init__(self, tuple dynamic, uint64_t used):
        cdef int fact = FGW_FACTS_FIXED
        self.used = used
        self.headers = []
        self.owned = []
        self.owned_values = {}
        self.keep = []
        for kind, name in dynamic:
            if kind == "header":
                self.headers.append((fact, name.lower().encode()))
            elif kind == "tag" or kind == "owner":
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
        if x.route.dialect == FGW_DIALECT_ANTHROPIC:
            self._text(FGW_FACT_AI_DIALECT, b"anthropic", 9)
        else:
            self._text(FGW_FACT_AI_DIALECT, b"openai", 6)
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
        self._number(FGW_FACT_TIME_NOW, FGW_VALUE_INT, seconds)
        self._number(FGW_FACT_TIME_HOUR, FGW_VALUE_INT, (seconds // 3600) % 24)
        # 1970-01-01 was a Thursday; 0 is Monday.
        self._number(FGW_FACT_TIME_WEEKDAY, FGW_VALUE_INT, (seconds // 86400 + 3) % 7)
        if self.headers:
            self._headers(x)
        if self.owned:
            self._owned(x)
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
