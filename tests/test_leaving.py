"""Goal: an answer whose client has gone is read on to the provider's own number, within bounds.

Method: clients that leave at chosen instants between transports of ours; what the ledger says then
is laid beside what the provider said. A token bucket that refills once a day shows what is held.
"""

import gzip
import time

import orjson
import pytest

from fastgw.errors import Code
from fastgw.ledger.records import FATE_CUT_BY_CLIENT, FATE_DELIVERED, Close
from fastgw.limit import peek
from fastgw.shm.counters import total
from tests.worker import (
    DONE,
    USAGE,
    Transport,
    chat,
    chunked,
    delta,
    event,
    policy,
    provider,
    request,
    response,
    stream_head,
    usage_event,
)

PROVIDER, ESTIMATED = 1, 3
BUCKET = {"type": "rate-limit", "config": {
    "name": "tokens", "unit": "tokens", "capacity": 10**6, "per": "24h"}}
STREAM = request(chat(stream=True, max_tokens=500))
PLAIN = request(chat(max_tokens=500))
BEGUN = stream_head() + chunked(delta("one"), delta("two"))
REST = chunked(delta("three"), usage_event(), DONE, b"")


def drain(**bounds):
    return {"name": "whole books", "actions": [
        {"type": "on-abort", "config": {"then": "drain", **bounds}}, BUCKET]}


def counted(one):
    return total(one.segment).counters


def running(one):
    return total(one.segment).gauges["drains_running"]


def begun(one, ask=STREAM, answer=BEGUN, kind=Transport):
    client = one.connect(kind)
    client.feed(ask)
    if answer:
        one.upstream.feed(answer)
    return client


def assert_provider_told(one, close):
    assert (close.fate, close.code) == (FATE_CUT_BY_CLIENT, Code.DRAINED)
    assert close.provenance == PROVIDER
    assert close.tokens.input == close.input_low == close.input_high == USAGE["prompt_tokens"]
    assert close.tokens.output == close.output_low == close.output_high == 19
    assert one.segment.live_holds(0) == (0, 0) and one.journey.active == 0
    assert counted(one)["drained"] == 1 and running(one) == 0


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_stream_is_read_to_its_end_without_its_client(worker, how):
    one = worker(policy=policy(drain()))
    client = begun(one)
    client.end() if how == "fin" else client.lose(ConnectionResetError())
    assert one.segment.live_holds(0) == (1, 1) and running(one) == 1
    assert client.transport.closed and not one.upstream.transport.closed
    client.taken()
    one.upstream.feed(REST)

    assert_provider_told(one, one.one(Close))
    assert client.taken() == b""
    _, answer = one.ask(PLAIN, response())
    assert answer.status == 200 and len(one.loop.opened) == 1  # the connection is used again


@pytest.mark.parametrize("ask, rest", [(PLAIN, response()), (STREAM, BEGUN + REST)])
def test_a_client_that_left_before_the_first_byte(worker, ask, rest):
    one = worker(policy=policy(drain()))
    client = begun(one, ask, b"")
    client.lose()
    one.upstream.feed(rest)

    assert_provider_told(one, one.one(Close))


def test_a_plain_answer_that_breaks_off_at_the_client_in_the_middle(worker):
    one = worker(policy=policy(drain()))
    whole = response()
    client = begun(one, PLAIN, whole[:-9])
    client.lose()
    one.upstream.feed(whole[-9:])

    assert_provider_told(one, one.one(Close))


def test_byte_by_byte_and_compressed(worker):
    one = worker(policy=policy(drain()))
    packed = gzip.compress(b"".join((delta("one"), delta("two"), usage_event(), DONE)))
    client = begun(one, STREAM, stream_head("Content-Encoding: gzip") + chunked(packed[:20]))
    client.lose()
    for at in range(20, len(packed)):
        one.upstream.feed(chunked(packed[at:at + 1]))
    one.upstream.feed(chunked(b""))

    assert_provider_told(one, one.one(Close))


