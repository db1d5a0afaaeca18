"""Goal: the unmodified google-genai SDK takes every answer of the mock; the books agree with it.

Method: the official client against the mock itself; what the SDK reports of usage must be the
books' row. The stream as one array, which no SDK asks for, is read as JSON.
"""

import json
from collections.abc import Iterator

import httpx
import pytest
from google import genai
from google.genai import errors, types

from fastgw.mock.gemini import route
from fastgw.mock.runner import Mock

KEY = "goog-mock"
MODEL = "gemini-2.5-flash"
WEATHER = types.Tool(function_declarations=[types.FunctionDeclaration(
    name="weather", parameters_json_schema={"type": "object", "properties": {
        "city": {"type": "string"}, "days": {"type": "integer"}}})])


@pytest.fixture
def client(mock: Mock) -> Iterator[genai.Client]:
    with genai.Client(api_key=KEY, http_options={"base_url": mock.url}) as client:
        yield client


def config(**more: object) -> types.GenerateContentConfig:
    headers = {"x-mock": str(more.pop("mock"))} if "mock" in more else {}
    return types.GenerateContentConfig(http_options={"headers": headers}, **more)


def row_of(usage: types.GenerateContentResponseUsageMetadata) -> dict[str, int]:
    thoughts = usage.thoughts_token_count or 0
    return {"calls": 1, "input_tokens": usage.prompt_token_count,
            "cached_input_tokens": usage.cached_content_token_count or 0,
            "output_tokens": (usage.candidates_token_count or 0) + thoughts,
            "reasoning_tokens": thoughts}


@pytest.mark.parametrize(("path", "found"), [
    ("/v1beta/models/gemini-2.5-flash:generateContent", ("generate", "gemini-2.5-flash", False)),
    ("/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent",
     ("generate", "g", True)),
    ("/v1beta/models/e:batchEmbedContents", ("embed", "e", False)),
    ("/v1beta/models/g:unknown", ("", "", False)), ("/v1beta/models/g", ("", "", False)),
])
def test_a_path_names_model_and_method(path: str, found: tuple[str, str, bool]) -> None:
    assert route(path) == found


ASKED = "prompt_tokens=500,cached=300,reasoning=5"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_booked_as_the_sdk_reports_it(
    mock: Mock, client: genai.Client, stream: bool
) -> None:
    if stream:
        chunks = list(client.models.generate_content_stream(
            model=MODEL, contents="hello", config=config(mock=ASKED)))
        assert all(chunk.usage_metadata for chunk in chunks)
        answer, text = chunks[-1], "".join(chunk.text or "" for chunk in chunks)
    else:
        answer = client.models.generate_content(
            model=MODEL, contents="hello", config=config(mock=ASKED))
        text = answer.text or ""
    assert len(text.split()) == 10 and answer.model_version == MODEL
    assert answer.candidates[0].finish_reason == "STOP"
    assert row_of(answer.usage_metadata) == mock.settled(1)["by"][f"{MODEL}|{KEY}"]
    assert mock.lines()[0]["id"] == answer.response_id


@pytest.mark.parametrize("stream", [False, True])
def test_the_limit_ends_the_answer(mock: Mock, client: genai.Client, stream: bool) -> None:
    asked = {"model": MODEL, "contents": "hello", "config": config(max_output_tokens=4)}
    answer = (list(client.models.generate_content_stream(**asked))[-1] if stream
              else client.models.generate_content(**asked))
    assert answer.candidates[0].finish_reason == "MAX_TOKENS"
    assert mock.settled(1)["by"][f"{MODEL}|{KEY}"]["output_tokens"] == 4


def test_a_tool_is_called_with_its_arguments(mock: Mock, client: genai.Client) -> None:
    answer = client.models.generate_content(
        model=MODEL, contents="hello", config=config(mock="tool=1", tools=[WEATHER]))
    (call,) = answer.function_calls
    assert call.name == "weather" and call.args["days"] == 1
    assert row_of(answer.usage_metadata) == mock.settled(1)["by"][f"{MODEL}|{KEY}"]


def test_a_stream_without_sse_is_one_array(mock: Mock) -> None:
    for asked, count in (("events=3", 4), ("events=3,gzip=1", 4), ("error_after=2", 3)):
        answer = httpx.post(
            f"{mock.url}/v1beta/models/{MODEL}:streamGenerateContent?key={KEY}",
            json={"contents": [{"parts": [{"text": "hi"}]}]}, headers={"x-mock": asked})
        chunks = json.loads(answer.content)
        assert answer.headers["content-type"].startswith("application/json")
        assert len(chunks) == count and ("error" in chunks[-1]) == ("error" in asked)


def test_free_and_other_calls(mock: Mock, client: genai.Client) -> None:
    assert client.models.count_tokens(model=MODEL, contents="hello").total_tokens == 3 + 2
    assert f"models/{MODEL}" in {model.name for model in client.models.list()}
    assert client.models.get(model=MODEL).output_token_limit == 65536
    assert mock.books()["calls"] == 0
    made = client.models.embed_content(model="gemini-embedding-001", contents=["abcd", "efgh"])
    assert [len(one.values) for one in made.embeddings] == [256, 256]
    assert mock.settled(1)["by"][f"gemini-embedding-001|{KEY}"]["input_tokens"] == 2


@pytest.mark.parametrize(("status", "error", "word"), [
    (400, errors.ClientError, "INVALID_ARGUMENT"), (403, errors.ClientError, "PERMISSION_DENIED"),
    (429, errors.ClientError, "RESOURCE_EXHAUSTED"), (503, errors.ServerError, "UNAVAILABLE"),
])
@pytest.mark.parametrize("stream", [False, True])
def test_a_status_raises_the_sdks_own_class(
    client: genai.Client, status: int, error: type[errors.APIError], word: str, stream: bool
) -> None:
    asked = {"model": MODEL, "contents": "hello", "config": config(mock=f"status={status}")}
    with pytest.raises(error) as caught:
        if stream:
            list(client.models.generate_content_stream(**asked))
        else:
            client.models.generate_content(**asked)
    assert (caught.value.code, caught.value.status) == (status, word)


def test_an_error_in_a_stream_raises(mock: Mock, client: genai.Client) -> None:
    seen = []
    with pytest.raises(errors.APIError):
        for chunk in client.models.generate_content_stream(
            model=MODEL, contents="hello", config=config(mock="error_after=2")
        ):
            seen.append(chunk.text)
    assert len(seen) == 2
    assert mock.settled(1)["by"][f"{MODEL}|{KEY}"]["output_tokens"] == 2
