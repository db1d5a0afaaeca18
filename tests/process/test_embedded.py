"""An embedded gateway: one process, and the same files as a whole tree leaves.

Method: a real instance on a uvloop of this process, its port a listener that counts; the second
start must find what the first one left.
"""

import asyncio
import gc
import os
import threading

import pytest
import uvloop

from fastgw.config.model import Admin, Config, Listen, Provider
from fastgw.errors import FastgwError
from fastgw.log import Log
from fastgw.process.directory import read_instance, running_pid
from fastgw.process.embedded import Embedded


class Port:
    """Serves nobody."""

    def __init__(self, worker) -> None:
        self.worker, self.idle_closed = worker, 0

    async def start(self, loop, sock):
        self.sock = sock

    def stop_accepting(self):
        self.sock.close()

    def close_idle(self):
        self.idle_closed += 1

    def active(self):
        return 0 if self.idle_closed > 3 else 1

    def stop(self):
        self.sock.close()

    def abort_all(self):
        raise AssertionError("aborted before the deadline")


@pytest.fixture
def config(tmp_path):
    (tmp_path / "shm").mkdir()
    nobody = Provider(
        "nobody", "openai", "http://127.0.0.1:9/v1", tls=False, host="127.0.0.1", port=9,
        prefix="/v1", keys=(),
    )
    return Config(
        file="", providers=(nobody,), listen=Listen(port=0), admin=Admin(port=0), open=True,
        data_dir=str(tmp_path / "data"), shm_dir=str(tmp_path / "shm"),
    )


def embed(config, serve=Port) -> Embedded:
    return Embedded(
        config, serve=serve, log=Log(level="error"), loop=asyncio.get_running_loop()
    )


def test_starts_and_stops_in_one_process_and_leaves_no_descriptor(config, tmp_path):
    async def run():
        held = []
        gc.collect()  # what earlier tests dropped shall not close descriptors between the counts
        threads = threading.active_count()  # those of other tests included
        for turn in range(6):
            instance = embed(config)
            await instance.start()
            state = read_instance(tmp_path / "data")
            assert (state["state"], state["pid"]) == ("ready", os.getpid())
            assert state["listen"] == instance.listen
            assert state["workers"][0]["generation"] > 64 * turn
            assert running_pid(tmp_path / "data") == os.getpid()
            await instance.stop(5)
            assert read_instance(tmp_path / "data")["state"] == "stopped"
            assert running_pid(tmp_path / "data") is None
            assert threading.active_count() <= threads + 1  # the loop's pool
            gc.collect()
            held.append(len(os.listdir("/proc/self/fd")))
        # A leak grows with every turn; threads of other tests open and close one now and then.
        assert held[-1] - held[0] < len(held) - 1, held

    uvloop.run(run())


def test_a_start_that_fails_leaves_nothing_behind(config, tmp_path):
    def broken(worker):
        raise FastgwError("no")

    async def run():
        with pytest.raises(FastgwError, match="no"):
            await embed(config, broken).start()
        assert running_pid(tmp_path / "data") is None
        again = embed(config)
        await again.start()
        with pytest.raises(FastgwError, match="already used by pid"):
            await embed(config).start()
        await again.stop(5)

    uvloop.run(run())