PACKED = gzip.compress(b"".join((delta("one"), delta("two"), usage_event(), DONE)))
DETECT = [{"actions": [{"type": "detect", "config": {"kinds": ["us_ssn"], "then": "redact"}}]}]


@pytest.mark.parametrize("ask, answer, rules", [
    (STREAM, BEGUN + REST, {}),
    (STREAM, stream_head("Content-Encoding: gzip") + chunked(PACKED[:30], PACKED[30:], b""), {}),
    (STREAM, BEGUN + REST, {"on_event_stream_message": DETECT}),
    (PLAIN, response(), {}),
    (PLAIN, response(), {"on_http_response": DETECT}),
], ids=["stream", "compressed", "looked at", "plain", "kept back"])
@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("capped", [False, True])
def test_a_client_may_leave_at_any_byte(worker, ask, answer, rules, how, capped):
    """One CLOSE with the provider's number, and every cap charged with it, once."""
    caps = [{"type": "usage-cap", "config": {
        "name": f"all {unit}", "unit": unit, "limit": 10**6, "window": "total"}}
        for unit in ("tokens", "requests")]
    acting = {"actions": drain()["actions"] + (caps if capped else [])}
    one = worker(policy={**policy(acting), **rules})
    cuts = range(0, len(answer) + 1, 3 if capped else 1)
    for at in cuts:
        client = begun(one, ask, b"")
        (upstream,) = [end for end in one.loop.opened if not end.transport.closed]
        if at:
            upstream.feed(answer[:at])
        client.end() if how == "fin" else client.lose(ConnectionResetError())
        if not upstream.transport.closed and answer[at:]:
            upstream.feed(answer[at:])
        close = one.one(Close)
        assert (close.provenance, close.tokens.input, close.tokens.output) == (PROVIDER, 31, 19)
        assert close.fate in (FATE_CUT_BY_CLIENT, FATE_DELIVERED)
        assert one.segment.live_holds(0) == (0, 0) and one.journey.active == 0
        assert running(one) == 0
    used = {entry.unit: entry.raw for entry in peek.entries(one.segment) if entry.kind == "cap"}
    assert sorted(used.values()) == ([len(cuts), 50 * len(cuts)] if capped else [])


def test_without_a_rule_the_provider_is_cut_off(worker):
    one = worker()
    client = begun(one)
    client.lose()

    close = one.one(Close)
    assert one.upstream.transport.closed
    assert (close.code, close.provenance) == (Code.CLIENT_GONE, ESTIMATED)
    assert (close.output_low, close.output_high) == (2, 500)


def test_the_last_word_holds_and_a_shadow_says_nothing(worker):
    cancel = {"type": "on-abort", "config": {"then": "cancel"}}
    shadow = {"type": "on-abort", "config": {"then": "drain", "enforce": False}}
    for actions in ([*drain()["actions"], cancel], [shadow]):
        one = worker(policy=policy({"actions": actions}))
        begun(one).lose()
        assert one.one(Close).code == Code.CLIENT_GONE


def test_max_tokens_bound_what_is_read_on(worker):
    one = worker(policy=policy(drain(max_tokens=3)))
    begun(one).lose()
    for text in ("a", "b", "c"):
        one.upstream.feed(chunked(delta(text)))
    assert running(one) == 1
    one.upstream.feed(chunked(delta("d")))

    close = one.one(Close)
    assert one.upstream.transport.closed
    assert (close.fate, close.code) == (FATE_CUT_BY_CLIENT, Code.DRAIN_TOKENS)
    assert (close.output_low, close.output_high, close.provenance) == (6, 500, ESTIMATED)
    assert counted(one)["drains_cut_by_tokens"] == 1 and running(one) == 0


