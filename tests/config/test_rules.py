"""Rules of all phases: names are unique over them, and each action becomes its part of the model.

Method: configurations of a few lines; what is wrong in them is in tests/config/test_actions.py and
tests/policy/test_check_rules.py.
"""

from fastgw.config import examine_text
from fastgw.config.load import canonical_content
from fastgw.config.model import CustomResponse, LogMetadata, RestrictIps, RouteTo, SetVars
from tests.policy.configured import PROVIDERS, config


def test_two_rules_of_different_phases_cannot_share_a_name():
    _, errors, _ = examine_text(
        PROVIDERS + "policy:\n  on_http_request: [{name: r, actions: [{type: deny}]}]\n"
        "  on_http_response: [{name: r, actions: [{type: deny}]}]\n", "f.yaml", {})

    (error,) = errors
    assert "two rules are named 'r'" in error.message
    assert error.key == "policy.on_http_response[0].name"


def test_rules_without_a_name_are_named_by_phase_and_place():
    loaded, _, _ = examine_text(
        PROVIDERS + "policy: {on_http_response: [{actions: [{type: deny}]}]}\n", "f.yaml", {})

    assert [rule.name for rule in loaded.response_rules] == ["on_http_response[0]"]


def test_each_action_becomes_what_it_says():
    rule = config("""
- actions:
  - {type: custom-response, config: {status_code: 418, headers: {a: b}, body: "x ${ai.n}"}}
  - {type: restrict-ips, config: {allow: [10.0.0.0/8]}}
  - {type: route, config: {candidates: [{provider: openai, model: m, weight: 3}],
                           fallback: [{provider: other, model: n}]}}
  - {type: set-vars, config: {vars: [{a: 1}, {b: x}]}}
  - {type: log, enforce: false, config: {metadata: {a: "${ai.n}"}}}
""").rules[0]
    answer, addresses, route, variables, log = rule.actions

    assert isinstance(answer, CustomResponse) and answer.body.text == "x ${ai.n}"
    assert isinstance(addresses, RestrictIps) and addresses.deny == ()
    assert isinstance(route, RouteTo) and route.candidates[0].weight == 3
    assert isinstance(variables, SetVars)
    assert {name: value.text for name, value in variables.vars.items()} == {"a": "${1}", "b": "x"}
    assert isinstance(log, LogMetadata) and not log.enforce


def test_the_version_changes_with_every_part_of_an_action():
    texts = [
        "{type: custom-response, config: {body: a}}", "{type: custom-response, config: {body: b}}",
        "{type: restrict-ips, config: {allow: [10.0.0.0/8]}}",
        "{type: restrict-ips, config: {allow: [11.0.0.0/8]}}",
        "{type: set-vars, config: {vars: {a: 1}}}", "{type: set-vars, config: {vars: {a: '1'}}}",
        "{type: route, config: {provider: openai}}", "{type: route, config: {provider: other}}",
    ]

    versions = {config(f"- actions: [{text}]").version for text in texts}

    assert len(versions) == len(texts)


def test_the_content_that_people_see_names_every_action():
    loaded = config("- actions: [{type: restrict-ips, config: {allow: [10.0.0.0/8]}}, "
                    "{type: on-abort, config: {then: cancel}}]")

    shown = canonical_content(loaded.rules)[0]["actions"]

    assert [one["type"] for one in shown] == ["restrict-ips", "on-abort"]
    assert shown[0]["allow"] == [["10.0.0.0/8", "10.0.0.0/8"]]
