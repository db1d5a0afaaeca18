"""Goal: who speaks Cohere's API (v2) notices nothing of the gateway but what it says of itself,
and what the ledger has is what the provider's books have; what is billed is another sum.

Method: a whole gateway in front of the mock; the official cohere SDK, unmodified.
"""

import itertools
import json

import cohere
import httpx
import pytest

from tests.journey.harness import KEY, configuration, serving

MODEL = "command-a-03-2025"
SECRET = "co-mock-secret"
HELLO = [{"role": "user", "content": "hello"}]
EDGE = 12
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
    provider = {"id": "co", "dialect": "cohere", "base_url": f"http://127.0.0.1:{mock.port}",
                "keys": [{"id": "c", "value": SECRET}]}
    config = configuration(mock.port, policy={"on_http_request": RULES, **EYES})
    config["providers"].append(provider)
    with serving(mock, config) as instance:
        yield instance


class Client(cohere.ClientV2):
    """The SDK's own, with our fields, that keeps the heads of its answers."""

    def __init__(self, gateway, mock_says: str = "", key: str = KEY, **fields: str) -> None:
        self.heads: list[httpx.Headers] = []
        own = {"x-mock": mock_says} if mock_says else {}
        transport = httpx.Client(
            headers={**own, **fields},
            event_hooks={"response": [lambda got: self.heads.append(got.headers)]})
        super().__init__(api_key=key, base_url=gateway.url(), httpx_client=transport)

    @property
    def request_id(self) -> str:
        return self.heads[-1]["x-fastgw-request-id"]


ONCE = {"max_retries": 0}


def same(mock, gateway, request_id: str) -> dict:
    """The ledger's one attempt; it says what the books say."""
    attempt, line = gateway.only_attempt(request_id), mock.booked(request_id)
    for name in ("input_tokens", "output_tokens", "cached_input_tokens"):
        assert attempt["usage"][name] == line[name], name
    assert attempt["usage"]["provenance"] == "provider"
    assert line["credential"] == SECRET and KEY not in json.dumps(line)
    return attempt


ASKED = "prompt_tokens=500,cached=300,reasoning=5,events=10"


BILLED = 200 * 2500 + 15 * 10_000  # nano-dollars: command-a, 2.5 and 10 dollars a million


@pytest.mark.parametrize("mock_says", ["", ",gzip=1", ",bytes=1"])
def test_a_chat_is_metered_and_paid_by_what_is_billed(mock, gateway, mock_says):
    client = Client(gateway, ASKED + mock_says)
    answer = client.chat(model=MODEL, messages=HELLO)
    attempt = same(mock, gateway, client.request_id)

    assert (answer.usage.tokens.input_tokens, answer.usage.billed_units.input_tokens) == (500, 200)
    assert attempt["usage"]["reasoning_tokens"] == 5
    assert attempt["cost_nano_usd"] == BILLED
    assert len(answer.message.content[0].text.split()) == 10


@pytest.mark.parametrize("mock_says", ["", ",gzip=1", ",bytes=1", ",crlf=1"])
def test_a_stream_is_metered_as_the_sdk_has_it(mock, gateway, mock_says):
    client = Client(gateway, ASKED + mock_says)
    events = list(client.chat_stream(model=MODEL, messages=HELLO))
    attempt = same(mock, gateway, client.request_id)

    assert [one.type for one in events][::len(events) - 1] == ["message-start", "message-end"]
    assert events[-1].delta.finish_reason == "COMPLETE"
    assert attempt["fate"] == "delivered"
    assert attempt["cost_nano_usd"] == BILLED


def test_a_call_of_a_tool(mock, gateway):
    client = Client(gateway, "tool=1")
    answer = client.chat(model=MODEL, messages=HELLO, tools=[WEATHER])
    assert answer.message.tool_calls[0].function.name == "weather"
    same(mock, gateway, client.request_id)


def test_embeddings_and_searches(mock, gateway):
    client = Client(gateway)
    made = client.embed(model="embed-v4.0", texts=["abcd", "efgh"], input_type="search_query",
                        embedding_types=["float"])
    attempt = same(mock, gateway, client.request_id)
    assert len(made.embeddings.float_) == 2 and attempt["usage"]["input_tokens"] == 2
    found = client.rerank(model="rerank-v3.5", query="q", documents=["a", "b", "c"])
    assert [one.index for one in found.results] == [0, 1, 2]
    attempt = gateway.only_attempt(client.request_id)  # paid by the search: $2 for 1,000 units
    assert (attempt["cost_nano_usd"], attempt["usage"]["units"]) == (2_000_000, {"searches": 1})


