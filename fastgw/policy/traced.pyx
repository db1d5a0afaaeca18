"""Phase POLICY as a rehearsal sees it: every rule is asked, one by one.

Its expressions run once more, as programs that tell their steps. random() is wound back between
the two, so that both see the same numbers.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastgw.policy.phases import VOLATILE
from fastgw.policy.tracing import Act, Collected, Did, Seen, trace_expression

from fastgw.native.cel cimport FGW_CEL_SOURCE_HEADER_LINES, fgw_cel_glance
from fastgw.native.policy cimport FGW_FACTS_FIXED, FGW_VALUE_ABSENT
from fastgw.native.record cimport FGW_RULES_MAX, fgw_rule_trace
from fastgw.policy.actions cimport apply_part, apply_rule, evaluate
from fastgw.policy.plan cimport plan_rule
from fastgw.policy.program cimport get_value, typed_value

cdef struct marks:  # how far the effects were filled before a rule
    uint32_t demands, fields, removed, route
    int64_t output_max


cdef int run_traced(Policy policy, fgw_value *facts, const fgw_cel_source *source,
                    PrincipalPart part, fgw_effects *effects) except -1:
    cdef uint32_t i
    cdef marks at
    cdef bint ended
    policy._begin(facts, source, effects)
    for i in range(policy._n_volatile):
        facts[policy._volatile[i]].type = FGW_VALUE_ABSENT
    if part is not None:
        at = _marks(effects)
        ended = apply_part(part._part, facts, effects)
        did = _did(policy, effects, at, 0)
        policy.tracer(Seen("key", "request", 0, None, (), True, ended, {}, {}, did, part.key_id))
        if ended:
            return 0
    for i in range(policy._n_rules):
        if _rule(policy, "on_http_request", "request", policy._sources["request"][i],
                 &policy._rules[i], facts, source, effects):
            return 0
    for i in range(policy._n_answer_rules):
        phase, rule = policy._sources["detect"][i]
        _rule(policy, phase, "request", rule, &policy._answer_rules[i], facts, source, effects)
    return 0


cdef int run_answer_traced(Policy policy, fgw_value *facts, const fgw_cel_source *source,
                           fgw_effects *effects) except -1:
    cdef uint32_t i
    policy._begin(facts, source, effects)
    for i in range(policy._n_response_rules):
        if _rule(policy, "on_http_response", "response", policy._sources["response"][i],
                 &policy._response_rules[i], facts, source, effects):
            break
    return 0


cdef int run_end_traced(Policy policy, fgw_value *facts, const fgw_cel_source *source,
                        fgw_effects *effects) except -1:
    cdef uint32_t i
    policy._begin(facts, source, effects)
    for i in range(policy._n_end_rules):
        _rule(policy, "on_http_response", "end", policy._sources["end"][i],
              &policy._end_rules[i], facts, source, effects)
    return 0


cdef int _rule(Policy policy, str phase, str reading, object rule, const plan_rule *plan,
               fgw_value *facts, const fgw_cel_source *source, fgw_effects *effects) except -1:
    """1 where it decides."""
    cdef fgw_value result
    cdef fgw_rule_trace[16] kept  # FGW_RULES_MAX
    cdef uint64_t random = policy._run.random
    cdef uint32_t i, n_kept
    cdef int truth
    cdef bint matched = True, ended
    cdef marks at
    values = [None if facts[i].type == FGW_VALUE_ABSENT else typed_value(&facts[i])
              for i in range(policy.n_facts)]
    maps = _maps(policy, source)
    before = _written(policy, facts)
    tried = []
    policy._scope.phase = reading
    for i in range(plan.n_expressions):
        tried.append(trace_expression(
            rule.expressions[i].text, policy._scope, values, maps, policy._run.random))
        truth = fgw_cel_glance(plan.expressions[i], facts)
        if truth < 0:
            truth = evaluate(plan.expressions[i], &policy._run, &result)
        matched = matched and truth == 1
        if truth == 0:
            break
    policy._scope.phase = "request"
    policy._run.random = random
    # Records keep the first traces only; here each rule's own are wanted.
    n_kept = effects.n_rules
    memcpy(kept, effects.rules, sizeof(kept))
    effects.n_rules = 0
    at = _marks(effects)
    ended = apply_rule(plan, facts, effects)
    did = _did(policy, effects, at, 0 if matched else effects.n_rules)
    for i in range(effects.n_rules):
        if n_kept < FGW_RULES_MAX:
            kept[n_kept] = effects.rules[i]
            n_kept += 1
    memcpy(effects.rules, kept, sizeof(kept))
    effects.n_rules = <unsigned char>n_kept
    policy.tracer(Seen(phase, reading, _number(policy, phase, rule), rule, tried, matched, ended,
                       before, _written(policy, facts), did))
    return ended


def _number(Policy policy, str phase, object rule):
    """Where the rule stands in its phase."""
    return next(i for i, one in enumerate(policy._sources[phase]) if one is rule)


cdef dict _maps(Policy policy, const fgw_cel_source *source):
    cdef fgw_value key, value
    cdef uint32_t i, number
    maps = {}
    for number in range(FGW_CEL_SOURCE_HEADER_LINES + 1):
        maps[number] = []
        if source == NULL or not policy.sources_used >> number & 1:
            continue  # what no rule reads nobody has filled in
        for i in range(source.count(source.owner, number)):
            source.entry(source.owner, number, i, &key, &value)
            maps[number].append((get_value(&key), get_value(&value)))
    return maps


cdef dict _written(Policy policy, const fgw_value *facts):
    cdef uint32_t i
    written = {}
    for i, (kind, name) in enumerate(policy.dynamic_facts, FGW_FACTS_FIXED):
        if kind in VOLATILE and facts[i].type != FGW_VALUE_ABSENT:
            written[f"{kind}.{name}"] = typed_value(&facts[i])
    return written


cdef marks _marks(const fgw_effects *effects) noexcept:
    cdef marks at
    at.demands = effects.n_demands
    at.fields = effects.said.fields_used if effects.said != NULL else 0
    at.removed = effects.n_removed
    at.route = effects.route
    at.output_max = effects.output_max
    return at


cdef object _did(Policy policy, const fgw_effects *effects, marks at, uint32_t first):
    """What stands in the effects behind ``at``, with the traces from ``first`` on."""
    cdef uint32_t i, start, end
    acts = tuple(Act(effects.rules[i].action, bool(effects.rules[i].enforced),
                     effects.rules[i].code, effects.rules[i].value)
                 for i in range(first, effects.n_rules))
    collected, lines, message = [], b"", None
    for i in range(at.demands, effects.n_demands):
        start = effects.demands[i].text_offset
        end = start + effects.demands[i].text_length
        collected.append(Collected(
            policy.limits[effects.demands[i].limit].name,
            effects.key_text[start:end].decode("utf-8", "replace"),
            bool(effects.demands[i].enforced)))
    if effects.said != NULL:
        lines = effects.said.fields[at.fields:effects.said.fields_used]
    if effects.denied and effects.spoken:
        message = effects.said.body[:effects.said.body_used].decode("utf-8", "replace")
    elif effects.denied and effects.message:
        message = policy.messages[effects.message - 1].decode()
    removed = tuple(name.decode() for i in range(at.removed, effects.n_removed)
                    for name in policy.removals[effects.removed[i]])
    return Did(
        acts, tuple(collected), tuple(lines.decode("latin-1").splitlines()), removed,
        policy.routes[effects.route - 1] if effects.route != at.route else None,
        effects.output_max if effects.output_max != at.output_max else None,
        effects.status if effects.denied else None, message)
