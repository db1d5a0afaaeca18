"""Goal: the mock's Ollama and Cohere answer as those APIs do, and refuse what they refuse.

Method: the planner called without sockets; bodies and streams read back, by a meter as well.
(Whole ways, with the SDKs and the books: tests/journey/test_ollama.py and test_cohere.py.)
"""

import json

import pytest

from fastgw.dialect.meter import Meter
from fastgw.mock import cohere, ollama
from fastgw.mock.asked import Asked
from fastgw.mock.books import Books, open_mapping
from fastgw.mock.planner import Planner, route

TURNS = [{"role": "user", "content": "hello"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}}}}


def answer(path: str, asked: bytes | None = None, key: bytes = b"Bearer k",
           method: bytes = b"POST", **body) -> tuple[int, bytes, bytes]:
    """Status, head and body, chunks taken off."""
    planner = Planner(Asked(events=3), 0, None, Books(open_mapping(1), 0, 1, -1))
    raw = json.dumps({"model": "m", **body}).encode() if method == b"POST" else None
    wire = planner(method, path.encode(), key, False, False, asked, None, None, raw).wire
    head, _, rest = wire.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head:
        whole = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            whole, rest = whole + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        rest = whole
    return int(head.split()[1]), head, rest


def test_every_path_is_known_by_its_end():
    for path, operation in ollama.ROUTES + cohere.ROUTES:
        assert route("/prefix" + path) == (operation, "")
    assert route("/api/tags") == ("models", "")


@pytest.mark.parametrize("path, body", [
    ("/api/chat", {"messages": TURNS}), ("/api/generate", {"prompt": "hello"}),
    ("/v2/chat", {"messages": TURNS})])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("asked", [b"", b"tool=1", b"usage=none", b"reasoning=2,cached=1"])
def test_streams_and_bodies_tell_the_same(path, body, stream, asked):
    if b"tool" in asked and path != "/api/generate":
        body = {**body, "tools": [WEATHER]}
    status, head, said = answer(path, b"prompt_tokens=9," + asked, stream=stream, **body)
    dialect = "cohere" if "v2" in path else "ollama"
    kind = ("sse" if dialect == "cohere" else "ndjson") if stream else False
    meter = Meter(dialect, "generate" if "generate" in path else "chat", streaming=kind)
    meter.feed(said)
    meter.end()
    classes, flags = meter.usage()

    assert status == 200 and "broken" not in meter.ever
    if asked == b"usage=none":
        assert "provider" not in flags
        return
    assert classes["input"] + classes["cached_input"] == 9 and "provider" in flags
    assert classes["output"] + classes["reasoning"] == 3 + 2 * (b"reasoning" in asked) or (
        b"tool" in asked)
    assert classes["cached_input"] == (b"cached" in asked)


def test_a_prompt_of_nothing_is_left_out():
    _, _, said = answer("/api/chat", b"prompt_tokens=0", stream=False, messages=TURNS)
    assert "prompt_eval_count" not in json.loads(said)


def test_a_stream_of_lines_has_its_type_and_no_credential_is_needed():
    status, head, said = answer("/api/chat", key=b"", messages=TURNS)
    assert status == 200 and b"content-type: application/x-ndjson" in head
    assert len(said.splitlines()) == 4
    assert json.loads(answer("/api/tags", key=b"", method=b"GET")[2])["models"]


@pytest.mark.parametrize("path, key, body, status", [
    ("/v2/chat", b"", {"messages": TURNS}, 401), ("/v2/chat", b"Bearer k", {}, 400),
    ("/api/chat", b"", {}, 400), ("/api/chat", b"", {"messages": TURNS, "model": ""}, 400),
    ("/v2/embed", b"Bearer k", {"texts": []}, 400),
    ("/v2/chat", b"Bearer k", {"messages": TURNS, "max_tokens": -1}, 400)])
def test_refusals_are_worded_as_each_api_does(path, key, body, status):
    got, _, said = answer(path, key=key, **body)
    assert got == status and set(json.loads(said)) == (
        {"id", "message"} if "v2" in path else {"error"})


@pytest.mark.parametrize("path", ["/api/chat", "/v2/chat"])
def test_an_error_within_a_stream_is_one_to_a_meter(path):
    _, _, said = answer(path, b"error_after=1", stream=True, messages=TURNS)
    meter = Meter("cohere" if "v2" in path else "ollama", "chat",
                  streaming="sse" if "v2" in path else "ndjson")
    meter.feed(said)
    assert "error" in meter.ever and meter.text_events == 1


def test_embeddings_are_as_many_as_asked():
    assert len(json.loads(answer("/api/embed", input=["a", "b"])[2])["embeddings"]) == 2
    told = json.loads(answer("/v2/embed", texts=["abcd", "efgh"])[2])
    assert len(told["embeddings"]["float"]) == 2
    assert told["meta"]["billed_units"] == {"input_tokens": 2}
    found = json.loads(answer("/v2/rerank", query="q", documents=["a", "b"])[2])
    assert [one["index"] for one in found["results"]] == [0, 1]
