"""Goal: who speaks Ollama's API notices nothing of the gateway but what it says of itself, and
what the ledger has is what the provider's books have.

Method: a whole gateway in front of the mock; the official ollama SDK, unmodified, and plain HTTP
where the SDK does not show what is on the wire.
"""

import itertools
import json

import httpx
import ollama
import pytest

from tests.journey.harness import KEY, configuration, serving

MODEL = "llama3.2:latest"
HELLO = [{"role": "user", "content": "hello"}]
EDGE = 12
BEARER = {"authorization": f"Bearer {KEY}"}
BUCKETS = itertools.count()
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}}}}
RULES = [
    {"name": "pace", "expressions": ["'x-paced' in req.headers"],
     "actions": [{"type": "rate-limit", "config": {
         "name": "pace", "capacity": 1, "per": "1h", "bucket_key": ["req.headers['x-paced']"]}}]},
    {"name": "cap", "expressions": ["'x-bucket' in req.headers"],
     "actions": [{"type": "usage-cap", "config": {
         "name": "cap", "unit": "output_tokens", "limit": EDGE, "window": "total",
         "bucket_key": ["req.headers['x-bucket']"]}}]},
]
EYES = {phase: [{"name": phase, "expressions": ["'x-eyes' in req.headers"], "actions": [
    {"type": "detect", "config": {"kinds": ["email"], "then": "redact"}}]}]
    for phase in ("on_http_response", "on_event_stream_message")}  # fmt: skip


@pytest.fixture(scope="module")
def gateway(mock):
    """The provider has no key: it is asked without a credential."""
    provider = {"id": "here", "dialect": "ollama", "base_url": f"http://127.0.0.1:{mock.port}"}
    models = [{"id": "house", "candidates": [{"provider": "here", "model": MODEL}]}]
    config = configuration(mock.port, models=models, policy={"on_http_request": RULES, **EYES})
    config["providers"].append(provider)
    with serving(mock, config) as instance:
        yield instance


class Client(ollama.Client):
    """The SDK's own, with our fields, that keeps the heads of its answers."""

    def __init__(self, gateway, mock_says: str = "", key: str = KEY, **fields: str) -> None:
        self.heads: list[httpx.Headers] = []
        own = {"x-mock": mock_says} if mock_says else {}
        credential = {"authorization": f"Bearer {key}"} if key else {}
        super().__init__(host=gateway.url(), headers={**credential, **own, **fields},
                         event_hooks={"response": [lambda got: self.heads.append(got.headers)]})

    @property
    def request_id(self) -> str:
        return self.heads[-1]["x-fastgw-request-id"]


def same(mock, gateway, request_id: str) -> dict:
    """The ledger's one attempt; it says what the books say."""
    attempt, line = gateway.only_attempt(request_id), mock.booked(request_id)
    for name in ("input_tokens", "output_tokens", "cached_input_tokens"):
        assert attempt["usage"][name] == line[name], name
    assert attempt["usage"]["provenance"] == "provider"
    assert line["credential"] == "" and KEY not in json.dumps(line)
    return attempt


ASKED = "prompt_tokens=500,cached=300,events=10"


