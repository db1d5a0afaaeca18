"""Goal: no client makes a provider answer so that nobody sees what it cost.

Method: one worker; what Google's front ends take as orders (system parameters of the query, fields
that stand for another method or pick members of the answer), and the request that then goes out.
"""

import orjson
import pytest

from fastgw.ledger.records import Close
from tests.worker import configuration, provider, request, response

PATH = "/v1beta/models/gemini-2.5-flash:generateContent"
BODY = orjson.dumps({"contents": [{"parts": [{"text": "hello"}]}]})
GOOGLE = {"providers": [provider("google", "gemini", path="")]}


def target(got: bytes) -> str:
    return got.split(b" ", 2)[1].decode()


@pytest.mark.parametrize("query, passed", [
    ("fields=candidates", ""), ("%66ields=candidates", ""), ("$fields=a", ""), ("%24fields=a", ""),
    ("alt=proto", ""), ("alt=sse&alt=proto", "?alt=sse"), ("%61lt=sse", ""),
    ("alt=json", "?alt=json"), ("$alt=proto", ""), ("callback=f", ""),
    ("$callback=f", ""), ("$httpMethod=GET", ""),
    ("a=1&fields=x&b=2", "?a=1&b=2"), ("field=x", "?field=x"), ("alt", ""), ("", "")])  # fmt: skip
def test_what_picks_or_rewrites_google_s_answers_stays_here(worker, query, passed):
    got, _ = worker(**GOOGLE).ask(request(BODY, path=f"{PATH}?{query}"), response())
    assert target(got) == PATH + passed


def test_other_dialects_keep_their_queries(worker):
    path = "/v1/responses/r?include[]=a&fields=b&alt=c"
    got, _ = worker().ask(request(path=path, method="GET"), response())
    assert target(got) == path


@pytest.mark.parametrize("field", [
    "X-Goog-FieldMask", "X-HTTP-Method-Override", "x-http-method", "X-Method-Override"])
def test_fields_that_stand_for_another_request_stay_here(worker, field):
    got, _ = worker(**GOOGLE).ask(request(BODY, f"{field}: candidates", path=PATH), response())
    assert field.lower().encode() not in got.lower() and b"content-length" in got.lower()


USED = {"id": "chatcmpl-1", "usage": {"prompt_tokens": 9, "completion_tokens": 9},
        "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/chat/completions/chatcmpl-1", "/v1/responses/r/cancel"])
def test_what_was_billed_is_not_counted_again(worker, path):
    one = worker()
    one.ask(request(b'{"metadata":{}}', path=path), response(orjson.dumps(USED)))
    close = one.one(Close)
    assert (close.tokens.input, close.tokens.output, close.cost_nano_usd) == (0, 0, 0)


def test_a_key_s_models_hold_for_what_lies_below_responses(worker):
    keys = [{**configuration()["keys"][0], "access": {"models": ["gpt-4o-mini"]}}]
    body = orjson.dumps({"model": "gpt-5-pro", "input": "x"})
    for path in ("/v1/responses/compact", "/v1/responses/input_tokens"):
        _, answer = worker(keys=keys).ask(request(body, path=path))
        assert answer.status == 403, path
