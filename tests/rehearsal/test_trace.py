"""Every part of an expression with its value, as the machine found it.

Method: expressions over given facts; what is shown beside what CEL says it is.
"""

from dataclasses import replace

import pytest

from fastgw.config import examine_text
from fastgw.config.model import Candidate, Expression, Place, RouteTo, Rule
from fastgw.policy.bindings import Bindings
from fastgw.policy.compiler import compile_whole
from fastgw.policy.tracing import Act, Collected, Did, Seen, trace_expression
from fastgw.rehearsal.trace import show, trace_rules

PLACE = Place("f.yaml", 1, 1, "e")
NOTHING = Did((), ())


def tried(text, **facts):
    bindings = Bindings({name.replace("_", "."): facts[name] for name in facts})
    rule = Rule("r", (Expression(text, PLACE),), (), PLACE)
    compile_whole(text, bindings.scope)  # names the facts
    looked = trace_expression(text, bindings.scope, bindings.facts, bindings.sources)
    seen = Seen("on_http_request", "request", 0, rule, [looked], True, False, {}, {}, NOTHING)
    [trace] = trace_rules(replace(EMPTY, rules=(rule,)), [seen], {"rules": []})
    [found] = trace.expressions
    return found.value, {part.text: list(part.values) for part in found.parts}


def test_parts_in_the_order_of_evaluation():
    value, parts = tried("time.hour < 6 || size(ai.model) > 2 + 3", time_hour=7, ai_model="gpt-4o")
    assert value == "true"
    assert list(parts.items()) == [
        ("time.hour", ["7"]), ("time.hour < 6", ["false"]), ("ai.model", ["'gpt-4o'"]),
        ("size(ai.model)", ["6"]), ("size(ai.model) > 2 + 3", ["true"])]


def test_what_is_not_evaluated_is_not_shown():
    assert "ai.model" not in tried("time.hour < 6 && ai.model == 'a' + ai.user", time_hour=7)[1]


def test_a_loop_shows_the_values_it_had():
    value, parts = tried("[3, 5, ai.n].exists(x, x * 2 == 10)", ai_n=1)
    assert value == "true" and parts["x * 2"] == ["6", "10"]


def test_a_long_loop_is_cut():
    _, parts = tried("[1, 2, 3, 4, 5, 6, 7, ai.n].all(x, x > 0)", ai_n=8)
    assert parts["x"] == ["1", "2", "3", "4", "5", "… 8 values"]


def test_an_absent_fact_says_why_there_is_no_value():
    value, parts = tried("req.headers['x-a'] == 'b'")
    assert value.startswith("no value: ")
    assert parts == {"req.headers['x-a']": [value]}


@pytest.mark.parametrize("value, text", [
    ({"type": "list", "value": [{"type": "int", "value": 1}]}, "[1]"),
    ({"type": "map", "value": [[{"type": "string", "value": "a"}, {"type": "null"}]]},
     "{'a': null}"),
    ({"type": "uint", "value": 3}, "3u"),
    ({"type": "bool", "value": False}, "false"),
    ({"type": "duration", "seconds": 3, "nanos": 0}, "duration('3 0')"),
])
def test_values_as_cel_writes_them(value, text):
    assert show(value) == text


CONFIG = """\
providers: [{id: p, dialect: openai, base_url: "http://127.0.0.1:1/v1"}]
keys: [{id: a, value: s, tags: {tier: free}, owner: {team: blue}}]
"""
RULES = CONFIG + """\
policy:
  on_http_request:
    - {name: one, expressions: ["time.hour < 6"], actions: [{type: deny}]}
    - {name: two, actions: [{type: set-vars, config: {vars: {a: 1}}}, {type: deny}]}
    - {name: three, actions: [{type: deny}]}
  on_http_response:
    - {name: four, actions: [{type: detect, config: {kinds: [email], then: redact}}]}
"""


def loaded(text):
    config, errors, _ = examine_text(text, "f.yaml", {})
    assert not errors
    return config


EMPTY = loaded(CONFIG)
ONE = {"type": "int", "value": 1}


def test_every_rule_is_shown_reached_or_not():
    config = loaded(RULES)
    acts = Act(13, True, 0, 1), Act(1, True, 601, 403)
    seen = [
        Seen("key", "request", 0, None, (), True, False, {}, {},
             Did((), (Collected("key cost", '["a"]', True),)), "a"),
        Seen("on_http_request", "request", 0, config.rules[0], [], False, False, {}, {}, NOTHING),
        Seen("on_http_request", "request", 1, config.rules[1], [], True, True, {}, {"vars.a": ONE},
             Did(acts, (), status=403, message="no"))]
    key, one, two, three, four = trace_rules(config, seen, {"rules": []})

    assert (key.name, key.does) == ("key a", ("collects the limit 'key cost' for [\"a\"]",))
    assert (one.matched, one.reached, one.line) == (False, True, 5)
    assert (two.matched, two.ended, two.sets, two.before) == (True, True, {"vars.a": "1"}, {})
    assert two.does == ("set-vars: 1 set", "deny: FGW-601", "  message: no")
    assert not three.reached and not four.reached and four.phase == "on_http_response"


@pytest.mark.parametrize("told, does", [
    ([{"name": "four", "effect": "detect: redact: email in x"}], ("detect: redact: email in x",)),
    ([{"name": "other", "effect": "detect: deny"}], ("detect: nothing found",)),
])
def test_what_detect_found_comes_from_the_record(told, does):
    config = loaded(RULES)
    (rule,) = config.response_rules
    seen = Seen("on_http_response", "request", 0, rule, [], True, False, {}, {}, NOTHING)

    assert trace_rules(config, [seen], {"rules": told})[-1].does == does


def test_what_a_rule_did_in_words():
    config = loaded(RULES)
    did = Did((), (Collected("pace", "[]", False),), ("x-a: b",), ("x-c",),
              RouteTo(candidates=(Candidate("p", "m", 1),), fallback=(Candidate("q", "n", 1),)), 9)
    seen = Seen("on_http_request", "request", 0, config.rules[0], [], True, False, {}, {}, did)

    assert trace_rules(config, [seen], {"rules": []})[0].does == (
        "collects the limit 'pace' for [] (shadow: not enforced)",
        "adds to the provider  x-a: b", "removes x-c", "routes to p/m, q/n (fallback)",
        "output is at most 9 tokens from here on")
