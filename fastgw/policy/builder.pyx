"""Phase POLICY, at load: actions of a configuration as csrc/fgw_action.h has them."""
cimport cython
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastgw.config.model import (
    AddHeaders, CapInput, CapOutput, ConcurrencyLimit, CustomResponse, Deny, Expression,
    LogMetadata, OnAbort, RateLimit, RemoveHeaders, RestrictIps, RestrictModels, RouteTo, SetVars,
    UsageCap,
)
from fastgw.errors import ConfigError
from fastgw.policy.addresses import ranges
from fastgw.policy.compiler import refuse_dyn
from fastgw.policy.limits import spec_of
from fastgw.policy.results import LIMITS, RESULTS, word
from fastgw.policy.pieces import type_of

from fastgw.native.action cimport (
    fgw_action_say, fgw_address_range, fgw_addresses, fgw_answer, fgw_made_field,
    fgw_models, fgw_names, fgw_piece, fgw_set_var, fgw_set_vars,
)
from fastgw.native.policy cimport (
    FGW_ACTION_ADD_HEADERS, FGW_ACTION_CAP_INPUT, FGW_ACTION_CAP_OUTPUT,
    FGW_ACTION_CONCURRENCY_LIMIT, FGW_ACTION_CUSTOM_RESPONSE, FGW_ACTION_DENY, FGW_ACTION_LOG,
    FGW_ACTION_ON_ABORT, FGW_ACTION_RATE_LIMIT, FGW_ACTION_REMOVE_HEADERS,
    FGW_ACTION_RESTRICT_IPS, FGW_ACTION_RESTRICT_MODELS, FGW_ACTION_ROUTE, FGW_ACTION_SET_VARS,
    FGW_ACTION_USAGE_CAP, FGW_DRAINS_MAX, FGW_FACT_CONN_CLIENT_IP, fgw_drain,
)
from fastgw.policy.plan cimport Plan

TYPES = {
    Deny: (FGW_ACTION_DENY, "deny"),
    CustomResponse: (FGW_ACTION_CUSTOM_RESPONSE, "custom-response"),
    RestrictModels: (FGW_ACTION_RESTRICT_MODELS, "restrict-models"),
    RestrictIps: (FGW_ACTION_RESTRICT_IPS, "restrict-ips"),
    CapInput: (FGW_ACTION_CAP_INPUT, "cap-input"),
    CapOutput: (FGW_ACTION_CAP_OUTPUT, "cap-output"),
    RouteTo: (FGW_ACTION_ROUTE, "route"),
    AddHeaders: (FGW_ACTION_ADD_HEADERS, "add-headers"),
    RemoveHeaders: (FGW_ACTION_REMOVE_HEADERS, "remove-headers"),
    SetVars: (FGW_ACTION_SET_VARS, "set-vars"),
    LogMetadata: (FGW_ACTION_LOG, "log"),
    OnAbort: (FGW_ACTION_ON_ABORT, "on-abort"),
    RateLimit: (FGW_ACTION_RATE_LIMIT, "rate-limit"),
    UsageCap: (FGW_ACTION_USAGE_CAP, "usage-cap"),
    ConcurrencyLimit: (FGW_ACTION_CONCURRENCY_LIMIT, "concurrency-limit"),
}
KEYS = ("string", "int", "bool")
cdef enum:
    SAID_MAX = 4096         # bytes of one text of a log
    LISTED_LAST = 65535     # of log actions, and of lists of removed fields


cdef uint32_t numbered(list row, dict known, object one) except? 0xFFFFFFFF:
    """The place of ``one`` in ``row``, where it is kept once. ``known`` is of all rows."""
    found = known.get((id(row), one))
    if found is None:
        found = known[id(row), one] = len(row)
        row.append(one)
    return found


cdef uint32_t listed(uint32_t number, str action) except? 0xFFFFFFFF:
    """A number that fgw_effects lists with 16 bits."""
    if number > LISTED_LAST:
        raise ConfigError(f"more than {LISTED_LAST + 1} different {action} actions", key="policy",
                          suggestion="let rules share them")
    return number


@cython.final
cdef class Words:
    """A text with `${…}` that is written at the end of a request."""

    cdef str say(self, fgw_cel_run *run):
        cdef uint8_t[SAID_MAX] text
        cdef int failed = 0
        cdef int32_t length = fgw_action_say(self._template, run, text, SAID_MAX, &failed)
        if length < 0:
            return "…"
        return (<const char *>text)[:length].decode("utf-8", "replace")


