"""Goal: the ledger has the provider's own usage object beside each attempt's classes.

Method: a worker in this process, its records read as the ledger reads them: streams, whole
answers, failures, an object beyond its room, a full ring; and totals that are no sums. End to end:
tests/journey/test_quotes.py.
"""

import orjson
import pytest

from fastgw.ledger.decision import Story
from fastgw.ledger.records import NAME_QUOTE, Close, Name
from fastgw.shm import counters
from tests.worker import (
    DONE,
    USAGE,
    chat,
    chunked,
    delta,
    event,
    request,
    response,
    stream_head,
)

SAID = b'{"prompt_tokens":31, "completion_tokens":19,"total_tokens":50,"cost":0.00010}'


def quoted(records: list) -> list[tuple[int, int, str]]:
    return [(one.hash0, one.hash1, one.text) for one in records
            if isinstance(one, Name) and one.space == NAME_QUOTE]


def answer(usage: bytes) -> bytes:
    return response(b'{"id":"a","choices":[],"usage":' + usage + b"}")


def test_a_whole_answers_object_stands_before_its_close_letter_by_letter(worker):
    one = worker()
    one.ask(request(chat()), answer(SAID))
    records = one.posted()

    assert quoted(records) == [(1, 0, SAID.decode())]
    kinds = [type(record) for record in records]
    place = next(at for at, record in enumerate(records)
                 if isinstance(record, Name) and record.space == NAME_QUOTE)
    assert place < kinds.index(Close)
    assert records[place].id == records[kinds.index(Close)].id


def test_a_streams_last_object_even_of_the_event_that_the_client_does_not_get(worker):
    one = worker()
    client = one.connect()
    client.feed(request(chat(stream=True)))
    one.upstream.feed(stream_head())
    last = b'data: {"choices":[],"usage":' + SAID + b"}\n\n"
    one.upstream.feed(chunked(delta("a") + last + DONE, b""))
    assert b"cost" not in client.taken()
    assert quoted(one.posted()) == [(1, 0, SAID.decode())]


def test_anthropics_answer_has_two(worker):
    one = worker()
    client = one.connect()
    first, last = {"input_tokens": 9, "output_tokens": 1}, {"output_tokens": 7}
    client.feed(request(chat(stream=True, model="claude-sonnet-4-5", max_tokens=9),
                        path="/v1/messages"))
    one.upstream.feed(stream_head(), chunked(
        event({"type": "message_start", "message": {"usage": first}}),
        event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": last}),
        event({"type": "message_stop"}), b""))
    records = one.posted()

    assert [(place, orjson.loads(text)) for _, place, text in quoted(records)] == [
        (0, first), (1, last)]
    [close] = [record for record in records if isinstance(record, Close)]
    assert (close.tokens.input, close.tokens.output) == (9, 7)


def test_what_nobody_said_is_not_there(worker):
    one = worker()
    one.ask(request(chat()), response(b'{"id":"a","choices":[],"usage":null}'))
    one.ask(request(chat()), response(b'{"error":{"message":"no"}}', status=400))
    records = one.posted()
    assert quoted(records) == [] and sum(isinstance(record, Close) for record in records) == 2


def test_an_attempt_that_failed_leaves_nothing_to_the_next(worker):
    """The same exchange's next request has no metered answer: the old object is not told again."""
    one = worker()
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(answer(SAID))
    client.feed(request(chat()))
    one.upstream.feed(response(b"{}", status=500))
    assert quoted(one.posted()) == [(1, 0, SAID.decode())]


@pytest.mark.parametrize("size", [100, 5000])
def test_an_object_beyond_its_room_is_shown_as_a_text(worker, size):
    one = worker()
    said = orjson.dumps(USAGE | {"note": "n" * size})
    one.ask(request(chat()), answer(said))
    story = Story()
    for record in one.posted():
        story.add(record)
    assert story.quotes == {1: [orjson.loads(said) if size < 1500 else said[:1536].decode()]}


def test_a_ring_that_nobody_reads_refuses_no_close_for_it(worker):
    """Below half of the ring quotes are left out, and counted; attempts go on."""
    one = worker()
    ring, client, asked = one._readers[0], one.connect(), 0
    while ring.counters()["dropped_name"] < 3:
        client.feed(request(chat()))
        one.upstream.feed(answer(SAID))
        assert client.answer().status == 200
        asked += 1
    lag = ring.counters()
    assert lag["refused_open"] == 0
    records = one.posted()
    assert len([one for one in records if isinstance(one, Close)]) == asked > 100
    assert len(quoted(records)) == asked - 3


@pytest.mark.parametrize("said, unequal", [
    (b'{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}', 0),
    (b'{"prompt_tokens":3,"completion_tokens":2}', 0),
    # What is beyond both is output that xAI and others tell nowhere else (WIRE.md section 2) ...
    (b'{"prompt_tokens":3,"completion_tokens":2,"total_tokens":9}', 0),
    # ... and a total that is too small is nothing that anybody can mean.
    (b'{"prompt_tokens":3,"completion_tokens":2,"total_tokens":4}', 1),
])
def test_totals_that_are_no_sums_are_counted(worker, said, unequal):
    one = worker()
    one.ask(request(chat()), answer(said))
    assert counters.total(one.segment).totals_unequal == (0, unequal, 0, 0, 0, 0, 0, 0)
