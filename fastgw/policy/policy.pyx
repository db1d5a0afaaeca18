"""Phase POLICY: rules in order, effects of the matching ones, limits collected."""
cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

import orjson

from fastgw.config.model import (
    CapOutput, ConcurrencyLimit, Deny, Detect, Limit, RestrictModels, UsageCap,
)
from fastgw.errors import ConfigError
from fastgw.policy.atoms import steady_facts, terms_of
from fastgw.policy.bound import constraints, most_limits, unguarded
from fastgw.policy.compiler import compile_expression
from fastgw.policy.evaluate import facts_in_order
from fastgw.policy.index import build
from fastgw.policy.limits import spec_of
from fastgw.policy.patterns import PatternError, compile_pattern
from fastgw.policy.scope import Scope

from fastgw.native.cel cimport FGW_CEL_ARENA, fgw_cel_source
from fastgw.native.demand cimport fgw_demand_key, fgw_name_hash, fgw_value_text
from fastgw.native.detect cimport FGW_DETECT_PATTERNS_MAX
from fastgw.native.index cimport FGW_INDEX_NO_RULE, fgw_index_next, fgw_index_start
from fastgw.native.policy cimport (
    FGW_ACTION_CAP_OUTPUT, FGW_ACTION_CONCURRENCY_LIMIT, FGW_ACTION_DENY, FGW_ACTION_DETECT,
    FGW_ACTION_RATE_LIMIT,
    FGW_ACTION_RESTRICT_MODELS, FGW_ACTION_USAGE_CAP,
    FGW_FACT_AI_MAX_OUTPUT_TOKENS, FGW_FACT_AI_MODEL, FGW_FACT_AI_OPERATION, FGW_FACT_AI_PROVIDER,
    FGW_FACT_CONN_CLIENT_IP, FGW_FACT_REQ_METHOD, FGW_DETECTS_MAX, FGW_FACTS_MAX, fgw_demand,
    fgw_effects, fgw_value,
)
from fastgw.native.record cimport FGW_LIMITS_MAX, FGW_NAME_LIMIT, FGW_NAME_RULE
from fastgw.policy.actions cimport (
    apply_part, apply_rule, clear_effects, evaluate, matches_any,
)
from fastgw.policy.plan cimport Plan, plan_action, plan_part, plan_rule
from fastgw.policy.program cimport Program, set_value

# Read by actions themselves, whatever the expressions ask for.
cdef uint64_t ALWAYS_USED = (
    (<uint64_t>1 << FGW_FACT_AI_MODEL) | (<uint64_t>1 << FGW_FACT_AI_PROVIDER)
    | (<uint64_t>1 << FGW_FACT_AI_OPERATION) | (<uint64_t>1 << FGW_FACT_REQ_METHOD)
    | (<uint64_t>1 << FGW_FACT_AI_MAX_OUTPUT_TOKENS))
SCALARS = ("string", "int", "bool")
# Below so many, asking each costs less than looking up who may match.
INDEXED_RULES = 16
LIMITS_HINT = f"one request can take {FGW_LIMITS_MAX} limits together, those of its key included"


@cython.final
cdef class PrincipalPart:
    cdef bint allows_provider(self, const uint8_t *name, uint32_t length) noexcept nogil:
        return not self._part.providers.given or matches_any(&self._part.providers, name, length)


