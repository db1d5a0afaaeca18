"""Chaos: workers killed with -9 under load, clients leaving at random; the books decide.

Method: tools/chaos.py drives the gateway while a random worker is killed every 300 ms, 50 times.
Then the ledger is laid beside the mock's books, call by call (the gateway names each attempt to
the provider): one CLOSE for every call billed, equal to the token where the provider's number was
read, else an interval with the books inside; nothing is held soon after the load has ended.
"""

import dataclasses
import os
import random
import signal

import pytest

from fastgw.ledger.query import Ledger
from fastgw.ledger.records import Close, Open, unpack_record
from tests.journey.harness import Gateway, configuration, wait_until
from tests.journey.peers import settled
from tools import chaos

SEED = 20261121
KILLS, CALLS = 50, 600
PROVIDER = 1


@pytest.fixture(scope="module")
def run(mock):
    mock.reset()
    rules = {"on_http_request": [{"name": "limits", "actions": [
        {"type": "rate-limit", "config": {
            "name": "pace", "unit": "requests", "capacity": 10**9, "per": "24h",
            "bucket_key": ["key.id"]}},
        {"type": "rate-limit", "config": {
            "name": "tokens", "unit": "tokens", "capacity": 10**12, "per": "24h",
            "bucket_key": ["key.id", "ai.model"]}},
    ]}]}
    gateway = Gateway(configuration(mock.port, policy=rules), workers=2)
    draw = random.Random(SEED)
    killed = []

    def disturb():
        workers = gateway.pids("worker")
        if workers and len(killed) < KILLS:
            victim = draw.choice(workers)
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)

    print(f"seed {SEED}")
    plan = chaos.Plan(gateway=gateway.url(), key="fgw-alice", clients=24,
                      seconds=KILLS * 0.3 + 2, seed=SEED)
    summary, _ = chaos.run(plan, disturb, 0.3)
    more = dataclasses.replace(plan, seconds=3.0)
    for _ in range(60):  # a busy machine is slow: it gets more time, not fewer kills or calls
        if len(killed) < KILLS or summary["calls"] < CALLS:
            summary["calls"] += chaos.run(more, disturb, 0.3)[0]["calls"]
    settled(gateway)
    yield gateway, mock, summary, killed
    gateway.remove()


def closes(gateway):
    """Every CLOSE in the ledger, by (request id, attempt)."""
    found, opened = {}, set()
    with Ledger(gateway.data_dir) as ledger:
        for raw in ledger.records():
            record = unpack_record(raw)
            if isinstance(record, Close):
                key = (str(record.id), record.attempt)
                assert key not in found, f"closed twice: {key}"
                found[key] = record
            elif isinstance(record, Open):
                opened.add((str(record.id), record.attempt))
    return found, opened


def test_one_close_for_every_call_that_the_provider_billed(run):
    gateway, mock, summary, killed = run
    assert len(killed) == KILLS
    assert summary["calls"] >= CALLS, summary
    found, opened = closes(gateway)
    assert opened == set(found)
    billed = {
        (line["request_id"], int(line["attempt"])): line
        for line in mock.lines() if line["billed"]
    }
    assert len(billed) > 300
    missing = [key for key in billed if key not in found]
    assert not missing, missing[:5]


def test_equal_where_the_provider_said_so_else_inside_the_interval(run):
    gateway, mock, _, _ = run
    found, _ = closes(gateway)
    unequal, outside, exact = [], [], 0
    for line in mock.lines():
        if not line["billed"]:
            continue
        close = found[(line["request_id"], int(line["attempt"]))]
        tokens = close.tokens
        booked = (
            tokens.input + tokens.cached_input + tokens.cache_write + tokens.cache_write_1h,
            tokens.output + tokens.reasoning,
        )
        truth = (line["input_tokens"], line["output_tokens"])
        if close.provenance == PROVIDER:
            exact += 1
            if booked != truth:
                unequal.append((line, booked))
        elif not (close.input_low <= truth[0] <= close.input_high
                  and close.output_low <= truth[1] <= close.output_high):
            outside.append((line, close))
    assert exact > 50
    assert not unequal, unequal[:3]
    assert not outside, outside[:3]


def test_nothing_is_held_after_the_load(run):
    gateway = run[0]
    from fastgw.process.directory import read_instance
    from fastgw.shm.segment import Segment

    segment = Segment.attach(read_instance(gateway.data_dir)["segment"], readonly=True)
    assert wait_until(lambda: all(
        segment.live_holds(worker)[0] == 0 for worker in range(segment.workers)
    ))


def test_usage_sums_agree_with_the_records(run):
    gateway = run[0]
    found, _ = closes(gateway)
    rows = gateway.usage("model")
    assert sum(row["attempts"] for row in rows) == len(found)
    with Ledger(gateway.data_dir) as ledger:
        assert ledger.verify() == []