@pytest.mark.parametrize("more, cut", [(0, True), (-1, False)])
@pytest.mark.parametrize("tokens, bytes_max", [(3, 1 << 20), (300, 300 * 4096)])
def test_bytes_bound_a_whole_answer(worker, tokens, bytes_max, more, cut):
    """What it costs is told at its end, so tokens bound nothing inside of it."""
    one = worker(policy=policy(drain(max_tokens=tokens)))
    whole = response(orjson.dumps({"model": "gpt-4o", "usage": USAGE, "choices": [
        {"message": {"content": "x" * (3 * bytes_max)}}]}))
    head = whole.index(b"\r\n\r\n") + 4
    begun(one, PLAIN, whole[:head + 10]).lose()
    at = head + 10
    while at < head + 10 + bytes_max + more:
        step = min(60_000, head + 10 + bytes_max + more - at)
        one.upstream.feed(whole[at:at + step])
        at += step
    if not cut:
        assert running(one) == 1 and not one.upstream.transport.closed
        return
    close = one.one(Close)
    assert one.upstream.transport.closed and running(one) == 0
    assert (close.fate, close.code) == (FATE_CUT_BY_CLIENT, Code.DRAIN_TOKENS)
    assert close.provenance == ESTIMATED and close.output_high == 500


def test_max_seconds_bound_a_whole_answer(worker):
    one = worker(policy=policy(drain(max_seconds=1)))
    begun(one, PLAIN, response()[:80]).lose()
    deadline = time.monotonic() + 10
    while one.journey.active and time.monotonic() < deadline:
        time.sleep(0.05)
        one.tick()

    assert one.one(Close).code == Code.DRAIN_SECONDS and one.upstream.transport.closed


def test_max_seconds_bound_what_is_read_on(worker):
    one = worker(policy=policy(drain(max_seconds=1)))
    begun(one).lose()
    deadline = time.monotonic() + 10
    while one.journey.active and time.monotonic() < deadline:
        time.sleep(0.05)
        one.tick()

    assert one.one(Close).code == Code.DRAIN_SECONDS
    assert counted(one)["drains_cut_by_seconds"] == 1 and one.upstream.transport.closed


def test_max_concurrent_is_over_all_workers_and_by_action(worker, tmp_path):
    other = {"expressions": ["ai.model == 'other'"], "actions": [
        {"type": "on-abort", "config": {"then": "drain", "max_concurrent": 1}}]}
    rules = policy(drain(max_concurrent=2), other)
    first = worker(policy=rules, wakers=(-1, -1))
    second = worker(policy=rules, wakers=(-1, -1), beside=first)
    begun(first).lose()
    begun(second).lose()
    assert running(first) == 2
    begun(second).lose()

    assert second.one(Close).code == Code.DRAIN_FULL
    assert running(first) == 2 and counted(first)["drains_refused"] == 1
    begun(second, request(chat(model="other", stream=True))).lose()
    assert running(first) == 3  # of another action
    first.upstream.feed(REST)
    assert first.one(Close).code == Code.DRAINED
    begun(first).lose()
    assert running(first) == 3


def test_what_a_dead_worker_drained_no_longer_counts(worker):
    one = worker(policy=policy(drain(max_concurrent=1)))
    begun(one).lose()
    one.segment.reset_gauges(0)
    begun(one).lose()
    assert counted(one)["drains_refused"] == 0


def test_a_provider_that_breaks_off_leaves_an_interval(worker):
    one = worker(policy=policy(drain()))
    begun(one).lose()
    one.upstream.feed(chunked(delta("three")))
    one.upstream.lose()

    close = one.one(Close)
    assert (close.fate, close.code) == (FATE_CUT_BY_CLIENT, Code.UPSTREAM_CUT)
    assert (close.output_low, close.output_high) == (3, 500)
    assert counted(one)["drains_broken"] == 1 and one.segment.live_holds(0) == (0, 0)


@pytest.mark.parametrize("end", ["status", "lost"])
def test_nothing_is_asked_again_once_the_client_has_gone(worker, end):
    one = worker(providers=[provider("one"), provider("two")], policy=policy(drain()), models=[
        {"id": "gpt-4o", "candidates": [{"provider": "one", "model": "m"}],
         "fallback": [{"provider": "two", "model": "m"}]}])
    begun(one, STREAM, b"").lose()
    if end == "status":
        one.upstream.feed(response(b"{}", status=503))
    else:
        one.upstream.lose()

    close = one.one(Close)
    assert len(one.loop.opened) == 1 and close.fate == FATE_CUT_BY_CLIENT
    if end == "status":
        assert close.tokens.input == close.output_high == 0  # refused: nothing is billed


