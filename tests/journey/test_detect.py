"""`detect` through the whole gateway, as the official SDKs see it.

Method: real processes; the mock provider says the text that the test chooses (`x-mock: text=…`),
cut into events of every size. Its books show what it was asked, byte by byte (`record=1`).
"""

from urllib.parse import quote

import anthropic
import openai
import orjson
import pytest

from tests.journey.harness import KEY, Gateway, Mock, configuration, wait_until

MAIL, CARD, SECRET = "john.doe@example.com", "4111 1111 1111 1111", "AKIAIOSFODNN7EXAMPLE"
TEXT = f"Mail {MAIL}, or pay {CARD}. Bye."
CLEAN = "Mail [REDACTED:email], or pay [REDACTED:payment_card]. Bye."


def detect(then, *kinds, when=""):
    rule = {"actions": [{"type": "detect", "config": {"kinds": list(kinds), "then": then}}]}
    return rule | ({"expressions": [when]} if when else {})


POLICY = {
    "on_http_request": [
        detect("deny", "api_key") | {"name": "no keys out"},
        detect("redact", "email", "payment_card") | {"name": "no people out"},
        detect("log", "phone") | {"name": "phones"},
    ],
    "on_http_response": [
        detect("redact", "email", "payment_card") | {"name": "clean answers"},
        {"actions": [{"type": "add-headers", "config": {"headers": {
            "x-seen": "${actions.detect.count} ${actions.detect.kinds.join('+')}"}}},
            {"type": "log", "config": {"metadata": {"finds": "${actions.detect.count}"}}}]}],
    "on_event_stream_message": [
        detect("redact", "email", "payment_card", when="req.headers['x-then'] != 'deny'")
        | {"name": "clean streams"},
        detect("deny", "email", when="req.headers['x-then'] == 'deny'") | {"name": "end streams"},
    ],
}


@pytest.fixture(scope="module")
def mock():
    mock = Mock()
    yield mock
    mock.stop()


@pytest.fixture(scope="module")
def gateway(mock):
    gateway = Gateway(configuration(mock.port, policy=POLICY))
    yield gateway
    gateway.remove()


def openai_to(gateway, text="", piece=4, **fields):
    said = f"text={quote(text, safe='')},piece={piece},record=1" if text else "record=1,events=2"
    return openai.OpenAI(base_url=gateway.url("/v1"), api_key=KEY, max_retries=0,
                         default_headers={"x-mock": said, "x-then": "redact", **fields})


def anthropic_to(gateway, text, piece=4, then="redact", **more):
    said = f"text={quote(text, safe='')},piece={piece}" + "".join(
        f",{name}={value}" for name, value in more.items())
    return anthropic.Anthropic(base_url=gateway.url(), api_key=KEY, max_retries=0,
                               default_headers={"x-mock": said, "x-then": then})


def asked(mock):
    """The body of the last call, as it came to the provider."""
    return orjson.loads(mock.lines()[-1]["body"])


def say(text):
    return [{"role": "user", "content": text}]


def test_a_key_in_a_prompt_is_denied_before_a_provider_is_asked(gateway, mock):
    before = mock.books()["calls"]
    with pytest.raises(openai.PermissionDeniedError) as caught:
        openai_to(gateway).chat.completions.create(model="gpt-4o", messages=say(f"use {SECRET}"))
    body = caught.value.body
    assert body["fastgw"]["code"] == "FGW-608" and body["fastgw"]["rule"] == "no keys out"
    assert "api_key in messages[0].content" in body["message"]
    assert SECRET not in caught.value.response.text
    assert mock.books()["calls"] == before
    request_id = caught.value.response.headers["x-fastgw-request-id"]
    told = wait_until(lambda: decision(gateway, request_id))
    assert told["reason"] == "The request has api_key in messages[0].content"
    assert SECRET not in orjson.dumps(told).decode() and SECRET not in gateway.log()


def decision(gateway, request_id):
    told = gateway.run("explain", request_id, "--format", "json", check=False)
    told = orjson.loads(told) if told.startswith("{") else {}
    return told if told.get("complete") else None


def test_anthropics_sdk_raises_its_own_class(gateway):
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        anthropic_to(gateway, "x").messages.create(
            model="claude-sonnet-5", max_tokens=50, system=f"key {SECRET}", messages=say("hi"))
    assert "api_key in system" in str(caught.value)


