"""Actions of a configuration as csrc/fgw_action.h has them, with fastgw.policy.late behind them.

Method: what a policy kept for later is looked at through its attributes; what the actions do is
in tests/csrc/test_action.py, and late.pyx (remember, recall, results of limits) is run by whole
requests in tests/test_sayings.py.
"""

from dataclasses import replace

import pytest

from fastgw.errors import ConfigError
from fastgw.policy.policy import Policy
from tests.policy.configured import CHAT, config, policy

FACTS = CHAT | {"ai.user": "u"}


def test_a_policy_of_plain_rules_says_nothing_more():
    built = policy("- actions: [{type: deny, config: {message: no}}, "
                   "{type: cap-output, config: {max_output_tokens: 1}}]")

    assert (built.says, built.answers, built.ends) == (False, False, False)
    assert built.messages == (b"no",)


@pytest.mark.parametrize("action", [
    "{type: deny, enforce: false}", "{type: deny, config: {message: '${ai.model}'}}",
    "{type: custom-response}", "{type: log, config: {metadata: {a: b}}}",
    "{type: cap-input, config: {max_input_tokens: 1}}",
])
def test_whatever_may_say_more_is_known_at_load(action):
    assert policy(f"- actions: [{action}]").says


def test_routes_removals_and_logs_are_kept_in_their_order():
    built = policy("- actions: [{type: route, config: {provider: other}}, "
                   "{type: remove-headers, config: {headers: [X-A, x-b]}}]\n"
                   "- {name: l, actions: [{type: log, config: {metadata: {a: b}}}]}")

    assert [route.provider for route in built.routes] == ["other"]
    assert built.removals == ((b"x-a", b"x-b"),)
    assert [rule for rule, _ in built.logs] == ["l"]


@pytest.mark.parametrize(("body", "type"), [
    ('{"a": 1}', b"application/json"), ("[1]", b"application/json"),
    ("hello", b"text/plain; charset=utf-8"),
])
def test_the_type_of_an_answer_is_told_by_its_first_character(body, type):
    result = policy(f"- actions: [{{type: custom-response, config: {{body: '{body}'}}}}]"
                    ).decide(FACTS)

    assert result["fields"] == b"content-type: " + type + b"\r\n"


def test_a_given_type_stays():
    result = policy("- actions: [{type: custom-response, config: {body: '<p>', "
                    "headers: {Content-Type: text/html}}}]").decide(FACTS)

    assert result["fields"] == b"content-type: text/html\r\n"


def test_variables_of_yaml_have_their_types():
    built = policy("- actions: [{type: set-vars, config: {vars: [{i: 3}, {b: true}, {d: 1.5}, "
                   "{s: '3'}]}}]\n"
                   "- expressions: ['vars.i + 1 == 4', 'vars.b', 'vars.d < 2.0', "
                   "\"vars.s == '3'\"]\n"
                   "  actions: [{type: deny}]")

    assert built.decide(FACTS)["denied"]


def test_a_variable_that_nobody_reads_takes_no_place():
    built = policy("- actions: [{type: set-vars, config: {vars: {a: '1', b: '2'}}}]\n"
                   "- {expressions: [\"vars.b == '2'\"], actions: [{type: deny}]}")

    assert built.dynamic_facts == (("vars", "b"),)
    assert built.decide(FACTS)["denied"]


def test_rules_of_the_answer_see_variables_and_results():
    built = policy(
        "- actions: [{type: set-vars, config: {vars: {a: '1'}}}]",
        more="")

    assert built.answers is False
    with pytest.raises(ConfigError):
        policy("- expressions: [\"vars.zz == '1'\"]")


def test_shadow_and_enforced_limits_of_one_name_stay_two():
    built = policy("- actions: [{type: rate-limit, config: {name: p, capacity: 1, per: 1s}}]\n"
                   "- enforce: false\n"
                   "  actions: [{type: rate-limit, config: {name: p, capacity: 9, per: 1s}}]")

    assert [(limit.capacity, limit.enforced) for limit in built.limits] == [(1, True), (9, False)]


def test_equal_messages_routes_and_removals_are_kept_once():
    built = policy("".join(
        f"- expressions: [\"ai.model == 'm{i}'\"]\n"
        f"  actions: [{{type: deny, config: {{message: no {i % 2}}}}}]\n"
        f"- actions: [{{type: route, config: {{provider: {('openai', 'other')[i % 2]}}}}}]\n"
        f"- actions: [{{type: remove-headers, config: {{headers: [x-{i % 3}]}}}}]\n"
        for i in range(6)))

    assert built.messages == (b"no 0", b"no 1") and len(built.routes) == 2
    assert built.removals == ((b"x-0",), (b"x-1",), (b"x-2",))
    for i in range(6):
        decided = built.decide(FACTS | {"ai.model": f"m{i}"})
        assert decided["message"] == f"no {i % 2}"


def test_more_messages_than_sixteen_bits_count_are_told_apart():
    base = config("- {expressions: [ai.n == 99], actions: [{type: deny, config: {message: a}}]}\n"
                  "- {actions: [{type: deny, config: {message: the last}}]}")
    many, last = base.rules
    denial = many.actions[0]
    built = Policy(replace(base, rules=[replace(many, actions=tuple(
        replace(denial, message=replace(denial.message, text=f"no {i}"))
        for i in range(65_536))), last]))

    assert built.decide(FACTS | {"ai.n": 1})["message"] == "the last"
    assert built.decide(FACTS | {"ai.n": 99})["message"] == "no 0"


@pytest.mark.parametrize("key", ["dyn(ai.n)", "[ai.user, ai.n][0]", "vars.x"])
def test_a_bucket_key_of_no_known_type_is_refused_with_the_remedy(key):
    """A double, list or map would stand in the bucket of all that have no value."""
    with pytest.raises(ConfigError, match="known only when it is evaluated") as error:
        policy("- actions: [{type: set-vars, config: {vars: {x: 'a'}}}]\n"
               "- actions: [{type: set-vars, config: {vars: {x: 1.5}}}]\n"
               f"- actions: [{{type: rate-limit, config: {{name: p, capacity: 1, per: 1s, "
               f"bucket_key: ['{key}']}}}}]")
    assert error.value.suggestion == f"string({key}) is a text"

    policy("- actions: [{type: rate-limit, config: {name: p, capacity: 1, per: 1s, "
           "bucket_key: ['string(dyn(ai.n))']}}]")
