"""Phase POLICY: rules in order, effects of the matching ones, limits collected."""
cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

import orjson

from fastgw.config.model import Detect, Limit, LogMetadata, SetVars
from fastgw.errors import ConfigError
from fastgw.policy.atoms import steady_facts, terms_of
from fastgw.policy.bound import constraints, first_beyond, most_limits, unguarded
from fastgw.policy.compiler import compile_expression
from fastgw.policy.evaluate import facts_in_order
from fastgw.policy.index import build
from fastgw.policy.limits import spec_of
from fastgw.policy.patterns import Patterns
from fastgw.policy.phases import VOLATILE, PolicyScope
from fastgw.policy.pieces import compile_pieces
from fastgw.policy.uncollected import uncollected

from fastgw.native.action cimport fgw_action, fgw_effects_clear, fgw_patterns_match
from fastgw.native.cel cimport FGW_CEL_ARENA, fgw_cel_source
from fastgw.native.demand cimport (
    fgw_demand_key, fgw_known_keys, fgw_name_hash, fgw_value_text)
from fastgw.native.index cimport FGW_INDEX_NO_RULE, fgw_index_next, fgw_index_start
from fastgw.native.policy cimport (
    FGW_ACTION_DETECT, FGW_DETECTS_MAX, FGW_FACT_AI_INPUT_TOKENS, FGW_FACT_AI_MAX_OUTPUT_TOKENS,
    FGW_FACT_AI_MODEL, FGW_FACT_AI_OPERATION, FGW_FACT_AI_PROVIDER, FGW_FACT_CONN_CLIENT_IP,
    FGW_FACT_REQ_METHOD, FGW_FACTS_MAX, FGW_VALUE_ABSENT, fgw_demand, fgw_effects, fgw_said,
    fgw_value,
)
from fastgw.native.record cimport FGW_LIMITS_MAX, FGW_NAME_LIMIT, FGW_NAME_REASON, FGW_NAME_RULE
from fastgw.policy.actions cimport apply_part, apply_rule, evaluate
from fastgw.policy.builder cimport Builder, Words
from fastgw.policy.late cimport Late
from fastgw.policy.plan cimport Plan, plan_part, plan_rule
from fastgw.policy.program cimport Program, get_value, set_value

# Read by actions themselves, whatever the expressions ask for.
cdef uint64_t ALWAYS_USED = (
    (<uint64_t>1 << FGW_FACT_AI_MODEL) | (<uint64_t>1 << FGW_FACT_AI_PROVIDER)
    | (<uint64_t>1 << FGW_FACT_AI_OPERATION) | (<uint64_t>1 << FGW_FACT_REQ_METHOD)
    | (<uint64_t>1 << FGW_FACT_AI_MAX_OUTPUT_TOKENS) | (<uint64_t>1 << FGW_FACT_AI_INPUT_TOKENS)
    | (<uint64_t>1 << FGW_FACT_CONN_CLIENT_IP))
AT_THE_END = (LogMetadata, SetVars)
SCALARS = ("string", "int", "bool")
# Expressions that are kept while rules are built, for those that say the same.
COMPILED_KEPT = 4096
# Below so many, asking each costs less than looking up who may match.
INDEXED_RULES = 16
# So many rules that the index cannot leave out cost more than all the rest of a decision.
ALWAYS_MANY = 100
LIMITS_HINT = f"one request can take {FGW_LIMITS_MAX} limits together, those of its key included"


@cython.final
cdef class PrincipalPart:
    cdef bint allows_provider(self, const uint8_t *name, uint32_t length) noexcept nogil:
        return not self._part.providers.given or fgw_patterns_match(
            &self._part.providers, name, length)


