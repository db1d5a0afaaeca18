"""A whole gateway on Postgres with exports: one row and one event for each call, over a recorder
that is killed and a server that goes away.

Method: a real Postgres, a webhook of the test's own; the commands ask the same store as the
gateway. A gateway that starts while the server is away serves all the same.
"""

import json
import os
import signal

import psycopg
import pytest

from tests.journey.harness import ENV, Gateway, chat, configuration, post, read_answer, wait_until
from tests.ledger.server import PostgresServer
from tests.process.test_alerts import Receiver


@pytest.fixture(scope="module")
def postgres():
    server = PostgresServer()
    yield server
    server.end()


def calls(gateway: Gateway, number: int) -> list[str]:
    """Request ids."""
    made = []
    for _ in range(number):
        with gateway.connect() as sock:
            sock.sendall(post("/v1/chat/completions", chat()))
            status, fields, _ = read_answer(sock)
        assert status == 200
        made.append(fields["x-fastgw-request-id"])
    return made


def test_every_call_is_a_row_and_an_event(mock, postgres):
    mock.reset()
    url, receiver = postgres.database(), Receiver(204)
    gateway = Gateway(configuration(mock.port, store=url, export=[
        {"type": "webhook", "name": "books", "url": receiver.url, "secret": "canary-4711"}]))
    try:
        ids = calls(gateway, 20)
        assert gateway.decision(ids[-1])["complete"]
        for pid in gateway.pids("recorder"):
            os.kill(pid, signal.SIGKILL)
        ids += calls(gateway, 20)
        postgres.stop()
        ids += calls(gateway, 20)
        postgres.start()
        ids += calls(gateway, 5)

        def rows() -> set[str]:
            with psycopg.connect(url, autocommit=True) as connection:
                found = connection.execute(
                    "SELECT generation % 4294967296, worker, sequence FROM attempt").fetchall()
            return {f"{g:08x}-{w:02x}-{s:010x}" for g, w, s in found}

        def events() -> set[str]:
            return {one["request_id"] for _, _, content in list(receiver.calls)
                    for one in json.loads(content)["attempts"]}

        wait_until(lambda: rows() == set(ids), 30)
        wait_until(lambda: events() == set(ids), 30)
        (row,) = gateway.usage()
        assert row["requests"] == row["attempts"] == len(ids) == 65
        assert "canary" not in gateway.log() and gateway.stop() == 0
    finally:
        gateway.remove()
        receiver.server.shutdown()


def test_a_gateway_starts_and_serves_while_the_server_is_away(mock, postgres):
    url = postgres.database()
    first = Gateway(configuration(mock.port, store=url))
    calls(first, 3)
    postgres.stop()
    try:
        calls(first, 3)
        first.stop(kill=True)  # rings and spill are full of what nobody stored
        second = Gateway(configuration(mock.port, store=url), data_dir=first.data_dir)
        try:
            calls(second, 3)
            assert "the store is down" in second.log()
            postgres.start()
            wait_until(lambda: second.usage()[0]["requests"] == 9, 30)
            assert second.stop() == 0
        finally:
            second.remove()
    finally:
        first.remove()


def test_two_gateways_of_one_database_tell_of_each_other(mock, postgres, monkeypatch):
    monkeypatch.setitem(ENV, "PGPASSWORD", "open-sesame-4711")  # for the commands
    url = postgres.over_tcp(postgres.database())
    config = configuration(mock.port, store=url)
    first, second = Gateway(config), Gateway(config)
    try:
        told = [*calls(first, 4), *calls(second, 3)]
        assert len(set(told)) == 7
        for gateway in (first, second):
            wait_until(lambda one=gateway: one.usage()[0]["attempts"] == 7, 30)
        rows = {row["instance"]: row["requests"] for row in first.usage("instance")}
        assert sorted(rows.values()) == [3, 4]
        for name, requests in rows.items():
            one = json.loads(second.run("usage", "--instance", name, "--format", "json"))
            assert one[0]["requests"] == requests
        far = first.decision(told[-1])
        assert far["complete"] and rows[far["instance"]] == 3
        assert f"instance {far['instance']}" in first.run("explain", told[-1])
        attempts = json.loads(first.run("usage", "--attempts", "--format", "json"))
        assert {one["request_id"] for one in attempts} == set(told)
        names = ", ".join(sorted(rows))
        with pytest.raises(AssertionError, match=f"no instance 'nobody'; it has: {names}"):
            first.run("usage", "--instance", "nobody")

        # A copy of a directory whose gateway runs is refused, in words that help.
        copy = first.folder / "copy"
        copy.mkdir()
        (copy / "identity").write_bytes((first.data_dir / "identity").read_bytes())
        with pytest.raises(AssertionError) as failed:
            Gateway(config, data_dir=copy)
        assert f"data_dir {first.data_dir}" in str(failed.value)
        assert "delete the copy's file 'identity'" in str(failed.value)
        for gateway in (first, second):
            assert gateway.stop() == 0 and "sesame" not in gateway.log()
    finally:
        first.remove()
        second.remove()
