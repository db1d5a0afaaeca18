"""Goal: `explain` shows what the provider itself said of an attempt's usage, in every dialect.

Method: a whole gateway before the mock; what the ledger has of each call as the provider's object
holds the numbers of the mock's books, under that provider's own names.
"""

import csv
import io

import orjson
import pytest

from tests.journey.harness import Gateway, chat, configuration, post

GEMINI = orjson.dumps({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]})
CALLS = {
    "openai": ("/v1/chat/completions", chat(), ["prompt_tokens", "completion_tokens"]),
    "openai stream": (
        "/v1/chat/completions", chat(stream=True), ["prompt_tokens", "completion_tokens"]),
    "responses": ("/v1/responses", orjson.dumps({"model": "gpt-4o", "input": "hello"}),
                  ["input_tokens", "output_tokens"]),
    "anthropic": ("/v1/messages", chat("claude-sonnet-4-5", max_tokens=100),
                  ["input_tokens", "output_tokens"]),
    "gemini": ("/v1beta/models/gemini-2.5-pro:generateContent", GEMINI,
               ["promptTokenCount", "candidatesTokenCount"]),
}


@pytest.fixture(scope="module")
def gateway(mock):
    mock.reset()  # other gateways number their requests as this one does
    url = f"http://127.0.0.1:{mock.port}"
    instance = Gateway(configuration(mock.port, providers=[
        {"id": name, "dialect": name, "base_url": f"{url}{path}", "keys": [{"value": "k"}]}
        for name, path in (("openai", "/v1"), ("anthropic", ""), ("gemini", ""))]))
    yield instance
    instance.remove()


def ask(gateway, path: str, body: bytes, *fields: str) -> str:
    with gateway.connect() as sock:
        sock.sendall(post(path, body, *fields, "connection: close"))
        read = b""
        while piece := sock.recv(65536):
            read += piece
    head = read.partition(b"\r\n\r\n")[0].decode().lower()
    assert " 200 " in head, read
    return head.partition("x-fastgw-request-id: ")[2].partition("\r\n")[0]


def exported(gateway, request_id: str, form: str = "json") -> dict:
    text = gateway.run("usage", "--attempts", "--format", form)
    rows = orjson.loads(text) if form == "json" else csv.DictReader(io.StringIO(text))
    [row] = [one for one in rows if one["request_id"] == request_id]
    return row


@pytest.mark.parametrize("name", CALLS)
def test_the_providers_own_object_stands_beside_the_classes(gateway, mock, name):
    path, body, members = CALLS[name]
    request_id = ask(gateway, path, body, "x-mock: events=7")
    attempt, booked = gateway.only_attempt(request_id), mock.booked(request_id)
    [said] = attempt["provider_usage"]

    assert [said[member] for member in members] == [
        booked["input_tokens"], booked["output_tokens"]]
    assert attempt["usage"]["provenance"] == "provider"
    line = gateway.run("explain", request_id)
    assert f'as the provider told it: {{"{next(iter(said))}": ' in line
    assert exported(gateway, request_id)["provider_usage"] == [said]
    row = exported(gateway, request_id, "csv")
    assert orjson.loads(row["provider_usage"]) == [said] and row["estimates"] == "{}"


def test_anthropics_stream_tells_twice(gateway, mock):
    body = chat("claude-sonnet-4-5", max_tokens=100, stream=True)
    request_id = ask(gateway, "/v1/messages", body, "x-mock: events=7")
    first, last = gateway.only_attempt(request_id)["provider_usage"]
    booked = mock.booked(request_id)

    assert first["input_tokens"] == booked["input_tokens"]
    assert last["output_tokens"] == booked["output_tokens"]


def test_an_answer_without_one_shows_none(gateway):
    request_id = ask(gateway, "/v1/chat/completions", chat(), "x-mock: usage=none")
    assert gateway.only_attempt(request_id)["provider_usage"] == []
