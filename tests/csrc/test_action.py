"""Actions in C, one file each: fgw_action.c and fgw_action_abort.c, fgw_action_addresses.c,
fgw_action_answer.c, fgw_action_deny.c, fgw_action_detect.c, fgw_action_fields.c,
fgw_action_input.c, fgw_action_limit.c, fgw_action_log.c, fgw_action_models.c,
fgw_action_output.c, fgw_action_route.c, fgw_action_vars.c.

Method: each is compiled from a line of YAML and run by ``Policy.decide`` on facts of ours; what it
wrote into effects and facts comes back as a dict. Whole requests: tests/test_sayings.py.
"""

import re
from pathlib import Path

import pytest

from fastgw.errors import Code
from tests.policy.configured import CHAT, policy

FACTS = CHAT | {"ai.input_tokens": 100, "conn.client_ip": "10.1.2.3", "ai.user": "u"}


def rules(*actions):
    return "\n".join(f"- actions: [{action}]" for action in actions)


def decided(*actions, more="", **facts):
    return policy(rules(*actions) + more).decide(FACTS | facts)


def results(action, *names, **facts):
    """What the action leaves, as later rules read it."""
    reads = ", ".join(f"r{i}: '${{actions.{name}}}'" for i, name in enumerate(names))
    written = decided(action, f"{{type: set-vars, config: {{vars: {{{reads}}}}}}}",
                      "{type: deny, enforce: false, config: {message: '"
                      + "".join(f"${{vars.r{i}}}" for i in range(len(names))) + "'}}",
                      **facts)["written"]
    return [written.get(f"vars.r{i}") for i in range(len(names))]


def test_the_codes_of_the_actions_are_those_of_the_catalogue():
    text = (Path(__file__).parents[2] / "csrc" / "fgw_action.h").read_text()
    found = {name: int(number) for name, number in re.findall(r"FGW_CODE_(\w+) = (\d+)", text)}

    assert found and all(Code[name] == number for name, number in found.items())


@pytest.mark.parametrize(("address", "action", "cidr"), [
    ("10.1.2.3", "allow", "10.0.0.0/8"),
    ("10.1.9.9", "deny", "10.1.9.0/24"),
    ("192.0.2.1", "deny", ""),
    ("2001:db8::1", "allow", "2001:db8::/32"),
    ("::ffff:10.1.2.3", "allow", "10.0.0.0/8"),
    ("not an address", "deny", ""),
])
def test_restrict_ips_says_which_block_decided(address, action, cidr):
    text = ('{type: restrict-ips, enforce: false, config: '
            '{allow: [10.0.0.0/8, "2001:db8::/32"], deny: [10.1.9.0/24]}}')

    assert results(text, "restrict_ips.action", "restrict_ips.matched_cidr",
                   **{"conn.client_ip": address}) == [action, cidr]


def test_only_denied_blocks_let_all_others_in():
    text = "{type: restrict-ips, config: {deny: [10.0.0.0/8]}}"

    assert decided(text)["code"] == 605
    assert not decided(text, **{"conn.client_ip": "11.0.0.1"})["denied"]


@pytest.mark.parametrize(("most", "denied"), [(99, True), (100, False)])
def test_cap_input_looks_at_the_estimate(most, denied):
    result = decided(f"{{type: cap-input, config: {{max_input_tokens: {most}}}}}")

    assert (result["denied"], result["code"]) == (denied, 606 if denied else 0)
    assert results(f"{{type: cap-input, enforce: false, config: {{max_input_tokens: {most}}}}}",
                   "cap_input.exceeded", "cap_input.input_tokens") == [denied, 100]


def test_cap_output_leaves_the_ceiling_in_force():
    text = "{type: cap-output, config: {max_output_tokens: 50}}"

    assert results(text, "cap_output.max_output_tokens") == [50]
    assert results(text, "cap_output.max_output_tokens", **{"ai.max_output_tokens": 7}) == [7]


def test_of_several_routes_the_last_wins():
    result = decided("{type: route, config: {provider: openai}}",
                     "{type: route, config: {provider: other}}")

    assert result["route"] == 2