@cython.final
cdef class Builder:
    """Builds the actions of one policy into ``plan``.

    ``compile``, ``pieces``, ``limit`` and ``set_var`` are the policy's own; see builder.pxd.
    """

    def __init__(self, Plan plan, compile, pieces, limit, set_var):
        self._plan, self._compile, self._pieces, self._limit = plan, compile, pieces, limit
        self._set_var = set_var
        self._reads = []
        self.messages, self.routes, self.removals, self.logs = [], [], [], []
        self._known = {}

    cdef int action(self, fgw_action *action, object source, bint enforce, str rule) except -1:
        cdef int i
        number, kind = TYPES[type(source)]
        action.type = number
        action.enforced = enforce
        self.shadows = self.shadows or not enforce
        self.counts_input = self.counts_input or kind == "cap-input"
        if kind == "log":
            self._log(action, source, rule)
        else:
            action.more = self._more(action, source)
        if kind not in LIMITS:
            for i, (name, _) in enumerate(RESULTS[kind]):
                self._reads.append(
                    (("actions", f"{word(kind)}.{name}"), <size_t>&action.results[i], 1))
        return 0

    cdef int bind(self, dict places) except -1:
        """Once all expressions are compiled: which results and variables are read, and where
        their facts are. ``places``: (kind, name) -> fact."""
        for name, address, size in self._reads:
            if name not in places:
                continue
            if size == 1:
                (<uint8_t *><size_t>address)[0] = <uint8_t>places[name]
            else:
                (<uint32_t *><size_t>address)[0] = <uint32_t>places[name]
        self._reads.clear()
        # They are the policy's: who keeps them keeps it from going when nobody needs it any more.
        self._compile = self._pieces = self._limit = self._set_var = None
        return 0

    cdef const void *_more(self, fgw_action *action, object source) except? NULL:
        if isinstance(source, Deny):
            return self._deny(action, source)
        if isinstance(source, CustomResponse):
            action.status = source.status_code
            return self._answer(source)
        if isinstance(source, RestrictModels):
            return self._models(source)
        if isinstance(source, RestrictIps):
            return self._addresses(source)
        if isinstance(source, CapInput):
            action.value = source.max_input_tokens
        elif isinstance(source, CapOutput):
            action.value = source.max_output_tokens
        elif isinstance(source, RouteTo):
            return self._route(action, source)
        elif isinstance(source, AddHeaders):
            self.speaks = True
            fields = <fgw_made_fields *>self._plan.take(1, sizeof(fgw_made_fields))
            self._fields(fields, source.headers)
            return fields
        elif isinstance(source, RemoveHeaders):
            return self._names(action, source)
        elif isinstance(source, SetVars):
            return self._vars(source)
        elif isinstance(source, OnAbort):
            return self._drain(source) if source.then == "drain" else NULL
        else:
            return self._limit_keys(action, source)
        return NULL

    cdef const void *_drain(self, object source) except NULL:
        cdef fgw_drain *drain = <fgw_drain *>self._plan.take(1, sizeof(fgw_drain))
        if self._drains == FGW_DRAINS_MAX:
            raise ConfigError(f"more than {FGW_DRAINS_MAX} on-abort actions that drain",
                              key="policy")
        drain.max_tokens = source.max_tokens
        drain.max_ns = source.max_seconds * <uint64_t>1000000000
        drain.max_concurrent = source.max_concurrent
        drain.number = self._drains
        self._drains += 1
        return drain

    cdef const void *_deny(self, fgw_action *action, object source) except? NULL:
        cdef fgw_template *template
        action.status = source.status_code
        if source.message is None:
            return NULL
        pieces = self._pieces(source.message)
        if all(isinstance(piece, bytes) for piece in pieces):
            action.number = numbered(self.messages, self._known, b"".join(pieces)) + 1
            return NULL
        self.speaks = True
        template = <fgw_template *>self._plan.take(1, sizeof(fgw_template))
        self._template(template, pieces)
        return template

    cdef const void *_models(self, object source) except NULL:
        cdef fgw_models *models = <fgw_models *>self._plan.take(1, sizeof(fgw_models))
        self._plan.patterns(&models.allow, source.allow)
        self._plan.patterns(&models.deny, source.deny)
        return models

    cdef const void *_addresses(self, object source) except NULL:
        cdef fgw_addresses *addresses = <fgw_addresses *>self._plan.take(1, sizeof(fgw_addresses))
        cdef fgw_address_range *row
        cdef bytes first, last, text
        cdef Py_ssize_t i
        found = ranges(source.allow or (), source.deny)
        row = <fgw_address_range *>self._plan.take(len(found), sizeof(fgw_address_range))
        texts = {}
        for i in range(len(found)):
            one = found[i]
            first, last = one.first.to_bytes(16, "big"), one.last.to_bytes(16, "big")
            text = texts.setdefault(one.text, one.text.encode())
            memcpy(row[i].first, <const uint8_t *>first, 16)
            memcpy(row[i].last, <const uint8_t *>last, 16)
            row[i].cidr = self._plan.text(text)
            row[i].cidr_length = <uint32_t>len(text)
            row[i].denied = one.denied
        addresses.ranges = row
        addresses.n_ranges = <uint32_t>len(found)
        addresses.allow_given = source.allow is not None
        return addresses

    cdef const void *_answer(self, object source) except NULL:
        cdef fgw_answer *answer = <fgw_answer *>self._plan.take(1, sizeof(fgw_answer))
        headers = dict(source.headers)
        self.speaks = True
        if source.body is not None:
            self._template(&answer.body, self._pieces(source.body))
            if not any(name.lower() == "content-type" for name in headers):
                json = source.body.text.lstrip()[:1] in ("{", "[")
                kind = "application/json" if json else "text/plain; charset=utf-8"
                headers["content-type"] = Expression(kind, source.body.place)
        self._fields(&answer.fields, headers)
        return answer

    cdef int _fields(self, fgw_made_fields *fields, object headers) except -1:
        cdef fgw_made_field *row
        cdef bytes name
        row = <fgw_made_field *>self._plan.take(len(headers), sizeof(fgw_made_field))
        fields.fields = row
        for text, value in headers.items():
            name = text.lower().encode()
            row[fields.n_fields].name = self._plan.text(name)
            row[fields.n_fields].name_length = <uint32_t>len(name)
            self._template(&row[fields.n_fields].value, self._pieces(value))
            fields.n_fields += 1
        return 0

    cdef const void *_names(self, fgw_action *action, object source) except NULL:
        cdef fgw_names *names = <fgw_names *>self._plan.take(1, sizeof(fgw_names))
        cdef bytes name
        cdef tuple removed = tuple(text.encode() for text in source.headers)
        self.speaks = True
        action.number = listed(numbered(self.removals, self._known, removed), "remove-headers")
        names.names = <const uint8_t **>self._plan.take(len(source.headers), sizeof(uint8_t *))
        names.lengths = <uint32_t *>self._plan.take(len(source.headers), sizeof(uint32_t))
        for name in removed:
            names.names[names.count] = self._plan.text(name)
            names.lengths[names.count] = <uint32_t>len(name)
            names.count += 1
        return names

    cdef const void *_vars(self, object source) except NULL:
        cdef fgw_set_vars *found = <fgw_set_vars *>self._plan.take(1, sizeof(fgw_set_vars))
        cdef fgw_set_var *row
        row = <fgw_set_var *>self._plan.take(len(source.vars), sizeof(fgw_set_var))
        self.speaks = True
        found.vars = row
        for name, value in source.vars.items():
            self._reads.append((("vars", name), <size_t>&row[found.n_vars].fact, 4))
            pieces = self._pieces(value, True)
            self._template(&row[found.n_vars].text, pieces)
            if len(pieces) == 1:
                row[found.n_vars].program = row[found.n_vars].text.pieces[0].program
            self._set_var(name, type_of(pieces))
            found.n_vars += 1
        return found

    cdef const void *_route(self, fgw_action *action, object source) except NULL:
        cdef fgw_words *words = <fgw_words *>self._plan.take(1, sizeof(fgw_words))
        cdef bytes provider = (source.provider or "").encode()
        cdef bytes model = (source.model or "").encode()
        action.number = numbered(self.routes, self._known, source) + 1
        words.first = self._plan.text(provider)
        words.first_length = <uint32_t>len(provider)
        words.second = self._plan.text(model)
        words.second_length = <uint32_t>len(model)
        return words

    cdef int _log(self, fgw_action *action, object source, str rule) except -1:
        cdef Words words
        said = []
        for name, text in source.metadata.items():
            words = Words.__new__(Words)
            words._plan = self._plan
            words._template = <fgw_template *>self._plan.take(1, sizeof(fgw_template))
            self._template(words._template, self._pieces(text))
            said.append((name, words))
        action.number = listed(<uint32_t>len(self.logs), "log")
        self.logs.append((rule, tuple(said)))
        return 0

    cdef const void *_limit_keys(self, fgw_action *action, object source) except NULL:
        cdef fgw_limit_keys *keys = <fgw_limit_keys *>self._plan.take(1, sizeof(fgw_limit_keys))
        cdef Py_ssize_t i
        cdef bytes prefix
        spec = spec_of(source, bool(action.enforced))
        prefix = spec.prefix()
        compiled = [self._compile(expression, KEYS) for expression in source.bucket_key]
        action.number = <uint16_t>self._limit(spec)
        action.value = spec.capacity
        keys.prefix = self._plan.text(prefix)
        keys.prefix_length = <uint32_t>len(prefix)
        keys.keys = self._plan.programs([program for program, _ in compiled])
        keys.n_keys = <uint32_t>len(compiled)
        for i in range(len(compiled)):
            tree = compiled[i][1]
            refuse_dyn(source.bucket_key[i], tree)
            if tree.op == "fact" and tree.value == FGW_FACT_CONN_CLIENT_IP:
                keys.addresses |= <uint32_t>1 << i
        return keys

    cdef int _template(self, fgw_template *template, list pieces) except -1:
        cdef fgw_piece *row
        row = <fgw_piece *>self._plan.take(len(pieces), sizeof(fgw_piece))
        for piece in pieces:
            if isinstance(piece, bytes):
                row[template.n_pieces].bytes = self._plan.text(piece)
                row[template.n_pieces].length = <uint32_t>len(piece)
            else:
                row[template.n_pieces].program = self._plan.program(piece)
            template.n_pieces += 1
        template.pieces = row
        return 0
