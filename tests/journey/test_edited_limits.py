"""An edited limit goes on where it was: a bucket keeps the share that was spent, a cap the amount.

Method: a gateway is stopped and started over its data directory with another configuration. The
limits last a day and longer, so time gives nothing back meanwhile.
"""

import httpx
import pytest

from tests.journey.harness import KEY, Gateway, configuration

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}


def limits(bucket, cap, slots=5, **more):
    key = {"bucket_key": ["key.id"]}
    return {"on_http_request": [{"name": "limits", "actions": [
        {"type": "rate-limit", "config": {
            "name": "bucket", "capacity": bucket, "per": "24h", **key, **more}},
        {"type": "usage-cap", "config": {
            "name": "cap", "unit": "requests", "limit": cap, "window": "total", **key}},
        {"type": "concurrency-limit", "config": {"name": "slots", "limit": slots, **key}},
    ]}]}


def ask(gateway, times):
    """Statuses, and what the last answer says."""
    answers = [
        httpx.post(gateway.url("/v1/chat/completions"), json=BODY,
                   headers={"authorization": f"Bearer {KEY}", "x-mock": "events=1"})
        for _ in range(times)
    ]
    return [answer.status_code for answer in answers], answers[-1]


def rows(gateway):
    found = httpx.get(f"http://127.0.0.1:{gateway.admin}/api/limits").json()
    return {row["name"]: (row["used"], row["limit"]) for row in found}


@pytest.fixture
def gateways(mock, tmp_path):
    """``start(policy)`` stops the last gateway and starts one on the same data directory."""
    running = []

    def start(policy):
        for gateway in running:
            assert gateway.stop() == 0
        made = Gateway(configuration(mock.port, policy=policy), workers=2,
                       data_dir=tmp_path / "data")
        running.append(made)
        return made

    yield start
    for gateway in running:
        gateway.remove()


def test_share_and_amount_survive_an_edit_and_a_restart(gateways):
    first = gateways(limits(bucket=10, cap=8))
    assert ask(first, 5)[0] == [200] * 5
    assert (rows(first)["bucket"], rows(first)["cap"]) == ((5, 10), (5, 8))

    larger = gateways(limits(bucket=20, cap=6, slots=1))

    assert (rows(larger)["bucket"], rows(larger)["cap"]) == ((10, 20), (5, 6))
    statuses, last = ask(larger, 2)
    assert statuses == [200, 429]
    assert "'cap'" in last.text and "6" in last.text
    assert rows(larger)["bucket"] == (11, 20)

    smaller = gateways(limits(bucket=10, cap=5))

    # More is used than the cap allows now: that is shown, and nothing passes.
    assert rows(smaller)["cap"] == (6, 5)
    assert ask(smaller, 1)[0] == [429]


def test_another_identity_begins_anew(gateways):
    first = gateways(limits(bucket=3, cap=100))
    assert ask(first, 4)[0] == [200, 200, 200, 429]

    other = gateways(limits(bucket=3, cap=100, per="25h"))

    assert ask(other, 4)[0] == [200, 200, 200, 429]
