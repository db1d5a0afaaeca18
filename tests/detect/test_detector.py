"""`detect` on requests and whole answers: denied, redacted, logged, in the shadow.

Method: a worker in this process between transports of ours (tests/worker.py), so that what goes to
the provider and to the client is there byte by byte. No text that was found may stand in anything
that the gateway says or records.
"""

import gzip

import orjson
import pytest

from fastgw.ledger.records import NAME_FINDING, Close, Name, Request
from tests.worker import Worker, chat, request, response

CARD = "4111 1111 1111 1111"
MAIL = "john.doe@example.com"
KEY = "AKIA" + "IOSFODNN7EXAMPLE"
PEM = ("-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEAx7Jk2Lm9" * 30
       + "\n-----END RSA PRIVATE KEY-----")


def rule(then, *kinds, name="secrets", **more):
    return {"name": name, "actions": [{"type": "detect", "config": {
        "kinds": list(kinds), "then": then, **more}}]}


def worker(tmp_path, *rules, phase="on_http_request"):
    return Worker(tmp_path, policy={phase: list(rules)})


def sent(got):
    head, _, body = got.partition(b"\r\n\r\n")
    length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
              if line.lower().startswith(b"content-length")]
    assert length == [len(body)]
    return orjson.loads(body)


def test_deny_refuses_before_a_provider_is_asked_and_says_which_kind_and_where(tmp_path):
    one = worker(tmp_path, rule("deny", "api_key"))
    body = chat(messages=[{"role": "system", "content": "be kind"},
                          {"role": "user", "content": [{"type": "text", "text": f"use {KEY}!"}]}])

    got, answer = one.ask(request(body))

    assert got == b""
    assert (answer.status, answer.code) == (403, "FGW-608")
    assert answer.fields["x-fastgw-rule"] == "secrets"
    message = orjson.loads(answer.body)["error"]["message"]
    assert "api_key in messages[1].content[0].text" in message
    assert KEY.encode() not in answer.body
    record = one.one(Request)
    assert (record.code, record.verdict) == (608, 1)
    assert one.names[record.reason] == "The request has api_key in messages[1].content[0].text"
    assert KEY not in repr(one.names) and KEY not in repr(record)


def test_deny_in_anthropics_dialect_has_its_shape(tmp_path):
    one = worker(tmp_path, rule("deny", "email"))
    body = orjson.dumps({"model": "claude-sonnet-5", "max_tokens": 9, "system": f"mail {MAIL}",
                         "messages": [{"role": "user", "content": "hi"}]})

    _, answer = one.ask(request(body, f"x-api-key: {'fgw-alice'}", path="/v1/messages", key=""))

    document = orjson.loads(answer.body)
    assert (answer.status, document["type"]) == (403, "error")
    assert document["error"]["type"] == "permission_error"
    assert "email in system" in document["error"]["message"]


def test_redact_puts_labels_into_what_the_provider_gets(tmp_path):
    one = worker(tmp_path, rule("redact", "api_key", "payment_card", "email", "private_key"))
    body = chat(messages=[{"role": "user", "content": f"Card {CARD}, mail {MAIL}.\n{PEM}\nbye"},
                          {"role": "tool", "tool_call_id": "4111111111111111", "content": KEY}],
                user="4111111111111111")

    got, answer = one.ask(request(body), response())

    document = sent(got)
    assert document["messages"][0]["content"] == (
        "Card [REDACTED:payment_card], mail [REDACTED:email].\n[REDACTED:private_key]\nbye")
    assert document["messages"][1] == {"role": "tool", "tool_call_id": "4111111111111111",
                                       "content": "[REDACTED:api_key]"}
    assert document["user"] == "4111111111111111" and document["model"] == "gpt-4o"
    assert answer.status == 200


@pytest.mark.parametrize("written", [
    b"\\u0034111 1111 1111 1111", b"4111\\u00201111\\u00201111\\u00201111",
    b"\\u0034\\u0031\\u0031\\u0031111111111111", b"4111-1111-1111-1111", b"4111111111111111",
])
def test_escapes_are_decoded_and_leave_with_what_they_spelled(tmp_path, written):
    one = worker(tmp_path, rule("redact", "payment_card"))
    body = b'{"model":"gpt-4o","messages":[{"role":"user","content":"a\\/b \\ud83d\\ude00 ' \
        + written + b'\\n\\"end\\""}]}'

    got, _ = one.ask(request(body), response())

    text = sent(got)["messages"][0]["content"]
    assert text == 'a/b \U0001f600 [REDACTED:payment_card]\n"end"'


