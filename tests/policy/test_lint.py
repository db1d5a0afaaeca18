"""`fastgw check` beyond errors: rules and names that cannot mean what they say.

Method: small policies; each warning with its place and what it proposes, and policies beside them
about which it must be silent.
"""

import pytest

from fastgw.policy.lint import lint
from tests.policy.configured import PROVIDERS, config

COVERED = "- {name: all, actions: [{type: cap-output, config: {max_output_tokens: 9}}]}\n"
STRICT = """\
models_strict: true
models: [{id: gpt-4o, candidates: [{provider: openai, model: x}, {provider: other, model: y}]}]
"""


def said(rules, more="", **options):
    return [warning.message for warning in lint(config(COVERED + rules, more=more, **options))]


def rule(*expressions, name="r"):
    texts = ", ".join(f'"{text}"' for text in expressions)
    return f"- {{name: {name}, expressions: [{texts}], actions: [{{type: deny}}]}}\n"


@pytest.mark.parametrize("expressions, why, hint", [
    (["ai.operation == 'chats'"], "ai.operation is never 'chats' here", "did you mean 'chat'?"),
    (["ai.dialect == 'anthropic'"], "ai.dialect is never 'anthropic' here",
     "it can be azure, openai"),
    (["ai.provider in ['opena', 'azure']"], "ai.provider is never 'azure' here", "it can be"),
    (["time.hour > 23"], "time.hour is 0 to 23", ""),
    (["ai.n < 1"], "ai.n is 1 or more", ""),
    (["time.hour > 8 && time.hour < 8"], "time.hour is 0 to 23", ""),
    (["ai.user == 'a' && ai.user == 'b'"], "the values exclude each other", "by ||"),
    (["1 > 2"], "it is always false", ""),
    (["ai.stream", "!ai.stream"], None, "join alternatives by ||"),
    (["ai.user == 'a'", "ai.user == 'b'"], None, "join alternatives by ||"),
])
def test_a_rule_that_can_never_match(expressions, why, hint):
    [warning] = lint(config(COVERED + rule(*expressions)))
    assert "the rule 'r' can never match" in warning.message
    assert why is None or warning.message.endswith(why)
    assert hint in (warning.suggestion or "")
    assert warning.key.startswith("policy.on_http_request[1]") and warning.line > 4


def test_a_model_that_a_strict_list_does_not_have():
    assert said(rule("ai.model == 'gpt-4'"), STRICT) == [
        "the rule 'r' can never match: ai.model is never 'gpt-4' here"]
    assert said(rule("ai.model == 'gpt-4'")) == []


def test_an_allow_list_without_any_model():
    models = "- {name: m, actions: [{type: restrict-models, config: {allow: ['claude-*']}}]}\n"
    assert said(models, STRICT) == [
        "the rule 'm' allows 'claude-*', but no model is named so, and models_strict is on"]
    assert said(models.replace("claude", "gpt"), STRICT) == said(models) == []


@pytest.mark.parametrize("text", ["time.hour >= 0", "ai.n >= 1 && req.size >= 0", "1 < 2", "true",
                                  "ai.dialect in ['openai', 'azure']"])
def test_an_expression_that_is_always_true(text):
    [message] = said(rule(text, "ai.user == 'u'"))
    assert message == f"'{text}' is always true"


@pytest.mark.parametrize("earlier, later", [
    ([], ["ai.stream"]),
    (["ai.stream"], ["ai.stream", "ai.user == 'u'"]),
    (["ai.user in ['u', 'v']"], ["ai.user == 'u'"]),
    (["time.hour >= 8", "time.hour <= 18"], ["time.hour == 12"]),
    (["time.hour >= 0 && ai.user == 'u'"], ["ai.user == 'u'"]),
])
def test_a_rule_that_an_earlier_one_hides(earlier, later):
    messages = said(rule(*earlier, name="first") + rule(*later, name="second"))
    assert [m for m in messages if "never reached" in m] == [
        "the rule 'second' is never reached: 'first' (line 8) ends every request that it could "
        "match"]


@pytest.mark.parametrize("earlier, later", [
    (["ai.stream"], ["ai.user == 'u'"]),
    (["ai.user == 'u'"], ["ai.user in ['u', 'v']"]),
    (["ai.user != 'u'"], ["ai.stream"]),
    (["req.headers['x'] == 'a'"], ["req.headers['x'] == 'b'"]),
    (["time.hour > 8"], ["time.hour > 7"]),
])
def test_rules_that_are_reached(earlier, later):
    assert said(rule(*earlier, name="first") + rule(*later, name="second")) == []


def test_a_shadow_rule_hides_nothing():
    shadow = rule(name="first").replace("actions", "enforce: false, actions")
    assert said(shadow + rule("ai.stream", name="second")) == []


@pytest.mark.parametrize("rules, bare", [
    (rule("ai.operation == 'chat'"), ["responses, completions, embeddings of the dialect openai"]),
    (rule("ai.dialect == 'anthropic'"), ["the dialect openai"]),
    # Azure's clients come to the same providers by paths of their own.
    (rule("ai.dialect == 'openai'"), ["the dialect azure"]),
    (rule("ai.operation in ['chat', 'responses', 'completions', 'embeddings']"), []),
    (rule("ai.stream"), []),
    ("", []),
])
def test_what_no_rule_covers(rules, bare):
    messages = [warning.message for warning in lint(config(rules))]
    assert [m for m in messages if "no rule covers" in m] == [
        f"no rule covers {what}: such requests pass without limit" for what in bare]


def test_warnings_stand_in_the_order_of_the_file():
    text = rule("time.hour >= 0", name="a") + rule("ai.operation == 'x'", name="b")
    warnings = lint(config(COVERED + text))
    assert [w.line for w in warnings] == sorted(w.line for w in warnings) and len(warnings) == 2
    assert PROVIDERS.count("\n") < warnings[0].line