@cython.final
cdef class Policy:
    def __init__(self, config):
        cdef Py_ssize_t i
        self.version = config.version
        self.version_hash = int(config.version, 16) if config.version else 0
        self.facts_used = ALWAYS_USED
        self.limits, self.warnings, self._messages, self.detects = [], [], [], []
        self.patterns, self._pattern_texts = [], {}
        self._limit_at, self._parts, self._names = {}, {}, {}
        self._scope = Scope()
        self._plan = Plan()
        self._run.arena = <uint8_t *>self._plan.take(1, FGW_CEL_ARENA)
        self._run.arena_size = FGW_CEL_ARENA

        self.labels = tuple(label.name for label in config.labels)
        programs = [self._compile(label.expression, SCALARS)[0] for label in config.labels]
        self._labels = self._plan.programs(programs)
        self._n_labels = <uint32_t>len(programs)

        self._rules = <plan_rule *>self._plan.take(len(config.rules), sizeof(plan_rule))
        rules, conditions = [], []
        for i in range(len(config.rules)):
            rule = config.rules[i]
            compiled = [self._compile(expression, ("bool",)) for expression in rule.expressions]
            self._build_rule(&self._rules[i], rule, [program for program, _ in compiled])
            trees = [tree for _, tree in compiled]
            self._warn_of_absence(rule, trees)
            conditions.append(trees)
            if identities := limit_identities(rule):
                rules.append((constraints(trees), identities))
                self._rule_limits = most_limits(rules)
                self._check_limits(self._rule_limits, rule.place)
        self._n_rules = <uint32_t>len(config.rules)
        self._build_answer_rules(config)
        self.messages = tuple(self._messages)
        self.dynamic_facts = tuple(self._scope.dynamic)
        self.n_facts = self._scope.n_facts
        self._seal(conditions)
        for key in config.keys:
            self._parts[key.id] = self.compile_part(key)

    cdef void run(self, const fgw_value *facts, const fgw_cel_source *source, PrincipalPart part,
                  fgw_effects *effects) noexcept nogil:
        cdef uint32_t i
        self._run.facts = facts
        self._run.source = source
        clear_effects(effects)
        if part is not None and apply_part(part._part, facts, effects):
            return
        if self._run_rules(facts, effects):
            return
        for i in range(self._n_answer_rules):
            apply_rule(&self._answer_rules[i], &self._run, effects)

    cdef bint _run_rules(self, const fgw_value *facts, fgw_effects *effects) noexcept nogil:
        """Whether one of them denies."""
        cdef uint32_t i
        if self._index == NULL:
            for i in range(self._n_rules):
                if apply_rule(&self._rules[i], &self._run, effects):
                    return True
            return False
        fgw_index_start(self._index, facts, &self._walk)
        i = fgw_index_next(&self._walk)
        while i != FGW_INDEX_NO_RULE and not apply_rule(&self._rules[i], &self._run, effects):
            i = fgw_index_next(&self._walk)
        return i != FGW_INDEX_NO_RULE

    cdef uint32_t label(self, uint32_t i, const fgw_value *facts, const fgw_cel_source *source,
                        uint8_t *out, uint32_t capacity) noexcept nogil:
        cdef fgw_value result
        if i >= self._n_labels:
            return 0
        self._run.facts = facts
        self._run.source = source
        evaluate(self._labels[i], &self._run, &result)
        return fgw_value_text(&result, out, capacity)

    cdef void reseed(self, uint64_t seed) noexcept nogil:
        self._run.random = seed

    # Building.

    cdef object _compile(self, object expression, tuple wanted):
        program, tree = compile_expression(expression, self._scope, wanted)
        self.facts_used |= (<Program>program).reads
        self.sources_used |= (<Program>program).sources
        return program, tree

    cdef uint64_t _name(self, int space, str text):
        cdef bytes encoded = text.encode()
        cdef uint64_t hash = fgw_name_hash(<const uint8_t *><const char *>encoded, len(encoded))
        self._names[space, text] = hash
        return hash

    cdef int _limit(self, object spec) except -1:
        if spec not in self._limit_at:
            if len(self.limits) >= 65535:
                raise ConfigError("more than 65535 different limits", key="keys")
            self._limit_at[spec] = len(self.limits)
            self.limits.append(spec)
            self._name(FGW_NAME_LIMIT, spec.name)
        return self._limit_at[spec]

    cdef int _seal(self, list conditions) except -1:
        """Ends the building of rules: what a request needs of them goes into one sealed file."""
        steady = steady_facts(self._scope.fixed, self.dynamic_facts)
        indexed = len(conditions) >= INDEXED_RULES
        built = build(
            [terms_of(trees, steady) for trees in conditions] if indexed else [], self.n_facts)
        self.blob = self._plan.seal(self.version_hash, built.block)
        self.index = built.tallies
        if indexed:
            self._index = self.blob.index()
        return 0

    cdef int _build_answer_rules(self, object config) except -1:
        """Rules of the phases behind the provider. Their expressions are of the request so far, so
        they are decided with it: what remains is which `detect` looks at the answer."""
        cdef Py_ssize_t i
        rules = [("on_http_response", rule) for rule in config.response_rules]
        rules += [("on_event_stream_message", rule) for rule in config.event_rules]
        self._answer_rules = <plan_rule *>self._plan.take(len(rules), sizeof(plan_rule))
        for i in range(len(rules)):
            phase, rule = rules[i]
            compiled = [self._compile(expression, ("bool",)) for expression in rule.expressions]
            self._build_rule(
                &self._answer_rules[i], rule, [program for program, _ in compiled], phase)
            self._warn_of_absence(rule, [tree for _, tree in compiled])
        self._n_answer_rules = <uint32_t>len(rules)
        return 0

    cdef int _pattern(self, object rule, str name, str text) except -1:
        """A named pattern: the same in every action that names it."""
        place = rule.place
        known = self._pattern_texts.setdefault(name, text)
        try:
            if known != text:
                raise PatternError(f"two patterns are named '{name}'", "give each its own name")
            if len(self._pattern_texts) > FGW_DETECT_PATTERNS_MAX:
                raise PatternError(f"more than {FGW_DETECT_PATTERNS_MAX} patterns")
            if all(name != other for other, _, _ in self.patterns):
                self.patterns.append((name, *compile_pattern(text)))
        except PatternError as error:
            raise ConfigError(
                f"pattern '{name}': {error}", file=place.file, line=place.line,
                column=place.column, key=place.key, suggestion=error.hint) from None
        return 0

    cdef int _detect(self, object rule, object action, str phase) except -1:
        if len(self.detects) >= FGW_DETECTS_MAX:
            raise ConfigError(f"more than {FGW_DETECTS_MAX} detect actions", key="policy",
                              suggestion="one action can look for several kinds")
        for name, text in action.patterns:
            self._pattern(rule, name, text)
        self.detects.append({
            "rule": rule.name, "hash": self._name(FGW_NAME_RULE, rule.name), "phase": phase,
            "kinds": (*action.kinds, *(name for name, _ in action.patterns)), "then": action.then,
            "enforced": rule.enforce and action.enforce,
        })
        return len(self.detects) - 1

    cdef int _build_rule(self, plan_rule *rule, object source, list programs,
                         str phase="on_http_request") except -1:
        cdef Py_ssize_t i
        rule.name = self._name(FGW_NAME_RULE, source.name)
        rule.enforced = source.enforce
        rule.expressions = self._plan.programs(programs)
        rule.n_expressions = <uint32_t>len(programs)
        rule.actions = <plan_action *>self._plan.take(len(source.actions), sizeof(plan_action))
        rule.n_actions = <uint32_t>len(source.actions)
        for i in range(len(source.actions)):
            action = source.actions[i]
            if isinstance(action, Detect):
                rule.actions[i].type = FGW_ACTION_DETECT
                rule.actions[i].enforced = source.enforce and action.enforce
                rule.actions[i].value = self._detect(source, action, phase)
                continue
            self._build_action(&rule.actions[i], action, source.enforce and action.enforce)
        return 0

    cdef int _build_action(self, plan_action *action, object source, bint enforce) except -1:
        action.enforced = enforce
        if isinstance(source, Deny):
            action.type = FGW_ACTION_DENY
            action.status = source.status_code
            if source.message is not None:
                if len(self._messages) >= 65535:
                    raise ConfigError("more than 65535 messages", key="policy")
                self._messages.append(source.message.encode())
                action.message = <uint16_t>len(self._messages)
        elif isinstance(source, CapOutput):
            action.type = FGW_ACTION_CAP_OUTPUT
            action.value = source.max_output_tokens
        elif isinstance(source, RestrictModels):
            action.type = FGW_ACTION_RESTRICT_MODELS
            self._plan.patterns(&action.allow, source.allow)
            self._plan.patterns(&action.deny, source.deny)
        elif isinstance(source, Limit):
            self._build_limit(action, source)
        else:
            raise ConfigError(f"no such action: {type(source).__name__}", key="policy")
        return 0

    cdef int _build_limit(self, plan_action *action, object source) except -1:
        cdef Py_ssize_t i
        spec = spec_of(source, bool(action.enforced))
        prefix = spec.prefix()
        compiled = [self._compile(expression, SCALARS) for expression in source.bucket_key]
        action.type = FGW_ACTION_RATE_LIMIT
        if isinstance(source, UsageCap):
            action.type = FGW_ACTION_USAGE_CAP
        elif isinstance(source, ConcurrencyLimit):
            action.type = FGW_ACTION_CONCURRENCY_LIMIT
        action.limit = <uint16_t>self._limit(spec)
        action.value = spec.capacity
        action.prefix = self._plan.text(prefix)
        action.prefix_length = <uint32_t>len(prefix)
        action.keys = self._plan.programs([program for program, _ in compiled])
        action.n_keys = <uint32_t>len(compiled)
        for i in range(len(compiled)):
            tree = compiled[i][1]
            if tree.op == "fact" and tree.value == FGW_FACT_CONN_CLIENT_IP:
                action.addresses |= <uint32_t>1 << i
        return 0

    def _warn_of_absence(self, rule, trees):
        for tree in unguarded(trees, self._scope.fixed):
            kind, name = self._scope.dynamic[tree.value - self._scope.fixed]
            place = rule.place
            self.warnings.append(ConfigError(
                f"the rule '{rule.name}' does not match where the {kind} '{name}' is absent",
                file=place.file, line=place.line, column=place.column, key=place.key,
                suggestion="ask for it first: 'x' in req.headers, has(key.tags.x)"))

    def _check_limits(self, count, place):
        if count > FGW_LIMITS_MAX:
            raise ConfigError(f"{count} limits could be asked of one request", file=place.file,
                              line=place.line, column=place.column, key=place.key,
                              suggestion=LIMITS_HINT)

    # Keys.

    def part(self, str key_id):
        return self._parts.get(key_id)

    def compile_part(self, key):
        cdef PrincipalPart part = PrincipalPart.__new__(PrincipalPart)
        cdef plan_part *plan
        cdef fgw_demand *demand
        cdef bytes text = orjson.dumps([key.id])
        cdef bytes prefix
        cdef list texts = []
        cdef fgw_value value
        cdef uint8_t[8] unused
        if len(key.limits) + self._rule_limits > FGW_LIMITS_MAX:
            raise ConfigError(f"{len(key.limits)} limits of the key '{key.id}' and "
                              f"{self._rule_limits} of rules for one request",
                              key="keys", suggestion=LIMITS_HINT)
        part.key_id = key.id
        part._plan = Plan()
        part._part = plan = <plan_part *>part._plan.take(1, sizeof(plan_part))
        part._plan.patterns(&plan.models, key.access.models)
        part._plan.patterns(&plan.providers, key.access.providers)
        part._plan.patterns(&plan.operations, key.access.operations)
        plan.models_rule = self._name(FGW_NAME_RULE, f"key {key.id}: access.models")
        plan.providers_rule = self._name(FGW_NAME_RULE, f"key {key.id}: access.providers")
        plan.operations_rule = self._name(FGW_NAME_RULE, f"key {key.id}: access.operations")
        plan.text = part._plan.text(text)
        plan.text_length = <uint32_t>len(text)
        set_value(&value, key.id, texts)
        for limit in key.limits:
            spec = spec_of(limit, True)
            prefix = spec.prefix()
            demand = &plan.demands[plan.n_demands]
            plan.n_demands += 1
            demand.limit = <uint16_t>self._limit(spec)
            demand.enforced = 1
            demand.rule = self._name(FGW_NAME_RULE, f"key {key.id}: limits.{limit.name[4:]}")
            fgw_demand_key(<const uint8_t *><const char *>prefix, len(prefix), &value, 1, 0,
                           demand.identity, unused, 8)
        return part

    # For records, tests and tools.

    def names(self):
        return [(space, hash, text) for (space, text), hash in self._names.items()]

    def decide(self, facts, key_id=None):
        cdef fgw_value[FGW_FACTS_MAX] values
        cdef fgw_effects effects
        cdef list texts = []
        cdef Py_ssize_t i
        cdef PrincipalPart part = self._parts[key_id] if key_id is not None else None
        ordered = facts_in_order(self._scope, facts)
        for i in range(len(ordered)):
            set_value(&values[i], ordered[i], texts)
        self.run(values, NULL, part, &effects)
        return self._render(&effects, values)

    cdef dict _render(self, fgw_effects *effects, fgw_value *values):
        cdef uint8_t[64] label
        cdef uint32_t i, length
        cdef fgw_demand *demand
        names = {hash: text for (_, text), hash in self._names.items()}
        labels = {}
        for i in range(self._n_labels):
            length = self.label(i, values, NULL, label, 64)
            labels[self.labels[i]] = label[:length].decode("utf-8", "replace")
        demands = []
        for i in range(effects.n_demands):
            demand = &effects.demands[i]
            key = effects.key_text[demand.text_offset:demand.text_offset + demand.text_length]
            demands.append({
                "limit": self.limits[demand.limit], "key": key.decode(),
                "rule": names[demand.rule], "identity": (demand.identity[0], demand.identity[1]),
                "enforced": bool(demand.enforced),
            })
        rules = [{
            "rule": names[effects.rules[i].rule], "action": effects.rules[i].action,
            "enforced": bool(effects.rules[i].enforced), "code": effects.rules[i].code,
            "value": effects.rules[i].value,
        } for i in range(effects.n_rules)]
        message = self.messages[effects.message - 1].decode() if effects.message else None
        return {
            "denied": bool(effects.denied), "status": effects.status, "code": effects.code,
            "message": message, "rule": names.get(effects.rule), "action": effects.deny_action,
            "output_max": effects.output_max, "output_rule": names.get(effects.output_rule),
            "rules": rules, "rules_total": effects.rules_total, "demands": demands,
            "labels": labels,
        }


def limit_identities(rule):
    """The limits of a rule, each once: those of one identity with the same keys are one."""
    return frozenset(
        (spec_of(action, action.enforce and rule.enforce).prefix(),
         tuple(expression.text for expression in action.bucket_key))
        for action in rule.actions if isinstance(action, Limit))
