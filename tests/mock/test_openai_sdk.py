"""Goal: the unmodified openai SDK takes every answer of the mock, and the books agree with it.

Method: the official client against the mock itself, streamed and not; each test compares the
SDK's own usage objects with `GET /books`. Shows the shapes of mock/openai_chat,
mock/openai_responses and mock/openai_other.
"""

import json
from collections.abc import Iterator

import openai
import pytest

from fastgw.mock.runner import Mock

KEY = "sk-mock-1"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"},
                           "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
            "required": ["city"],
        },
    },
}
HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture
def client(mock: Mock) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=mock.url + "/v1", api_key=KEY, max_retries=0) as client:
        yield client


def ask(**options: object) -> dict[str, str]:
    return {"x-mock": ",".join(f"{name}={value}" for name, value in options.items())}


def booked(mock: Mock, model: str, calls: int = 1) -> dict[str, int]:
    """The row of this model, without `calls`, once there are so many."""
    row = dict(mock.settled(calls)["by"][f"{model}|{KEY}"])
    assert row.pop("calls") == calls
    return row


def chat_row(usage: openai.types.CompletionUsage) -> dict[str, int]:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    return {
        "input_tokens": usage.prompt_tokens,
        "cached_input_tokens": prompt.cached_tokens if prompt else 0,
        "output_tokens": usage.completion_tokens,
        "reasoning_tokens": completion.reasoning_tokens if completion else 0,
    }


def test_chat_is_booked_as_the_sdk_reports_it(mock: Mock, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="gpt-4o", messages=HELLO, n=2,
        extra_headers=ask(prompt_tokens=1200, cached=1000, reasoning=40))
    assert [choice.finish_reason for choice in answer.choices] == ["stop", "stop"]
    assert all(len(choice.message.content.split()) == 10 for choice in answer.choices)
    assert answer.choices[0].message.content != answer.choices[1].message.content
    expected = {"input_tokens": 1200, "cached_input_tokens": 1000, "output_tokens": 60,
                "reasoning_tokens": 40}
    assert chat_row(answer.usage) == expected == booked(mock, "gpt-4o")


def test_prompt_is_counted_by_the_stated_rule(mock: Mock, client: openai.OpenAI) -> None:
    messages = [{"role": "system", "content": "é" * 3},
                {"role": "user", "content": [{"type": "text", "text": "12345"}]}]
    answer = client.chat.completions.create(model="gpt-4o", messages=messages)
    assert answer.usage.prompt_tokens == 3 * 2 + 3      # 6 + 5 bytes of text, by four, up


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("n", [1, 3])
def test_chat_stream_has_usage_only_when_asked(
    mock: Mock, client: openai.OpenAI, include: bool, n: int
) -> None:
    options = {"stream_options": {"include_usage": True}} if include else {}
    chunks = list(client.chat.completions.create(
        model="gpt-4o", messages=HELLO, n=n, stream=True, **options))
    text = [""] * n
    for chunk in chunks:
        for choice in chunk.choices:
            text[choice.index] += choice.delta.content or ""
    assert [len(part.split()) for part in text] == [10] * n
    assert len({chunk.id for chunk in chunks}) == 1
    told = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert len(told) == include
    row = booked(mock, "gpt-4o")
    assert row["output_tokens"] == 10 * n
    if include:
        assert chunks[-1].choices == [] and chat_row(told[0]) == row


def test_limit_ends_the_answer_with_length(mock: Mock, client: openai.OpenAI) -> None:
    limited = client.chat.completions.create(
        model="gpt-4o", messages=HELLO, max_completion_tokens=6, extra_headers=ask(reasoning=4))
    assert limited.choices[0].finish_reason == "length"
    assert chat_row(limited.usage)["output_tokens"] == 6
    assert len(limited.choices[0].message.content.split()) == 2
    passed = client.chat.completions.create(
        model="gpt-4o", messages=HELLO, max_tokens=6, extra_headers=ask(ignore_max=1))
    assert passed.choices[0].finish_reason == "stop"
    assert booked(mock, "gpt-4o", 2)["output_tokens"] == 16


@pytest.mark.parametrize("stream", [False, True])
def test_tool_call_has_arguments_that_fit_the_schema(
    mock: Mock, client: openai.OpenAI, stream: bool
) -> None:
    if stream:
        with client.chat.completions.stream(
            model="gpt-4o", messages=HELLO, tools=[TOOL], extra_headers=ask(tool=1),
            stream_options={"include_usage": True},
        ) as events:
            answer = events.get_final_completion()
    else:
        answer = client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "tool=1"}], tools=[TOOL])
    assert answer.choices[0].finish_reason == "tool_calls"
    function = answer.choices[0].message.tool_calls[0].function
    assert function.name == "weather"
    arguments = json.loads(function.arguments)
    assert arguments["days"] == 1 and arguments["unit"] == "celsius" and arguments["city"]
    assert chat_row(answer.usage) == booked(mock, "gpt-4o")


