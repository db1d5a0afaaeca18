"""Goal: who speaks Azure's API notices nothing of the gateway but what it says of itself, whether
Azure or OpenAI is behind it; and what the ledger has is what the provider's books have.

Method: a whole gateway in front of the mock, which has Azure's own paths and refuses what a
version does not know; the official SDK's AzureOpenAI, unmodified.
"""

import openai
import pytest

from tests.journey.harness import KEY, configuration, serving

HELLO = [{"role": "user", "content": "hello"}]
NEW, OLD = "2024-10-21", "2024-02-01"
ASKED = "events=10,prompt_tokens=500,cached=300,reasoning=5"
EDGE = 12
OVER = "events=200,ignore_max=1"
BUCKET = {"name": "cap", "unit": "output_tokens", "limit": EDGE, "window": "total",
          "bucket_key": ["req.headers['x-bucket']"]}
PACE = {"name": "pace", "capacity": 1, "per": "1h", "bucket_key": ["req.headers['x-paced']"]}
RULES = [
    {"name": "cap", "expressions": ["'x-bucket' in req.headers"],
     "actions": [{"type": "usage-cap", "config": BUCKET}]},
    {"name": "pace", "expressions": ["'x-paced' in req.headers"],
     "actions": [{"type": "rate-limit", "config": PACE}]},
]


@pytest.fixture(scope="module")
def gateway(mock):
    here = f"http://127.0.0.1:{mock.port}"
    made = {"azure": ("azure", here, ""), "dated": ("azure", here, NEW),
            "old": ("azure", here, OLD), "plain": ("openai", f"{here}/v1", "")}
    providers = [{"id": name, "dialect": dialect, "base_url": url,
                  "keys": [{"value": f"key-{name}"}],
                  **({"api_version": version} if version else {})}
                 for name, (dialect, url, version) in made.items()]
    models = [{"id": "house", "candidates": [{"provider": "azure", "model": "gpt-4o"}]}]
    config = configuration(mock.port, providers=providers, models=models,
                           policy={"on_http_request": RULES})
    with serving(mock, config) as instance:
        yield instance


def azure(gateway, version=NEW, key=KEY, **more):
    return openai.AzureOpenAI(azure_endpoint=gateway.url(), api_key=key, api_version=version,
                              max_retries=0, **more)


def plain(gateway):
    return openai.OpenAI(base_url=gateway.url("/v1"), api_key=KEY, max_retries=0)


def ask(client, model="gpt-4o", says="", stream=False, headers=None, **more):
    """(headers, answer or chunks)"""
    got = client.chat.completions.with_raw_response.create(
        model=model, messages=HELLO, stream=stream,
        extra_headers={"x-mock": says, **(headers or {})}, **more)
    return got.headers, list(got.parse()) if stream else got.parse()


def same(mock, gateway, headers, provenance="provider") -> tuple[dict, dict]:
    """(the ledger's one attempt, the books' line), which say the same."""
    request_id = headers["x-fastgw-request-id"]
    (attempt,) = gateway.decided(request_id)["attempts"]
    line = mock.booked(request_id)
    for of in ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"):
        assert attempt["usage"][of] == line[of], of
    assert attempt["usage"]["provenance"] == provenance
    assert KEY not in str(line)
    return attempt, line


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model, path", [
    ("gpt-4o", "/openai/deployments/gpt-4o/chat/completions"),
    ("house", "/openai/deployments/gpt-4o/chat/completions"),
    ("old/gpt-4o", "/openai/deployments/gpt-4o/chat/completions"),
    ("plain/gpt-4o", "/v1/chat/completions")])
def test_azures_client_is_metered_wherever_its_call_goes(mock, gateway, model, path, stream):
    headers, got = ask(azure(gateway), model, ASKED, stream)
    attempt, line = same(mock, gateway, headers)

    assert (line["path"], line["model"]) == (path, "gpt-4o")
    assert attempt["cost_nano_usd"] and attempt["fate"] == "delivered"
    assert gateway.decided(headers["x-fastgw-request-id"])["dialect"] == "azure"
    if stream:
        assert not any(chunk.usage for chunk in got)  # the client did not ask for it
        assert [c.choices[0].finish_reason for c in got if c.choices][-1] == "stop"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model, path", [
    ("azure/gpt-4o", "/openai/v1/chat/completions"),
    ("dated/gpt-4o", "/openai/deployments/gpt-4o/chat/completions")])
