"""Goal: what Cohere's API says no with and ends streams with; and where its requests have what.

Method: refusals' frames joined around a message and read back; endings read back and by a meter;
requests edited and read. (SDKs: tests/journey/test_cohere.py.)
"""

import orjson
import pytest

from fastgw.dialect import openai
from fastgw.dialect.cohere import KINDS, error, shape, stream_end, stream_error
from fastgw.dialect.face import Cut, Fault
from fastgw.dialect.meter import Meter
from fastgw.dialect.request import Ask, Route

CHAT, EMBED, RERANK = (Route("POST", f"/v2/{name}") for name in ("chat", "embed", "rerank"))


def ask(route: Route = CHAT, **members) -> Ask:
    return Ask(route, orjson.dumps({"model": "m", **members}))


def documents(stream: bytes) -> list[dict]:
    lines = [line[6:] for line in stream.split(b"\n") if line.startswith(b"data: ")]
    return [orjson.loads(line) for line in lines if line != b"[DONE]"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_refusal_has_a_text_and_the_requests_id(kind):
    made = shape(kind, 429, None, b'"fastgw":{"rule":')
    raw = made.opening + b"no" + made.rest + b'null,"request_id":"id-1'
    told = orjson.loads(raw + made.end + b'id-1"}')

    assert told == {"message": "no", "fastgw": {"rule": None, "request_id": "id-1"}, "id": "id-1"}
    assert made.repeats_id and kind in openai.KINDS


def test_errors_are_a_text_in_bodies_and_an_end_in_streams():
    assert error(Fault(500, "no")) == {"message": "no", "id": None}
    event = stream_error("chat", Fault(500, "no", fastgw={"code": "FGW-902"}))
    meter = Meter("cohere", "chat", streaming=True)

    assert documents(event)[0]["delta"] == {"finish_reason": "ERROR", "error": "no"}
    assert "error" in meter.feed(event)[0][1]


@pytest.mark.parametrize("cut, kinds", [
    (Cut("i", "", begun=False), ["message-start", "message-end"]),
    (Cut("i", "", blocks=(0,)), ["content-end", "message-end"]),
    (Cut("i", "", blocks=(1, ~0)), ["content-end", "tool-call-end", "message-end"]),
])
def test_an_ending_closes_what_stands_open(cut, kinds):
    cut.input_tokens, cut.output_tokens, cut.fastgw = 3, 5, {"code": "FGW-951"}
    ending = stream_end("chat", cut)
    meter = Meter("cohere", "chat", streaming=True)
    meter.feed(ending)
    told = documents(ending)

    assert [one["type"] for one in told] == kinds and ending.endswith(b"data: [DONE]\n\n")
    assert [one["index"] for one in told[:-1] if "index" in one] == [
        block if block >= 0 else ~block for block in cut.blocks]
    assert told[-1]["delta"]["finish_reason"] == "MAX_TOKENS" and told[-1]["fastgw"] == cut.fastgw
    assert meter.usage()[0]["output"] == 5 and {"finish", "done"} <= meter.ever


def test_an_answer_that_was_filtered_ends_in_an_error():
    (end,) = documents(stream_end("chat", Cut("i", "", filtered=True, reason="denied")))
    assert end["delta"]["finish_reason"] == "ERROR" and end["delta"]["error"] == "denied"


@pytest.mark.parametrize("given, left", [({}, 5), ({"max_tokens": 9}, 5), ({"max_tokens": 3}, 3),
                                         ({"max_tokens": None}, 5)])
def test_the_limit_is_read_and_a_smaller_one_put_in_its_place(given, left):
    one = ask(**given)
    edited, hidden = one.edited(output_limit=5, include_usage=True)

    assert one.output_limit == given.get("max_tokens") and not hidden and not one.stream
    assert orjson.loads(edited) == {"model": "m", "max_tokens": left}


def test_texts_pictures_documents_and_tools_are_sized():
    turns = [{"role": "user", "content": "12345"},
             {"role": "user", "content": [
                 {"type": "text", "text": "678"},
                 {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]},
             {"role": "tool", "tool_call_id": "no text", "content": "90"}]
    one = ask(messages=turns, tools=[{"type": "function"}], documents=[{"data": {"t": "abc"}}])

    assert one.sizes["binaries"] == 1 and one.tools and one.messages == 3
    assert one.sizes["text"] >= len("12345" "678" "90" "abc") and not one.unbounded
    assert ask(EMBED, texts=["123", "45"]).sizes["text"] == 5
    assert ask(EMBED, inputs=[{"content": [{"type": "text", "text": "123"}]}]).sizes["text"] == 3
    assert ask(EMBED, images=["data:image/png;base64,QUJD"]).sizes["binaries"] == 1
    assert ask(RERANK, query="123", documents=["45", {"text": "67"}]).sizes["text"] >= 7


@pytest.mark.parametrize("more", [
    {"connectors": [{"id": "web-search"}]},
    {"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}]}])
def test_what_the_provider_fetches_has_no_bound_from_here(more):
    assert ask(**more).unbounded
