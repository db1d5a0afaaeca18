"""Clients that leave, where a rule says `on-abort: drain`: the ledger beside the mock's books.

Method: clients break off at random instants, streamed and not, on both dialects and through the
official SDKs; the mock writes down what it generated. Every call that was drained has its
provider's number, to the token; every other one an interval with the books inside. Then what a
hostile client, a killed worker and a shutdown make of it.
"""

import os
import random
import signal
import time

import anthropic
import openai
import orjson
import pytest

from tests.journey.harness import KEY, Gateway, chat, configuration, post, wait_until
from tests.journey.peers import gauge, leave_rudely, records, settled

SEED = 20261121
PROVIDER = 1
DRAINED, DRAIN_TOKENS, DRAIN_FULL, CUT_BY_DRAIN = 956, 957, 959, 952
LIMITS = [
    {"type": "rate-limit", "config": {
        "name": "tokens", "unit": "tokens", "capacity": 10**9, "per": "24h"}},
    {"type": "usage-cap", "config": {
        "name": "month", "unit": "tokens", "limit": 10**9, "window": "month"}}]


def drains(**bounds):
    return {"on_http_request": [{"name": "whole books", "actions": [
        {"type": "on-abort", "config": {"then": "drain", **bounds}}, *LIMITS]}]}


def messages(**more):
    body = {"model": "claude-sonnet-4-5", "max_tokens": 2000,
            "messages": [{"role": "user", "content": "hello"}]}
    return orjson.dumps(body | more)


def compared(gateway, mock):
    """(closes that the provider told, the others), each beside its line in the books; an
    AssertionError where they contradict each other."""
    settled(gateway)
    lines = {(line["request_id"], int(line["attempt"])): line
             for line in mock.lines() if line["billed"]}
    closed, opened = records(gateway)
    assert set(closed) == opened and set(lines) <= set(closed)
    told, rest = [], []
    for key, line in lines.items():
        close = closed[key]
        truth = line["input_tokens"], line["output_tokens"]
        if close.provenance == PROVIDER:
            told.append(close)
            assert (close.input_low, close.output_low) == truth, (line, close)
        else:
            rest.append(close)
            assert close.input_low <= truth[0] <= close.input_high, (line, close)
            assert close.output_low <= truth[1] <= close.output_high, (line, close)
    return told, rest


@pytest.fixture
def serve(mock):
    instances = []

    def start(workers=1, **bounds):
        mock.reset()
        instances.append(Gateway(configuration(mock.port, policy=drains(**bounds)),
                                 workers=workers))
        return instances[-1]

    yield start
    for instance in instances:
        instance.remove()


def test_every_call_that_was_left_has_its_providers_number(mock, serve):
    gateway = serve(workers=2)
    draw = random.Random(SEED)
    print(f"seed {SEED}")
    for _ in range(100):
        streamed = draw.random() < 0.7
        if draw.random() < 0.5:
            path, body = "/v1/chat/completions", chat(stream=streamed, max_tokens=2000)
        else:
            path, body = "/v1/messages", messages(stream=streamed)
        sock = gateway.connect()
        sock.sendall(post(path, body, f"x-mock: events={draw.randrange(1, 120)},"
                          f"pace={draw.choice(('1ms', '3ms'))},delay={draw.choice((0, 5, 30))}ms"))
        if draw.random() < 0.7:
            sock.recv(draw.randrange(1, 3000))
        leave_rudely(sock) if draw.random() < 0.5 else sock.close()
    told, rest = compared(gateway, mock)
    assert len(told) > 60
    assert {close.code for close in told} <= {0, DRAINED, 953}
    assert sum(close.code == DRAINED for close in told) > 40
    # Who left before anything was asked has nothing to be read on for.
    assert not [close for close in rest if close.code == DRAINED]
    assert gauge(gateway, "drained_total") == sum(close.code == DRAINED for close in told)
    assert gauge(gateway, "drains_running_now") == gauge(gateway, "holds_live") == 0


@pytest.fixture(scope="module")
def one(mock):
    instance = Gateway(configuration(mock.port, policy=drains()))
    yield instance
    instance.remove()