def test_a_stale_connection_is_not_replaced_for_a_client_that_has_gone(worker):
    one = worker(policy=policy(drain()))
    client = one.connect()
    client.feed(PLAIN)
    one.upstream.feed(response())
    one.records()
    client.feed(PLAIN)
    client.lose()
    one.upstream.lose()

    assert len(one.loop.opened) == 1 and one.one(Close).fate == FATE_CUT_BY_CLIENT


def test_what_had_not_been_asked_yet_is_over(worker, monkeypatch):
    one = worker(policy=policy(drain()))
    client = one.connect()
    soon = one.loop.soon
    monkeypatch.setattr(type(one.loop), "run", lambda self: None)
    client.feed(STREAM)
    client.lose()
    monkeypatch.undo()
    one.loop.run()

    close = one.one(Close)
    assert (close.code, close.output_high) == (Code.CLIENT_GONE, 0)
    assert one.journey.active == 0 and soon == []


def test_what_tells_no_usage_is_not_waited_for(worker):
    one = worker(policy=policy(drain()))
    begun(one, request(path="/v1/models", method="GET"), b"").lose()
    assert one.one(Close).code == Code.CLIENT_GONE and one.upstream.transport.closed
    begun(one, STREAM, b"").lose()
    one.upstream.feed(stream_head("Content-Encoding: br"))
    assert one.one(Close).code == Code.CLIENT_GONE and one.upstream.transport.closed
    begun(one, STREAM, b"").lose()
    one.upstream.feed(stream_head("Content-Encoding: gzip") + chunked(b"this is no gzip"))
    assert one.one(Close).code == Code.CLIENT_GONE and one.upstream.transport.closed
    assert running(one) == 0


def test_a_cap_ends_also_what_nobody_reads(worker):
    cap = {"type": "usage-cap", "config": {
        "name": "month", "unit": "tokens", "limit": 5000, "window": "month"}}
    one = worker(policy=policy({"actions": [drain()["actions"][0], cap]}))
    ask = request(chat(stream=True, max_tokens=4))
    begun(one, ask).lose()
    one.upstream.feed(chunked(*[delta("word ") for _ in range(3000)]))

    close = one.one(Close)
    assert (close.fate, close.code) == (FATE_CUT_BY_CLIENT, Code.CUT_BY_CAP)
    assert one.upstream.transport.closed and one.segment.live_holds(0) == (0, 0)
    _, answer = one.ask(ask)
    assert answer.code == "FGW-804"


def test_events_that_a_detect_held_back_are_let_go(worker):
    rules = {**policy(drain()), "on_event_stream_message": [{"actions": [
        {"type": "detect", "config": {"kinds": ["us_ssn"], "then": "deny"}}]}]}
    one = worker(policy=rules)
    begun(one, STREAM, stream_head() + chunked(delta("my number is 219-"))).lose()
    one.upstream.feed(chunked(delta("09-9999")) + REST)
    one.journey.tick()

    assert_provider_told(one, one.one(Close))


def test_an_answer_that_was_kept_back_as_a_whole(worker):
    rules = {**policy(drain()), "on_http_response": [{"actions": [
        {"type": "detect", "config": {"kinds": ["us_ssn"], "then": "deny"}}]}]}
    one = worker(policy=rules)
    whole = response()
    begun(one, PLAIN, whole[:-20]).lose()
    one.upstream.feed(whole[-20:])

    assert_provider_told(one, one.one(Close))


class Slow(Transport):
    """Takes nothing: what is written stays in its queue."""

    blocks = False

    def write(self, rest):
        super().write(rest)
        if self.blocks:
            self.link.pause_writing()

    def get_write_buffer_size(self):
        return len(self.sent)