def test_a_find_over_several_parts_is_cut_from_each(tmp_path):
    one = worker(tmp_path, rule("redact", "payment_card", "api_key"))
    parts = ["my card is 4111 11", "11 1111", " 1111. Then ", "AKIA", "IOSFODNN7EXAMPLE"]
    body = chat(messages=[{"role": "user", "content": [
        {"type": "text", "text": part} for part in parts]}])

    got, _ = one.ask(request(body), response())

    texts = [part["text"] for part in sent(got)["messages"][0]["content"]]
    assert texts == ["my card is [REDACTED:payment_card]", "", ". Then ", "[REDACTED:api_key]", ""]


def test_parts_that_end_with_a_find_do_not_hide_it_by_what_follows(tmp_path):
    one = worker(tmp_path, rule("redact", "api_key"))
    body = chat(messages=[{"role": "user", "content": [
        {"type": "text", "text": KEY}, {"type": "text", "text": "and more"}]}])

    got, _ = one.ask(request(body), response())

    assert sent(got)["messages"][0]["content"][0]["text"] == "[REDACTED:api_key]"


def test_tool_arguments_stay_json_inside_json(tmp_path):
    one = worker(tmp_path, rule("redact", "payment_card", "email"))
    inner = '{"card": 4111111111111111, "to": "x\\u0040example.com", "n": "a\\n' + MAIL + '"}'
    body = chat(messages=[{"role": "assistant", "content": None, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "pay", "arguments": inner}}]}])

    got, _ = one.ask(request(body), response())

    arguments = sent(got)["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert orjson.loads(arguments) == {"card": "[REDACTED:payment_card]",
                                       "to": "[REDACTED:email]", "n": "a\n[REDACTED:email]"}


def test_anthropic_tool_input_is_looked_at_names_and_numbers_too(tmp_path):
    one = worker(tmp_path, rule("redact", "payment_card", "email", "us_ssn"))
    body = orjson.dumps({"model": "claude-sonnet-5", "max_tokens": 9, "messages": [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "pay", "input": {
            "card": 4111111111111111, MAIL: True, "ssn": "123456789", "id": CARD}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
                                      "content": f"sent to {MAIL}"}]}]})

    got, _ = one.ask(request(body, "x-api-key: fgw-alice", path="/v1/messages", key=""),
                     response())

    messages = sent(got)["messages"]
    assert messages[0]["content"][0]["input"] == {
        "card": "[REDACTED:payment_card]", "[REDACTED:email]": True, "ssn": "[REDACTED:us_ssn]",
        "id": "[REDACTED:payment_card]"}
    assert messages[1]["content"][0]["content"] == "sent to [REDACTED:email]"


@pytest.mark.parametrize(("path", "body", "where"), [
    ("/v1/embeddings", {"model": "m", "input": ["a", MAIL]}, "input[1]"),
    ("/v1/embeddings", {"model": "m", "input": MAIL}, "input"),
    ("/v1/completions", {"model": "m", "prompt": MAIL}, "prompt"),
    ("/v1/responses", {"model": "m", "instructions": MAIL, "input": "x"}, "instructions"),
    ("/v1/responses", {"model": "m", "input": [
        {"type": "function_call_output", "call_id": "1", "output": MAIL}]}, "input[0].output"),
    ("/v1/chat/completions", {"model": "m", "messages": [], "tools": [
        {"type": "function", "function": {"name": "f", "description": MAIL}}]},
     "tools[0].function.description"),
])
def test_every_place_where_people_write_is_looked_at(tmp_path, path, body, where):
    one = worker(tmp_path, rule("deny", "email"))

    _, answer = one.ask(request(orjson.dumps(body), path=path))

    assert answer.status == 403
    assert f"email in {where}" in orjson.loads(answer.body)["error"]["message"]


def test_log_changes_nothing_and_records_kind_count_and_place(tmp_path):
    one = worker(tmp_path, rule("log", "email", "phone"))
    body = chat(messages=[{"role": "user", "content": f"{MAIL} and a@b.org"}])

    got, answer = one.ask(request(body), response())

    assert sent(got)["messages"] == orjson.loads(body)["messages"]
    assert answer.status == 200
    one.records()
    findings = [text for text in one.names.values() if "messages[0]" in text]
    assert [orjson.loads(text) for text in findings] == [{
        "name": "secrets", "effect": "log: email x2 in messages[0].content", "enforced": True}]


