"""Every part of an expression with its value, as the machine found it.

Method: expressions over given facts; what is shown beside what CEL says it is.
"""

from types import SimpleNamespace

import pytest

from fastgw.config import examine_text
from fastgw.config.model import Expression, Place, Rule
from fastgw.policy.bindings import Bindings
from fastgw.policy.compiler import compile_whole
from fastgw.policy.tracing import trace_rules as policy_trace
from fastgw.rehearsal.trace import show, trace_rules

PLACE = Place("f.yaml", 1, 1, "e")
ALLOWED = {"verdict": "allow", "code": None, "rules": []}


def tried(text, **facts):
    bindings = Bindings({name.replace("_", "."): facts[name] for name in facts})
    rule = Rule("r", (Expression(text, PLACE),), (), PLACE)
    steps = {}
    compile_whole(text, bindings.scope)  # names the facts
    policy_trace([rule], bindings.scope, bindings.facts, bindings.sources,
                 lambda rule, number, seen: steps.update({(rule, number): seen}))
    [trace] = trace_rules(SimpleNamespace(rules=[rule]), steps, ALLOWED)
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
    assert [values[0].startswith("no value: ") for values in parts.values()] in ([], [True])


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
policy:
  on_http_request:
    - {name: one, expressions: ["time.hour < 6"], actions: [{type: deny}]}
    - {name: two, expressions: ["true", "true", "true"], actions: [{type: deny}]}
    - {name: three, actions: [{type: deny}]}
"""


def test_rules_until_the_one_that_ends_it():
    config, errors, _ = examine_text(CONFIG, "f.yaml", {})
    assert not errors
    decision = {"verdict": "deny", "code": "FGW-601", "rules": [{"name": "two", "matched": True}]}
    true, false = ({"type": "bool", "value": value} for value in (True, False))
    steps = {(0, 0): [(0, 13, false)], (1, 0): [(0, 4, true)], (1, 1): [(0, 4, false)],
             (1, 2): [(0, 4, true)], (2, 0): [(0, 4, true)]}
    one, two, three = trace_rules(config, steps, decision)
    assert (one.matched, one.reached, one.line) == (False, True, 5)
    assert [tried.value for tried in two.expressions] == ["true", "false"]
    assert (two.matched, three.reached, three.expressions) == (True, False, ())
