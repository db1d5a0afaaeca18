"""Phase EXPLAIN, for the client: a refusal in the shape of the dialect's own API.

What never changes is compiled at load: a flood of refusals must cost less than what it keeps out.
Nothing here decides: it says what was decided, and the smallest change that would have passed.
"""

import orjson

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memset

from fastgw.codes cimport (
    CODE_MODEL_INVALID,
    CODE_MODEL_MISSING,
    CODE_MODEL_RESTRICTED,
    CODE_MODEL_UNKNOWN,
)
from fastgw.exchange cimport HEAD
from fastgw.native.dialect cimport (
    FGW_DIALECT_GEMINI,
    FGW_OPERATION_RESPONSES,
    FGW_ROUTE_STREAM,
)
from fastgw.native.explain cimport (
    FGW_DURATION_MAX,
    FGW_EXPLAIN_FOREVER,
    fgw_explain_answer,
    fgw_explain_change_text,
    fgw_explain_duration,
    fgw_explain_state,
)
from fastgw.native.http1 cimport FGW_M_HEAD
from fastgw.native.policy cimport FGW_KEY_TEXT_MAX, fgw_demand
from fastgw.native.record cimport (
    FGW_LIMITS_MAX,
    FGW_NAME_REASON,
    FGW_UNIT_INPUT_TOKENS,
    FGW_UNIT_REQUESTS,
    FGW_UNIT_SLOTS,
    fgw_limit_trace,
)

from fastgw.dialect.faces import BY_NUMBER, FACES
from fastgw.explain.catalogue import entries, entry, url
from fastgw.wire.ratelimit import field_text

cdef enum:
    WRAPPED = 8              # FGW_DIALECTS; behind them, Google's to who asked for an array
    SHAPES = 9
    NUMBERS = 512            # of a limit: its numbers and the words around them
    MODEL_MAX = 6 * 256      # a model's name as JSON text
    REASON_MAX = 8192        # a message that a rule made, as JSON text
    ELSE_MAX = 1536          # of head and body each: what no piece below is counted for

MODEL_CODES = {CODE_MODEL_MISSING, CODE_MODEL_INVALID, CODE_MODEL_UNKNOWN, CODE_MODEL_RESTRICTED}
METHODS = {1: "GET", 2: "POST", 4: "DELETE"}    # bits of fgw_route.methods
UNITS = ("requests", "tokens", "input_tokens", "output_tokens", "cost", "slots")
VERDICTS = ("", "taken", "refused", "never", "undone", "table_full")


def escaped(str text):
    """As it stands between the quotes of a JSON string."""
    return orjson.dumps(text)[1:].removesuffix(b'"')


cdef uint32_t longest(list texts):
    return <uint32_t>max((len(text) for text in texts), default=0)


