"""Goal: the mock's vendors tell usage where each of them does, and refuse what it does not know.

Method: the planner called without sockets; a meter reads what it says.
"""

import json

import pytest

from fastgw.dialect.meter import Meter
from fastgw.mock.vendors import VENDORS, vendor_of
from tests.mock.test_ollama import answer

TURNS = [{"role": "user", "content": "hello"}]


def test_a_vendor_is_known_by_the_beginning_of_the_path():
    assert [vendor_of(f"/{name}/v1/chat/completions") for name in VENDORS] == list(VENDORS)
    assert vendor_of("/v1/chat/completions") == vendor_of("/groq/v1/models") == ""


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("asks", [False, True])
def test_usage_is_told_once_or_twice_and_always_the_same(name, stream, asks):
    options = {"stream_options": {"include_usage": True}} if asks and name != "mistral" else {}
    status, _, said = answer(f"/{name}/v1/chat/completions", b"prompt_tokens=9,reasoning=2",
                             messages=TURNS, stream=stream, **options)
    meter = Meter("openai", "chat", streaming="sse" if stream else False)
    meter.feed(said)
    meter.end()
    classes, flags = meter.usage()

    assert status == 200
    if name == "xai" and stream and not options:
        assert "provider" not in flags  # it wants to be asked
    else:
        assert "provider" in flags and classes["input"] == 9
        assert classes["output"] + classes["reasoning"] == 5


def test_mistral_refuses_a_member_that_it_does_not_know():
    status, _, body = answer("/mistral/v1/chat/completions", messages=TURNS, stream=True,
                             stream_options={"include_usage": True})
    assert status == 422 and "stream_options" in json.loads(body)["error"]["message"]


def test_openrouter_shows_that_it_works_and_what_it_costs():
    stream, whole = (
        answer("/openrouter/v1/chat/completions", b"prompt_tokens=9", messages=TURNS, stream=on)[2]
        for on in (True, False))
    assert b": OPENROUTER PROCESSING\n\n" in stream and whole[:1] == b"\n"
    assert json.loads(whole)["usage"]["cost"] > 0 and b'"cost":' in stream