def test_a_provider_that_was_paused_for_its_client_is_read_again(worker):
    one = worker(policy=policy(drain()))
    client = begun(one, kind=Slow)
    client.transport.blocks = True
    one.upstream.feed(chunked(delta("three")))
    assert not one.upstream.transport.reading
    client.lose()
    assert one.upstream.transport.reading
    one.upstream.feed(chunked(usage_event(), DONE, b""))

    assert_provider_told(one, one.one(Close))


def test_the_deadline_of_a_shutdown_ends_it(worker):
    one = worker(policy=policy(drain()))
    begun(one).lose()
    one.journey.abort_all()
    one.loop.run()

    close = one.one(Close)
    assert (close.fate, close.code) == (FATE_CUT_BY_CLIENT, Code.CUT_BY_DRAIN)
    assert running(one) == 0 and one.journey.active == 0


def test_fin_after_the_last_event_is_no_abort(worker):
    one = worker(policy=policy(drain()))
    client = begun(one, STREAM, BEGUN + chunked(usage_event(), DONE))
    client.end()

    close = one.one(Close)
    assert (close.fate, close.provenance) == (FATE_DELIVERED, PROVIDER)
    assert counted(one)["drains"] == 0


def test_a_large_request_does_not_stay_in_memory(worker):
    one = worker(policy=policy(drain()))
    body = chat(stream=True, max_tokens=9, user="u" * 300, metadata={"pad": "x" * 4_000_000})
    client = begun(one, request(body), b"")
    client.lose()
    one.upstream.feed(BEGUN + REST)
    assert_provider_told(one, one.one(Close))


class Broken(Transport):
    """Its peer is gone, which shows when something is written."""

    def write(self, rest):
        self.closed = True
        self._soon.append(lambda: self.link.connection_lost(BrokenPipeError()))


@pytest.mark.parametrize("end", [b"", chunked(b"")])
def test_what_no_client_took_was_not_delivered_though_it_was_whole(worker, end):
    one = worker()
    begun(one, STREAM, BEGUN + chunked(usage_event(), DONE) + end, Broken)

    close = one.one(Close)
    assert (close.fate, close.provenance) == (FATE_CUT_BY_CLIENT, PROVIDER)
    assert counted(one)["client_aborts"] == 1 and one.journey.active == 0


def test_anthropic_tells_its_input_at_the_start_and_its_output_at_the_end(worker):
    one = worker(policy=policy(drain()))
    start = event({"type": "message_start", "message": {
        "id": "m", "model": "claude", "usage": {"input_tokens": 31, "output_tokens": 1}}})
    block = event({"type": "content_block_start", "index": 0,
                   "content_block": {"type": "text", "text": ""}})
    piece = event({"type": "content_block_delta", "index": 0,
                   "delta": {"type": "text_delta", "text": "one"}})
    end = event({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                 "usage": {"output_tokens": 19}})
    stop = event({"type": "message_stop"})
    ask = request(chat(stream=True, max_tokens=500, model="claude-sonnet-4-5"),
                  path="/v1/messages")
    begun(one, ask, stream_head() + chunked(start, block, piece)).lose()
    one.upstream.feed(chunked(piece, end, stop, b""))

    assert_provider_told(one, one.one(Close))


def test_what_rules_say_at_the_end_still_knows_the_request(worker, monkeypatch):
    """The body is given back, the head is not: notes are made of it when all is over."""
    rules = policy(drain(), {"actions": [{"type": "log", "config": {
        "metadata": {"who": "${req.headers['x-who']}", "out": "${usage.output_tokens}"}}}]})
    one = worker(policy=rules)
    body = chat(stream=True, max_tokens=9, metadata={"pad": "x" * 300_000})
    begun(one, request(body, "X-Who: me-and-nobody-else")).lose()
    for _ in range(20):
        one.connect().feed(request(chat()))  # other buffers come and go
    one.loop.opened[0].feed(REST)
    one.records()
    assert any("me-and-nobody-else" in text and "19" in text for text in one.names.values())
