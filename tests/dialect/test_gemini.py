"""Goal: what Google's API says no with, and how its streams end, in both of their forms.

Method: refusals' frames joined around a message and read back; endings and errors put behind the
chunks of streams cut anywhere, then read as JSON and by a meter of its own. The SDK reads them in
tests/journey/test_gemini.py.
"""

import json

import pytest

from fastgw.dialect.face import Cut, Fault
from fastgw.dialect.gemini import KINDS, RPC, error, shape, stream_end, stream_error, wrapped
from fastgw.dialect.meter import Meter

OWN = b'"fastgw":{"code":"FGW-801","url":"urn:x","rule":'


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_has_its_status_and_details(kind, waits):
    for make, is_wrapped in ((shape, False), (wrapped, True)):
        made = make(kind, 429, None, OWN)
        wait = made.wait + b'12s"},' if waits else b""
        told = json.loads(made.opening + b"no" + made.rest + wait + made.behind
                          + b'null,"request_id":"id-1' + made.end)
        told = (told[0] if is_wrapped else told)["error"]
        assert (told["code"], told["message"], told["status"]) == (429, "no", KINDS[kind])
        assert told["details"][-1] == {"@type": RPC + "ErrorInfo", "reason": "FGW-801",
                                       "domain": "fastgw"}
        assert told["details"][:-1] == (
            [{"@type": RPC + "RetryInfo", "retryDelay": "12s"}] if waits else [])
        assert told["fastgw"]["request_id"] == "id-1"


def test_every_status_has_a_word():
    assert error(Fault(429, "m"))["error"] == {
        "code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}
    assert error(Fault(418, "m"))["error"]["status"] == "INVALID_ARGUMENT"
    assert error(Fault(599, "m", fastgw={"a": 1}))["error"]["fastgw"] == {"a": 1}


def chunk(text: str, index: int = 0, **more) -> dict:
    return {"candidates": [{"content": {"parts": [{"text": text}]}, "index": index, **more}],
            "usageMetadata": {"promptTokenCount": 7}, "responseId": "r", "modelVersion": "g"}


CHUNKS = [chunk("a"), chunk("b", 1), chunk("c", 1, finishReason="STOP"), chunk("d")]


def framed(chunks: list[dict], stream: str) -> bytes:
    """What has been passed on: an array's separators come with the chunk behind them."""
    if stream == "array":
        return b"".join((b",\r\n" if at else b"[") + json.dumps(one).encode()
                        for at, one in enumerate(chunks))
    return b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in chunks)


def documents(body: bytes, stream: str) -> list[dict]:
    if stream == "array":
        return json.loads(body)
    lines = body.decode().splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("stream", ["sse", "array"])
def test_from_every_chunk_on_a_stream_can_be_ended(stream, number):
    meter = Meter("gemini", "generate", streaming=stream, tracked=True)
    meter.feed(framed(CHUNKS[: number + 1], stream) + (b"," if stream == "array" else b""))
    cut = Cut(**meter.cut, choices=2, input_tokens=7, output_tokens=number, reason="FGW-951",
              fastgw={"code": "FGW-951"})
    assert cut.begun == (number > 0) and cut.stream == stream
    body = framed(CHUNKS[:number], stream) + stream_end("generate", cut)

    *before, last = documents(body, stream)
    assert before == CHUNKS[:number] and last["fastgw"] == {"code": "FGW-951"}
    reasons = [one["index"] for each in (*before, last) for one in each["candidates"]
               if "finishReason" in one]
    assert sorted(reasons) == [0, 1]
    assert {one["finishReason"] for one in last["candidates"]} == {"MAX_TOKENS"}
    assert last["usageMetadata"]["totalTokenCount"] == 7 + number
    after = Meter("gemini", "generate", streaming=stream)
    after.feed(body)
    after.end()
    assert after.usage()[1] == {"provider"} and not after.ever & {"broken", "error"}


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("stream", ["sse", "array"])
def test_an_error_is_the_last_of_a_stream(stream, number):
    fault = Fault(502, 'no\r\n\r\ndata: "x"', fastgw={"code": "FGW-9"}, stream=stream,
                  begun=number > 0)
    body = framed(CHUNKS[:number], stream) + stream_error("generate", fault)

    *before, last = documents(body, stream)
    assert before == CHUNKS[:number] and last["error"]["fastgw"] == {"code": "FGW-9"}
    meter = Meter("gemini", "generate", streaming=stream)
    meter.feed(body)
    assert "error" in meter.ever


def test_what_is_filtered_ends_for_safety():
    cut = Cut("r", "g", filtered=True)
    (last,) = documents(stream_end("generate", cut), "sse")
    assert last["candidates"][0]["finishReason"] == "SAFETY"
