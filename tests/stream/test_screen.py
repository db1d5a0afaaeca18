"""Events that are looked at: redacted or ended, in any cut of the text and of the bytes.

Method: a worker in this process (tests/worker.py); the stream is cut at every place of its text
over events, and its bytes at every place over reads. What the client puts together from its events
must read the same every time, and each event must still be one.
"""

import random
import time

import orjson
import pytest

from fastgw.ledger.records import Close
from tests.worker import DONE, Worker, chat, chunked, event, request, stream_head, usage_event

CARD, MAIL = "4111 1111 1111 1111", "john.doe@example.com"
TEXT = f"Mail {MAIL} or pay {CARD}. Bye"
CLEAN = "Mail [REDACTED:email] or pay [REDACTED:payment_card]. Bye"
SEED = 20261121


def worker(tmp_path, then="redact", kinds=("email", "payment_card"), **more):
    return Worker(tmp_path, policy={"on_event_stream_message": [{"name": "eyes", "actions": [
        {"type": "detect", "config": {"kinds": list(kinds), "then": then, **more}}]}]})


def delta(text, index=0, **more):
    return event({"id": "c1", "model": "gpt-4o", "created": 7, "choices": [
        {"index": index, "delta": {"content": text, **more}, "finish_reason": None}]})


def finish(index=0, reason="stop"):
    return event({"id": "c1", "model": "gpt-4o", "created": 7,
                  "choices": [{"index": index, "delta": {}, "finish_reason": reason}]})


def run(one, events, body=None, reads=None, **more):
    """The client's events of a stream; ``reads``: how the provider's bytes are cut."""
    client = one.connect()
    client.feed(request(body or chat(stream=True, **more)))
    wire = stream_head() + chunked(*events, b"")
    cuts = [0, *(reads or []), len(wire)]
    one.upstream.feed(*(wire[a:b] for a, b in zip(cuts, cuts[1:], strict=False)))
    answer = client.answer()
    client.end()
    return answer, documents(answer.body)


def documents(body):
    found = []
    for block in body.split(b"\n\n"):
        lines = [line for line in block.split(b"\n") if line.startswith(b"data:")]
        for line in lines:
            try:
                found.append(orjson.loads(line[5:]))
            except orjson.JSONDecodeError:
                found.append(line[5:].strip())
    return [one for one in found if one != b"[DONE]"]


def text_of(told, index=0):
    return "".join(choice["delta"].get("content") or "" for document in told
                   for choice in document["choices"] if choice["index"] == index)


def cut_text(text, *at):
    at = [0, *at, len(text)]
    return [text[a:b] for a, b in zip(at, at[1:], strict=False)]


def test_a_find_is_redacted_wherever_the_text_is_cut(tmp_path):
    one = worker(tmp_path)
    for at in range(1, len(TEXT)):
        events = [delta(part) for part in cut_text(TEXT, at)]
        answer, told = run(one, [*events, finish(), usage_event(), DONE])
        assert text_of(told) == CLEAN, at
        assert len(told) == 3  # (the usage chunk is the gateway's own)
        assert answer.body.endswith(b"data: [DONE]\n\n")
        one.records()


def test_a_find_is_redacted_at_random_cuts_of_text_and_reads(tmp_path):
    one, draw = worker(tmp_path), random.Random(SEED)
    print("seed", SEED)
    for _ in range(150):
        at = sorted(draw.sample(range(1, len(TEXT)), draw.randint(1, 30)))
        events = [delta(part) for part in cut_text(TEXT, *at)] + [finish(), usage_event(), DONE]
        size = len(stream_head() + chunked(*events, b""))
        reads = sorted(draw.sample(range(1, size), draw.randint(0, 25)))
        _, told = run(one, events, reads=reads)
        assert text_of(told) == CLEAN, (at, reads)
        assert len(told) == len(at) + 2
        one.records()


def test_every_byte_in_a_read_of_its_own(tmp_path):
    one = worker(tmp_path)
    events = [delta(character) for character in TEXT] + [finish(), DONE]
    size = len(stream_head() + chunked(*events, b""))

    _, told = run(one, events, reads=range(1, size))

    assert text_of(told) == CLEAN


def test_an_event_leaves_as_soon_as_its_text_is_decided(tmp_path):
    one = worker(tmp_path)
    client = one.connect()
    client.feed(request(chat(stream=True)))
    one.upstream.feed(stream_head() + chunked(delta("Hello ")))
    assert b"Hello" in client.taken()
    one.upstream.feed(chunked(delta("joh")))
    assert client.taken() == b""
    one.upstream.feed(chunked(delta("n is here. ")))
    assert b'"joh"' in (out := client.taken()) and b"n is here" in out


