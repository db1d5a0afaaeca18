"""Goal: a key's holder learns what was used with that key and how full its limits are, and nothing
about any other key.

Method: a whole gateway with three keys, of which two share a team's cap; what it answers is laid
beside `fastgw usage` and the admin port. An asker in this process against a desk that is missing,
slow or overrun.
"""

import asyncio
import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from fastgw.config import examine_text
from fastgw.ledger.span import Span
from fastgw.ledger.store import Store
from fastgw.log import Log
from fastgw.process import holders
from fastgw.process.holders import Asker, Desk, places_of
from tests.journey.harness import Gateway, chat, configuration, post, read_answer, wait_until
from tests.journey.harness import Mock as Provider
from tests.ledger import fabricate

POLICY = {"on_http_request": [{"actions": [
    {"type": "rate-limit", "config": {"name": "pace", "unit": "requests", "capacity": 100,
                                      "per": "24h", "bucket_key": ["ai.model", "key.id"]}},
    {"type": "usage-cap", "config": {"name": "team", "unit": "tokens", "limit": 10**9,
                                     "window": "month", "bucket_key": ["key.owner.team"]}},
    {"type": "rate-limit", "config": {"name": "by user", "unit": "requests", "capacity": 100,
                                      "per": "24h", "bucket_key": ["ai.user"]}}]}]}
KEYS = [
    {"id": "alice", "value": "fgw-alice", "owner": {"team": "a"},
     "limits": {"requests": "3/24h"}},
    {"id": "bob", "value": "fgw-bob", "owner": {"team": "a"}},
    {"id": "eve", "value": "fgw-eve", "owner": {"team": "b"}},
]


@pytest.fixture(scope="module")
def gateway():
    provider = Provider()
    instance = Gateway(configuration(provider.port, policy=POLICY, keys=KEYS), workers=2)
    for key, calls in (("alice", 3), ("bob", 2)):
        for _ in range(calls):
            with instance.connect() as sock:
                # bob names alice as his user: a bucket that is called like her and is not hers.
                sock.sendall(post("/v1/chat/completions", chat(max_tokens=9, user="alice"),
                                  "x-mock: events=3").replace(b"fgw-alice", f"fgw-{key}".encode()))
                assert read_answer(sock)[0] == 200
    wait_until(lambda: instance.usage()[0]["attempts"] == 5)
    time.sleep(holders.KEPT_S)
    yield instance
    instance.remove()
    provider.stop()


def get(gateway, path, key="alice", field="authorization", method="GET"):
    given = f"Bearer fgw-{key}" if field == "authorization" else f"fgw-{key}"
    wanted = urllib.request.Request(
        gateway.url(path), headers={field: given} if key else {}, method=method)
    try:
        with urllib.request.urlopen(wanted, timeout=10) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


def test_usage_is_that_of_the_key(gateway):
    by_key = {row["key"]: row for row in gateway.usage("key")}
    for key in ("alice", "bob"):
        status, rows, headers = get(gateway, "/fastgw/usage", key)
        assert status == 200 and headers["cache-control"] == "no-store"
        assert rows == [{name: cell for name, cell in by_key[key].items() if name != "key"}]
    status, [row], _ = get(gateway, "/fastgw/usage?by=model,key,stream&since=2h")
    assert (row["model"], row["stream"], row["attempts"]) == ("gpt-4o", False, 3)
    assert get(gateway, "/fastgw/usage", "eve")[1][0]["requests"] == 0
    assert get(gateway, "/fastgw/usage?since=2020-01-01&until=2020-01-02")[1][0]["requests"] == 0


def test_limits_are_those_of_the_key_alone(gateway):
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin}/api/limits") as page:
        every = json.load(page)
    status, rows, _ = get(gateway, "/fastgw/limits")
    assert status == 200
    assert [(row["name"], row["used"], row["limit"]) for row in rows] == [
        ("key requests", 3, 3), ("pace", 3, 100)]
    ids = [row["id"] for row in rows]
    assert [row["id"] for row in every if row["id"] in ids] == ids
    assert [(row["name"], row["used"]) for row in get(gateway, "/fastgw/limits", "bob")[1]] == [
        ("pace", 2)]
    assert get(gateway, "/fastgw/limits", "eve")[1] == []


def test_asking_costs_nothing_and_works_when_nothing_is_left(gateway):
    with gateway.connect() as sock:
        sock.sendall(post("/v1/chat/completions", chat(max_tokens=9)))
        assert read_answer(sock)[0] == 429
    before = get(gateway, "/fastgw/limits")[1]
    for _ in range(20):
        assert get(gateway, "/fastgw/limits")[0] == 200
    time.sleep(holders.KEPT_S)
    after = get(gateway, "/fastgw/limits")[1]
    assert [row["used"] for row in before] == [row["used"] for row in after]


