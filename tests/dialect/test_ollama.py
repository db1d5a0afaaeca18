"""Goal: what Ollama's API says no with and ends streams with; and where its requests have what.

Method: refusals' frames joined around a message and read back; lines read back and by a meter;
requests edited and read. (SDKs: tests/journey/test_ollama.py.)
"""

import orjson
import pytest

from fastgw.dialect import openai
from fastgw.dialect.face import Cut, Fault
from fastgw.dialect.meter import Meter
from fastgw.dialect.ollama import KINDS, error, shape, stream_end, stream_error
from fastgw.dialect.request import Ask, Route

CHAT = Route("POST", "/api/chat")
GENERATE = Route("POST", "/api/generate")


def ask(route: Route = CHAT, **members) -> Ask:
    return Ask(route, orjson.dumps({"model": "m", **members}))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_refusal_is_one_text_and_a_member_of_ours(kind):
    made = shape(kind, 429, None, b'"fastgw":{"rule":')
    told = orjson.loads(made.opening + b"no" + made.rest + b'null,"request_id":"id-1' + made.end)

    assert told == {"error": "no", "fastgw": {"rule": None, "request_id": "id-1"}}
    assert not made.repeats_id and kind in openai.KINDS


def test_errors_are_a_text_in_bodies_and_lines():
    assert error(Fault(500, "no")) == {"error": "no"}
    line = stream_error("chat", Fault(500, "no", fastgw={"code": "FGW-902"}))
    meter = Meter("ollama", "chat", streaming="ndjson")

    assert orjson.loads(line) == {"error": "no", "fastgw": {"code": "FGW-902"}}
    assert meter.feed(line)[0][1] == {"dispatch", "error"}


@pytest.mark.parametrize("operation, member", [("chat", "message"), ("generate", "response")])
@pytest.mark.parametrize("filtered", [False, True])
def test_an_ending_is_the_last_line_of_its_operation(operation, member, filtered):
    cut = Cut("", "m", input_tokens=3, output_tokens=5, filtered=filtered, reason="no")
    line = stream_end(operation, cut)
    meter = Meter("ollama", operation, streaming="ndjson")
    meter.feed(line)

    told = orjson.loads(line)
    assert told["done_reason"] == ("stop" if filtered else "length") and member in told
    assert meter.usage()[0]["output"] == 5 and {"finish", "done"} <= meter.ever


@pytest.mark.parametrize("stream, streams", [({}, True), ({"stream": True}, True),
                                             ({"stream": None}, True), ({"stream": False}, False)])
def test_a_stream_is_what_comes_where_nothing_is_said(stream, streams):
    assert ask(**stream).stream == streams


@pytest.mark.parametrize("options, limit", [
    ({}, None), ({"num_predict": 7}, 7), ({"num_predict": -1}, None), ({"num_predict": -2}, None),
    ({"num_predict": None}, None), ({"temperature": 1}, None)])
@pytest.mark.parametrize("route", [CHAT, GENERATE], ids=["chat", "generate"])
def test_the_limit_is_read_and_a_smaller_one_put_in_its_place(route, options, limit):
    one = ask(route, options=options)
    edited, hidden = one.edited(output_limit=5, include_usage=True)

    assert not one.error and one.output_limit == limit and not hidden
    assert orjson.loads(edited)["options"] == {**options, "num_predict": 5}
    kept, _ = ask(route, options={"num_predict": 3}).edited(output_limit=5)
    assert orjson.loads(kept)["options"] == {"num_predict": 3}


@pytest.mark.parametrize("options", [None, "absent"])
def test_where_there_are_no_options_they_are_put_in(options):
    more = {} if options == "absent" else {"options": options}
    edited, _ = ask(**more).edited(output_limit=5)
    assert orjson.loads(edited) == {"model": "m", "options": {"num_predict": 5}}


@pytest.mark.parametrize("body", [
    b'{"Model":"m"}', b'{"model":"m","Stream":false}', b'{"model":"m","options":{},"OPTIONS":{}}',
    b'{"model":"m","model":"n"}'])
def test_names_in_other_case_are_refused_since_the_server_takes_them(body):
    assert Ask(CHAT, body).error.startswith(("a member is given", "you must provide"))


@pytest.mark.parametrize("options", [{"num_predict": "7"}, {"num_predict": 1.5}])
def test_a_limit_that_is_no_whole_number_is_refused(options):
    assert ask(options=options).error


def test_texts_pictures_and_tools_are_sized():
    turns = [{"role": "user", "content": "12345", "images": ["QUJD", "REVG"]},
             {"role": "tool", "content": "678", "tool_name": "no text"},
             {"role": "assistant", "content": "", "thinking": "90",
              "tool_calls": [{"function": {"name": "f", "arguments": {"a": "bc"}}}]}]
    one = ask(messages=turns, tools=[{"type": "function"}])

    assert one.sizes["binaries"] == 2 and one.sizes["binary"] == 8
    assert one.sizes["text"] >= len("12345" "678" "90" "abc") and one.tools
    assert one.messages == 3 and not one.unbounded
    assert ask(GENERATE, prompt="12345", system="67").sizes["text"] == 7
    assert ask(Route("POST", "/api/embed"), input=["123", "45"]).sizes["text"] == 5