@pytest.mark.parametrize("mock_says", ["", ",gzip=1", ",bytes=1"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_is_metered_as_the_sdk_has_it(mock, gateway, stream, mock_says):
    client = Client(gateway, ASKED + mock_says)
    answer = client.chat(MODEL, HELLO, stream=stream)
    parts = list(answer) if stream else [answer]
    attempt = same(mock, gateway, client.request_id)

    assert parts[-1].done_reason == "stop" and parts[-1].eval_count == 10
    assert len("".join(one.message.content for one in parts).split()) == 10
    assert attempt["fate"] == "delivered" and attempt["usage"]["cached_input_tokens"] == 300


def test_a_stream_is_what_comes_where_nobody_says_otherwise(mock, gateway):
    answer = httpx.post(gateway.url("/api/generate"), headers=BEARER,
                        json={"model": MODEL, "prompt": "hello"})
    lines = [json.loads(line) for line in answer.text.splitlines()]

    assert answer.headers["content-type"] == "application/x-ndjson" and len(lines) > 20
    assert lines[-1]["done"] and not lines[0]["done"]
    same(mock, gateway, answer.headers["x-fastgw-request-id"])


def test_a_prompt_that_nobody_counted_is_an_interval_and_no_zero(mock, gateway):
    client = Client(gateway, "prompt_tokens=0,events=10")
    answer = client.chat(MODEL, HELLO)
    attempt = gateway.only_attempt(client.request_id)

    assert answer.prompt_eval_count is None and answer.eval_count == 10
    assert attempt["usage"]["provenance"] == "estimated"
    assert attempt["usage"]["provenances"] == {"input_tokens": "estimated",
                                               "output_tokens": "provider"}
    assert attempt["usage"]["output_tokens"] == 10 and attempt["usage"]["input_tokens"] > 0
    assert attempt["usage"]["interval"]["input_tokens"][0] == 0
    assert attempt["usage"]["interval"]["input_tokens"][1] > 100


def test_a_call_of_a_tool(mock, gateway):
    client = Client(gateway, "tool=1")
    answer = client.chat(MODEL, HELLO, tools=[WEATHER])

    assert answer.message.tool_calls[0].function.name == "weather"
    same(mock, gateway, client.request_id)


def test_embeddings_and_models(mock, gateway):
    client = Client(gateway)
    assert len(client.embed(MODEL, ["abcd", "efgh"]).embeddings) == 2
    attempt = same(mock, gateway, client.request_id)
    assert attempt["usage"]["input_tokens"] == 2 and attempt["usage"]["output_tokens"] == 0
    tags = httpx.get(gateway.url("/providers/here/api/tags"), headers=BEARER)
    assert MODEL in {one["name"] for one in tags.json()["models"]}


def test_a_model_of_the_house_goes_under_its_own_name(mock, gateway):
    client = Client(gateway)
    client.chat("house", HELLO)
    assert mock.booked(client.request_id)["model"] == MODEL


# ---- refusals and errors


def test_our_refusals_raise_the_sdks_own_class(gateway):
    with pytest.raises(ollama.ResponseError) as unknown:
        Client(gateway, key="wrong").chat(MODEL, HELLO)
    assert unknown.value.status_code == 401 and "FGW-302" in unknown.value.error

    paced = Client(gateway, **{"x-paced": "one"})
    paced.chat(MODEL, HELLO)
    with pytest.raises(ollama.ResponseError) as later:
        paced.chat(MODEL, HELLO, stream=False)
    assert later.value.status_code == 429 and "FGW-801" in later.value.error
    assert 3500 < int(paced.heads[-1]["retry-after"]) <= 3600
    with pytest.raises(ollama.ResponseError) as streamed:
        list(paced.chat(MODEL, HELLO, stream=True))
    assert streamed.value.status_code == 429


def test_a_refusal_says_in_a_member_of_ours_what_it_is(gateway):
    answer = httpx.post(gateway.url("/api/chat"), headers=BEARER, json={"model": MODEL,
                        "options": {"num_predict": "many"}})
    told = answer.json()
    assert answer.status_code == 400 and isinstance(told["error"], str)
    assert told["fastgw"]["code"] == "FGW-508" == answer.headers["x-fastgw-code"]


@pytest.mark.parametrize("status", [404, 500])
def test_the_providers_own_errors_pass(gateway, status):
    with pytest.raises(ollama.ResponseError) as raised:
        Client(gateway, f"status={status}").chat(MODEL, HELLO)
    assert raised.value.status_code == status


def test_an_error_within_a_stream_is_seen_on_both_sides(gateway):
    client = Client(gateway, "error_after=3")
    with pytest.raises(ollama.ResponseError) as raised:
        list(client.chat(MODEL, HELLO, stream=True))
    attempt = gateway.only_attempt(client.request_id)

    assert "asked to fail" in raised.value.error
    assert attempt["usage"]["provenance"] == "estimated"
    assert attempt["usage"]["interval"]["output_tokens"][0] == 3


def test_a_stream_that_breaks_off_ends_in_an_error(gateway):
    client = Client(gateway, "cut_after=3")
    with pytest.raises((ollama.ResponseError, httpx.RemoteProtocolError)):
        list(client.chat(MODEL, HELLO, stream=True))


# ---- limits of output


@pytest.mark.parametrize("options", [{}, {"num_predict": -1}, {"num_predict": 50},
                                     {"temperature": 0.5}])
def test_a_cap_becomes_a_smaller_limit_in_the_request(mock, gateway, options):
    client = Client(gateway, "events=100,record=1", **{"x-bucket": str(next(BUCKETS))})
    answer = client.chat(MODEL, HELLO, options=options)
    line = mock.booked(client.request_id)

    assert (answer.done_reason, answer.eval_count) == ("length", EDGE)
    assert json.loads(line["body"])["options"] == {**options, "num_predict": EDGE}


@pytest.mark.parametrize("operation", ["chat", "generate"])
def test_the_edge_of_a_cap_ends_a_stream_as_its_own_limit_does(gateway, operation):
    client = Client(gateway, "events=200,ignore_max=1", **{"x-bucket": str(next(BUCKETS))})
    if operation == "chat":
        parts = list(client.chat(MODEL, HELLO, stream=True))
        text = "".join(one.message.content for one in parts)
    else:
        parts = list(client.generate(MODEL, "hello", stream=True))
        text = "".join(one.response for one in parts)
    attempt = gateway.only_attempt(client.request_id)

    assert parts[-1].done and parts[-1].done_reason == "length"
    assert len(text.split()) == EDGE == parts[-1].eval_count
    assert attempt["fate"] == "cut by cap" and attempt["usage"]["output_tokens"] == EDGE


# ---- detect


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_said_is_looked_at(gateway, stream):
    said = "write%20to%20john.doe%40example.com%20soon"
    client = Client(gateway, f"text={said},piece=3", **{"x-eyes": "1"})
    answer = client.chat(MODEL, HELLO, stream=stream)
    text = "".join(one.message.content for one in answer) if stream else answer.message.content

    assert text == "write to [REDACTED:email] soon"
