"""Goal: who speaks Gemini's API notices nothing of the gateway but what it says of itself, and
what the ledger has is what the provider's books have.

Method: a whole gateway in front of the mock; the official google-genai SDK, unmodified, where it
has the call, plain HTTP where it does not (the stream as one array, the key in the query).
"""

import json

import httpx
import pytest
from google import genai
from google.genai import errors, types

from tests.journey.harness import KEY, configuration, serving, wait_until

MODEL = "gemini-2.5-flash"
SECRET = "goog-mock-secret"
EDGE = 12
OVER = "events=200,ignore_max=1"
HELLO = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
WEATHER = types.Tool(function_declarations=[types.FunctionDeclaration(
    name="weather", parameters_json_schema={"type": "object", "properties": {
        "city": {"type": "string"}, "days": {"type": "integer"}}})])
RULES = [
    {"name": "pace", "expressions": ["'x-paced' in req.headers"],
     "actions": [{"type": "rate-limit", "config": {
         "name": "pace", "capacity": 1, "per": "1h", "bucket_key": ["req.headers['x-paced']"]}}]},
    {"name": "cap", "expressions": ["'x-bucket' in req.headers"],
     "actions": [{"type": "usage-cap", "config": {
         "name": "cap", "unit": "output_tokens", "limit": EDGE, "window": "total",
         "bucket_key": ["req.headers['x-bucket']"]}}]},
    {"name": "told", "expressions": ["'told' in req.query"],
     "actions": [{"type": "log", "config": {"metadata": {"told": "${req.query['key']}"}}}]},
]


@pytest.fixture(scope="module")
def gateway(mock):
    provider = {"id": "google", "dialect": "gemini", "base_url": f"http://127.0.0.1:{mock.port}",
                "keys": [{"id": "g", "value": SECRET}]}
    models = [{"id": name, "candidates": [{"provider": "google", "model": model}]}
              for name, model in (("house", MODEL), ("embedder", "gemini-embedding-001"))]
    config = configuration(mock.port, models=models, policy={"on_http_request": RULES})
    config["providers"].append(provider)
    with serving(mock, config) as instance:
        yield instance


@pytest.fixture
def client(gateway):
    with genai.Client(api_key=KEY, http_options={"base_url": gateway.url()}) as one:
        yield one


def config(mock_says="", headers=None, **more) -> types.GenerateContentConfig:
    fields = {**(headers or {}), **({"x-mock": mock_says} if mock_says else {})}
    return types.GenerateContentConfig(http_options={"headers": fields}, **more)


def same(mock, gateway, headers: dict, provenance: str = "provider") -> dict:
    """The ledger's one attempt; it says what the books say."""
    request_id = headers["x-fastgw-request-id"]
    (attempt,) = gateway.decided(request_id)["attempts"]
    line = mock.booked(request_id)
    assert attempt["usage"]["input_tokens"] == line["input_tokens"]
    assert attempt["usage"]["output_tokens"] == line["output_tokens"]
    assert attempt["usage"]["cached_input_tokens"] == line["cached_input_tokens"]
    assert attempt["usage"]["provenance"] == provenance
    assert line["credential"] == SECRET and KEY not in json.dumps(line)
    return attempt


ASKED = "events=10,prompt_tokens=500,cached=300,reasoning=5"


def test_an_answer_is_metered_as_the_sdk_has_it(mock, gateway, client):
    answer = client.models.generate_content(model=MODEL, contents="hello", config=config(ASKED))
    attempt = same(mock, gateway, answer.sdk_http_response.headers)

    usage = answer.usage_metadata
    assert attempt["usage"]["output_tokens"] == usage.candidates_token_count + 5
    assert attempt["usage"]["reasoning_tokens"] == 5 and attempt["cost_nano_usd"]
    assert len(answer.text.split()) == 10


@pytest.mark.parametrize("mock_says", ["", ",gzip=1", ",bytes=1", ",usage=last"])
def test_a_stream_is_metered_as_the_sdk_has_it(mock, gateway, client, mock_says):
    chunks = list(client.models.generate_content_stream(
        model=MODEL, contents="hello", config=config(ASKED + mock_says)))
    attempt = same(mock, gateway, chunks[0].sdk_http_response.headers)

    assert "".join(one.text or "" for one in chunks).split() and attempt["fate"] == "delivered"
    assert chunks[-1].candidates[0].finish_reason == "STOP"


@pytest.mark.parametrize("mock_says", ["", ",gzip=1", ",bytes=1"])
def test_a_stream_as_one_array_is_metered_too(mock, gateway, mock_says):
    answer = httpx.post(
        gateway.url(f"/v1beta/models/{MODEL}:streamGenerateContent"), json=HELLO,
        headers={"x-goog-api-key": KEY, "x-mock": ASKED + mock_says})
    assert len(answer.json()) == 11
    same(mock, gateway, answer.headers)


def test_a_call_of_a_tool(mock, gateway, client):
    answer = client.models.generate_content(
        model=MODEL, contents="hello", config=config("tool=1", tools=[WEATHER]))
    assert answer.function_calls[0].args["days"] == 1
    same(mock, gateway, answer.sdk_http_response.headers)