def test_openais_client_at_azure(mock, gateway, model, path, stream):
    headers, _ = ask(plain(gateway), model, ASKED, stream)
    assert same(mock, gateway, headers)[1]["path"] == path


@pytest.mark.parametrize("says", ["gzip=1", "bytes=1", "filter=async", "tool=1", "crlf=1"])
def test_streams_of_any_shape_are_metered(mock, gateway, says):
    _, chunks = got = ask(azure(gateway), says=f"{ASKED},{says}", stream=True)
    same(mock, gateway, got[0])
    assert chunks[0].choices == [] and chunks[0].prompt_filter_results


def test_who_asks_for_usage_gets_its_chunk(mock, gateway):
    headers, chunks = ask(azure(gateway), says=ASKED, stream=True,
                          stream_options={"include_usage": True})
    same(mock, gateway, headers)
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 15


@pytest.mark.parametrize("client", [lambda g: azure(g, OLD), plain])
def test_what_a_version_does_not_tell_lies_in_the_interval(mock, gateway, client):
    """`stream_options` would be refused, so nobody asks; what passed is counted."""
    headers, chunks = ask(client(gateway), "old/gpt-4o", "events=30", True)
    request_id = headers["x-fastgw-request-id"]
    (attempt,) = gateway.decided(request_id)["attempts"]
    line, usage = mock.booked(request_id), attempt["usage"]
    low, high = usage["interval"]["output_tokens"]

    assert len(chunks) > 30 and usage["provenance"] == "estimated"
    assert low <= line["output_tokens"] <= high and low > 0
    low, high = usage["interval"]["input_tokens"]
    assert low <= line["input_tokens"] <= high


def test_embeddings_completions_and_responses(mock, gateway):
    client = azure(gateway)
    made = client.embeddings.with_raw_response.create(model="house", input=["abcd", "efgh"])
    assert same(mock, gateway, made.headers)[1]["path"] == "/openai/deployments/gpt-4o/embeddings"
    made = client.completions.with_raw_response.create(model="gpt-4o", prompt="hello")
    assert same(mock, gateway, made.headers)[1]["path"].endswith("/gpt-4o/completions")
    for stream in (False, True):
        made = client.responses.with_raw_response.create(model="gpt-4o", input="hi", stream=stream)
        assert not stream or list(made.parse())[-1].type == "response.completed"
        assert same(mock, gateway, made.headers)[1]["path"] == "/openai/responses"
    assert [model.id for model in client.models.list()]


def test_the_v1_surface_with_openais_own_client(mock, gateway):
    client = openai.OpenAI(base_url=gateway.url("/openai/v1/"), api_key=KEY, max_retries=0)
    headers, _ = ask(client, says=ASKED, stream=True)
    assert same(mock, gateway, headers)[1]["path"] == "/openai/v1/chat/completions"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model, path", [
    ("house", "/models/chat/completions"), ("dated/gpt-4o", "/models/chat/completions"),
    ("plain/gpt-4o", "/v1/chat/completions")])
def test_foundrys_own_api_is_metered_wherever_its_call_goes(mock, gateway, model, path, stream):
    client = openai.OpenAI(base_url=gateway.url("/models"), api_key=KEY, max_retries=0,
                           default_query={"api-version": "2024-05-01-preview"})
    headers, got = ask(client, model, f"{ASKED},usage=last", stream, max_tokens=100)
    attempt, line = same(mock, gateway, headers)

    assert (line["path"], line["model"]) == (path, "gpt-4o")
    assert attempt["cost_nano_usd"] and attempt["fate"] == "delivered"
    told = gateway.decided(headers["x-fastgw-request-id"])
    assert (told["dialect"], told["operation"], told["stream"]) == ("azure", "chat", stream)
    if not stream:
        made = client.embeddings.with_raw_response.create(model=model, input=["abcd"])
        path = same(mock, gateway, made.headers)[1]["path"]
        assert path.endswith("/embeddings") and ("/models/" in path) == (model != "plain/gpt-4o")


def test_foundrys_cap_has_its_edge_in_the_request_as_max_tokens(mock, gateway):
    client = openai.OpenAI(base_url=gateway.url("/models"), api_key=KEY, max_retries=0,
                           default_query={"api-version": "2024-05-01-preview"})
    headers, got = ask(client, "house", "events=200", headers={"x-bucket": "foundry"})
    assert got.usage.completion_tokens == EDGE and got.choices[0].finish_reason == "length"
    attempt, _ = same(mock, gateway, headers)
    assert attempt["usage"]["output_tokens"] == EDGE


