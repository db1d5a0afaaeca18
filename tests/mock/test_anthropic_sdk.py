"""Goal: the unmodified anthropic SDK takes every answer of the mock, and the books agree with it.

Method: the official client against the mock itself; the SDK's usage, with Anthropic's disjoint
input classes added up, must be the books' row.
"""

from collections.abc import Iterator

import anthropic
import pytest

from fastgw.mock.runner import Mock

KEY = "sk-ant-mock"
MODEL = "claude-sonnet-5"
HELLO = [{"role": "user", "content": "hello there"}]
TOOL = {"name": "weather", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}


@pytest.fixture
def client(mock: Mock) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=mock.url, api_key=KEY, max_retries=0) as client:
        yield client


def row_of(usage: anthropic.types.Usage) -> dict[str, int]:
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    details = usage.output_tokens_details
    return {
        "calls": 1,
        "input_tokens": usage.input_tokens + read + written,
        "cached_input_tokens": read,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": details.thinking_tokens if details else 0,
    }


ASKED = {"x-mock": "prompt_tokens=500,cached=300,cache_write=100,reasoning=5"}


@pytest.mark.parametrize("stream", [False, True])
def test_message_is_booked_as_the_sdk_reports_it(
    mock: Mock, client: anthropic.Anthropic, stream: bool
) -> None:
    asked = {"model": MODEL, "max_tokens": 100, "messages": HELLO, "extra_headers": ASKED}
    if stream:
        with client.messages.stream(**asked) as events:
            answer = events.get_final_message()
    else:
        answer = client.messages.create(**asked)
    assert answer.stop_reason == "end_turn"
    assert len(answer.content[0].text.split()) == 10
    assert answer.usage.input_tokens == 100
    assert row_of(answer.usage) == mock.settled(1)["by"][f"{MODEL}|{KEY}"]
    assert mock.lines()[0]["cache_write_tokens"] == 100
    assert mock.lines()[0]["id"] == answer.id


def test_stream_events_come_in_the_order_of_the_api(client: anthropic.Anthropic) -> None:
    kinds = [event.type for event in client.messages.create(
        model=MODEL, max_tokens=3, messages=HELLO, stream=True)]
    assert kinds == ["message_start", "content_block_start", *["content_block_delta"] * 3,
                     "content_block_stop", "message_delta", "message_stop"]


@pytest.mark.parametrize("stream", [False, True])
def test_limit_ends_the_answer_with_max_tokens(
    mock: Mock, client: anthropic.Anthropic, stream: bool
) -> None:
    asked = {"model": MODEL, "max_tokens": 4, "messages": HELLO}
    if stream:
        with client.messages.stream(**asked) as events:
            answer = events.get_final_message()
    else:
        answer = client.messages.create(**asked)
    assert answer.stop_reason == "max_tokens" and answer.usage.output_tokens == 4
    assert mock.settled(1)["by"][f"{MODEL}|{KEY}"]["output_tokens"] == 4


@pytest.mark.parametrize("stream", [False, True])
def test_tool_call_has_its_input(mock: Mock, client: anthropic.Anthropic, stream: bool) -> None:
    asked = {"model": MODEL, "max_tokens": 100, "messages": HELLO, "tools": [TOOL],
             "tool_choice": {"type": "any"}}
    if stream:
        with client.messages.stream(**asked) as events:
            answer = events.get_final_message()
    else:
        answer = client.messages.create(**asked)
    assert answer.stop_reason == "tool_use"
    assert answer.content[0].name == "weather" and answer.content[0].input["days"] == 1
    assert row_of(answer.usage) == mock.settled(1)["by"][f"{MODEL}|{KEY}"]


def test_free_calls_are_not_billed(mock: Mock, client: anthropic.Anthropic) -> None:
    counted = client.messages.count_tokens(model=MODEL, messages=HELLO)
    assert counted.input_tokens == 3 + 3
    assert MODEL in {model.id for model in client.models.list()}
    assert client.models.retrieve(MODEL).type == "model"
    assert mock.books()["calls"] == 0


@pytest.mark.parametrize(("status", "error"), [
    (400, anthropic.BadRequestError), (401, anthropic.AuthenticationError),
    (429, anthropic.RateLimitError), (529, anthropic.InternalServerError),
])
def test_status_raises_the_sdks_own_class(
    client: anthropic.Anthropic, status: int, error: type[anthropic.APIStatusError]
) -> None:
    with pytest.raises(error) as caught:
        client.messages.create(model=MODEL, max_tokens=1, messages=HELLO,
                               extra_headers={"x-mock": f"status={status}"})
    assert caught.value.status_code == status
    assert caught.value.body["type"] == "error"


def test_error_in_a_stream_raises(mock: Mock, client: anthropic.Anthropic) -> None:
    seen = []
    with pytest.raises(anthropic.APIStatusError):
        for event in client.messages.create(
            model=MODEL, max_tokens=100, messages=HELLO, stream=True,
            extra_headers={"x-mock": "error_after=2"},
        ):
            seen.append(event.type)
    assert seen.count("content_block_delta") == 2
    assert mock.settled(1)["by"][f"{MODEL}|{KEY}"]["output_tokens"] == 2


def test_missing_max_tokens_is_a_bad_request(mock: Mock, client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        client.post("/v1/messages", body={"model": MODEL, "messages": HELLO}, cast_to=object)