def test_a_prompt_is_redacted_and_its_finds_are_explained(gateway, mock):
    raw = openai_to(gateway).chat.completions.with_raw_response.create(
        model="gpt-4o", messages=say(f"{TEXT} or call (415) 555-2671"))

    assert asked(mock)["messages"][0]["content"] == f"{CLEAN} or call (415) 555-2671"
    told = wait_until(lambda: decision(gateway, raw.headers["x-fastgw-request-id"]))
    assert raw.headers["x-seen"] == "3 payment_card+email+phone"
    effects = {rule["name"]: rule["effect"] for rule in told["rules"]}
    assert effects["no people out"] == (
        "detect: redact: payment_card in messages[0].content, email in messages[0].content")
    assert effects["phones"] == "detect: log: phone in messages[0].content"
    assert effects["no keys out"] == "detect: nothing found"


def test_a_whole_answer_is_redacted(gateway):
    answer = openai_to(gateway, TEXT).chat.completions.create(
        model="gpt-4o", messages=say("hi"), n=2)
    assert [choice.message.content for choice in answer.choices] == [CLEAN, CLEAN]
    wait_until(lambda: '"finds":"4"' in gateway.log())  # at the end of its record
    answer = anthropic_to(gateway, TEXT).messages.create(
        model="claude-sonnet-5", max_tokens=500, messages=say("hi"))
    assert answer.content[0].text == CLEAN


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 8, 13, 21, 34, 99])
def test_a_stream_is_redacted_whatever_its_events(gateway, piece):
    said = ["", ""]
    reasons = set()
    for chunk in openai_to(gateway, TEXT, piece).chat.completions.create(
            model="gpt-4o", messages=say("hi"), n=2, stream=True):
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""
            reasons.add(choice.finish_reason)
    assert said == [CLEAN, CLEAN] and reasons == {None, "stop"}
    with anthropic_to(gateway, TEXT, piece).messages.stream(
            model="claude-sonnet-5", max_tokens=500, messages=say("hi")) as stream:
        assert stream.get_final_text() == CLEAN
    with openai_to(gateway, TEXT, piece).responses.stream(model="gpt-4o", input="hi") as events:
        assert events.get_final_response().output_text == CLEAN


TOOL = {"type": "object", "properties": {"to": {"type": "string"}, "card": {"type": "number"}}}
ARGUMENTS = orjson.dumps({"to": MAIL, "card": 4111111111111111}).decode()


@pytest.mark.parametrize("piece", [1, 4, 11])
def test_arguments_of_a_tool_stay_what_can_be_parsed(gateway, piece):
    parsed = {"to": "[REDACTED:email]", "card": "[REDACTED:payment_card]"}
    said = ""
    for chunk in openai_to(gateway, ARGUMENTS, piece, **{
            "x-mock": f"text={quote(ARGUMENTS, safe='')},piece={piece},tool=1"}
            ).chat.completions.create(
                model="gpt-4o", messages=say("hi"), stream=True, tools=[
                    {"type": "function", "function": {"name": "pay", "parameters": TOOL}}]):
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or ():
                said += call.function.arguments or ""
    assert orjson.loads(said) == parsed
    with anthropic_to(gateway, ARGUMENTS, piece, tool=1).messages.stream(
            model="claude-sonnet-5", max_tokens=500, messages=say("hi"),
            tools=[{"name": "pay", "input_schema": TOOL}]) as stream:
        assert stream.get_final_message().content[0].input == parsed


def test_deny_ends_a_stream_in_its_dialect(gateway):
    said, reason = "", None
    stream = openai_to(gateway, TEXT, 3, **{"x-then": "deny"}).chat.completions.create(
        model="gpt-4o", messages=say("hi"), stream=True)
    for chunk in stream:
        for choice in chunk.choices:
            said += choice.delta.content or ""
            reason = choice.finish_reason or reason
    assert (said, reason) == ("Mail "[:len(said)], "content_filter")
    told = wait_until(lambda: decision(gateway, stream.response.headers["x-fastgw-request-id"]))
    assert told["code"] == "FGW-955"
    with anthropic_to(gateway, TEXT, 3, "deny").messages.stream(
            model="claude-sonnet-5", max_tokens=500, messages=say("hi")) as events:
        message = events.get_final_message()
    assert message.stop_reason == "refusal" and MAIL[:5] not in message.content[0].text


def test_what_stands_at_the_end_of_a_stalled_stream_goes_on(gateway):
    client = openai_to(gateway, **{
        "x-mock": f"text={quote('ask john.doe')},piece=4,stall_after=3"}).with_options(timeout=30)
    said = ""
    stream = client.chat.completions.create(model="gpt-4o", messages=say("hi"), stream=True)
    for chunk in stream:
        said += chunk.choices[0].delta.content or ""
        if said == "ask john.doe":
            break  # it came although nothing follows
    stream.close()
    assert said == "ask john.doe"
