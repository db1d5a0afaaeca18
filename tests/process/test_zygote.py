"""The zygote: forks what it is asked for, as children of the subreaper.

Method: a real zygote on a socket pair in a process of its own, whose "workers" tell over the given
socket who they are; the test process is the subreaper and must be able to wait for them itself.
"""

import asyncio
import os
import signal
import socket

import pytest

from fastgw.process import kernel, zygote
from fastgw.process.worker import Life


@pytest.fixture
def channel():
    kernel.adopt_orphans()
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        near.close()

        def worker(slot: int, generation: int, sock: socket.socket) -> None:
            held = len(os.listdir("/proc/self/fd"))
            sock.send(b"%d %d %d %d" % (slot, generation, os.getpid(), held))
            raise SystemExit(slot)

        zygote.run_child(lambda: zygote.run(far, worker))
    far.close()
    yield near
    near.close()
    assert os.waitpid(pid, 0)[1] == 0  # the zygote ends with its channel


def test_births_are_told_and_the_workers_are_ours_to_reap(channel):
    counts = set()
    for slot in range(1, 6):
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with near, far:
            zygote.request_worker(channel, slot, 100 + slot, far)
            birth = zygote.read_birth(channel)
            said = [int(word) for word in near.recv(100).split()]

        assert birth == {"slot": slot, "generation": 100 + slot, "pid": said[2]}
        assert said[:2] == [slot, 100 + slot]
        assert os.waitstatus_to_exitcode(os.waitpid(birth["pid"], 0)[1]) == slot
        counts.add(said[3])
    assert len(counts) == 1  # no descriptor is left behind in the zygote


def test_the_end_of_the_zygote_is_seen(channel):
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    far.close()

    assert zygote.read_birth(near) is None
    with pytest.raises(OSError):
        zygote.request_worker(near, 0, 1, channel)
    near.close()


def test_a_child_that_fails_exits_with_1_and_never_returns(capfd):
    pid = os.fork()
    if pid == 0:
        zygote.run_child(lambda: 1 / 0)
        os._exit(99)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.parametrize("number, word", [(signal.SIGTERM, b"drain"), (signal.SIGINT, b"abort")])
def test_a_worker_that_is_told_to_end_as_it_is_born_hears_of_it(number, word):
    """It was ignored, as in the zygote, and a shutdown then waited for its deadline."""
    kernel.adopt_orphans()
    channel, far_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def worker(slot: int, generation: int, sock: socket.socket) -> None:
        sock.send(b"born")
        sock.recv(10)  # the test has sent the signal
        loop = asyncio.new_event_loop()
        life = Life(type("Worker", (), {"loop": loop})(), None, None, drain_s=1.0)
        life.drain = lambda: sock.send(b"drain") and loop.stop()
        life.abort = lambda: sock.send(b"abort") and loop.stop()
        life.watch_signals()
        loop.call_later(10, loop.stop)
        loop.run_forever()

    pid = os.fork()
    if pid == 0:
        channel.close()
        zygote.run_child(lambda: zygote.run(far_channel, worker))
    far_channel.close()
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near.settimeout(15)
    with near, far:
        zygote.request_worker(channel, 0, 1, far)
        born = zygote.read_birth(channel)["pid"]
        assert near.recv(10) == b"born"
        os.kill(born, number)
        near.send(b"go on")
        assert near.recv(10) == word
    os.waitpid(born, 0)
    channel.close()
    os.waitpid(pid, 0)