def test_results_of_what_only_says_something():
    assert results("{type: route, config: {provider: other, model: m}}", "route.provider",
                   "route.model") == ["other", "m"]
    assert results("{type: on-abort, config: {then: cancel}}", "on_abort.action") == ["cancel"]
    assert results("{type: on-abort, config: {then: drain}}", "on_abort.action") == ["drain"]
    assert results("{type: log, config: {metadata: {a: b}}}", "log.logged") == [True]
    assert results("{type: set-vars, config: {vars: {a: 1}}}", "set_vars.set") == [1]
    assert results("{type: remove-headers, config: {headers: [a, b]}}",
                   "remove_headers.removed") == [2]
    assert results("{type: add-headers, config: {headers: {a: b, c: \"${req.headers['x']}\"}}}",
                   "add_headers.added", "add_headers.refused") == [1, 1]
    assert results("{type: deny, enforce: false}", "deny.denied") == [True]
    assert results("{type: custom-response, enforce: false}", "custom_response.answered") == [True]
    assert results("{type: restrict-models, enforce: false, config: {allow: [o3]}}",
                   "restrict_models.restricted") == [True]


def test_a_result_is_absent_before_its_action_has_run():
    built = policy(
        '- {expressions: ["ai.n == 2"], actions: [{type: cap-output, '
        'config: {max_output_tokens: 5}}]}\n'
        '- {expressions: ["has(actions.cap_output.max_output_tokens)"], actions: [{type: deny}]}')

    assert not built.decide(FACTS | {"ai.n": 1})["denied"]
    assert built.decide(FACTS | {"ai.n": 2})["denied"]


def test_actions_of_ngrok_s_names_are_the_same():
    built = policy(
        "- actions: [{type: restrict-ips, config: {allow: [10.0.0.0/8]}}]\n"
        "- expressions: [\"actions.ngrok.restrict_ips.matched_cidr == '10.0.0.0/8'\"]\n"
        "  actions: [{type: deny}]")

    assert built.decide(FACTS)["denied"]


def test_a_text_with_an_absent_part_has_the_rest():
    result = decided("{type: deny, config: {message: \"a${req.headers['x']}b\"}}")

    assert (result["spoken"], result["body"]) == (True, b"ab")


def test_a_failed_variable_is_absent_and_recorded():
    result = decided("{type: set-vars, config: {vars: {a: \"${req.headers['x']}\"}}}",
                     "{type: deny, enforce: false, config: {message: '${vars.a}'}}")

    assert result["written"] == {}
    assert [rule["code"] for rule in result["rules"]] == [603, 601]


def test_at_most_eight_logs_of_one_request():
    result = decided(*["{type: log, config: {metadata: {a: b}}}"] * 9)

    assert len(result["logs"]) == 8
    assert [rule["code"] for rule in result["rules"]] == [0] * 8 + [603]


def test_more_lists_of_removed_fields_than_fit_fail_closed():
    result = decided(*["{type: remove-headers, config: {headers: [a]}}"] * 9)

    assert (result["denied"], result["code"], len(result["removed"])) == (True, 603, 8)


def test_fields_that_find_no_room_are_left_out():
    value = "v" * 4000
    result = decided(*[f"{{type: add-headers, config: {{headers: {{x-{i}: {value}}}}}}}"
                       for i in range(3)])

    assert result["fields"].count(b"\r\n") == 2
    assert [rule["code"] for rule in result["rules"]] == [0, 0, 607]


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\x7f", "a\r\nb: c"])
def test_no_control_byte_gets_into_a_field(bad):
    result = decided("{type: add-headers, config: {headers: {x-user: '${ai.user}'}}}",
                     **{"ai.user": bad})

    assert result["fields"] == b""
    assert result["rules"][0]["code"] == 607


def test_a_custom_response_forgets_what_a_provider_was_to_be_told():
    result = decided("{type: add-headers, config: {headers: {x-a: '1'}}}",
                     "{type: custom-response, config: {headers: {x-b: '2'}, body: hello}}")

    assert result["fields"].startswith(b"x-b: 2\r\n") and b"x-a" not in result["fields"]
    assert (result["status"], result["code"], result["body"]) == (200, 604, b"hello")


def test_limits_are_collected_and_nothing_else():
    result = decided("{type: rate-limit, config: {name: p, capacity: 5, per: 1s, "
                     "bucket_key: [ai.user, key.id]}}")

    assert [one["key"] for one in result["demands"]] == ['["u","a"]']
    assert result["shadows"] == 0