# ---- refusals and errors


def test_our_refusals_raise_the_sdks_own_classes(gateway):
    with pytest.raises(cohere.UnauthorizedError) as unknown:
        Client(gateway, key="wrong").chat(model=MODEL, messages=HELLO, request_options=ONCE)
    assert "FGW-302" in unknown.value.body["message"]
    assert unknown.value.body["id"] == unknown.value.body["fastgw"]["request_id"]

    paced = Client(gateway, **{"x-paced": "one"})
    paced.chat(model=MODEL, messages=HELLO)
    with pytest.raises(cohere.TooManyRequestsError) as later:
        paced.chat(model=MODEL, messages=HELLO, request_options=ONCE)
    assert later.value.body["fastgw"]["code"] == "FGW-801"
    with pytest.raises(cohere.BadRequestError):
        Client(gateway).chat(model=MODEL, messages=HELLO, max_tokens=-1, request_options=ONCE)


@pytest.mark.parametrize("status, kind", [
    (400, cohere.BadRequestError), (404, cohere.NotFoundError), (429, cohere.TooManyRequestsError),
    (500, cohere.InternalServerError)])
def test_the_providers_own_errors_pass(gateway, status, kind):
    with pytest.raises(kind):
        Client(gateway, f"status={status}").chat(model=MODEL, messages=HELLO,
                                                 request_options=ONCE)


def test_an_error_within_a_stream_is_seen_on_both_sides(gateway):
    client = Client(gateway, "error_after=3")
    events = list(client.chat_stream(model=MODEL, messages=HELLO))
    attempt = gateway.only_attempt(client.request_id)

    assert events[-1].delta.finish_reason == "ERROR"
    assert attempt["usage"]["provenance"] == "estimated"
    assert attempt["usage"]["interval"]["output_tokens"][0] == 3


# ---- limits of output


@pytest.mark.parametrize("limit", [{}, {"max_tokens": 50}])
def test_a_cap_becomes_a_smaller_limit_in_the_request(mock, gateway, limit):
    client = Client(gateway, "events=100,record=1", **{"x-bucket": str(next(BUCKETS))})
    answer = client.chat(model=MODEL, messages=HELLO, **limit)

    assert answer.finish_reason == "MAX_TOKENS" and answer.usage.tokens.output_tokens == EDGE
    assert json.loads(mock.booked(client.request_id)["body"])["max_tokens"] == EDGE


@pytest.mark.parametrize("mock_says", ["", ",usage=none", ",crlf=1"])
def test_the_edge_of_a_cap_ends_a_stream_as_its_own_limit_does(gateway, mock_says):
    client = Client(gateway, "events=200,ignore_max=1" + mock_says,
                    **{"x-bucket": str(next(BUCKETS))})
    events = list(client.chat_stream(model=MODEL, messages=HELLO))
    texts = [one.delta.message.content.text for one in events if one.type == "content-delta"]
    attempt = gateway.only_attempt(client.request_id)

    assert [one.type for one in events[-2:]] == ["content-end", "message-end"]
    assert events[-1].delta.finish_reason == "MAX_TOKENS"
    assert len("".join(texts).split()) == EDGE == events[-1].delta.usage.tokens.output_tokens
    assert attempt["fate"] == "cut by cap" and attempt["usage"]["output_tokens"] == EDGE


def test_a_tools_arguments_are_ended_at_the_edge_too(gateway):
    client = Client(gateway, "text=" + "ab" * 200 + ",piece=2,tool=1,ignore_max=1",
                    **{"x-bucket": str(next(BUCKETS))})
    kinds = [one.type for one in client.chat_stream(model=MODEL, messages=HELLO, tools=[WEATHER])]
    assert kinds[-2:] == ["tool-call-end", "message-end"]


# ---- detect


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_said_is_looked_at(gateway, stream):
    said = "write%20to%20john.doe%40example.com%20soon"
    client = Client(gateway, f"text={said},piece=3", **{"x-eyes": "1"})
    if stream:
        text = "".join(one.delta.message.content.text
                       for one in client.chat_stream(model=MODEL, messages=HELLO)
                       if one.type == "content-delta")
    else:
        text = client.chat(model=MODEL, messages=HELLO).message.content[0].text
    assert text == "write to [REDACTED:email] soon"