def test_two_answers_are_two_texts(tmp_path):
    one = worker(tmp_path)
    events = []
    for left, right in zip("a card 4111 1111 1", "b mail bob@web.de ", strict=False):
        events += [delta(left, 0), delta(right, 1)]
    events += [delta("111 1111", 0), finish(0), finish(1), usage_event(), DONE]

    _, told = run(one, events, n=2)

    assert text_of(told, 0) == "a card [REDACTED:payment_card]"
    assert text_of(told, 1) == "b mail [REDACTED:email] "


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_line_ends_comments_and_split_data_are_left_as_they_are(tmp_path, newline):
    one = worker(tmp_path)
    block = (b": ping\n\nevent: x\ndata: {\"id\":\"c1\",\ndata:\"choices\":[{\"index\":0,"
             b"\"delta\":{\"content\":\"to " + MAIL.encode() + b" \"}}]}\nid: 9\n\n")
    block = block.replace(b"\n", newline)

    answer, _ = run(one, [block, DONE])

    assert answer.body == block.replace(MAIL.encode(), b"[REDACTED:email]") + DONE


def test_arguments_of_tools_are_one_text_and_stay_json(tmp_path):
    one, draw = worker(tmp_path), random.Random(SEED)
    inner = '{"to":"' + MAIL + '","card":4111111111111111,"x":"\\u0041\\n' + MAIL + '"}'
    for _ in range(60):
        at = sorted(draw.sample(range(1, len(inner)), draw.randint(1, 12)))
        events = [event({"id": "c1", "choices": [{"index": 0, "delta": {"tool_calls": [
            {"index": 0, "function": {"arguments": part}}]}}]}) for part in cut_text(inner, *at)]
        _, told = run(one, [*events, finish(reason="tool_calls"), DONE])
        arguments = "".join(call["function"]["arguments"] for document in told
                            for choice in document["choices"]
                            for call in choice["delta"].get("tool_calls", ()))
        assert orjson.loads(arguments) == {
            "to": "[REDACTED:email]", "card": "[REDACTED:payment_card]",
            "x": "A\n[REDACTED:email]"}, at
        one.records()


def messages(*parts, kind="text_delta", name="text"):
    start = {"type": "message_start", "message": {"id": "m1", "model": "c", "content": [],
             "usage": {"input_tokens": 3, "output_tokens": 1}}}
    block = {"type": "content_block_start", "index": 0,
             "content_block": {"type": "text", "text": ""}}
    told = [start, block]
    told += [{"type": "content_block_delta", "index": 0, "delta": {"type": kind, name: part}}
             for part in parts]
    told += [{"type": "content_block_stop", "index": 0},
             {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
              "usage": {"output_tokens": 9}}, {"type": "message_stop"}]
    return [b"event: %s\n" % one["type"].encode() + event(one) for one in told]


ANTHROPIC = orjson.dumps({"model": "claude-sonnet-5", "max_tokens": 99, "stream": True,
                          "messages": [{"role": "user", "content": "hi"}]})


def run_messages(one, events):
    client = one.connect()
    client.feed(request(ANTHROPIC, "x-api-key: fgw-alice", path="/v1/messages", key=""))
    one.upstream.feed(stream_head() + chunked(*events, b""))
    return documents(client.answer().body)


@pytest.mark.parametrize(("kind", "name"), [
    ("text_delta", "text"), ("input_json_delta", "partial_json"), ("thinking_delta", "thinking")])
def test_anthropics_blocks_are_texts(tmp_path, kind, name):
    one = worker(tmp_path)
    text = f'{{"a": "{MAIL}", "b": "{CARD}"}}'
    for at in range(1, len(text)):
        told = run_messages(one, messages(*cut_text(text, at), kind=kind, name=name))
        said = "".join(one["delta"][name] for one in told if one["type"] == "content_block_delta")
        assert orjson.loads(said) == {"a": "[REDACTED:email]", "b": "[REDACTED:payment_card]"}
        assert [one["type"] for one in told][-3:] == ["content_block_stop", "message_delta",
                                                     "message_stop"]
        one.records()