def test_a_model_of_the_house_goes_under_its_own_name(mock, gateway, client):
    answer = client.models.generate_content(model="house", contents="hello")
    headers = answer.sdk_http_response.headers
    line = mock.booked(headers["x-fastgw-request-id"])
    assert line["model"] == MODEL == headers["x-fastgw-model"]
    assert line["path"] == f"/v1/models/{MODEL}:generateContent"


def test_embeddings_of_the_house_too(mock, gateway, client):
    made = client.models.embed_content(model="embedder", contents=["abcd", "efgh", "ij"])
    line = mock.booked(made.sdk_http_response.headers["x-fastgw-request-id"])
    assert (line["model"], line["input_tokens"]) == ("gemini-embedding-001", 3)
    same(mock, gateway, made.sdk_http_response.headers)


def test_a_provider_by_its_id(mock, gateway):
    answer = httpx.post(
        gateway.url(f"/providers/google/v1beta/models/{MODEL}:generateContent"), json=HELLO,
        headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200
    same(mock, gateway, answer.headers)


def test_vertex_ai_has_longer_paths(mock, gateway):
    path = f"/v1/projects/p/locations/us-east5/publishers/google/models/{MODEL}"
    answer = httpx.post(gateway.url(f"{path}:streamGenerateContent?alt=sse"), json=HELLO,
                        headers={"authorization": f"Bearer {KEY}"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    same(mock, gateway, answer.headers)


def test_embeddings_counts_and_models(mock, gateway, client):
    made = client.models.embed_content(model="gemini-embedding-001", contents=["abcd", "efgh"])
    attempt = same(mock, gateway, made.sdk_http_response.headers)
    assert len(made.embeddings) == 2 and attempt["usage"]["input_tokens"] == 2
    assert client.models.count_tokens(model=MODEL, contents="hello").total_tokens == 5
    assert f"models/{MODEL}" in {one.name for one in client.models.list()}
    assert client.models.get(model=MODEL).name == f"models/{MODEL}"


# ---- refusals


def raised(client, model=MODEL, **more) -> errors.APIError:
    with pytest.raises(errors.APIError) as caught:
        client.models.generate_content(model=model, contents="hello", config=config(**more))
    return caught.value


def test_our_refusals_raise_the_sdks_own_classes(gateway, client):
    with genai.Client(api_key="wrong", http_options={"base_url": gateway.url()}) as other:
        unknown = raised(other)
    assert isinstance(unknown, errors.ClientError)
    assert (unknown.code, unknown.status) == (401, "UNAUTHENTICATED")
    assert "FGW-302" in unknown.message

    with genai.Client(api_key=KEY, http_options={
            "base_url": gateway.url("/providers/nobody")}) as nobody:
        missing = raised(nobody)
    assert (missing.code, missing.status) == (404, "NOT_FOUND")

    paced = {"headers": {"x-paced": "one"}}
    client.models.generate_content(model=MODEL, contents="hello", config=config(**paced))
    later = raised(client, **paced)
    assert (later.code, later.status) == (429, "RESOURCE_EXHAUSTED")
    told = later.details["error"]
    assert told["details"][0]["@type"].endswith("RetryInfo")
    assert 3500 < int(told["details"][0]["retryDelay"].rstrip("s")) <= 3600
    assert told["details"][1]["reason"] == told["fastgw"]["code"] == "FGW-801"


def test_who_asked_for_an_array_is_refused_in_one(gateway):
    asked = {"json": HELLO, "headers": {"x-goog-api-key": "wrong"}}
    path = gateway.url(f"/v1beta/models/{MODEL}:streamGenerateContent")
    wrapped, plain = httpx.post(path, **asked), httpx.post(path + "?alt=sse", **asked)
    assert wrapped.status_code == plain.status_code == 401
    assert wrapped.json()[0]["error"]["status"] == plain.json()["error"]["status"]


@pytest.mark.parametrize("status, kind", [
    (400, errors.ClientError), (403, errors.ClientError), (404, errors.ClientError),
    (429, errors.ClientError), (500, errors.ServerError), (503, errors.ServerError)])
@pytest.mark.parametrize("stream", [False, True])
def test_the_providers_refusals_come_through(gateway, client, status, kind, stream):
    asked = {"model": MODEL, "contents": "hello", "config": config(f"status={status}")}
    with pytest.raises(kind) as caught:
        if stream:
            list(client.models.generate_content_stream(**asked))
        else:
            client.models.generate_content(**asked)
    assert caught.value.code == status


def test_an_error_within_a_stream_raises_and_what_came_before_is_counted(mock, gateway, client):
    seen = []
    with pytest.raises(errors.APIError):
        for one in client.models.generate_content_stream(
                model=MODEL, contents="hello", config=config("error_after=3")):
            seen.append(one)
    assert len(seen) == 3
    same(mock, gateway, seen[0].sdk_http_response.headers)


def test_a_stream_that_breaks_off_is_told_in_its_own_form(gateway, client):
    with pytest.raises(errors.APIError) as caught:
        list(client.models.generate_content_stream(
            model=MODEL, contents="hello", config=config("cut_after=3,pace=20ms")))
    assert "FGW-9" in str(caught.value)
    got = b""
    with httpx.stream(
        "POST", gateway.url(f"/v1beta/models/{MODEL}:streamGenerateContent"), json=HELLO,
        headers={"x-goog-api-key": KEY, "x-mock": "cut_after=3,pace=20ms"},
    ) as answer, pytest.raises(httpx.RemoteProtocolError):
        for piece in answer.iter_raw():
            got += piece
    *chunks, last = json.loads(got)
    assert len(chunks) == 3 and "FGW-9" in last["error"]["message"]


# ---- the edge of a cap


@pytest.mark.parametrize("mock_says", ["", ",gzip=1", ",usage=none"])
def test_a_stream_ends_at_the_edge_of_a_cap(mock, gateway, client, mock_says):
    bucket = {"x-bucket": f"sse{mock_says}"}
    chunks = list(client.models.generate_content_stream(
        model=MODEL, contents="hello",
        config=config(OVER + mock_says, bucket, max_output_tokens=EDGE)))
    *said, last = chunks
    assert sum(len((one.text or "").split()) for one in said) == EDGE
    assert last.candidates[0].finish_reason == "MAX_TOKENS"
    request_id = chunks[0].sdk_http_response.headers["x-fastgw-request-id"]
    (attempt,) = gateway.decided(request_id)["attempts"]
    # Each chunk tells what it came to: that of the one which was not passed on, too.
    told = EDGE + ("none" not in mock_says)
    assert attempt["fate"] == "cut by cap" and attempt["usage"]["output_tokens"] == told


def test_an_array_ends_at_the_edge_as_an_array(gateway):
    answer = httpx.post(
        gateway.url(f"/v1beta/models/{MODEL}:streamGenerateContent"),
        json={**HELLO, "generationConfig": {"maxOutputTokens": EDGE}},
        headers={"x-goog-api-key": KEY, "x-mock": OVER, "x-bucket": "array"})
    *said, last = answer.json()
    assert len(said) == EDGE
    assert last["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert last["fastgw"]["code"] == "FGW-951"


@pytest.mark.parametrize("name, limit", [
    ("generationConfig", "maxOutputTokens"), ("generation_config", "max_output_tokens"),
    ("", "")])
def test_the_limit_of_a_cap_is_written_into_the_request(mock, gateway, name, limit):
    body = {**HELLO, name: {limit: 5000}} if name else HELLO
    answer = httpx.post(
        gateway.url(f"/v1beta/models/{MODEL}:generateContent"), json=body,
        headers={"x-goog-api-key": KEY, "x-mock": "events=500,record=1", "x-bucket": f"w{name}"})
    candidate = answer.json()["candidates"][0]
    assert candidate["finishReason"] == "MAX_TOKENS"
    sent = json.loads(mock.booked(answer.headers["x-fastgw-request-id"])["body"])
    assert sent[name or "generationConfig"] == {limit or "maxOutputTokens": EDGE}


# ---- who leaves, and what is never told


@pytest.mark.parametrize("query", ["?alt=sse", ""])
def test_what_a_client_that_left_has_used_is_within_the_interval(mock, gateway, query):
    with httpx.stream(
        "POST", gateway.url(f"/v1beta/models/{MODEL}:streamGenerateContent{query}"), json=HELLO,
        headers={"x-goog-api-key": KEY, "x-mock": "events=400,pace=10ms"},
    ) as answer:
        request_id = answer.headers["x-fastgw-request-id"]
        for number, _ in enumerate(answer.iter_raw()):
            if number == 5:
                break
    line = mock.booked(request_id)
    (attempt,) = gateway.decided(request_id)["attempts"]
    usage = attempt["usage"]
    assert line["aborted"] and attempt["fate"] == "cut by client"
    assert usage["input_tokens"] == line["input_tokens"]
    low, high = usage["interval"]["output_tokens"]
    assert low <= line["output_tokens"] <= high and low > 0


def test_a_key_in_the_query_goes_no_further(mock, gateway):
    answer = httpx.post(
        gateway.url(f"/v1beta/models/{MODEL}:generateContent?told=1&key={KEY}&x=2"), json=HELLO,
        headers={"x-mock": "record=1"})
    assert answer.status_code == 200
    request_id = answer.headers["x-fastgw-request-id"]
    assert KEY not in json.dumps(mock.booked(request_id))
    assert "told=1&x=2" in mock.booked(request_id)["head"]
    assert KEY not in json.dumps(gateway.decided(request_id))
    wait_until(lambda: request_id in gateway.log())
    assert KEY not in gateway.log() and "xxxxxxxxx" in gateway.log()
    assert httpx.post(gateway.url(f"/v1beta/models/{MODEL}:generateContent?key=no"),
                      json=HELLO).status_code == 401