@cython.final
cdef class Explainer:
    """Renders for one policy version; ``policy``: its limits, names, messages and version."""

    def __cinit__(self, policy):
        self._kept = []
        names = policy.names()
        self._keep(&self._policy, f"x-fastgw-policy: {policy.version}\r\n".encode())
        self._keep(&self._parameter[0], b"max_tokens")
        self._keep(&self._parameter[1], b"max_output_tokens")
        self._keep(&self._parameter[2], b"maxOutputTokens")
        for bits in range(8):
            allowed = ", ".join(name for bit, name in METHODS.items() if bits & bit)
            self._keep(&self._allow[<int>bits], allowed.encode())
        self._compile_codes()
        self._compile_limits(list(policy.limits))
        self._compile_rules(names)
        self._compile_reasons(tuple(policy.messages))
        self._make_room()

    def __dealloc__(self):
        free(self._codes)
        free(self._limits)
        free(self._rules)
        free(self._reasons)
        free(self.bytes)

    cdef int _keep(self, fgw_text *kept, bytes text) except -1:
        self._kept.append(text)
        kept.bytes = <const uint8_t *>text
        kept.length = <uint32_t>len(text)
        return 0

    cdef int _compile_codes(self) except -1:
        cdef fgw_explain_code *code
        cdef int at, dialect
        known = list(entries().values())
        self._codes = <fgw_explain_code *>calloc((len(known) + 1) * SHAPES, sizeof(code[0]))
        if self._codes == NULL:
            raise MemoryError()
        for at, one in enumerate(known, 1):
            self._code_at[<int>one.code] = <uint16_t>at
            for dialect in range(SHAPES):
                code = &self._codes[at * SHAPES + dialect]
                shape = _shape(one, dialect)
                self._keep(&code.text, one.text.encode())
                self._keep(&code.title, escaped(one.title))
                self._keep(&code.remedy, escaped(one.remedy.rstrip(".")))
                self._keep(
                    &code.fields,
                    f"content-type: application/json\r\nx-fastgw-code: {one.text}\r\n".encode(),
                )
                self._keep(&code.open, shape.opening)
                self._keep(&code.rest, shape.rest)
                self._keep(&code.wait, shape.wait)
                self._keep(&code.behind, shape.behind)
                self._keep(&code.end, shape.end)
                code.status = one.status
                code.retry = one.retry
                code.repeats_id = shape.repeats_id
        return 0

    cdef int _compile_limits(self, list specs) except -1:
        cdef fgw_explain_limit *limit
        self._n_limits = <uint32_t>len(specs)
        self._limits = <fgw_explain_limit *>calloc(len(specs) + 1, sizeof(limit[0]))
        if self._limits == NULL:
            raise MemoryError()
        for at, spec in enumerate(specs):
            limit = &self._limits[<int>at]
            self._keep(&limit.name, escaped(spec.name))
            self._keep(&limit.spoken, escaped(f"Limit {spec.name!r}"))
            own, policy = spec.header_items()
            self._keep(&limit.policy, policy.encode())
            self._keep(&limit.item, own.encode())
            limit.ceiling = spec.algorithm == "cap"
        return 0

    cdef int _compile_rules(self, list names) except -1:
        cdef RuleSlot *slot
        cdef uint32_t at, size = 16
        cdef uint64_t hash
        while size < 2 * len(names):
            size *= 2
        self._rules = <RuleSlot *>calloc(size, sizeof(RuleSlot))
        if self._rules == NULL:
            raise MemoryError()
        self._rules_mask = size - 1
        for space, number, text in names:
            if space == FGW_NAME_REASON:
                continue
            hash = number
            at = <uint32_t>hash & self._rules_mask
            while self._rules[at].hash not in (0, hash):
                at = (at + 1) & self._rules_mask
            slot = &self._rules[at]
            if slot.rule.line.length:
                continue  # the same text in another name space
            slot.hash = hash
            self._keep(&slot.rule.line, f"x-fastgw-rule: {field_text(text)}\r\n".encode())
            self._keep(&slot.rule.name, escaped(text))
            self._keep(&slot.rule.spoken, escaped(repr(text)))
        return 0

    cdef int _compile_reasons(self, tuple messages) except -1:
        self._n_reasons = <uint32_t>len(messages)
        self._reasons = <fgw_text *>calloc(len(messages) + 1, sizeof(fgw_text))
        if self._reasons == NULL:
            raise MemoryError()
        for at, message in enumerate(messages):
            self._keep(&self._reasons[<int>at], escaped(message.decode().rstrip(".")))
        return 0

    cdef int _make_room(self) except -1:
        """As much as the longest of everything needs: no answer can outgrow the buffer."""
        kept = longest(self._kept)
        self._head_max = ELSE_MAX + 4 * kept + <uint32_t>FGW_LIMITS_MAX * (2 * kept + NUMBERS)
        self._cap = self._head_max + ELSE_MAX + REASON_MAX + 8 * kept + (
            4 * <uint32_t>FGW_KEY_TEXT_MAX + 2 * MODEL_MAX
            + <uint32_t>FGW_LIMITS_MAX * (2 * kept + NUMBERS)
        )
        self.bytes = <uint8_t *>malloc(self._cap)
        if self.bytes == NULL:
            raise MemoryError()
        return 0

    cdef const fgw_explain_rule *rule_of(self, uint64_t hash) noexcept:
        cdef uint32_t at = <uint32_t>hash & self._rules_mask
        while hash and self._rules[at].hash:
            if self._rules[at].hash == hash:
                return &self._rules[at].rule
            at = (at + 1) & self._rules_mask
        return NULL

    def rule_line(self, uint64_t rule):
        """``x-fastgw-rule`` of an answer that a rule has shaped."""
        cdef const fgw_explain_rule *found = self.rule_of(rule)
        return found.line.bytes[:found.line.length] if found != NULL else None

    cdef bytes policy_line(self):
        return self._policy.bytes[:self._policy.length]

    cdef Py_ssize_t render(self, Exchange x, int code) except -1:
        cdef fgw_refusal refusal
        cdef Py_ssize_t at
        cdef int i
        refusal.n_limits = 0
        for i in range(x.n_traces):
            if x.effects.demands[i].limit < self._n_limits:
                _fill(
                    &refusal.limits[refusal.n_limits],
                    &self._limits[x.effects.demands[i].limit], x, i,
                )
                refusal.n_limits += 1
        refusal.rule = self.rule_of(x.effects.rule)
        refusal.reason.length = 0
        if x.reason is not None:
            refusal.reason.bytes = x.reason
            refusal.reason.length = <uint32_t>len(x.reason)
        elif 0 < x.effects.message <= self._n_reasons:
            refusal.reason = self._reasons[x.effects.message - 1]
        refusal.request_id.bytes = x.id_text
        refusal.request_id.length = <uint32_t>x.id_length
        refusal.client_id.bytes = x.client_id
        refusal.client_id.length = x.client_id_length
        refusal.model.length = 0
        if self.other_model is not None:
            refusal.model.bytes = <const uint8_t *>self.other_model
            refusal.model.length = <uint32_t>len(self.other_model)
        refusal.parameter = self._parameter[parameter_of(x.route.operation, x.route.dialect)]
        refusal.allow = self._allow[x.route.methods & 7]
        refusal.input_expected = x.expected.by_unit[<int>FGW_UNIT_INPUT_TOKENS]
        refusal.input_ceiling = x.ceiling.by_unit[<int>FGW_UNIT_INPUT_TOKENS]
        refusal.answers = x.ask.n
        refusal.attempts = <uint32_t>x.attempt
        refusal.status = x.status if x.phase == HEAD else x.effects.status
        refusal.close = x.client.close_after
        refusal.head_only = x.head.method == FGW_M_HEAD
        at = self.write(&refusal, code, WRAPPED if wants_array(x) else x.route.dialect)
        self.other_model = None
        return at

    cdef Py_ssize_t write(self, fgw_refusal *refusal, int code, int dialect) except -1:
        cdef int32_t length
        cdef int at = self._code_at[code] if 0 <= code < 1000 else 0
        if at == 0:
            raise ValueError(f"FGW-{code} has no entry in the catalogue")
        refusal.code = &self._codes[at * SHAPES + (dialect if dialect < SHAPES else 0)]
        refusal.policy = self._policy
        self.status = refusal.status or refusal.code.status
        if self.status != 405:
            refusal.allow.length = 0
        length = fgw_explain_answer(self.bytes, self._cap, self._head_max, refusal)
        if length < 0:
            raise ValueError("a refusal larger than its buffer")
        return length


