"""Goal: what nobody told is booked as the model's family has it, and the provider's books lie in
the interval beside it.

Method: whole gateways before the mock, with and without a cap that counts output; clients leave
streams of Claude's, Gemini's and Qwen's, whose numbers stand in the mock's books alone.
"""

import orjson
import pytest

from tests.journey.harness import Gateway, chat, configuration, post

CAP = {"on_http_request": [{"name": "capped", "actions": [{"type": "usage-cap", "config": {
    "name": "cap", "unit": "output_tokens", "window": "day", "limit": 10**9}}]}]}
GEMINI = "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
STREAMS = {
    "claude-3": ("/v1/messages", chat("claude-sonnet-4-5", stream=True, max_tokens=4000)),
    "gemini": (GEMINI, orjson.dumps({
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        "generationConfig": {"maxOutputTokens": 4000}})),
    "qwen": ("/v1/chat/completions", chat("qwen3-max", stream=True, max_tokens=4000))}


@pytest.fixture(scope="module", params=["ratio", "rate"])
def gateway(mock, request):
    mock.reset()  # other gateways number their requests as this one does
    url = f"http://127.0.0.1:{mock.port}"
    providers = [{"id": "openai", "dialect": "openai", "base_url": f"{url}/v1"},
                 {"id": "anthropic", "dialect": "anthropic", "base_url": url},
                 {"id": "gemini", "dialect": "gemini", "base_url": url}]
    rules = {"policy": CAP} if request.param == "ratio" else {}
    instance = Gateway(configuration(mock.port, providers=[
        one | {"keys": [{"value": "k"}]} for one in providers], **rules))
    instance.by = request.param
    yield instance
    instance.remove()


@pytest.mark.parametrize("family", STREAMS)
def test_a_stream_whose_client_left(gateway, mock, family):
    path, body = STREAMS[family]
    sock = gateway.connect()
    sock.sendall(post(path, body, "x-mock: events=3500,pace=5ms"))
    read = b""
    while read.count(b"data:") < 30:
        read += sock.recv(65536)
    sock.close()
    head = read.partition(b"\r\n\r\n")[0].decode().lower()
    request_id = head.partition("x-fastgw-request-id: ")[2].partition("\r\n")[0]
    usage = gateway.only_attempt(request_id)["usage"]
    booked = mock.booked(request_id)
    told = usage["estimates"]["output_tokens"]

    assert (told["by"], told["family"]) == (gateway.by, family)
    low, high = usage["interval"]["output_tokens"]
    assert low <= usage["output_tokens"] <= high == 4000
    assert low <= booked["output_tokens"] <= high
    least, most = usage["interval"]["input_tokens"]
    assert least <= booked["input_tokens"] <= most
    assert usage["provenances"]["output_tokens"] == "estimated"
    attempts = orjson.loads(gateway.run("usage", "--attempts", "--format", "json"))
    [event] = [one for one in attempts if one["request_id"] == request_id]
    assert event["estimates"] == usage["estimates"]
    line = gateway.run("explain", request_id)
    assert f"output estimated: {told['ratio']} for " in line and f"({family})" in line