@pytest.mark.parametrize("field", ["x-api-key", "x-goog-api-key", "api-key"])
def test_the_credential_of_any_api_will_do(gateway, field):
    assert get(gateway, "/fastgw/usage", field=field)[0] == 200
    assert get(gateway, "/fastgw/usage", "nobody", field=field)[0] == 401


def test_nobody_without_a_key_learns_anything(gateway):
    for path in ("/fastgw/usage", "/fastgw/limits"):
        for key in ("", "nobody"):
            status, body, headers = get(gateway, path, key)
            assert status == 401 and headers["x-fastgw-code"].startswith("FGW-")
            assert set(body) == {"error"}
    assert get(gateway, "/fastgw/health", "")[:2] == (200, {"status": "ok"})


def test_what_is_asked_wrongly_is_said(gateway):
    assert get(gateway, "/fastgw/usage?since=yesterday")[0] == 400
    assert get(gateway, "/fastgw/usage?by=no%20such")[0] == 400
    assert get(gateway, "/fastgw/usage", method="DELETE")[0] == 405
    assert get(gateway, "/fastgw/usage", method="HEAD")[:2] == (200, None)
    assert get(gateway, "/fastgw/other")[0] == 404


def test_a_pipeline_and_a_client_that_leaves(gateway):
    ask = b"GET /fastgw/usage HTTP/1.1\r\nhost: g\r\nauthorization: Bearer fgw-bob\r\n\r\n"
    with gateway.connect() as sock:
        sock.sendall(ask * 3)
        got = b""
        while got.count(b'"attempts":2') < 3:
            more = sock.recv(65536)
            assert more, got
            got += more
        assert got.count(b"HTTP/1.1 200 OK") == 3
    for _ in range(20):
        with gateway.connect() as sock:
            sock.sendall(b"GET /fastgw/limits HTTP/1.1\r\nhost: g\r\nx-api-key: fgw-eve\r\n\r\n")
    assert get(gateway, "/fastgw/limits", "eve")[:2] == (200, [])


def test_a_recorder_that_was_killed_is_replaced(gateway):
    [recorder] = gateway.pids("recorder")
    os.kill(recorder, signal.SIGKILL)
    wait_until(lambda: gateway.pids("recorder") not in ([], [recorder]))
    wait_until(lambda: get(gateway, f"/fastgw/usage?since={time.monotonic_ns() % 10**6 + 1}s",
                           "bob")[0] == 200)


def ask(asker, what, times=1, key=lambda number: "alice"):
    """Answers to so many questions at once."""
    async def all():
        told = asyncio.get_running_loop().create_future()
        got = []

        def hear(status, text):
            got.append((status, json.loads(text)))
            if len(got) == times:
                told.set_result(None)
        for number in range(times):
            asker(asyncio.get_running_loop()).ask(what, key(number), str(number), hear)
        assert got == []  # nothing is said before it has returned
        await asyncio.wait_for(told, 10)
        return got
    return asyncio.run(all())


def test_an_asker_without_a_desk_says_so(tmp_path):
    [(status, body)] = ask(lambda loop: Asker(tmp_path, loop), "usage")
    assert status == 503 and "try again" in body["error"]["message"]


def test_an_asker_waits_for_a_bounded_number_and_not_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(holders, "PATIENCE_S", 0.3)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / holders.NAME))
        silent.listen(100)
        kept = []

        def one(loop):
            kept.append(kept[0] if kept else Asker(tmp_path, loop))
            return kept[0]
        got = ask(one, "usage", holders.WAITING_MAX + 5, str)
    said = [body["error"]["message"] for _, body in got]
    assert all(status == 503 for status, _ in got)
    assert sum("too many" in text for text in said) == 5


def test_one_key_does_not_take_the_places_of_all(tmp_path, monkeypatch):
    monkeypatch.setattr(holders, "PATIENCE_S", 0.3)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / holders.NAME))
        silent.listen(100)
        kept = []

        def one(loop):
            kept.append(kept[0] if kept else Asker(tmp_path, loop))
            return kept[0]
        got = ask(one, "usage", 20, lambda number: "eve" if number < 19 else "alice")
    said = [body["error"]["message"] for _, body in got]
    assert sum("does not answer" in text for text in said) == holders.OF_KEY_MAX + 1


def loaded(**more):
    config, errors, _ = examine_text(json.dumps(configuration(1, **more)).encode(), "f", {})
    assert config is not None, errors
    return config


