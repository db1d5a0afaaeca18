"""Goal: an admitted request is tried as its provider's settings say, and no more than that.

Method: providers that refuse, fail, fall silent or vanish, played to a worker; time-outs are short
and waited for, never raced.
"""

import time

import pytest

from fastgw.ledger.records import (
    FATE_DELIVERED,
    FATE_FAILED_BEFORE_FIRST_BYTE,
    FATE_FAILED_IN_STREAM,
    FATE_RETRIED_AWAY,
    Close,
    Open,
    Request,
)
from tests.worker import (
    DONE,
    USAGE,
    Loop,
    chat,
    chunked,
    delta,
    event,
    provider,
    request,
    response,
    stream_head,
)

TWO = [{"id": "gpt-4o", "candidates": [{"provider": "one", "model": "m"}],
        "fallback": [{"provider": "two", "model": "m"}]}]
BOTH = [provider("one"), provider("two")]


def fates(one):
    return [close.fate for close in one.records() if isinstance(close, Close)]


def test_a_status_worth_a_retry_goes_to_the_next_candidate(worker):
    one = worker(providers=BOTH, models=TWO)
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(response(b"{}", status=503))
    assert client.taken() == b"" and len(one.loop.opened) == 2
    one.upstream.feed(response())

    answer = client.answer()
    assert (answer.fields["x-fastgw-provider"], answer.fields["x-fastgw-attempts"]) == ("two", "2")
    assert fates(one) == [FATE_RETRIED_AWAY, FATE_DELIVERED]


def test_the_last_candidates_refusal_is_the_clients_answer(worker):
    one = worker(providers=BOTH, models=TWO)
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(response(b"{}", status=503))
    one.upstream.feed(response(b'{"busy":2}', status=503))

    answer = client.answer()
    assert (answer.status, answer.body, answer.code) == (503, b'{"busy":2}', "")


def test_a_status_that_is_the_clients_fault_is_not_retried(worker):
    one = worker(providers=BOTH, models=TWO)
    _, answer = one.ask(request(chat()), response(b"{}", status=400))

    assert answer.status == 400 and len(one.loop.opened) == 1


def test_an_answer_that_was_begun_is_never_begun_again(worker):
    one = worker(providers=BOTH, models=TWO)
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(response()[:-5])
    one.upstream.lose()

    assert len(one.loop.opened) == 1 and client.transport.closed
    assert fates(one) == [FATE_FAILED_IN_STREAM]


def test_a_dead_idle_connection_costs_an_attempt_but_no_retry(worker):
    one = worker(providers=[provider("openai", retries={"max": 0})])
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(response())
    client.answer()
    client.feed(request(chat()))
    assert len(one.loop.opened) == 1
    one.upstream.lose()
    one.upstream.feed(response())

    assert client.answer().fields["x-fastgw-attempts"] == "2"


@pytest.mark.parametrize("kind, code", [
    ("connect", 904), ("first_byte", 905), ("idle", 906), ("total", 907)])
def test_a_provider_that_falls_silent_has_its_code(worker, monkeypatch, kind, code):
    one = worker(providers=[provider("openai", timeouts={kind: "50ms"}, retries={"max": 0})])
    if kind == "connect":
        monkeypatch.setattr(Loop, "run", lambda self: None)
    client = one.connect()
    client.feed(request(chat()))
    if kind == "idle":
        one.upstream.feed(response()[:-5])
    for _ in range(20):
        time.sleep(0.1)
        one.tick()
        if one.journey.active == 0:
            break

    monkeypatch.undo()
    one.loop.run()
    close = one.one(Close)
    assert close.code == code
    assert close.fate == (FATE_FAILED_IN_STREAM if kind == "idle"
                          else FATE_FAILED_BEFORE_FIRST_BYTE)
    if kind != "idle":
        assert (client.answer().status, client.transport.closed) == (504, False)


def test_a_whole_answer_that_is_an_error_is_a_failure(worker):
    one = worker()
    text = b'{"error": {"message": "overloaded", "code": 502}}'
    _, answer = one.ask(request(chat()), response(text))

    close = one.one(Close)
    assert (answer.status, answer.body) == (200, text)
    assert (close.fate, close.code) == (FATE_FAILED_IN_STREAM, 911)


@pytest.mark.parametrize("ending, fate, code", [
    (b"", FATE_FAILED_IN_STREAM, 909),
    (b"error: {}\n\n", FATE_FAILED_IN_STREAM, 909),  # GPUStack: a field that no parser knows
    (DONE, FATE_DELIVERED, 0),
    (event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}), FATE_DELIVERED, 0),
])
def test_text_without_its_end_is_a_failure_however_cleanly_it_stops(worker, ending, fate, code):
    one = worker()
    pieces = [delta("a"), ending, b""] if ending else [delta("a"), b""]
    _, answer = one.ask(request(chat(stream=True)), stream_head() + chunked(*pieces))

    close = one.one(Close)
    assert (close.fate, close.code) == (fate, code)
    assert answer.body == delta("a") + ending and close.output_low >= 1


def test_a_request_counts_where_it_was_asked_first(worker):
    one = worker()
    one.ask(request(chat()), response())

    asked, opened = [record for record in one.records() if isinstance(record, Request | Open)]
    assert asked.dims.provider == opened.dims.provider != 0
    assert asked.dims.upstream_model == opened.dims.upstream_model != 0


@pytest.mark.parametrize("ending", [
    event({"error": {"message": "overloaded", "code": 502}}), b"event: error\ndata: {}\n\n",
    event({"error": {"code": 502}, "choices": [], "usage": USAGE}) + DONE])
def test_an_error_that_the_provider_tells_in_its_stream_is_a_failure(worker, ending):
    one = worker()
    _, answer = one.ask(request(chat(stream=True)),
                        stream_head() + chunked(delta("a"), ending, b""))

    close = one.one(Close)
    assert answer.body == delta("a") + ending and answer.status == 200
    assert (close.fate, close.code) == (FATE_FAILED_IN_STREAM, 911)
    assert close.output_low >= 1 and (close.tokens.output == 19) == (b"usage" in ending)
