"""What the config of an action may say, and what a rule may not write into a head.

Method: configurations of a few lines; one mistake at a time is tests/config/broken_actions.py,
policies of ngrok's documentation are loaded whole in tests/journey/test_actions.py.
"""

import ipaddress

import pytest

from fastgw.config import examine_text
from fastgw.config.actions import ELSEWHERE, EVENT, PHASES, forbidden
from fastgw.config.schema import ACTIONS
from tests.policy.configured import config


def test_every_action_stands_in_some_phase():
    assert {kind for kinds in PHASES.values() for kind in kinds} >= set(ACTIONS)


@pytest.mark.parametrize(("phase", "kind"), [
    ("on_http_response", "{type: route, config: {provider: openai}}"),
    ("on_http_response", "{type: rate-limit, config: {name: a, capacity: 1, per: 1s}}"),
    (EVENT, "{type: deny}"),
])
def test_an_action_in_the_wrong_phase_says_where_it_belongs(phase, kind):
    _, errors, _ = examine_text(
        "providers: [{id: openai, dialect: openai, base_url: 'http://[::1]:1'}]\n"
        f"policy: {{{phase}: [{{actions: [{kind}]}}]}}\n", "f.yaml", {})

    (error,) = errors
    assert error.key == f"policy.{phase}[0].actions[0].type"
    assert "does not act in" in error.message and "on_http_request" in error.suggestion


def test_set_cookie_of_a_provider_may_be_removed():
    assert forbidden("set-cookie", adding=False) == ""


def test_blocks_are_read_as_they_are_meant():
    loaded = config("- actions: [{type: restrict-ips, config: {allow: [10.0.0.1], "
                    "deny: ['2001:db8::/32']}}]")
    (restrict,) = loaded.rules[0].actions

    assert restrict.allow == (("10.0.0.1", ipaddress.ip_network("10.0.0.1/32")),)
    assert restrict.deny[0][0] == "2001:db8::/32"


def test_a_block_that_begins_inside_of_itself_is_a_warning():
    _, _, warnings = examine_text(
        "providers: [{id: openai, dialect: openai, base_url: 'http://[::1]:1'}]\n"
        "policy: {on_http_request: [{actions: [{type: restrict-ips, "
        "config: {allow: [10.0.0.1/8]}}]}]}\n", "f.yaml", {})

    assert any("begins inside" in warning.message for warning in warnings)


# ngrok's documentation, as ../shared/PEERS.md section 1 has it: every action of its grammar.
OF_NGROK = ("close-connection", "custom-response", "deny", "forward-internal", "rate-limit",
            "restrict-ips", "circuit-breaker", "sse-find-replace", "ai-gateway", "log", "set-vars",
            "add-headers", "remove-headers")


@pytest.mark.parametrize("kind", OF_NGROK)
def test_every_action_of_ngrok_is_one_here_or_says_what_to_write_instead(kind):
    _, errors, _ = examine_text(
        "providers: [{id: openai, dialect: openai, base_url: 'http://[::1]:1'}]\n"
        f"policy: {{on_http_request: [{{actions: [{{type: {kind}}}]}}]}}\n", "f.yaml", {})

    said = [error for error in errors if error.key.endswith(".type")]
    assert (kind in ACTIONS) == (said == [])
    if said:
        assert "no action of this gateway" in said[0].message and said[0].suggestion
    assert (kind in ACTIONS) != (kind in ELSEWHERE)


@pytest.mark.parametrize("phase, action, remedy", [
    ("on_http_request", "type: circuit-breaker, config: {error_threshold: 0.5, tripped_duration: "
     "10s}", "breaker"),
    ("on_event_stream_message", "type: sse-find-replace, config: {replacements: [{field: data, "
     "from: '[0-9]', to: x}]}", "then: redact"),
    ("on_http_request", "type: ai-gateway, config: {max_input_tokens: 4096, providers: []}",
     "`route`"),
    ("on_http_request", "type: forward-internal, config: {url: 'https://a.internal'}",
     "providers"),
    ("on_http_request", "type: restrict-ips, config: {ip_policies: [ipp_1]}", "blocks"),
])
def test_what_belongs_to_its_network_is_one_error_with_a_remedy(phase, action, remedy):
    _, errors, _ = examine_text(
        "providers: [{id: openai, dialect: openai, base_url: 'http://[::1]:1'}]\n"
        f"policy: {{{phase}: [{{actions: [{{{action}}}]}}]}}\n", "f.yaml", {})

    (error,) = errors
    assert remedy in error.suggestion and error.key.startswith(f"policy.{phase}[0].actions[0]")
