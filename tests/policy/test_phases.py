"""What an expression may read by where it stands.

Method: configurations that read a name in each place; those that load are counted, of the others
the error is looked at.
"""

import pytest

from fastgw.config import examine_text
from fastgw.errors import ConfigError
from fastgw.policy.check import check
from fastgw.policy.policy import Policy
from tests.policy.configured import PROVIDERS

SET = """
  - actions: [{type: set-vars, config: {vars: {tier: "${key.tags.tier}", n: 7}}}]
"""
PLACES = {
    "request": "policy:\n  on_http_request:" + SET + "  - expressions: ['%s']\n",
    "response": "policy:\n  on_http_request:" + SET
                + "  on_http_response:\n  - expressions: ['%s']\n",
    "look": "policy:\n  on_http_request:" + SET + "  on_http_response:\n  - expressions: ['%s']\n"
            "    actions: [{type: detect, config: {kinds: [email], then: log}}]\n",
    "log": "policy:\n  on_http_request:" + SET
           + "  - actions: [{type: log, config: {metadata: {x: '${%s}'}}}]\n",
    "fields": "policy:\n  on_http_request:" + SET + "  on_http_response:\n"
              "  - actions: [{type: add-headers, config: {headers: {x: '${%s}'}}}]\n",
}
READS = {
    'res.status >= 500': {"response", "log", "fields"},
    'res.headers["x-a"] == "b"': {"response", "log", "fields"},
    'upstream.provider == "a"': {"response", "log", "fields"},
    'usage.input_tokens > 1': {"response", "log"},
    'usage.cost > 0.5': {"response", "log"},
    'vars.tier == "free"': {"request", "look", "response", "log", "fields"},
    'vars.n == 7': {"request", "look", "response", "log", "fields"},
    'actions.rate_limit.limited': {"response", "log", "fields"},
    'actions.detect.found': {"response", "log", "fields"},
    '"email" in actions.detect.kinds': {"response", "log", "fields"},
    'actions.usage_cap.used > 1': {"response", "log", "fields"},
    'actions.ngrok.rate_limit.limited': {"response", "log", "fields"},
    'actions.restrict_ips.action == "deny"': {"request", "look", "response", "log", "fields"},
    'ai.model == "a"': {"request", "look", "response", "log", "fields"},
    'vars.nobody == 1': set(),
    'actions.rate_limit.nothing == 1': set(),
}


def errors_of(text, tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text(PROVIDERS + text)
    return check(file, {})[0]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("place", PLACES)
def test_a_name_is_read_where_it_is_known_and_nowhere_else(read, place, tmp_path):
    text = PLACES[place] % read
    errors = errors_of(text, tmp_path)
    config, _, _ = examine_text(PROVIDERS + text, "f.yaml", {})

    assert (not errors) == (place in READS[read]), errors
    if errors:
        with pytest.raises(ConfigError):
            Policy(config)
    else:
        Policy(config)


def test_a_rule_that_asks_for_usage_cannot_act_on_the_answer(tmp_path):
    text = ("policy:\n  on_http_response:\n  - expressions: ['usage.cost > 1.0']\n"
            "    actions: [{type: deny}]\n")
    (error,) = errors_of(text, tmp_path)

    assert "known when the answer is whole" in error.message
    assert "log and set-vars" in error.suggestion


def test_the_type_of_a_variable_is_looked_at(tmp_path):
    (error,) = errors_of(PLACES["request"] % 'vars.n == "x"', tmp_path)

    assert "string" in error.message and "int" in error.message


def test_a_variable_of_two_types_is_looked_at_when_it_is_read(tmp_path):
    text = PLACES["request"].replace("n: 7}}}]\n", "n: 7}}}, "
                                     "{type: set-vars, config: {vars: {n: x}}}]\n")

    assert errors_of(text % 'vars.n == "x"', tmp_path) == []


def test_a_list_is_no_variable(tmp_path):
    text = "policy:\n  on_http_request:\n" \
           "  - actions: [{type: set-vars, config: {vars: {a: \"${['x']}\"}}}]\n"
    (error,) = errors_of(text, tmp_path)

    assert "a variable cannot be" in error.message


@pytest.mark.parametrize("read", ["res.status >= 500", "actions.detect.found",
                                  "actions.rate_limit.limited", 'upstream.provider == "a"'])
def test_what_detect_looks_at_cannot_depend_on_the_answer(read, tmp_path):
    (error,) = errors_of(PLACES["look"] % read, tmp_path)

    assert "known" in error.message
    assert "decided with the request" in error.suggestion
    assert "on_http_response" not in error.suggestion
