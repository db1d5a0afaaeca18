"""Errors: the official SDKs raise their own classes on our bodies and events, with our reason
inside.

Method: the SDKs talk to an in-memory transport (no socket) that answers with what we render.
"""

import json

import anthropic
import httpx
import openai
import pytest

from fastgw.dialect import error_body, stream_error
from fastgw.dialect.anthropic import ERRORS as ANTHROPIC
from fastgw.dialect.openai import ERRORS as OPENAI

REASON = {"code": "FGW-429", "rule": "pace", "request_id": "req-1"}
HOSTILE = 'a"\r\n\r\ndata: x\u2028\x00'
HELLO = [{"role": "user", "content": "hi"}]

OPENAI_CLASSES = {
    400: openai.BadRequestError, 401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError, 429: openai.RateLimitError, 500: openai.InternalServerError,
    503: openai.InternalServerError, 529: openai.InternalServerError,
}  # fmt: skip
ANTHROPIC_CLASSES = {
    400: anthropic.BadRequestError, 401: anthropic.AuthenticationError,
    403: anthropic.PermissionDeniedError, 404: anthropic.NotFoundError,
    413: anthropic.RequestTooLargeError, 429: anthropic.RateLimitError,
    500: anthropic.InternalServerError, 529: anthropic.OverloadedError,
}  # fmt: skip


def transport_of(sdk, status: int, body: bytes, content_type: str):
    """A client of whichever httpx the SDK was built on, that gets this answer to everything."""
    module = getattr(__import__(f"{sdk.__name__}._base_client", fromlist=["x"]), "httpx2", None)
    module = module or httpx

    def answer(_request):
        return module.Response(status, content=body, headers={"content-type": content_type})

    return module.Client(transport=module.MockTransport(answer))


def openai_client(status: int, body: bytes, content_type: str = "application/json"):
    transport = transport_of(openai, status, body, content_type)
    return openai.OpenAI(api_key="k", base_url="http://x/v1", max_retries=0, http_client=transport)


def anthropic_client(status: int, body: bytes, content_type: str = "application/json"):
    transport = transport_of(anthropic, status, body, content_type)
    return anthropic.Anthropic(
        api_key="k", base_url="http://x", max_retries=0, http_client=transport
    )


@pytest.mark.parametrize("status", sorted(OPENAI_CLASSES))
def test_the_openai_sdk_raises_its_class_with_our_reason(status):
    body = error_body("openai", status, HOSTILE, param="n", fastgw=REASON)
    with pytest.raises(OPENAI_CLASSES[status]) as raised:
        openai_client(status, body).chat.completions.create(model="m", messages=HELLO)

    assert raised.value.body["message"] == HOSTILE
    assert raised.value.body["fastgw"] == REASON
    assert (raised.value.type, raised.value.code) == OPENAI[status]
    assert raised.value.param == "n"


@pytest.mark.parametrize("status", sorted(ANTHROPIC_CLASSES))
def test_the_anthropic_sdk_raises_its_class_with_our_reason(status):
    body = error_body("anthropic", status, HOSTILE, fastgw=REASON)
    with pytest.raises(ANTHROPIC_CLASSES[status]) as raised:
        anthropic_client(status, body).messages.create(model="m", max_tokens=1, messages=HELLO)

    document = raised.value.body
    error = document.get("error", document)
    assert (error["message"], error["type"]) == (HOSTILE, ANTHROPIC[status])
    assert error["fastgw"] == REASON
    assert json.loads(body)["request_id"] == "req-1"


def test_a_caller_may_name_type_and_code():
    body = error_body("openai", 429, "m", type="tokens", code="insufficient_quota")
    assert json.loads(body)["error"] == {
        "message": "m", "type": "tokens", "param": None, "code": "insufficient_quota"}  # fmt: skip


@pytest.mark.parametrize("status", [405, 411, 415, 418, 431, 501, 502, 504, 599])
def test_every_status_has_a_shape(status):
    for dialect in ("openai", "anthropic"):
        error = json.loads(error_body(dialect, status, "m"))["error"]
        assert error["type"] and error["message"] == "m"
        assert ("invalid" in error["type"]) == (status < 500)


@pytest.mark.parametrize("operation", ["chat", "completions", "responses"])
def test_the_openai_sdk_raises_on_the_event_in_a_stream(operation):
    event = stream_error("openai", operation, 502, HOSTILE, fastgw=REASON)
    client = openai_client(200, event, "text/event-stream")
    with pytest.raises(openai.APIError) as raised:
        if operation == "chat":
            list(client.chat.completions.create(model="m", messages=HELLO, stream=True))
        elif operation == "completions":
            list(client.completions.create(model="m", prompt="p", stream=True))
        else:
            list(client.responses.create(model="m", input="i", stream=True))

    assert raised.value.body["message"] == HOSTILE
    assert raised.value.body["fastgw"] == REASON


def test_the_anthropic_sdk_raises_on_the_event_in_a_stream():
    event = stream_error("anthropic", "messages", 529, HOSTILE, fastgw=REASON)
    client = anthropic_client(200, event, "text/event-stream")
    with pytest.raises(anthropic.APIStatusError) as raised:
        list(client.messages.create(model="m", max_tokens=1, messages=HELLO, stream=True))

    assert raised.value.body["error"]["fastgw"] == REASON


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_nothing_from_outside_can_end_a_line_of_an_event(dialect):
    event = stream_error(dialect, "chat", 500, HOSTILE, fastgw={"rule": HOSTILE})

    assert event.endswith(b"\n\n") and event.count(b"\n\n") == 1
    assert b"\r" not in event and b"\0" not in event
