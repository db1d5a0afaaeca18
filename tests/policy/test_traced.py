"""A policy run rule by rule decides what it decides at once, and tells what led to it.

Method: through an in-process worker, with and without a tracer; more rules than records keep.
"""

import pytest

from tests.worker import chat, request, response
from tests.worker import policy as written


@pytest.fixture
def seen(worker):
    """Asks ``rules`` twice, the second time with a tracer: (status, what it saw)."""

    def ask(*rules, fields=(), refused=False):
        def status(one):
            asked = request(chat(), *fields)
            return one.ask(asked, *([] if refused else [response()]))[1].status

        plain = status(worker(policy=written(*rules)))
        one, found = worker(policy=written(*rules)), []
        one.plan.policy.tracer = found.append
        assert status(one) == plain
        return plain, [rule for rule in found if rule.rule is not None]

    return ask


def whole(looked):
    return looked.steps[-1][2].get("value")


def test_variables_are_those_of_each_rule(seen):
    status, (first, second, third) = seen(
        {"actions": [{"type": "set-vars", "config": {"vars": {"a": 1}}}]},
        {"expressions": ["vars.a == 1"],
         "actions": [{"type": "set-vars", "config": {"vars": {"a": 2}}}]},
        {"expressions": ["vars.a == 1"], "actions": [{"type": "deny"}]})

    assert status == 200
    values = [({name: value["value"] for name, value in rule.before.items()},
               {name: value["value"] for name, value in rule.after.items()})
              for rule in (first, second, third)]
    assert values == [({}, {"vars.a": 1}), ({"vars.a": 1}, {"vars.a": 2}),
                      ({"vars.a": 2}, {"vars.a": 2})]
    assert [rule.matched for rule in (first, second, third)] == [True, True, False]


def test_nothing_is_asked_behind_the_rule_that_decides(seen):
    status, rules = seen(
        {"actions": [{"type": "deny", "config": {"status_code": 418, "message": "tea"}}]},
        {"actions": [{"type": "deny"}]}, refused=True)

    assert status == 418
    (only,) = rules
    assert only.ended and (only.did.status, only.did.message) == (418, "tea")


def test_a_whole_map_is_seen(seen):
    _, (rule,) = seen({
        "expressions": ["req.headers.exists(h, h == 'x-one')", "size(key.tags) > 9"],
        "actions": [{"type": "deny"}]}, fields=["x-one: 1"])

    assert [whole(looked) for looked in rule.tried] == [True, False]


def test_an_expression_without_a_value_does_not_hide_a_false_one(seen):
    _, (rule,) = seen({
        "expressions": ["req.headers['x-none'] == 'a'", "ai.n > 5", "true || ai.n == 1"],
        "actions": [{"type": "deny"}]})

    assert [looked.steps[-1][2]["type"] for looked in rule.tried] == ["error", "bool"]
    assert not rule.matched


def test_limits_and_fields_and_ceilings_are_told(seen):
    _, (rule,) = seen({"actions": [
        {"type": "rate-limit", "config": {"name": "pace", "capacity": 9, "per": "1m",
                                          "bucket_key": ["ai.model"]}},
        {"type": "cap-output", "config": {"max_output_tokens": 7}},
        {"type": "add-headers", "config": {"headers": {"x-n": "${ai.n}"}}}]})

    (limit,) = rule.did.collected
    assert (limit.name, limit.enforced) == ("pace", True) and limit.key.startswith('["')
    assert (rule.did.output_max, rule.did.fields) == (7, ("x-n: 1",))


def test_more_rules_than_records_keep_each_tell_what_they_did(seen):
    _, rules = seen(*({"actions": [{"type": "set-vars", "config": {"vars": {f"v{i}": i}}}]}
                      for i in range(30)))

    assert [[act.value for act in rule.did.acts] for rule in rules] == [[1]] * 30