def places(**more):
    return places_of(loaded(**more))


@contextmanager
def desk(folder, **more):
    """A desk by itself, over what is in ``folder``."""
    path = folder / "log"
    with path.open("wb") as file:
        there = Desk(folder, folder, loaded(**more), Log(fd=file.fileno()))
        try:
            yield there, path
        finally:
            there.close()


def fill(folder, minutes):
    """A ledger of two keys; one was used in each of so many minutes."""
    store = Store(folder)
    records = fabricate.names()
    for minute in range(minutes):
        at = fabricate.T0 + minute * fabricate.MINUTE
        for key in ("k1", "k2")[: 1 if minute else 2]:
            one = fabricate.RequestId(1, 0, 2 * minute + (key == "k2"))
            records += [fabricate.request(one, at, dims=fabricate.dims(key)).pack(),
                        fabricate.close(one, at, dims=fabricate.dims(key)).pack()]
    store.commit([Span(5, 0, 0, 0, 8, b"".join(records))])
    store.close()


def asked(there, key, query, what="usage"):
    return there.answer({"what": what, "key": key, "query": query})


def test_no_answer_is_larger_than_a_worker_should_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(holders, "ROWS_MAX", 30)
    fill(tmp_path, 31)
    with desk(tmp_path) as (there, _):
        status, body = asked(there, "k1", "by=minute&since=2020-01-01")
        assert status == 400 and "31 rows" in body["error"]["message"]
        assert len(asked(there, "k1", "by=hour&since=2020-01-01")[1]) == 1
        # What others used is neither counted nor told.
        status, rows = asked(there, "k2", "by=minute&since=2020-01-01")
        assert status == 200 and [row["attempts"] for row in rows] == [1]
        assert asked(there, "k2", "since=2020-01-01")[1][0]["attempts"] == 1
        assert asked(there, "k3", "since=2020-01-01")[1][0]["attempts"] == 0
        assert asked(there, "k3", "since=2020-01-01&by=model")[1] == []
        assert asked(there, "k1", "by=instance")[0] == 400, "names of hosts are nobody's"
        many = ",".join(f"owner.x{number}" for number in range(9))
        assert asked(there, "k1", f"by={many}&since=2020-01-01")[0] == 400


def test_books_that_cannot_be_read_are_said_without_their_place(tmp_path):
    with desk(tmp_path) as (there, log):
        for what in ("usage", "limits"):
            status, body = asked(there, "alice", "", what)
            assert status == 503 and str(tmp_path) not in json.dumps(body)
    assert str(tmp_path) in log.read_text()


def test_a_desk_rests_as_long_as_it_has_worked(tmp_path, monkeypatch):
    monkeypatch.setattr(Desk, "answer", lambda self, question: time.sleep(0.2) or (200, []))
    began = time.monotonic()
    with desk(tmp_path):
        for _ in range(3):
            assert ask(lambda loop: Asker(tmp_path, loop), "usage") == [(200, [])]
    assert time.monotonic() - began >= 1.0  # worked three times, rested twice


def test_what_an_asker_keeps_is_bounded(tmp_path, monkeypatch):
    size = holders.KEPT_BYTES_MAX // 20
    monkeypatch.setattr(Desk, "answer", lambda self, question: (
        200, "x" * (size if question["query"] != "7" else 3 * size)))
    with desk(tmp_path):
        async def all():
            asker, answers = Asker(tmp_path, asyncio.get_running_loop()), []
            for number in range(60):
                told = asyncio.Queue()
                asker.ask("usage", "alice", str(number),
                          lambda *said, told=told: told.put_nowait(said))
                answers.append(await asyncio.wait_for(told.get(), 10))
                sizes = [len(text) for _, _, text in asker._kept.values()]
                assert sum(sizes) <= holders.KEPT_BYTES_MAX and max(sizes) < 2 * size
            return answers
        answers = asyncio.run(all())
    assert [status for status, _ in answers] == [200] * 60
    assert len(answers[7][1]) > 3 * size


def test_a_limit_belongs_to_a_key_where_its_bucket_does():
    def limit(name, *key):
        return {"actions": [{"type": "rate-limit", "config": {
            "name": name, "unit": "requests", "capacity": 9, "per": "1h",
            "bucket_key": list(key)}}]}

    rules = [limit("a", "key.id"), limit("b", "ai.model", "key.id"), limit("c", "ai.user"),
             limit("d")]
    found = places(policy={"on_http_request": rules}, keys=KEYS)
    assert found == {"a": 0, "b": 1, "key requests": 0}
