"""The operator's own patterns: what can be looked for in a stream, and what is told of the rest.

Method: what is found is what Python's `re` finds in the whole text (its leftmost match, the
longest of it), for every cut of the text into two events and for random ones.
"""

import random
import re

import orjson
import pytest

from fastgw.config import examine_text
from fastgw.errors import ConfigError
from fastgw.policy.patterns import PatternError, compile_pattern
from fastgw.policy.policy import Policy
from tests.worker import DONE, Worker, chat, chunked, event, request, response, stream_head

SEED = 20261121
PATTERNS = {
    "badge": (r"EMP-\d{6}", "his EMP-123456, EMP-12345 and xEMP-9999999."),
    "word": (r"\bproject x\b", "project x, project xy, aproject x; project x"),
    "names": (r"(?i)acme(?:-corp|co)?", "ACME acme-corp AcmeCo acm acme-cor"),
    "long": (r"[A-Z]{2}\d+", "AB1 CD22 EF345678901 G1 HIJ22"),
    "wide": (r"geheim[äöü]+\d", "geheimäö1 geheimä geheim1 geheimü7"),
    "dots": (r"id=\w{3,8}", "id=ab id=abc id=abcdefghij, id=äbc"),
}


def policy_of(patterns, then="redact", phase="on_http_request"):
    return {phase: [{"name": "own", "actions": [{"type": "detect", "config": {
        "patterns": patterns, "then": then}}]}]}


def expected(name, pattern, text):
    return re.sub(pattern, f"[REDACTED:{name}]", text, flags=re.ASCII)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_request_is_redacted_as_re_finds_it(tmp_path, name):
    pattern, text = PATTERNS[name]
    one = Worker(tmp_path, policy=policy_of({name: pattern}))
    got, _ = one.ask(request(chat(messages=[{"role": "user", "content": text}])), response())
    sent = orjson.loads(got.partition(b"\r\n\r\n")[2])["messages"][0]["content"]
    assert sent == expected(name, pattern, text)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_stream_is_redacted_the_same_in_any_cut(tmp_path, name):
    pattern, text = PATTERNS[name]
    one = Worker(tmp_path, policy=policy_of({name: pattern}, phase="on_event_stream_message"))
    draw = random.Random(SEED)
    cuts = [[at] for at in range(1, len(text))]
    cuts += [sorted(draw.sample(range(1, len(text)), 9)) for _ in range(20)]
    for cut in cuts:
        edges = [0, *cut, len(text)]
        events = [event({"choices": [{"index": 0, "delta": {"content": text[a:b]}}]})
                  for a, b in zip(edges, edges[1:], strict=False)]
        client = one.connect()
        client.feed(request(chat(stream=True)))
        one.upstream.feed(stream_head() + chunked(*events, DONE, b""))
        said = "".join(
            orjson.loads(block[6:])["choices"][0]["delta"]["content"]
            for block in client.answer().body.split(b"\n\n") if block.startswith(b"data: {"))
        client.end()
        one.records()
        assert said == expected(name, pattern, text), cut


def test_patterns_stand_beside_kinds_and_are_named_in_refusals(tmp_path):
    rule = policy_of({"badge": r"EMP-\d{6}"}, "deny")
    rule["on_http_request"][0]["actions"][0]["config"]["kinds"] = ["email"]
    one = Worker(tmp_path, policy=rule)
    body = chat(messages=[{"role": "user", "content": "EMP-123456 a@b.org"}])
    _, answer = one.ask(request(body))
    message = orjson.loads(answer.body)["error"]["message"]
    assert "email in messages[0].content, badge in messages[0].content" in message
    assert "EMP" not in message


@pytest.mark.parametrize(("pattern", "why"), [
    (r"a\bb", "inside a pattern"), (r"^a", "inside a pattern"), (r"(a$)", "inside a pattern"),
    (r"\ba|b\b", "without a group"), (r"(", "not closed"), (r"(?=a)b", "look"),
    (r"[a-z]{1,1000}[0-9]{1,900}", "large"),
])
def test_what_cannot_be_looked_for_is_told_at_load(pattern, why):
    with pytest.raises(PatternError, match=why):
        compile_pattern(pattern)
    text = orjson.dumps({
        "providers": [{"id": "a", "dialect": "openai", "base_url": "http://a.example/v1"}],
        "policy": policy_of({"own": pattern})})
    config, errors, _ = examine_text(text, "test.yaml", {})
    assert not errors
    with pytest.raises(ConfigError, match="pattern 'own'") as caught:
        Policy(config)
    assert caught.value.line == 1


@pytest.mark.parametrize(("patterns", "where"), [
    ({"email": "x"}, "is a kind of its own"), ({}, "neither kinds nor patterns"),
])
def test_names_and_emptiness_are_checked(patterns, where):
    text = orjson.dumps({
        "providers": [{"id": "a", "dialect": "openai", "base_url": "http://a.example/v1"}],
        "policy": policy_of(patterns)})
    _, errors, _ = examine_text(text, "test.yaml", {})
    assert where in str(errors[0])