def test_tools_that_nobody_asks_for_are_not_called(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o", messages=HELLO, tools=[TOOL])
    assert answer.choices[0].message.tool_calls is None


@pytest.mark.parametrize("limit", [None, 4])
def test_responses_are_booked_and_cut(
    mock: Mock, client: openai.OpenAI, limit: int | None
) -> None:
    options = {} if limit is None else {"max_output_tokens": limit}
    asked = {"model": "gpt-5", "input": "hello", "instructions": "be brief", **options}
    whole = client.responses.create(**asked)
    assert whole.status == ("completed" if limit is None else "incomplete")
    assert whole.usage.output_tokens == (limit or 10)
    with client.responses.stream(**asked) as stream:
        kinds = [event.type for event in stream]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds.count("response.output_text.delta") == (limit or 10)
    assert kinds[-1] == ("response.completed" if limit is None else "response.incomplete")
    row = booked(mock, "gpt-5", 2)
    assert row["input_tokens"] == 2 * whole.usage.input_tokens
    assert row["output_tokens"] == 2 * whole.usage.output_tokens


def test_responses_call_a_tool(mock: Mock, client: openai.OpenAI) -> None:
    tool = {"type": "function", "strict": False, **TOOL["function"]}
    with client.responses.stream(model="gpt-5", input="hi", tools=[tool],
                                 tool_choice="required") as stream:
        final = stream.get_final_response()
    assert final.output[0].type == "function_call"
    assert json.loads(final.output[0].arguments)["days"] == 1
    assert booked(mock, "gpt-5")["output_tokens"] == final.usage.output_tokens


def test_completions_and_embeddings_are_booked(mock: Mock, client: openai.OpenAI) -> None:
    answer = client.completions.create(model="gpt-3.5-turbo-instruct", prompt=["12345", "1"], n=2)
    assert len(answer.choices) == 4 and answer.usage.prompt_tokens == 3
    chunks = list(client.completions.create(
        model="gpt-3.5-turbo-instruct", prompt="12345", stream=True,
        stream_options={"include_usage": True}))
    assert chunks[-1].usage.completion_tokens == 10
    assert booked(mock, "gpt-3.5-turbo-instruct", 2)["output_tokens"] == 50
    vectors = client.embeddings.create(model="text-embedding-3-small", input=["abc", "defgh"])
    assert len(vectors.data) == 2 and len(vectors.data[0].embedding) == 256
    assert vectors.data[0].embedding != vectors.data[1].embedding
    row = mock.settled(3)["by"][f"text-embedding-3-small|{KEY}"]
    assert row["input_tokens"] == vectors.usage.prompt_tokens == 3
    assert row["output_tokens"] == 0


def test_free_calls_have_a_line_but_are_not_billed(mock: Mock, client: openai.OpenAI) -> None:
    assert "gpt-4o" in {model.id for model in client.models.list()}
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    assert client.moderations.create(input="fine").results[0].flagged is False
    assert mock.books() == {"calls": 0, "by": {}}
    assert [line["billed"] for line in mock.lines()] == [False] * 3


@pytest.mark.parametrize(("status", "error"), [
    (400, openai.BadRequestError), (404, openai.NotFoundError), (429, openai.RateLimitError),
    (500, openai.InternalServerError), (529, openai.InternalServerError),
])
def test_status_raises_the_sdks_own_class(
    mock: Mock, client: openai.OpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    with pytest.raises(error) as caught:
        client.chat.completions.create(
            model="gpt-4o", messages=HELLO, extra_headers=ask(status=status, retry_after=1.5))
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after-ms"] == "1500"
    assert mock.books()["calls"] == 0
    assert mock.lines()[0]["status"] == status


def test_missing_credential_is_401(mock: Mock) -> None:
    with openai.OpenAI(base_url=mock.url + "/v1", api_key=" ", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            client.models.list(extra_headers={"authorization": ""})


def test_error_in_a_stream_reaches_the_client(mock: Mock, client: openai.OpenAI) -> None:
    seen = []
    with pytest.raises(openai.APIError, match="asked to fail"):
        for chunk in client.chat.completions.create(
            model="gpt-4o", messages=HELLO, stream=True, extra_headers=ask(error_after=3)
        ):
            seen.append(chunk.choices[0].delta.content)
    assert len([text for text in seen if text]) == 3
    # Of `responses` an error is an event, which the SDK gives out and does not raise.
    kinds = [event.type for event in client.responses.create(
        model="gpt-4o", input="hello", stream=True, extra_headers=ask(error_after=3))]
    assert kinds.count("response.output_text.delta") == 3 and kinds[-1] == "error"
    assert booked(mock, "gpt-4o", 2)["output_tokens"] == 6
