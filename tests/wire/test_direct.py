"""Goal: what libuv reads for us directly is what uvloop would have told us: bytes, FIN, errors.

Method: a worker on a real uvloop, between real sockets of the same loop: a client, and a provider
that answers as the test says. Each test waits until both connections are read directly.
"""

import asyncio
import contextlib
import socket

import pytest
import uvloop
from fastgw.journey import Journey

from fastgw.ledger.records import (
    FATE_CUT_BY_CLIENT,
    FATE_DELIVERED,
    FATE_FAILED_IN_STREAM,
    Close,
)
from fastgw.listener.listener import Listener
from fastgw.log import Log
from fastgw.wire import direct
from tests.worker import Worker, chat, provider, request, response
from tools.ports import free_port

BODY = bytes(range(256)) * 16384  # 4 MiB
OPEN_END = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"


class Real(Worker):
    """The worker of `tests.worker`, but its loop and sockets are real."""

    def __init__(self, folder, loop):
        self.provider_port, self.port = free_port(), free_port()
        own = provider("openai") | {"base_url": f"http://127.0.0.1:{self.provider_port}/v1"}
        super().__init__(folder, providers=[own])
        self.journey = Journey(self.plan, segment=self.segment, slot=0, loop=loop,
                               log=Log(level="error"), journal=self.journal)
        self.listener = Listener(self.journey, connections_max=100)

    async def fate(self) -> int:
        """How the only exchange has ended, once it has."""
        closes: list[Close] = []
        await eventually(lambda: closes.extend(
            record for record in self.records() if isinstance(record, Close)) or closes)
        (close,) = closes
        return close.fate

    async def adopted(self, streams: int) -> None:
        await eventually(lambda: self.journey.scratch.reads.adopted >= streams)


async def eventually(condition, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def serving(folder, answer):
    """(worker, reader, writer) of one client. ``answer``: a coroutine function, called with the
    provider's reader and writer for each connection, and the worker."""
    worker = Real(folder, asyncio.get_running_loop())
    bound = socket.create_server(("127.0.0.1", worker.port))
    bound.setblocking(False)
    await worker.listener.start(asyncio.get_running_loop(), bound)
    server = await asyncio.start_server(
        lambda reader, writer: answer(reader, writer, worker), "127.0.0.1", worker.provider_port)
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
    try:
        yield worker, reader, writer
    finally:
        worker.listener.stop()
        server.close()
        with contextlib.suppress(OSError):
            writer.close()
        await asyncio.sleep(0)


async def asked(reader) -> bytes:
    """The body of the next request."""
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = (int(line[15:]) for line in head.lower().split(b"\r\n")
                 if line.startswith(b"content-length:"))
    return await reader.readexactly(length)


async def answered(reader) -> bytes:
    return await asked(reader)  # an answer with a length is read the same way


async def keeps_answering(reader, writer, worker):
    with contextlib.suppress(asyncio.IncompleteReadError):
        while body := await asked(reader):
            writer.write(response(body))


def run(main):
    return uvloop.run(main)


def test_requests_go_on_as_before_when_both_sides_are_read_directly(tmp_path):
    async def main():
        async with serving(tmp_path, keeps_answering) as (worker, reader, writer):
            for number in range(3):
                writer.write(request(chat(user=f"u{number}")))
                assert f"u{number}".encode() in await answered(reader)
            await worker.adopted(2)
            writer.write(b"".join(request(chat(user=f"p{number}")) for number in range(20)))
            for number in range(20):  # pipelined
                assert f"p{number}".encode() in await answered(reader)
            large = chat(user="u" * 3_000_000)  # straight to its place, in many reads
            writer.write(request(large))
            assert await answered(reader) == large
            for byte in request(chat(user="slow")):
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
            assert b"slow" in await answered(reader)
            assert worker.journey.scratch.reads.adopted == 2

    run(main())


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_a_client_that_leaves_is_known_at_once(tmp_path, reset):
    async def keeps_silent(reader, writer, worker):
        await asked(reader)
        gone.set_result(await reader.read() == b"")

    async def main():
        nonlocal gone
        gone = asyncio.get_running_loop().create_future()
        async with serving(tmp_path, keeps_silent) as (worker, reader, writer):
            writer.write(request(chat()))
            await worker.adopted(2)
            if reset:
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
            assert await worker.fate() == FATE_CUT_BY_CLIENT
            async with asyncio.timeout(10):
                assert await gone  # so has the provider heard of it
            await eventually(lambda: not worker.listener.connections)

    gone = None
    run(main())


@pytest.mark.parametrize("reset, fate", [(False, FATE_DELIVERED), (True, FATE_FAILED_IN_STREAM)],
                         ids=["FIN", "RST"])
def test_the_end_of_a_providers_connection_is_the_end_of_a_body_only_as_a_fin(
        tmp_path, reset, fate):
    async def until_the_end(reader, writer, worker):
        await asked(reader)
        writer.write(OPEN_END + b"said")
        await worker.adopted(2)
        if reset:
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
        else:
            writer.close()

    async def main():
        async with serving(tmp_path, until_the_end) as (worker, reader, writer):
            writer.write(request(chat()))
            assert await worker.fate() == fate
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")

    run(main())


def test_who_is_paused_goes_on_where_it_stopped(tmp_path):
    async def answers_at_length(reader, writer, worker):
        await asked(reader)
        await worker.adopted(2)
        writer.write(response(BODY))

    async def main():
        async with serving(tmp_path, answers_at_length) as (worker, reader, writer):
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
            writer.write(request(chat()))
            await reader.readuntil(b"\r\n\r\n")
            got = bytearray()
            while len(got) < len(BODY):
                got += await reader.read(20_000)
                await asyncio.sleep(0)
            assert got == BODY and await worker.fate() == FATE_DELIVERED

    run(main())


def test_a_connection_that_closes_before_it_is_adopted_is_no_trouble(tmp_path):
    async def main():
        async with serving(tmp_path, keeps_answering) as (worker, reader, writer):
            for _ in range(30):  # numbers of descriptors come again
                _, other = await asyncio.open_connection("127.0.0.1", worker.port)
                other.close()
            await eventually(lambda: len(worker.listener.connections) == 1)
            writer.write(request(chat(user="still")))
            assert b"still" in await answered(reader)
            await worker.adopted(2)
            writer.write(request(chat(user="here")))
            assert b"here" in await answered(reader)

    run(main())


def test_uvloop_reads_where_libuv_cannot_be_found(monkeypatch):
    loop = uvloop.new_event_loop()
    try:
        assert direct.direct_reads(loop) is not None
        monkeypatch.setattr(direct, "_known", False)
        assert direct.direct_reads(loop) is None
    finally:
        loop.close()
    monkeypatch.undo()
    plain = asyncio.new_event_loop()
    try:
        assert direct.direct_reads(plain) is None
    finally:
        plain.close()
