"""Goal: a cap holds while streams run, and official SDKs end normally and know why.

Method: a whole gateway in front of a mock that ignores the output limit of its requests. The SDKs
are the published ones, unmodified; the crowd is a thousand raw connections in one process, whose
events are counted as they arrive.
"""

import asyncio
import itertools

import anthropic
import openai
import orjson
import pytest

from tests.journey.harness import KEY, Gateway, configuration, wait_until

HELLO = [{"role": "user", "content": "hello"}]
EDGE = 12
BUCKETS = itertools.count()
OVER = {"x-mock": "events=200,ignore_max=1"}


def capped(mock, capacity: int, workers: int = 1) -> Gateway:
    cap = {"name": "cap", "unit": "output_tokens", "limit": capacity, "window": "total",
           "bucket_key": ["req.headers['x-bucket']"]}
    rules = {"on_http_request": [{"name": "caps", "actions": [
        {"type": "usage-cap", "config": cap}]}]}
    return Gateway(configuration(mock.port, policy=rules), workers=workers)


@pytest.fixture(scope="module")
def gateway(mock):
    instance = capped(mock, EDGE)  # for each request, by `bucket`
    yield instance
    instance.remove()


def bucket(request) -> None:
    request.headers["x-bucket"] = str(next(BUCKETS))


def hooked(kind):
    return kind(event_hooks={"request": [bucket]})


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.url("/v1"), api_key=KEY, max_retries=0,
                       http_client=hooked(openai.DefaultHttpxClient)) as one:
        yield one


@pytest.fixture
def claude(gateway):
    with anthropic.Anthropic(base_url=gateway.url(), api_key=KEY, max_retries=0,
                             http_client=hooked(anthropic.DefaultHttpxClient)) as one:
        yield one


@pytest.mark.parametrize("mock_says", ["", ",gzip=1", ",crlf=1", ",usage=none"])
def test_chat_ends_with_length_and_usage(client, gateway, mock_says):
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=HELLO, max_tokens=EDGE, stream=True,
        stream_options={"include_usage": True},
        extra_headers={"x-mock": OVER["x-mock"] + mock_says},
    )
    chunks = list(raw.parse())
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert sum(bool(text) for text in texts) == EDGE
    *_, last, usage = chunks
    assert last.choices[0].finish_reason == "length"
    assert last.model_extra["fastgw"]["code"] == "FGW-951"
    assert usage.usage.completion_tokens == EDGE and usage.choices == []
    attempt = gateway.only_attempt(raw.headers["x-fastgw-request-id"])
    assert attempt["fate"] == "cut by cap"
    assert attempt["usage"]["output_tokens"] == EDGE


def test_every_choice_of_several_ends(client):
    chunks = list(client.chat.completions.create(
        model="gpt-4o", messages=HELLO, max_tokens=EDGE // 3, n=3, stream=True,
        extra_headers=OVER))
    texts = [c for chunk in chunks for c in chunk.choices if c.delta.content]
    reasons = {c.index: c.finish_reason for chunk in chunks for c in chunk.choices
               if c.finish_reason}
    assert len(texts) == EDGE and reasons == {0: "length", 1: "length", 2: "length"}


def test_the_sdks_own_accumulator_takes_a_cut_chat(client):
    with client.chat.completions.stream(
        model="gpt-4o", messages=HELLO, max_tokens=EDGE, extra_headers=OVER
    ) as stream:
        assert [one.type for one in stream][-1] == "content.done"
        # What it says of every answer that ran into its limit, the provider's own included.
        with pytest.raises(openai.LengthFinishReasonError) as raised:
            stream.get_final_completion()
    assert len(raised.value.completion.choices[0].message.content.split()) == EDGE


def test_completions_end_with_length(client):
    chunks = list(client.completions.create(
        model="gpt-3.5-turbo-instruct", prompt="hi", max_tokens=EDGE, stream=True,
        extra_headers=OVER))
    texts = [chunk.choices[0].text for chunk in chunks]
    assert sum(bool(text) for text in texts) == EDGE
    assert chunks[-1].choices[0].finish_reason == "length"


def test_a_response_ends_incomplete(client):
    events = list(client.responses.create(
        model="gpt-4o", input="hi", max_output_tokens=EDGE, stream=True, extra_headers=OVER))
    assert sum(one.type == "response.output_text.delta" for one in events) == EDGE
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.status == "incomplete"
    assert last.response.incomplete_details.reason == "max_output_tokens"
    assert (last.response.output, last.response.usage.output_tokens) == ([], EDGE)
    assert (last.response.id, last.response.model) == (events[0].response.id, "gpt-4o")
    with client.responses.stream(
        model="gpt-4o", input="hi", max_output_tokens=EDGE, extra_headers=OVER
    ) as stream:
        assert [one.type for one in stream][-1] == "response.incomplete"


