"""Policies of many rules decide as if each rule were asked: the index only leaves out work.

Method: random policies are compiled twice, once with the index forbidden; both decide the same
random requests. What may differ is only how many rules are named that have no value because a fact
is absent. Then the work: of thousands of rules few are candidates.
"""

import random
from dataclasses import replace

import pytest

from fastgw.policy import policy as room
from fastgw.policy.candidates import candidates
from fastgw.policy.evaluate import facts_in_order
from fastgw.policy.policy import Policy
from fastgw.policy.scope import Scope
from tests.policy.configured import config, policy

MODELS = ["gpt-4o", "gpt-4o-mini", "claude-x", "o1", "gpt"]
TESTS = [
    "ai.model == '{model}'", "ai.model.startsWith('{model}')", "ai.model in ['{model}', 'o1']",
    "ai.n == {n}", "ai.n > {n}", "ai.n <= {n}", "ai.n in [{n}, 3]", "ai.stream", "!ai.stream",
    "ai.model != '{model}'", "ai.model.glob('{model}*')", "ai.model.matches('^{model}$')",
    "has(key.tags.tier)", "key.tags.tier == '{tier}'", "has(key.tags.tier) && ai.n >= {n}",
    "'x-a' in req.headers && req.headers['x-a'] == '{tier}'", "req.headers['x-a'] == '{tier}'",
    "conn.client_ip in cidr('10.{n}.0.0/16')", "conn.client_ip in cidr('2001:db8::/3{n}')",
    "ai.model.endsWith('mini')", "ai.n + 1 == {n}", "req.size >= {n}00 && req.size < {n}50",
]
ACTIONS = ["{type: cap-output, config: {max_output_tokens: %d}}", "{type: deny}",
           "{type: restrict-models, config: {deny: [claude-*]}}"]


def condition(rng, depth=2):
    if depth and rng.random() < 0.4:
        op = rng.choice([" && ", " || "])
        return "(" + op.join(condition(rng, depth - 1) for _ in range(2)) + ")"
    return rng.choice(TESTS).format(model=rng.choice(MODELS), n=rng.randrange(5),
                                    tier=rng.choice("xyz"))


def rules(rng, count):
    text = ""
    for i in range(count):
        asked = [condition(rng) for _ in range(rng.choice([1, 1, 2, 3]))]
        action = rng.choices(ACTIONS, [8, 1, 1])[0].replace("%d", str(rng.randint(1, 999)))
        quoted = ", ".join(f'"{one}"' for one in asked)
        text += f"- {{name: r{i}, expressions: [{quoted}], actions: [{action}]}}\n"
    return text


def request(rng):
    facts = {"req.method": "POST", "ai.operation": "chat", "ai.model": rng.choice(MODELS),
             "ai.n": rng.randrange(5), "ai.stream": rng.random() < 0.5, "key.id": "a",
             "req.size": rng.randrange(500),
             "conn.client_ip": rng.choice(["10.1.2.3", "10.4.0.1", "2001:db8::1", "::1"])}
    if rng.random() < 0.6:
        facts["key.tags.tier"] = rng.choice("xyz")
    if rng.random() < 0.6:
        facts["req.headers.x-a"] = rng.choice("xyz")
    return facts


def told(decision):
    """A decision without what differs: rules that have no value."""
    said = dict(decision)
    del said["rules_total"]
    said["rules"] = [entry for entry in said["rules"] if entry["action"] or not entry["code"]]
    return said


@pytest.mark.parametrize("seed", range(12))
def test_a_policy_decides_as_if_each_rule_were_asked(monkeypatch, seed):
    rng = random.Random(seed)
    text = rules(rng, rng.choice([16, 30, 60]))
    indexed = policy(text)
    monkeypatch.setattr(room, "INDEXED_RULES", 1 << 30)
    asked = policy(text)

    assert indexed.index.slots > 0 and asked.index.slots == 0
    for _ in range(60):
        facts = request(rng)
        assert told(indexed.decide(facts)) == told(asked.decide(facts)), facts


def test_a_false_expression_decides_where_another_has_no_value():
    """So the order of expressions does not matter, as it does not in `&&`."""
    decide = policy("""
- {name: a, expressions: ["key.tags.x == 'y'", "ai.model == 'no'"], actions: [{type: deny}]}
- {name: b, expressions: ["key.tags.x == 'y'", "ai.model == 'm'"], actions: [{type: deny}]}
""").decide({"ai.model": "m"})

    assert [(entry["rule"], entry["code"] > 0) for entry in decide["rules"]] == [("b", True)]
    assert not decide["denied"]


def test_only_many_rules_are_indexed():
    few = policy(rules(random.Random(1), room.INDEXED_RULES - 1))
    many = policy(rules(random.Random(1), room.INDEXED_RULES))

    assert few.index.slots == 0 and many.index.slots > 0
    assert few.blob.programs > 0


def test_of_thousands_of_rules_a_few_are_asked():
    base = config("- {name: r, expressions: [\"ai.model == 'm'\"], actions: [{type: deny}]}\n")
    rule = base.rules[0]
    text = rule.expressions[0]
    base = replace(base, rules=[
        replace(rule, name=f"r{i}", expressions=(
            replace(text, text=f"ai.model == 'm{i % 40}'"),
            replace(text, text=f"key.tags.tier == 't{i // 40}' && ai.n >= 0")))
        for i in range(2000)])
    built = Policy(base)
    facts = {"ai.model": "m7", "key.tags.tier": "t31", "ai.n": 1}

    scope = Scope()
    scope.dynamic += built.dynamic_facts

    assert built.index.always == 0 and built.blob.programs < 100  # for 4,000 expressions
    found = candidates(built.blob.index_bytes, facts_in_order(scope, facts))
    assert found == [31 * 40 + 7]
    assert built.decide(facts)["rule"] == "r1247"
    assert not built.decide(facts | {"ai.model": "m40"})["denied"]


@pytest.mark.parametrize("asked, warned", [
    ("ai.model.endsWith('{i}')", True), ("ai.model == '{i}'", False)])
def test_many_rules_that_no_index_can_leave_out_are_warned_of(asked, warned):
    text = "".join(f"- {{name: r{i}, expressions: [\"{asked.format(i=i)}\"], "
                   "actions: [{type: deny}]}\n" for i in range(room.ALWAYS_MANY))
    said = [str(warning) for warning in policy(text).warnings]

    assert any("100 of 100 rules are tested on every request" in one for one in said) == warned
