"""Goal: Claude on Vertex AI goes through as Anthropic's own client for it has it: the model in the
path, the stream in the method, and the ledger has what the books have.

Method: a whole gateway in front of the mock, which has Vertex's paths; the official SDK's
AnthropicVertex with a fixed token, unmodified.
"""

import anthropic
import pytest
from anthropic import AnthropicVertex

from tests.journey.harness import KEY, configuration, serving

MODEL = "claude-sonnet-5"
TURNS = [{"role": "user", "content": "hello"}]
ASKED = "events=10,prompt_tokens=500,cached=300,cache_write=50,reasoning=5"
PATH = "/v1/projects/p-1/locations/us-east5/publishers/anthropic/models/"
EDGE = 12
RULES = [{"name": "cap", "expressions": ["'x-bucket' in req.headers"],
          "actions": [{"type": "usage-cap", "config": {
              "name": "cap", "unit": "output_tokens", "limit": EDGE, "window": "total",
              "bucket_key": ["req.headers['x-bucket']"]}}]}]


@pytest.fixture(scope="module")
def gateway(mock):
    provider = {"id": "vertex", "dialect": "anthropic",
                "base_url": f"http://127.0.0.1:{mock.port}", "keys": [{"value": "ya29.secret"}]}
    models = [{"id": "house", "candidates": [
        {"provider": "vertex", "model": "claude-x@20250929"}]}]
    keys = [{"id": "alice", "value": KEY},
            {"id": "bob", "value": "fgw-bob", "access": {"models": ["claude-haiku-*"]}}]
    with serving(mock, configuration(mock.port, providers=[provider], models=models, keys=keys,
                                     policy={"on_http_request": RULES})) as instance:
        yield instance


def client(gateway, key=KEY):
    return AnthropicVertex(region="us-east5", project_id="p-1", access_token=key,
                           base_url=gateway.url("/v1"), max_retries=0)


def ask(gateway, model=MODEL, says=ASKED, stream=False, key=KEY, **more):
    headers = {"x-mock": says, **more.pop("headers", {})}
    return client(gateway, key).messages.with_raw_response.create(
        model=model, max_tokens=1000, messages=TURNS, stream=stream, extra_headers=headers, **more)


def same(mock, gateway, headers) -> tuple[dict, dict]:
    """(the ledger's one attempt, the books' line), which say the same."""
    (attempt,) = gateway.decided(headers["x-fastgw-request-id"])["attempts"]
    line, usage = mock.booked(headers["x-fastgw-request-id"]), attempt["usage"]
    for of in ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens"):
        assert usage[of] == line[of], of
    assert usage["provenance"] == "provider"
    assert line["credential"] == "ya29.secret" and KEY not in str(line)
    return attempt, line


@pytest.mark.parametrize("says", ["", ",gzip=1", ",bytes=1", ",crlf=1"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_metered_as_the_books_have_it(mock, gateway, stream, says):
    got = ask(gateway, says=ASKED + says, stream=stream)
    if stream:
        assert [one.type for one in got.parse()][-1] == "message_stop"
    attempt, line = same(mock, gateway, got.headers)

    assert line["path"] == f"{PATH}{MODEL}:{'streamRawPredict' if stream else 'rawPredict'}"
    assert line["stream"] is stream and attempt["fate"] == "delivered"
    assert gateway.decided(got.headers["x-fastgw-request-id"])["model"] == MODEL


def test_a_model_of_the_house_is_another_in_the_path(mock, gateway):
    got = ask(gateway, "house")
    assert same(mock, gateway, got.headers)[1]["model"] == "claude-x@20250929"


def test_a_keys_models_hold_for_the_path(gateway):
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        ask(gateway, key="fgw-bob")
    assert "FGW-602" in str(caught.value)


def test_tokens_are_counted_and_cost_nothing(gateway):
    answer = client(gateway).messages.with_raw_response.count_tokens(model=MODEL, messages=TURNS)
    assert answer.parse().input_tokens > 0
    (attempt,) = gateway.decided(answer.headers["x-fastgw-request-id"])["attempts"]
    assert attempt["usage"]["total_tokens"] == 0 and attempt["cost_nano_usd"] == 0


@pytest.mark.parametrize("status, kind", [
    (401, anthropic.AuthenticationError), (429, anthropic.RateLimitError),
    (529, anthropic.InternalServerError)])
def test_the_providers_refusals_are_the_sdks_own(gateway, status, kind):
    with pytest.raises(kind):
        ask(gateway, says=f"status={status}")


def test_a_stream_ends_at_the_edge_of_a_cap(gateway):
    got = ask(gateway, says="events=200,ignore_max=1", stream=True,
              headers={"x-bucket": "one"})
    events = list(got.parse())
    ends = [one.delta.stop_reason for one in events if one.type == "message_delta"]
    assert ends == ["max_tokens"]
    (attempt,) = gateway.decided(got.headers["x-fastgw-request-id"])["attempts"]
    assert attempt["fate"] == "cut by cap"


def test_what_a_client_that_left_has_used_is_within_the_interval(mock, gateway):
    got = ask(gateway, says="events=400,pace=10ms", stream=True)
    stream = got.parse()
    for number, _ in enumerate(stream):
        if number == 8:
            break
    stream.close()
    line = mock.booked(got.headers["x-fastgw-request-id"])
    (attempt,) = gateway.decided(got.headers["x-fastgw-request-id"])["attempts"]
    low, high = attempt["usage"]["interval"]["output_tokens"]
    assert line["aborted"] and attempt["fate"] == "cut by client"
    assert 0 < low <= line["output_tokens"] <= high