@pytest.mark.parametrize("tool", [False, True])
def test_a_message_ends_with_max_tokens(claude, gateway, tool):
    more, mock_says = {}, OVER["x-mock"]
    if tool:
        schema = {"type": "object", "properties": {
            f"p{i}": {"type": "string"} for i in range(40)}}
        more = {"tools": [{"name": "look", "input_schema": schema}]}
        mock_says += ",tool=1"
    with claude.messages.stream(
        model="claude-sonnet-5", max_tokens=EDGE, messages=HELLO, **more,
        extra_headers={"x-mock": mock_says},
    ) as stream:
        events = list(stream)
        answer = stream.get_final_message()
        request_id = stream.response.headers["x-fastgw-request-id"]
    assert sum(one.type == "content_block_delta" for one in events) == EDGE
    assert answer.stop_reason == "max_tokens" and answer.usage.output_tokens == EDGE
    assert [one.type for one in events][-1] == "message_stop"
    assert sum(one.type == "content_block_stop" for one in events) == 1
    assert gateway.only_attempt(request_id)["fate"] == "cut by cap"


@pytest.mark.parametrize("tool", [0, 1])
@pytest.mark.parametrize("events", [EDGE, 200])
def test_who_keeps_to_the_limit_is_never_cut(client, claude, gateway, events, tool):
    mock_says = {"x-mock": f"events={events},tool={tool}"}
    many = {f"p{i}": {"type": "string"} for i in range(3 if events == EDGE else 40)}
    schema = {"type": "object", "properties": many}
    tools = [{"type": "function", "function": {"name": "look", "parameters": schema}}]
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=HELLO, max_tokens=EDGE, stream=True, tools=tools,
        extra_headers=mock_says)
    reasons = [c.finish_reason for chunk in raw.parse() for c in chunk.choices]
    attempt = gateway.only_attempt(raw.headers["x-fastgw-request-id"])
    assert reasons[-1] and attempt["fate"] == "delivered"
    with claude.messages.stream(
        model="claude-sonnet-5", max_tokens=EDGE, messages=HELLO, extra_headers=mock_says,
        tools=[{"name": "look", "input_schema": schema}],
    ) as stream:
        stream.get_final_message()
        request_id = stream.response.headers["x-fastgw-request-id"]
    assert gateway.only_attempt(request_id)["fate"] == "delivered"


def test_what_the_provider_told_beyond_the_edge_is_booked_as_overrun(client, gateway):
    raw = client.chat.completions.with_raw_response.create(
        model="mistral-large", messages=HELLO, max_tokens=EDGE, stream=True,
        extra_headers={"x-mock": "events=200,ignore_max=1,tokens_per_event=5,usage=every"})
    texts = [c for chunk in raw.parse() for c in chunk.choices if c.delta.content]
    assert len(texts) == 2  # ten tokens; the third event would have made fifteen
    attempt = gateway.only_attempt(raw.headers["x-fastgw-request-id"])
    assert attempt["usage"]["output_tokens"] == 15


# ---- the crowd

LIMITS = {"/v1/chat/completions": "max_tokens", "/v1/completions": "max_tokens",
          "/v1/responses": "max_output_tokens", "/v1/messages": "max_tokens"}
MARKS = {"/v1/chat/completions": b'"delta":{"content":" ', "/v1/completions": b'{"text":" ',
         "/v1/responses": b'"type":"response.output_text.delta"',
         "/v1/messages": b'"type":"content_block_delta"'}
ENDS = {"/v1/chat/completions": b'"finish_reason":"length"',
        "/v1/completions": b'"finish_reason":"length"',
        "/v1/responses": b"event: response.incomplete", "/v1/messages": b'"max_tokens"'}


async def one_of_many(port: int, path: str, gate: asyncio.Event) -> tuple[int, bytes]:
    """Status and body of one stream, read as it comes."""
    field = {"/v1/chat/completions": "messages", "/v1/messages": "messages",
             "/v1/completions": "prompt"}.get(path, "input")
    body = orjson.dumps({"model": "gpt-4o", "stream": True, LIMITS[path]: EDGE,
                         field: HELLO if field == "messages" else "hello"})
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await gate.wait()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\nx-mock: events=100,pace=2ms,ignore_max=1\r\n"
        f"x-bucket: one\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n")
    writer.write(head.encode() + body)
    got = await reader.read(-1)
    writer.close()
    return int(got[9:12]), got


async def crowd(port: int, size: int) -> list[tuple[str, int, bytes]]:
    gate, paths = asyncio.Event(), list(LIMITS)
    chosen = [paths[number % len(paths)] for number in range(size)]
    tasks = [asyncio.create_task(one_of_many(port, path, gate)) for path in chosen]
    await asyncio.sleep(1)
    gate.set()
    got = await asyncio.wait_for(asyncio.gather(*tasks), 60)
    return [(path, *one) for path, one in zip(chosen, got, strict=True)]


def test_a_thousand_streams_against_room_for_ten(mock):
    room = 10 * EDGE
    gateway = capped(mock, room, workers=2)
    try:
        got = asyncio.run(crowd(gateway.port, 1000))
        admitted = [(path, body) for path, status, body in got if status == 200]
        refused = [body for _, status, body in got if status != 200]
        delivered = sum(body.count(MARKS[path]) for path, body in admitted)
        assert len(admitted) >= 10 and len(admitted) + len(refused) == 1000
        assert room - 10 < delivered <= room
        assert all(ENDS[path] in body and b"FGW-951" in body for path, body in admitted)
        assert all(b"FGW-80" in body for body in refused)
        rows = wait_until(lambda: [
            row for row in gateway.usage() if row["attempts"] >= len(admitted)])
        assert rows[0]["output_tokens"] == delivered
    finally:
        gateway.remove()
