"""Facts behind the request phase: rules of the answer see what the request phase left.

Method: ``decide_answer`` runs the rules of the response phase over given facts; remembering and
recalling between phases is shown with whole requests in tests/test_sayings.py.
"""

from fastgw.config import examine_text
from fastgw.policy.policy import Policy
from tests.policy.configured import CHAT, PROVIDERS


def built(rules):
    config, errors, _ = examine_text(
        PROVIDERS + "policy:\n  on_http_request:\n"
        "  - actions: [{type: set-vars, config: {vars: {who: x}}}]\n"
        f"  on_http_response:\n{rules}", "f.yaml", {})
    assert errors == []
    return Policy(config)


def test_rules_of_the_answer_read_its_head_and_what_was_set():
    policy = built("  - expressions: ['res.status == 500', \"vars.who == 'me'\"]\n"
                   "    actions: [{type: deny, config: {message: \"${res.headers['x-a']}\"}}]\n")

    result = policy.decide_answer(
        CHAT | {"res.status": 500, "vars.who": "me", "res.headers.x-a": "why"})

    assert (result["denied"], result["body"]) == (True, b"why")
    assert not policy.decide_answer(CHAT | {"res.status": 500, "vars.who": "you"})["denied"]
    assert not policy.decide_answer(CHAT | {"res.status": 200, "vars.who": "me"})["denied"]


def test_results_of_limits_are_facts_of_the_answer():
    policy = built("  - expressions: [actions.rate_limit.limited]\n"
                   "    actions: [{type: deny}]\n")

    assert policy.decide_answer(CHAT | {"actions.rate_limit.limited": True})["denied"]
    assert not policy.decide_answer(CHAT | {"actions.rate_limit.limited": False})["denied"]


def test_rules_that_ask_for_usage_do_not_run_with_the_head():
    policy = built("  - expressions: ['usage.output_tokens > 0']\n"
                   "    actions: [{type: log, config: {metadata: {a: b}}}]\n")

    assert (policy.answers, policy.ends) == (False, True)
    assert policy.decide_answer(CHAT | {"usage.output_tokens": 5})["logs"] == []