def test_a_shadow_is_recorded_and_never_acts(tmp_path):
    one = worker(tmp_path, rule("deny", "email", name="would deny", enforce=False),
                 rule("redact", "email", name="would redact", enforce=False))

    got, answer = one.ask(request(chat(messages=[{"role": "user", "content": MAIL}])), response())

    assert answer.status == 200 and MAIL.encode() in got
    record = one.one(Request)
    assert [(r.action, r.enforced, r.code) for r in record.rules] == [(16, 0, 608), (16, 0, 0)]


def test_rules_with_expressions_look_only_where_they_hold(tmp_path):
    asked = rule("deny", "email") | {"expressions": ["key.tags.tier == 'gold'"]}
    one = worker(tmp_path, asked)

    got, answer = one.ask(request(chat(messages=[{"role": "user", "content": MAIL}])), response())

    assert answer.status == 200 and MAIL.encode() in got
    assert one.one(Request).rules == []


def test_a_whole_answer_is_redacted_and_framed_anew(tmp_path):
    one = worker(tmp_path, rule("redact", "email", "phone"), phase="on_http_response")
    said = orjson.dumps({"id": "x", "model": "gpt-4o", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": f"Write {MAIL}"}},
        {"index": 1, "message": {"content": "call (415) 555-2671"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})

    for cut in (0, 1, 200, len(said)):
        whole = response(said)
        _, answer = one.ask(request(chat(n=2)), whole[:cut], whole[cut:])
        document = orjson.loads(answer.body)
        assert document["choices"][0]["message"]["content"] == "Write [REDACTED:email]"
        assert document["choices"][1]["message"]["content"] == "call [REDACTED:phone]"
        assert document["usage"]["total_tokens"] == 7
        assert int(answer.fields["content-length"]) == len(answer.body)
        assert one.one(Close).tokens.output == 4


def test_a_compressed_answer_is_inflated_to_be_looked_at(tmp_path):
    one = worker(tmp_path, rule("redact", "email"), phase="on_http_response")
    said = gzip.compress(orjson.dumps({"choices": [{"message": {"content": MAIL}}],
                                       "usage": {"prompt_tokens": 3, "completion_tokens": 4,
                                                 "total_tokens": 7}}))

    _, answer = one.ask(request(chat()), response(said, "Content-Encoding: gzip"))

    assert "content-encoding" not in answer.fields
    assert orjson.loads(answer.body)["choices"][0]["message"]["content"] == "[REDACTED:email]"
    assert one.one(Close).tokens.output == 4


def test_a_whole_answer_is_denied_and_its_tokens_are_counted(tmp_path):
    one = worker(tmp_path, rule("deny", "email"), phase="on_http_response")
    said = orjson.dumps({"choices": [{"message": {"content": f"it is {MAIL}"}}],
                         "usage": {"prompt_tokens": 3, "completion_tokens": 4,
                                   "total_tokens": 7}})

    _, answer = one.ask(request(chat()), response(said))

    assert (answer.status, answer.code) == (403, "FGW-609")
    assert MAIL.encode() not in answer.body
    assert b"email in choices[0].message.content" in answer.body
    close = one.one(Close)
    assert (close.code, close.tokens.input, close.tokens.output) == (609, 3, 4)


def test_pictures_and_ids_are_no_text(tmp_path):
    one = worker(tmp_path, rule("deny", "payment_card", "api_key", "email"))
    picture = "data:image/png;base64," + "AKIA" * 40 + "4111111111111111"
    body = chat(messages=[{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": picture, "detail": "low"}}]}])

    _, answer = one.ask(request(body), response())

    assert answer.status == 200


def test_more_finds_than_there_is_room_for_are_all_redacted(tmp_path):
    one = worker(tmp_path, rule("redact", "email"))
    text = " ".join(f"user{i}@example.com" for i in range(500))

    got, _ = one.ask(request(chat(messages=[{"role": "user", "content": text}])), response())

    assert sent(got)["messages"][0]["content"] == " ".join(["[REDACTED:email]"] * 500)


def test_names_of_findings_have_a_space_of_their_own():
    assert NAME_FINDING == 14
    assert Name