@pytest.mark.parametrize("stream", [False, True])
def test_a_filtered_prompt_costs_nothing_and_a_filtered_answer_does(mock, gateway, stream):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(azure(gateway), says="filter=prompt", stream=stream)
    assert caught.value.code == "content_filter"
    (attempt,) = gateway.decided(caught.value.response.headers["x-fastgw-request-id"])["attempts"]
    assert attempt["usage"]["total_tokens"] == 0

    headers, got = ask(azure(gateway), says="filter=answer", stream=stream)
    same(mock, gateway, headers)
    last = [one for one in got if one.choices][-1] if stream else got
    assert last.choices[0].finish_reason == "content_filter"


@pytest.mark.parametrize("status, kind", [
    (400, openai.BadRequestError), (401, openai.AuthenticationError),
    (404, openai.NotFoundError), (429, openai.RateLimitError),
    (500, openai.InternalServerError)])
def test_the_providers_refusals_come_through(gateway, status, kind):
    with pytest.raises(kind):
        ask(azure(gateway), says=f"status={status}")


def test_refusals_are_the_sdks_own(gateway):
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(azure(gateway, key="wrong"))
    assert caught.value.code == "401" and "FGW-" in str(caught.value)
    ask(azure(gateway), headers={"x-paced": "one"})
    with pytest.raises(openai.RateLimitError) as caught:
        ask(azure(gateway), headers={"x-paced": "one"})
    assert caught.value.code == "429" and caught.value.body["fastgw"]["code"] == "FGW-801"


def test_a_token_of_entra_is_a_credential(mock, gateway):
    client = openai.AzureOpenAI(azure_endpoint=gateway.url(), azure_ad_token=KEY,
                                api_version=NEW, max_retries=0)
    same(mock, gateway, ask(client)[0])


def test_a_stream_that_breaks_off_raises_and_what_came_is_counted(mock, gateway):
    got = azure(gateway).chat.completions.with_raw_response.create(
        model="gpt-4o", messages=HELLO, stream=True,
        extra_headers={"x-mock": "cut_after=3,pace=20ms"})
    with pytest.raises(openai.APIError) as caught:
        list(got.parse())
    assert "FGW-9" in str(caught.value)
    request_id = got.headers["x-fastgw-request-id"]
    (attempt,) = gateway.decided(request_id)["attempts"]
    low, high = attempt["usage"]["interval"]["output_tokens"]
    assert low <= mock.booked(request_id)["output_tokens"] <= high


@pytest.mark.parametrize("model", ["azure/gpt-4o", "plain/gpt-4o", "old/gpt-4o"])
@pytest.mark.parametrize("version", [NEW, OLD])
def test_a_stream_ends_at_the_edge_of_a_cap(mock, gateway, model, version):
    headers, chunks = ask(azure(gateway, version), model, OVER, True,
                          {"x-bucket": f"{model}{version}"}, max_tokens=EDGE)
    said = [one.choices[0] for one in chunks if one.choices]

    assert sum(len((one.delta.content or "").split()) for one in said) == EDGE
    assert said[-1].finish_reason == "length"
    (attempt,) = gateway.decided(headers["x-fastgw-request-id"])["attempts"]
    assert attempt["fate"] == "cut by cap" and attempt["usage"]["output_tokens"] == EDGE


@pytest.mark.parametrize("version, name", [(NEW, "max_completion_tokens"), (OLD, "max_tokens")])
def test_the_limit_of_a_cap_has_the_name_that_the_version_knows(mock, gateway, version, name):
    headers, got = ask(azure(gateway, version), says="events=500,record=1",
                       headers={"x-bucket": f"w{version}"})
    line = mock.booked(headers["x-fastgw-request-id"])
    assert f'"{name}":{EDGE}' in line["body"] and got.choices[0].finish_reason == "length"


def test_what_a_client_that_left_has_used_is_within_the_interval(mock, gateway):
    got = azure(gateway).chat.completions.with_raw_response.create(
        model="gpt-4o", messages=HELLO, stream=True,
        extra_headers={"x-mock": "events=400,pace=10ms"})
    stream = got.parse()
    for number, _ in enumerate(stream):
        if number == 6:
            break
    stream.close()
    line = mock.booked(got.headers["x-fastgw-request-id"])
    (attempt,) = gateway.decided(got.headers["x-fastgw-request-id"])["attempts"]
    low, high = attempt["usage"]["interval"]["output_tokens"]
    assert line["aborted"] and attempt["fate"] == "cut by client"
    assert 0 < low <= line["output_tokens"] <= high