def test_responses_deltas_and_what_repeats_them(tmp_path):
    one = worker(tmp_path)
    told = [{"type": "response.created", "sequence_number": 0, "response": {
        "id": "r1", "instructions": f"never tell {MAIL}", "output": []}}]
    told += [{"type": "response.output_text.delta", "sequence_number": i + 1, "output_index": 0,
              "content_index": 0, "item_id": "i", "delta": part}
             for i, part in enumerate(cut_text(TEXT, 3, 9, 22, 34, 40))]
    told += [{"type": "response.output_text.done", "sequence_number": 8, "output_index": 0,
              "content_index": 0, "text": TEXT},
             {"type": "response.completed", "sequence_number": 9, "response": {
                 "id": "r1", "instructions": f"never tell {MAIL}", "status": "completed",
                 "output": [{"type": "message", "content": [{"type": "output_text",
                                                             "text": TEXT}]}],
                 "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}}}]
    events = [b"event: %s\n" % one["type"].encode() + event(one) for one in told]
    client = one.connect()
    client.feed(request(orjson.dumps({"model": "gpt-4o", "input": "x", "stream": True}),
                        path="/v1/responses"))
    one.upstream.feed(stream_head() + chunked(*events, b""))

    got = documents(client.answer().body)

    assert "".join(e["delta"] for e in got if e["type"].endswith("text.delta")) == CLEAN
    assert got[-2]["text"] == CLEAN
    assert got[-1]["response"]["output"][0]["content"][0]["text"] == CLEAN
    assert got[0]["response"]["instructions"] == f"never tell {MAIL}"
    assert [e["sequence_number"] for e in got] == [e["sequence_number"] for e in told]


def test_deny_ends_a_chat_stream_as_a_filter_does(tmp_path):
    one = worker(tmp_path, "deny")
    for at in range(6, 24):
        events = [delta(part) for part in cut_text(TEXT, 5, at)]
        answer, told = run(one, [*events, finish(), usage_event(), DONE])
        assert text_of(told) == "Mail "
        assert told[-1]["choices"][0]["finish_reason"] == "content_filter"
        assert told[-1]["fastgw"]["code"] == "FGW-955"
        assert MAIL[:6].encode() not in answer.body and answer.body.endswith(b"[DONE]\n\n")
        close = one.one(Close)
        assert close.code == 955


def test_deny_ends_a_messages_stream_with_its_blocks_closed(tmp_path):
    one = worker(tmp_path, "deny")

    told = run_messages(one, messages("Mail ", "john.doe@exam", "ple.com", " x"))

    assert [e["type"] for e in told] == ["message_start", "content_block_start",
                                         "content_block_delta", "content_block_stop",
                                         "message_delta", "message_stop"]
    assert told[-2]["delta"]["stop_reason"] == "refusal"


def test_log_and_shadow_pass_everything_and_are_recorded(tmp_path):
    for number, more in enumerate(({"then": "log"}, {"then": "redact", "enforce": False})):
        folder = tmp_path / str(number)
        folder.mkdir(mode=0o700)
        one = worker(folder, **more)
        _, told = run(one, [delta(part) for part in cut_text(TEXT, 8)] + [finish(), DONE])
        assert text_of(told) == TEXT
        one.records()
        (finding,) = [orjson.loads(text) for text in one.names.values() if '"effect"' in text]
        assert finding["name"] == "eyes"
        assert "email in choices[0].delta.content" in finding["effect"]
        assert finding["enforced"] is ("enforce" not in more)


def test_an_event_is_not_let_out_at_once(tmp_path):
    one = worker(tmp_path)
    client = one.connect()
    client.feed(request(chat(stream=True)))
    one.upstream.feed(stream_head() + chunked(delta("ask john.doe")))
    client.taken()
    one.tick()
    assert client.taken() == b""  # (how long is too long: tests/test_journey.py)


def test_the_end_of_a_stream_without_done_lets_everything_go(tmp_path):
    one = worker(tmp_path)
    answer, told = run(one, [delta("it is "), delta(MAIL)])
    assert text_of(told) == "it is [REDACTED:email]"


def test_a_private_key_that_goes_on_for_many_events_is_one_find(tmp_path):
    one = worker(tmp_path, kinds=("private_key",))
    body = "\n".join("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" for _ in range(40))
    text = f"Here: -----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\nKeep it."
    parts = [text[i:i + 7] for i in range(0, len(text), 7)]

    _, told = run(one, [*(delta(part) for part in parts), finish(), DONE])

    assert text_of(told) == "Here: [REDACTED:private_key]\nKeep it."


def test_an_event_that_is_no_json_is_looked_at_as_text(tmp_path):
    one = worker(tmp_path)

    answer, _ = run(one, [b"data: {broken " + MAIL.encode() + b" x\n\n", DONE])

    assert answer.body == b"data: {broken [REDACTED:email] x\n\n" + DONE


def wait_for(one, client):
    """What is let out when it has waited too long (half a second)."""
    deadline, taken = time.monotonic() + 10, b""
    while not taken and time.monotonic() < deadline:
        time.sleep(0.02)
        one.tick()
        taken = client.taken()
    return taken


def begin_stream(one, *texts):
    client = one.connect()
    client.feed(request(chat(stream=True)))
    one.upstream.feed(stream_head() + chunked(*(delta(text) for text in texts)))
    assert not texts or b"4111" not in client.taken()
    return client


def test_a_find_is_redacted_even_where_the_provider_stalls_behind_it(tmp_path):
    one = worker(tmp_path)
    client = begin_stream(one, "card 4111 1111 1111 1111")
    taken = wait_for(one, client)

    assert b"card [REDACTED:payment_card]" in taken and b"4111" not in taken
    one.upstream.feed(chunked(delta("23 is mine"), finish(), b"data: [DONE]\n\n", b""))
    assert b'"content":" is mine"' in client.taken()


def test_deny_ends_a_stream_that_stalls_behind_a_find(tmp_path):
    one = worker(tmp_path, then="deny")
    client = begin_stream(one, "card 4111 1111 1111 1111")
    taken = wait_for(one, client)

    assert b"4111" not in taken and b"content_filter" in taken
    assert one.one(Close).code == 955
