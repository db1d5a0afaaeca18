"""Lines: each process keeps its own ends, so that an end of file means what the table says.

Method: real forks; a child tells through its report or its exit what it sees.
"""

import os
import signal
import time

import pytest

from fastgw.process.lines import Lines, is_ended


@pytest.fixture
def lines():
    made = Lines()
    yield made
    made.keep_only()


def wait_report(lines: Lines) -> dict:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if report := lines.read_report():
            return report
        time.sleep(0.002)
    raise AssertionError("no report")


def reap(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_child_keeps_only_what_it_may_and_can_report(lines):
    def child() -> None:
        assert "lifeline" not in lines and "crew" not in lines
        lines.report(kind="ready", fds=len(os.listdir("/proc/self/fd")))

    pid = lines.fork(child, ("lifeline_end", "reports_end"))
    report = wait_report(lines)

    assert report["kind"] == "ready" and report["pid"] == pid
    assert report["fds"] < len(os.listdir("/proc/self/fd"))
    assert reap(pid) == 0
    assert lines.read_report() is None


def test_the_crew_has_ended_when_its_last_member_has(lines):
    def member() -> None:
        signal.sigwait((signal.SIGTERM,))

    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    try:
        pid = lines.fork(member, ("crew",))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    assert not is_ended(lines["crew_end"])
    lines.close("crew")
    assert not is_ended(lines["crew_end"])
    os.kill(pid, signal.SIGTERM)
    reap(pid)

    assert is_ended(lines["crew_end"])


def test_a_childs_signals_never_wake_the_parent(lines):
    import socket

    woken, waker = socket.socketpair()
    woken.setblocking(False)
    waker.setblocking(False)
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    old = signal.set_wakeup_fd(waker.fileno())
    try:
        for _ in range(20):
            pid = lines.fork(lambda: time.sleep(60), ())
            os.kill(pid, signal.SIGTERM)
            assert reap(pid) == -signal.SIGTERM
        with pytest.raises(BlockingIOError):
            woken.recv(1)
    finally:
        signal.set_wakeup_fd(old)
        signal.signal(signal.SIGTERM, previous)
        woken.close()
        waker.close()


def test_a_report_that_nobody_reads_is_no_failure(lines):
    for _ in range(1000):
        lines.report(kind="ready")
        if lines.read_report() is None:
            raise AssertionError("lost although there was room")
    lines.close("reports")
    lines.report(kind="ready")


def test_names_are_held_once_and_closed_once(lines):
    with pytest.raises(AssertionError):
        lines.hold("crew", lines["crew_end"])
    lines.close("crew")
    lines.close("crew")

    assert "crew" not in lines