cdef int parameter_of(int operation, int dialect) noexcept:
    if dialect == FGW_DIALECT_GEMINI:
        return 2
    return operation == FGW_OPERATION_RESPONSES


cdef bint wants_array(Exchange x) noexcept:
    """A stream of Google's that was not asked for as events."""
    cdef const uint8_t *query = x.bytes + x.head.query.off
    cdef size_t i, length = x.head.query.len
    if x.route.dialect != FGW_DIALECT_GEMINI or not x.route.flags & FGW_ROUTE_STREAM:
        return False
    for i in range(length):
        if length - i >= 7 and memcmp(query + i, b"alt=sse", 7) == 0:
            return False
    return True


cdef void _fill(
    fgw_explain_state *state, const fgw_explain_limit *known, Exchange x, int i
) noexcept:
    """Reads traces, demands and amounts: what caps hold, and what pace does."""
    cdef const fgw_limit_trace *trace = &x.traces[i]
    cdef const fgw_demand *demand = &x.effects.demands[i]
    state.trace = trace
    state.known = known
    state.key.bytes = &x.effects.key_text[demand.text_offset]
    state.key.length = demand.text_length
    state.needed = trace.taken
    if state.needed:
        return
    if trace.unit == FGW_UNIT_REQUESTS or trace.unit == FGW_UNIT_SLOTS:
        state.needed = 1
    elif known.ceiling:
        state.needed = x.ceiling.by_unit[trace.unit]
    else:  # pace never asks for more than its capacity
        state.needed = min(x.expected.by_unit[trace.unit], trace.limit)