@cython.final
cdef class Policy:
    def __init__(self, config):
        with uncollected():
            self._build(config)
        self._compiled.clear()

    def _build(self, config):
        self.version = config.version
        self.version_hash = int(config.version, 16) if config.version else 0
        self.facts_used = ALWAYS_USED
        self.limits, self.warnings, self.detects = [], [], []
        self.patterns = Patterns()
        self._limit_at, self._parts, self._names, self._compiled = {}, {}, {}, {}
        self._scope = PolicyScope()
        self._sources = {
            "on_http_request": config.rules, "on_http_response": config.response_rules,
            "on_event_stream_message": config.event_rules, "request": config.rules,
            "response": [], "end": []}
        self._plan = Plan()
        self._run.arena = <uint8_t *>self._plan.take(1, FGW_CEL_ARENA)
        self._run.arena_size = FGW_CEL_ARENA
        self._known = <fgw_known_keys *>self._plan.take(1, sizeof(fgw_known_keys))
        self._builder = Builder(
            self._plan, lambda expression, wanted: self._compile(expression, wanted),
            lambda text, typed=False: self._pieces(text, typed),
            lambda spec: self._limit(spec), self._scope.set_var)

        self.labels = tuple(label.name for label in config.labels)
        programs = [self._compile(label.expression, SCALARS)[0] for label in config.labels]
        self._labels = self._plan.programs(programs)
        self._n_labels = <uint32_t>len(programs)

        self._rules = self._take_rules(len(config.rules))
        self._n_rules = <uint32_t>len(config.rules)
        conditions = self._build_request(config.rules)
        self._build_answer_rules(config)
        self._build_response(config.response_rules)
        self._finish()
        self._seal(conditions)
        for key in config.keys:
            self._parts[key.id] = self.compile_part(key)

    cdef void run(self, fgw_value *facts, const fgw_cel_source *source, PrincipalPart part,
                  fgw_effects *effects) noexcept nogil:
        cdef uint32_t i
        self._begin(facts, source, effects)
        for i in range(self._n_volatile):
            facts[self._volatile[i]].type = FGW_VALUE_ABSENT
        if part is not None and apply_part(part._part, facts, effects):
            return
        if self._run_rules(facts, effects):
            return
        for i in range(self._n_answer_rules):
            apply_rule(&self._answer_rules[i], facts, effects)

    cdef bint _run_rules(self, fgw_value *facts, fgw_effects *effects) noexcept nogil:
        """Whether one of them decides the request."""
        cdef uint32_t i
        if self._index == NULL:
            for i in range(self._n_rules):
                if apply_rule(&self._rules[i], facts, effects):
                    return True
            return False
        fgw_index_start(self._index, facts, &self._walk)
        i = fgw_index_next(&self._walk)
        while i != FGW_INDEX_NO_RULE and not apply_rule(&self._rules[i], facts, effects):
            i = fgw_index_next(&self._walk)
        return i != FGW_INDEX_NO_RULE

    cdef void _begin(self, fgw_value *facts, const fgw_cel_source *source,
                     fgw_effects *effects) noexcept nogil:
        self._run.facts = facts
        self._run.source = source
        fgw_effects_clear(effects, self._said, &self._run)
        effects.known = self._known

    cdef void run_answer(self, fgw_value *facts, const fgw_cel_source *source,
                         fgw_effects *effects) noexcept nogil:
        cdef uint32_t i
        self._begin(facts, source, effects)
        for i in range(self._n_response_rules):
            if apply_rule(&self._response_rules[i], facts, effects):
                return

    cdef void run_end(self, fgw_value *facts, const fgw_cel_source *source,
                      fgw_effects *effects) noexcept nogil:
        cdef uint32_t i
        self._begin(facts, source, effects)
        for i in range(self._n_end_rules):
            apply_rule(&self._end_rules[i], facts, effects)

    cdef str say(self, Words words, const fgw_value *facts, const fgw_cel_source *source):
        self._run.facts = facts
        self._run.source = source
        return words.say(&self._run)

    cdef uint64_t reason(self, uint32_t message) noexcept nogil:
        return self._reasons[message - 1]

    cpdef void reseed(self, uint64_t seed) noexcept:
        self._run.random = seed

    cdef uint32_t label(self, uint32_t i, const fgw_value *facts, const fgw_cel_source *source,
                        uint8_t *out, uint32_t capacity) noexcept nogil:
        cdef fgw_value result
        if i >= self._n_labels:
            return 0
        self._run.facts = facts
        self._run.source = source
        evaluate(self._labels[i], &self._run, &result)
        return fgw_value_text(&result, out, capacity)

    # Building.

    cdef object _compile(self, object expression, tuple wanted):
        asked = expression.text, wanted, self._scope.phase, self._scope.changes
        found = self._compiled.get(asked)
        if found is None:
            if len(self._compiled) >= COMPILED_KEPT:
                self._compiled.clear()
            found = self._compiled[asked] = compile_expression(expression, self._scope, wanted)
            self._use(found[0])
        return found

    def _use(self, Program program):
        self.facts_used |= program.reads
        self.sources_used |= program.sources

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

    def _pieces(self, text, typed=False):
        pieces = compile_pieces(text, self._scope, typed)
        for piece in pieces:
            if isinstance(piece, Program):
                self._use(piece)
        return pieces

    cdef plan_rule *_take_rules(self, Py_ssize_t count) except NULL:
        return <plan_rule *>self._plan.take(count, sizeof(plan_rule))

    cdef list _build_request(self, object sources):
        """What each rule asks of single facts, for the index. Trees are not kept: a large policy's
        would take gigabytes."""
        cdef Py_ssize_t i
        rules, conditions, places = [], [], []
        indexed = len(sources) >= INDEXED_RULES
        steady = steady_facts(self._scope.fixed, self._scope.dynamic)
        for i in range(len(sources)):
            rule = sources[i]
            compiled = [self._compile(expression, ("bool",)) for expression in rule.expressions]
            self._build_rule(&self._rules[i], rule, list(rule.actions),
                             [program for program, _ in compiled])
            trees = [tree for _, tree in compiled]
            self._warn_of_absence(rule, trees)
            conditions.append(terms_of(trees, steady) if indexed else None)
            if identities := limit_identities(rule):
                asked = {fact: values for fact, values in constraints(trees).items()
                         if self._scope.lasts(fact)}
                rules.append((asked, identities))
                places.append(rule.place)
        self._rule_limits = most_limits(rules)
        if self._rule_limits > FGW_LIMITS_MAX:
            i = first_beyond(rules, FGW_LIMITS_MAX)
            self._refuse_limits(most_limits(rules[:i + 1]), places[i])
        return conditions

    cdef int _build_answer_rules(self, object config) except -1:
        """What looks at answers: rules with a `detect`. Their expressions are of the request, so
        they are decided with it: what remains is which `detect` looks at the answer."""
        cdef Py_ssize_t i
        rules = [("on_http_response", rule) for rule in config.response_rules]
        rules += [("on_event_stream_message", rule) for rule in config.event_rules]
        rules = [(phase, rule) for phase, rule in rules
                 if any(isinstance(action, Detect) for action in rule.actions)]
        self._sources["detect"] = rules
        self._answer_rules = self._take_rules(len(rules))
        self._n_answer_rules = <uint32_t>len(rules)
        self._scope.phase = "look"
        for i in range(len(rules)):
            phase, rule = rules[i]
            compiled = [self._compile(expression, ("bool",)) for expression in rule.expressions]
            looks = [action for action in rule.actions if isinstance(action, Detect)]
            self._build_rule(&self._answer_rules[i], rule, looks,
                             [program for program, _ in compiled], phase)
            self._warn_of_absence(rule, [tree for _, tree in compiled])
        self._scope.phase = "request"
        return 0

    cdef int _build_response(self, object sources) except -1:
        """Rules that read usage run when it is known; what acts on the answer cannot wait."""
        cdef plan_rule *rule
        cdef Py_ssize_t i
        self._response_rules = self._take_rules(len(sources))
        self._end_rules = self._take_rules(len(sources))
        for i in range(len(sources)):
            source = sources[i]
            acts = [action for action in source.actions if not isinstance(action, Detect)]
            if source.actions and not acts:
                continue  # _build_answer_rules has it
            self._scope.phase = "end"
            compiled = [self._compile(expression, ("bool",)) for expression in source.expressions]
            programs = [program for program, _ in compiled]
            if any(self._reads_usage(program) for program in programs):
                self._check_end(source)
                rule = &self._end_rules[self._n_end_rules]
                self._n_end_rules += 1
                self._sources["end"].append(source)
            else:
                self._scope.phase = "response"
                rule = &self._response_rules[self._n_response_rules]
                self._n_response_rules += 1
                self._sources["response"].append(source)
            self._build_rule(rule, source, acts, programs)
            self._warn_of_absence(source, [tree for _, tree in compiled])
        self._scope.phase = "request"
        return 0

    def _reads_usage(self, Program program):
        cdef uint64_t reads = program.reads >> self._scope.fixed
        return any(kind == "usage" and reads >> i & 1
                   for i, (kind, _) in enumerate(self._scope.dynamic))

    def _check_end(self, rule):
        for action in rule.actions:
            if not isinstance(action, AT_THE_END):
                place = rule.place
                raise ConfigError(
                    f"the rule '{rule.name}' asks for usage, which is known when the answer is "
                    f"whole: nothing can be done to it then", file=place.file, line=place.line,
                    column=place.column, key=place.key,
                    suggestion="such a rule may have actions log and set-vars")

    cdef int _seal(self, list conditions) except -1:
        """Ends the building of rules: what a request needs of them goes into one sealed file."""
        indexed = len(conditions) >= INDEXED_RULES
        built = build(conditions if indexed else [], self.n_facts)
        self.blob = self._plan.seal(self.version_hash, built.block)
        self.index = built.tallies
        if indexed:
            self._index = self.blob.index()
        if self.index.always >= ALWAYS_MANY:
            self.warnings.append(ConfigError(
                f"{self.index.always} of {len(conditions)} rules are tested on every request",
                key="policy.on_http_request",
                suggestion="compare a fact with a constant in each: ==, in, startsWith, a range"))
        return 0

    cdef int _detect(self, object rule, object action, str phase) except -1:
        if len(self.detects) >= FGW_DETECTS_MAX:
            raise ConfigError(f"more than {FGW_DETECTS_MAX} detect actions", key="policy",
                              suggestion="one action can look for several kinds")
        self.detects.append({
            "rule": rule.name, "hash": self._name(FGW_NAME_RULE, rule.name), "phase": phase,
            "kinds": (*action.kinds, *self.patterns.take(action.patterns)),
            "then": action.then,
            "enforced": rule.enforce and action.enforce,
        })
        return len(self.detects) - 1

    cdef int _build_rule(self, plan_rule *rule, object source, list actions, list programs,
                         str phase="on_http_request") except -1:
        cdef Py_ssize_t i
        rule.name = self._name(FGW_NAME_RULE, source.name)
        rule.enforced = source.enforce
        rule.expressions = self._plan.programs(programs)
        rule.n_expressions = <uint32_t>len(programs)
        rule.actions = <fgw_action *>self._plan.take(len(actions), sizeof(fgw_action))
        rule.n_actions = <uint32_t>len(actions)
        reading = self._scope.phase
        for i in range(len(actions)):
            action = actions[i]
            if isinstance(action, Detect):
                rule.actions[i].type = FGW_ACTION_DETECT
                rule.actions[i].enforced = source.enforce and action.enforce
                rule.actions[i].value = self._detect(source, action, phase)
                continue
            # What a log says is read when all is known.
            self._scope.phase = "log" if isinstance(action, LogMetadata) else reading
            self._builder.action(
                &rule.actions[i], action, source.enforce and action.enforce, source.name)
        self._scope.phase = reading
        return 0

    cdef int _finish(self) except -1:
        """All is compiled: which facts there are, and who writes them."""
        cdef uint32_t i
        cdef Builder builder = self._builder
        self.messages = tuple(builder.messages)
        self.routes = tuple(builder.routes)
        self.removals = tuple(builder.removals)
        self.logs = tuple(builder.logs)
        self.dynamic_facts = tuple(self._scope.dynamic)
        self.n_facts = self._scope.n_facts
        places = {name: self._scope.fixed + i for i, name in enumerate(self.dynamic_facts)}
        builder.bind(places)
        volatile = [at for (kind, _), at in places.items() if kind in VOLATILE]
        self._volatile = <uint16_t *>self._plan.take(len(volatile), sizeof(uint16_t))
        self._n_volatile = <uint32_t>len(volatile)
        for i in range(self._n_volatile):
            self._volatile[i] = <uint16_t>volatile[i]
        if builder.speaks:
            self._said = <fgw_said *>self._plan.take(1, sizeof(fgw_said))
        self._reasons = <uint64_t *>self._plan.take(len(self.messages), sizeof(uint64_t))
        for i in range(<uint32_t>len(self.messages)):
            self._reasons[i] = self._name(FGW_NAME_REASON, self.messages[i].decode())
        self.late = Late(self.dynamic_facts, self._scope.fixed, self.limits)
        self.answers = self._n_response_rules != 0
        self.ends = self._n_end_rules != 0
        self.says = (builder.speaks or self.answers or self.ends or builder.shadows
                     or len(self.logs) != 0 or builder.counts_input)
        return 0

    def _warn_of_absence(self, rule, trees):
        for tree in unguarded(trees, self._scope.fixed):
            kind, name = self._scope.dynamic[tree.value - self._scope.fixed]
            place = rule.place
            self.warnings.append(ConfigError(
                f"the rule '{rule.name}' does not match where the {kind} '{name}' is absent",
                file=place.file, line=place.line, column=place.column, key=place.key,
                suggestion="ask for it first: 'x' in req.headers, has(key.tags.x)"))

    def _refuse_limits(self, count, place):
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

    def decide_answer(self, facts):
        cdef fgw_value[FGW_FACTS_MAX] values
        cdef fgw_effects effects
        cdef list texts = []
        cdef Py_ssize_t i
        ordered = facts_in_order(self._scope, facts)
        for i in range(len(ordered)):
            set_value(&values[i], ordered[i], texts)
        self.run_answer(values, NULL, &effects)
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
        written = {}
        for i in range(len(self.dynamic_facts)):
            kind, name = self.dynamic_facts[i]
            if kind in VOLATILE and values[self._scope.fixed + i].type != FGW_VALUE_ABSENT:
                written[f"{kind}.{name}"] = get_value(&values[<int>self._scope.fixed + i])
        fields = body = b""
        if effects.said != NULL:
            fields = effects.said.fields[:effects.said.fields_used]
            body = effects.said.body[:effects.said.body_used]
        return {
            "denied": bool(effects.denied), "status": effects.status, "code": effects.code,
            "message": message, "rule": names.get(effects.rule), "action": effects.deny_action,
            "output_max": effects.output_max, "output_rule": names.get(effects.output_rule),
            "rules": rules, "rules_total": effects.rules_total, "demands": demands,
            "labels": labels, "route": effects.route, "shadows": effects.shadows,
            "written": written, "fields": fields, "body": body, "spoken": bool(effects.spoken),
            "removed": [self.removals[effects.removed[i]] for i in range(effects.n_removed)],
            "logs": [(self.logs[effects.logs[i]][0],
                      {name: self.say(<Words>words, values, NULL)
                       for name, words in self.logs[effects.logs[i]][1]})
                     for i in range(effects.n_logs)],
        }


def limit_identities(rule):
    """The limits of a rule, each once: those of one identity with the same keys are one."""
    return frozenset(
        (spec_of(action, action.enforce and rule.enforce).prefix(),
         tuple(expression.text for expression in action.bucket_key))
        for action in rule.actions if isinstance(action, Limit))
