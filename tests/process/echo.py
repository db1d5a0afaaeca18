"""A data port for tests of the process tree: answers each line with who answered.

Run as a program it is one whole instance: ``python echo.py '{"data_dir": …}'``.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from fastgw.config.model import Admin, Config, Listen, Provider
from fastgw.errors import FastgwError
from fastgw.log import Log, complain
from fastgw.process import supervisor as module
from fastgw.process import zygote


class Connection(asyncio.Protocol):
    """``die`` kills the worker, ``slow N`` answers after N seconds, all else at once."""

    def __init__(self, port: "EchoPort") -> None:
        self.port = port
        self.running = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.port.open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.port.open.discard(self)
        self.running = 0

    def data_received(self, line: bytes) -> None:
        words = line.split()
        if words[0] == b"die":
            os.kill(os.getpid(), 9)
        self.running += 1
        delay_s = float(words[1]) if words[0] == b"slow" else 0.0
        asyncio.get_event_loop().call_later(delay_s, self.answer)

    def answer(self) -> None:
        self.running = max(0, self.running - 1)
        worker = self.port.worker
        said = {"pid": os.getpid(), "slot": worker.slot, "generation": worker.generation}
        self.transport.write(json.dumps(said).encode() + b"\n")


class EchoPort:
    def __init__(self, worker) -> None:
        self.worker = worker
        self.open: set[Connection] = set()

    async def start(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self.server = await loop.create_server(lambda: Connection(self), sock=sock)

    def stop_accepting(self) -> None:
        self.server.close()

    def close_idle(self) -> None:
        for connection in [each for each in self.open if not each.running]:
            connection.transport.close()

    def active(self) -> int:
        return sum(connection.running for connection in self.open)

    def abort_all(self) -> None:
        for connection in list(self.open):
            connection.running = 0
            connection.transport.abort()

    def stop(self) -> None:
        pass


PROVIDER = Provider(
    "nobody", "openai", "http://127.0.0.1:9/v1", tls=False, host="127.0.0.1", port=9,
    prefix="/v1", keys=(),
)


def broken(worker):
    raise RuntimeError("cannot start")


def die_before_the_birth_is_told(data_dir: str) -> None:
    """The first zygote goes when its first worker is ready, and has not said its pid."""
    fork_away, once = zygote.fork_away, Path(data_dir) / "zygote-died"

    def fork(child) -> int:
        pid = fork_away(child)
        if once.exists():
            return pid
        instance = Path(data_dir) / "instance.json"
        while json.loads(instance.read_text())["workers"][0]["state"] != "ready":
            time.sleep(0.005)
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("this process is dead")

    zygote.fork_away = fork


def main(arguments: dict) -> int:
    wanted = SimpleNamespace(**arguments)
    config = Config(
        file="",
        providers=(PROVIDER,),
        listen=Listen(port=arguments.get("port", 0), workers=arguments.get("workers", 2)),
        admin=Admin(port=arguments.get("admin_port", 0)),
        data_dir=wanted.data_dir,
        shm_dir=wanted.shm_dir,
        open=True,
    )
    if arguments.get("untold_birth"):
        die_before_the_birth_is_told(wanted.data_dir)
    module.HANG_S = arguments.get("hang_s", module.HANG_S)
    supervisor = module.Supervisor(
        config,
        admin_main=None,
        log=Log(),
        serve=broken if arguments.get("broken") else EchoPort,
        drain_s=arguments.get("drain_s", 5.0),
    )
    try:
        supervisor.start()
    except FastgwError as refusal:
        complain(str(refusal))
        return 2
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