def _shape(one, int dialect):
    """What stands around the message, the rule and the request id of ``one``, an Entry."""
    own = b'"fastgw":{"code":%b,"url":%b,"rule":' % (
        orjson.dumps(one.text), orjson.dumps(url(one.code))
    )
    param = "model" if one.code in MODEL_CODES else None
    if dialect == WRAPPED:
        return FACES["gemini"].wrapped(one.kind, one.status, param, own)
    return BY_NUMBER[dialect].shape(one.kind, one.status, param, own)


def duration(uint64_t ns):
    """`250 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, rounded up: who waits that long passes."""
    cdef uint8_t[FGW_DURATION_MAX] text
    return text[:fgw_explain_duration(text, ns)].decode()


def change(code, list limits, uint64_t input_estimate, uint64_t input_high=0, uint32_t answers=0,
           operation=""):
    """The smallest change that would have passed, in words. ``limits``: as the ledger has them;
    ``input_high``, ``answers``: 0 where an older one does not know."""
    cdef fgw_refusal refusal
    cdef fgw_explain_code known
    cdef fgw_explain_limit[2] limit   # of pace, of caps
    cdef bytes parameter = b"max_output_tokens" if operation == "responses" else b"max_tokens"
    cdef fgw_limit_trace[8] traces    # FGW_LIMITS_MAX
    cdef uint8_t[1024] text
    cdef bytes remedy = entry(code).remedy.rstrip(".").encode()
    cdef int32_t length
    memset(&refusal, 0, sizeof(refusal))
    memset(&known, 0, sizeof(known))
    memset(limit, 0, sizeof(limit))
    limit[1].ceiling = True
    known.remedy.bytes = remedy
    known.remedy.length = <uint32_t>len(remedy)
    refusal.code = &known
    refusal.input_expected = input_estimate
    refusal.input_ceiling = input_high or <uint64_t>-1  # not known: nothing is said that needs it
    refusal.answers = answers
    refusal.parameter.bytes = parameter
    refusal.parameter.length = <uint32_t>len(parameter)
    for one in limits[:FGW_LIMITS_MAX]:
        _fill_from(&traces[refusal.n_limits], one)
        refusal.limits[refusal.n_limits].trace = &traces[refusal.n_limits]
        refusal.limits[refusal.n_limits].known = &limit[one.get("algorithm") == "cap"]
        refusal.limits[refusal.n_limits].needed = one.get("needed") or one["taken"]
        refusal.n_limits += 1
    length = fgw_explain_change_text(text, sizeof(text), &refusal)
    return text[:length].decode() if length > 0 else ""


cdef int _fill_from(fgw_limit_trace *trace, dict one) except -1:
    memset(trace, 0, sizeof(trace[0]))
    trace.used = one["used"]
    trace.held = one["held"]
    trace.limit = one["limit"]
    trace.taken = one["taken"]
    trace.wait_ns = min((one.get("wait_ms") or 0) * 1_000_000, FGW_EXPLAIN_FOREVER)
    trace.reset_ns = min((one.get("reset_ms") or 0) * 1_000_000, FGW_EXPLAIN_FOREVER)
    trace.unit = UNITS.index(one["unit"]) if one["unit"] in UNITS else 0
    trace.verdict = VERDICTS.index(one["verdict"]) if one["verdict"] in VERDICTS else 0
    trace.enforced = one.get("enforced", True)
    return 0
