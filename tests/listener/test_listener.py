"""Goal: a data port counts its connections, refuses one too many, and drains without a cut.

Method: a listener without a socket, around the connections of a worker; then one with a socket, on
a real loop (`listener/__init__` puts it together as a worker process does).
"""

import asyncio
import socket
from types import SimpleNamespace

import uvloop

from fastgw.ledger.records import Close, Request
from fastgw.listener import serve
from fastgw.log import Log
from tests.worker import chat, request, response


def test_connections_are_counted_as_they_come_and_go(worker):
    one = worker()
    clients = [one.connect() for _ in range(3)]
    assert len(one.listener.connections) == 3
    clients[0].lose()
    clients[1].end()
    assert len(one.listener.connections) == 1


def test_one_connection_too_many_is_told_at_its_first_request(worker):
    one = worker()
    one.listener.connections_max = 1
    first, second = one.connect(), one.connect()
    second.feed(request(chat()))
    answer = second.answer()
    assert (answer.status, answer.code, answer.fields["connection"]) == (503, "FGW-704", "close")

    first.feed(request(chat()))
    one.upstream.feed(response())
    assert first.answer().status == 200


def test_draining_finishes_what_runs_and_closes_what_is_idle(worker):
    one = worker()
    busy, idle = one.connect(), one.connect()
    busy.feed(request(chat()))
    one.listener.stop_accepting()
    one.listener.close_idle()
    one.loop.run()
    assert idle.transport.closed and not busy.transport.closed and one.listener.active() == 1

    one.upstream.feed(response())
    answer = busy.answer()
    assert (answer.status, answer.fields["connection"]) == (200, "close")
    assert busy.transport.closed and one.listener.active() == 0


def test_past_the_deadline_everything_ends_and_is_recorded(worker):
    one = worker()
    clients = [one.connect() for _ in range(3)]
    for client in clients:
        client.feed(request(chat()))
    one.listener.stop_accepting()
    one.listener.abort_all()
    one.loop.run()

    records = one.records()
    assert one.listener.active() == 0
    # Nothing had come from the provider yet, so each is told: draining.
    assert [record.code for record in records if isinstance(record, Close)] == [702] * 3
    assert sum(isinstance(record, Request) for record in records) == 3


def test_a_real_loop_serves_and_stops(worker):
    one = worker()
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]

    async def life():
        loop = asyncio.get_running_loop()
        made = SimpleNamespace(plan=one.plan, segment=one.segment, slot=0, loop=loop, wakers=(),
                               asker=None,
                               journal=one.journal, log=Log(level="error"))
        listener = serve(made)
        await listener.start(loop, sock)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /fastgw/health HTTP/1.1\r\nHost: a\r\n\r\n")
        first = await asyncio.wait_for(reader.readline(), 5)
        listener.stop()
        rest = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return first, rest

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        first, rest = runner.run(life())
    assert first == b"HTTP/1.1 200 OK\r\n" and rest.endswith(b'{"status":"ok"}')