def test_sdks_that_break_off(mock, one):
    gateway = one
    mock.reset()
    hers = openai.OpenAI(base_url=gateway.url("/v1"), api_key=KEY, max_retries=0)
    his = anthropic.Anthropic(base_url=gateway.url(), api_key=KEY, max_retries=0)
    paced = {"x-mock": "events=60,pace=3ms"}
    with hers.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True,
            extra_headers=paced) as stream:
        next(iter(stream))
    with his.messages.create(
            model="claude-sonnet-4-5", messages=[{"role": "user", "content": "hi"}],
            max_tokens=900, stream=True, extra_headers=paced) as stream:
        next(iter(stream))
    with pytest.raises(openai.APITimeoutError):
        hers.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "hi"}], timeout=0.2,
            extra_headers={"x-mock": "events=60,delay=400ms"})
    hers.close()
    his.close()
    told, rest = compared(gateway, mock)
    assert [close.code for close in told] == [DRAINED] * 3 and not rest
    assert [close.tokens.output for close in told] == [60] * 3


def test_who_opens_streams_and_leaves_costs_no_more_than_the_bounds(mock, serve):
    gateway = serve(workers=2, max_concurrent=10, max_tokens=40)
    most = 0
    # Thirty leave at once, and each drain would take 40 events of 20 ms: more than ten at a time,
    # however slow the machine.
    for _ in range(5):
        socks = [gateway.connect() for _ in range(30)]
        for sock in socks:
            sock.sendall(post("/v1/chat/completions", chat(stream=True, max_tokens=5000),
                              "x-mock: events=3000,pace=20ms"))
        for sock in socks:
            sock.recv(2000)
        for sock in socks:
            leave_rudely(sock)
        for _ in range(30):
            most = max(most, gauge(gateway, "drains_running_now"))
    told, rest = compared(gateway, mock)
    assert 1 <= most <= 10
    codes = [close.code for close in rest]
    assert not told and set(codes) == {DRAIN_TOKENS, DRAIN_FULL}
    assert gauge(gateway, "drains_cut_by_tokens_total") == codes.count(DRAIN_TOKENS) > 0
    assert gauge(gateway, "drains_refused_total") == codes.count(DRAIN_FULL) > 0
    # Nobody's books go further than what had been read, the bound, and one read of events.
    assert max(close.output_low for close in rest) < 3000


def test_a_worker_that_dies_while_it_drains(mock, serve):
    gateway = serve()
    sock = gateway.connect()
    sock.sendall(post("/v1/chat/completions", chat(stream=True, max_tokens=900),
                      "x-mock: events=800,pace=5ms"))
    sock.recv(2000)
    sock.close()
    wait_until(lambda: gauge(gateway, "drains_running_now") == 1)
    [worker] = gateway.pids("worker")
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: gauge(gateway, "drains_running_now") == 0)
    told, [close] = compared(gateway, mock)
    assert not told and close.code == 992


def test_a_shutdown_waits_for_what_is_drained(mock, serve):
    gateway = serve()
    sock = gateway.connect()
    sock.sendall(post("/v1/chat/completions", chat(stream=True, max_tokens=900),
                      "x-mock: events=200,pace=20ms"))
    sock.recv(2000)
    sock.close()
    wait_until(lambda: gauge(gateway, "drains_running_now") == 1)
    assert gateway.stop() == 0
    closed, opened = records(gateway)
    [close] = closed.values()
    assert set(closed) == opened
    assert (close.code, close.output_low, close.output_high) == (DRAINED, 200, 200)


def test_explain_tells_it(mock, one):
    gateway = one
    mock.reset()
    sock = gateway.connect()
    sock.sendall(post("/v1/chat/completions", chat(stream=True), "x-mock: events=50,pace=3ms"))
    sock.recv(2000)
    sock.close()
    compared(gateway, mock)
    [request_id] = [line["request_id"] for line in mock.lines()]
    told = gateway.decision(request_id)
    [attempt] = told["attempts"]
    assert (attempt["fate"], attempt["code"]) == ("cut by client", "FGW-956")
    assert attempt["usage"]["provenance"] == "provider"
    assert attempt["usage"]["output_tokens"] == 50
    assert told["rules"][0]["effect"] == "on-abort: drain, at most 4096 tokens more"
    text = gateway.run("explain", request_id)
    assert "the answer was read to its end without it" in text


def test_keep_alive_to_the_provider_outlives_a_drain(one):
    gateway = one
    settled(gateway)
    before = gauge(gateway, "upstream_connects_total")
    for _ in range(10):
        sock = gateway.connect()
        sock.sendall(post("/v1/chat/completions", chat(stream=True), "x-mock: events=9,pace=2ms"))
        sock.recv(100)
        sock.close()
        settled(gateway)
        time.sleep(0.01)
    assert gauge(gateway, "upstream_connects_total") - before <= 1
