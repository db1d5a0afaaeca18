"""The process tree: every place is always filled, and it ends as it was told.

Method: whole instances with an echo data port; processes are killed with -9 and what users would
see is asked over the port: who answers, and whether a connect was ever refused.
"""

import json
import os
import signal
import threading
import time
from datetime import datetime
from itertools import pairwise, takewhile
from pathlib import Path
from statistics import median

import pytest

from fastgw.process.backoff import STABLE_S
from tools.ports import free_port


def test_serves_on_every_slot_and_exits_0_on_term(start):
    instance = start(workers=2).wait_ready()
    slots = {instance.ask()["slot"] for _ in range(40)}
    pids = instance.pids

    instance.kill(signal.SIGTERM)

    assert slots == {0, 1}
    assert instance.wait_exit() == 0
    assert instance.state["state"] == "stopped"
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())


def test_finishes_what_runs_when_told_to_end(start, tools):
    instance = start(workers=1).wait_ready()
    with instance.connect() as busy, instance.connect() as idle:
        assert tools.ask(idle)
        busy.sendall(b"slow 0.5\n")
        time.sleep(0.1)
        instance.kill(signal.SIGTERM)

        assert busy.recv(4096).endswith(b"}\n")
        assert idle.recv(1) == b""
    assert instance.wait_exit() == 0


def test_ends_what_runs_at_the_drain_deadline(start):
    instance = start(workers=1, drain_s=0.3).wait_ready()
    with instance.connect() as busy:
        busy.sendall(b"slow 60\n")
        time.sleep(0.1)
        began = time.monotonic()
        instance.kill(signal.SIGTERM)

        assert instance.wait_exit() == 0
    assert 0.3 <= time.monotonic() - began < 10
    assert "drain deadline" in instance.log


def test_ends_at_once_on_int_and_on_a_second_term(start):
    for numbers in ([signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]):
        instance = start(workers=1, drain_s=60).wait_ready()
        with instance.connect() as busy:
            busy.sendall(b"slow 60\n")
            time.sleep(0.1)
            began = time.monotonic()
            for number in numbers:
                instance.kill(number)
                time.sleep(0.1)

            assert instance.wait_exit() == 0
        assert time.monotonic() - began < 10 and "does not end" not in instance.log


def test_ready_stands_in_instance_json_with_all_pids_when_it_is_told(start):
    for _ in range(3):
        instance = start(workers=3).wait_ready()
        assert instance.state["state"] == "ready" and all(instance.pids.values())
        instance.kill()
        assert instance.wait_exit() == 0


def test_says_that_reload_is_not_supported_when_hung_up(start, tools):
    instance = start(workers=1).wait_ready()
    before = instance.pids

    instance.kill(signal.SIGHUP)

    tools.wait_until(lambda: "reload is not supported yet" in instance.log)
    assert instance.ask()["pid"] == before["worker 0"]


def test_a_killed_worker_is_replaced_at_once_with_a_new_generation(start, tools):
    instance = start(workers=1).wait_ready()
    first = instance.ask()
    began = time.monotonic()
    os.kill(first["pid"], signal.SIGKILL)
    second = instance.ask()
    took_s = time.monotonic() - began

    assert second["slot"] == first["slot"]
    assert second["pid"] != first["pid"]
    assert second["generation"] > first["generation"]
    assert took_s < 10  # how fast: the next test
    tools.wait_until(lambda: instance.state["workers"][0]["restarts"] == 1)


@pytest.mark.alone
def test_twenty_killed_workers_are_replaced_within_a_quarter_of_a_second(start, tools):
    """From kill -9 to the new one's readiness, as instance.json has it. Each had lived long enough
    not to have died young (`backoff`): four take turns. DESIGN says 100 ms; the median holds two
    and a half times that, for a machine that is busy elsewhere."""
    instance = start(workers=4).wait_ready()
    born, took_s = [time.monotonic()] * 4, []
    for kill in range(20):
        slot = kill % 4
        time.sleep(max(0.0, born[slot] + STABLE_S + 0.05 - time.monotonic()))
        victim = instance.state["workers"][slot]["pid"]
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        tools.wait_until(lambda: _is_back(instance, slot, victim))  # noqa: B023
        born[slot] = time.monotonic()
        took_s.append(born[slot] - began)

    told = ", ".join(f"{1000 * each:.0f}" for each in sorted(took_s))
    print(f"a killed worker was replaced within {1000 * median(took_s):.0f} ms (median of {told})")
    assert median(took_s) <= 0.25, told
    assert [each["restarts"] for each in instance.state["workers"]] == [5] * 4
    assert instance.ask()["pid"] in instance.pids.values()


def _is_back(instance, slot: int, before: int) -> bool:
    found = instance.state["workers"][slot]
    return found["pid"] not in (0, before) and found["state"] == "ready"


def test_no_connect_is_refused_while_workers_are_killed(start, tools):
    instance = start(workers=2).wait_ready()
    port, refused, stop = instance.port, [], threading.Event()

    def connect_on_and_on() -> None:
        import socket

        while not stop.is_set():
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
            except OSError as error:
                refused.append(error)

    thread = threading.Thread(target=connect_on_and_on)
    thread.start()
    killed = set()
    for _ in range(12):
        living = tools.wait_until(
            lambda: {each["pid"] for each in instance.state["workers"]} - killed - {0}
        )
        victim = living.pop()
        killed.add(victim)
        os.kill(victim, signal.SIGKILL)
        time.sleep(0.05)
    stop.set()
    thread.join()

    assert refused == []
    tools.wait_until(lambda: all(w["state"] == "ready" for w in instance.state["workers"]))
    assert {instance.ask()["slot"] for _ in range(40)} == {0, 1}


def test_workers_that_cannot_start_are_tried_again_later_and_later(start, tools):
    instance = start(workers=1, broken=True)

    def ends():
        lines = [line for line in instance.log.splitlines() if '"of":"worker 0"' in line]
        return [datetime.fromisoformat(json.loads(line)["time"]) for line in lines]

    tools.wait_until(lambda: len(ends()) >= 5)
    instance.kill()

    assert instance.wait_exit() == 0
    apart = [(later - sooner).total_seconds() for sooner, later in pairwise(ends())][:4]
    # Tried at once, then after so long and the time that a start takes; who lived a second on a
    # busy machine did not die young, and counts anew.
    young = list(takewhile(lambda gap: gap < STABLE_S, apart))
    assert all(gap >= least for gap, least in zip(young, (0, 0.09, 0.18, 0.36), strict=False))


def test_a_worker_whose_loop_hangs_is_replaced(start, tools):
    instance = start(workers=1, hang_s=1.5).wait_ready()
    stuck = instance.ask()
    time.sleep(2.0)
    assert instance.ask()["pid"] == stuck["pid"]  # idle is not hanging
    os.kill(stuck["pid"], signal.SIGSTOP)

    assert instance.ask()["pid"] != stuck["pid"]
    assert "worker hangs: killed" in instance.log


def test_zygote_and_recorder_are_replaced_and_workers_live_on(start, tools):
    instance = start(workers=2).wait_ready()
    before = instance.pids

    for name in ("zygote", "recorder"):
        os.kill(before[name], signal.SIGKILL)
        tools.wait_until(
            lambda name=name: instance.state[name]["pid"] not in (0, before[name])
            and instance.state[name]["state"] == "ready"
        )

    assert {instance.ask()["pid"] for _ in range(40)} == {before["worker 0"], before["worker 1"]}
    os.kill(before["worker 0"], signal.SIGKILL)  # the new zygote can do it too
    tools.wait_until(lambda: instance.state["workers"][0]["pid"] not in (0, before["worker 0"]))
    instance.kill()
    assert instance.wait_exit() == 0


def test_a_worker_and_its_zygote_may_die_together(start, tools):
    instance = start(workers=2).wait_ready()
    for _ in range(5):
        before = instance.pids
        os.kill(before["worker 0"], signal.SIGKILL)
        os.kill(before["zygote"], signal.SIGKILL)
        tools.wait_until(
            lambda before=before: instance.state["workers"][0]["state"] == "ready"
            and instance.pids["worker 0"] not in (0, before["worker 0"])
            and instance.pids["zygote"] not in (0, before["zygote"])
        )

    children = Path(f"/proc/{instance.process.pid}/task/{instance.process.pid}/children")
    tools.wait_until(  # the last to die may be ended, and its successor not yet told
        lambda: set(map(int, children.read_text().split())) == set(instance.pids.values()))


def test_a_worker_whose_zygote_died_before_it_told_of_it_is_replaced(start, tools):
    """It had said itself that it was ready; it was killed as a stranger, and not replaced."""
    instance = start(workers=1, untold_birth=True)
    tools.wait_until(lambda: (instance.data_dir / "zygote-died").exists())

    tools.wait_until(lambda: instance.pids["worker 0"] and instance.pids["zygote"])

    assert instance.ask()["pid"] == instance.pids["worker 0"]
    assert "worker hangs" not in instance.log
    instance.kill()
    assert instance.wait_exit() == 0


def test_all_end_when_the_supervisor_is_killed_and_a_new_one_takes_over(start, tools):
    first = start(workers=2, port=free_port()).wait_ready()
    pids, port, generation = first.pids, first.port, first.ask()["generation"]
    with first.connect() as busy:
        busy.sendall(b"slow 60\n")
        time.sleep(0.1)
        first.kill(signal.SIGKILL)
        first.wait_exit()
        second = start(workers=2, port=port)  # at once: it has to wait for the orphans
        tools.wait_until(lambda: not any(map(tools.is_alive, pids.values())))

    second.wait_ready()
    assert second.port == port
    assert second.ask()["generation"] > generation
    second.kill()
    assert second.wait_exit() == 0


def test_children_hold_only_their_own_descriptors_and_leave_no_zombie(start, tools):
    instance = start(workers=2).wait_ready()
    before = {name: count_open(pid) for name, pid in instance.pids.items()}
    supervisor_before = count_open(instance.process.pid)

    for _ in range(3):
        for name, pid in instance.pids.items():
            os.kill(pid, signal.SIGKILL)
            tools.wait_until(
                lambda name=name, pid=pid: instance.pids[name] not in (0, pid)
            )
            tools.wait_until(
                lambda: all(each["state"] == "ready" for each in instance.state["workers"])
                and instance.state["recorder"]["state"] == "ready"
            )

    after = {name: count_open(pid) for name, pid in instance.pids.items()}
    assert after == before
    assert count_open(instance.process.pid) == supervisor_before
    children = Path(f"/proc/{instance.process.pid}/task/{instance.process.pid}/children")
    states = {pid: tools.is_alive(int(pid)) for pid in children.read_text().split()}
    assert all(states.values()) and len(states) == 4


def count_open(pid: int) -> int:
    """Descriptors that stay: a file that is open for a moment (instance.json) does not count."""
    counts = []
    for _ in range(10):
        counts.append(len(os.listdir(f"/proc/{pid}/fd")))
        time.sleep(0.01)
    return min(counts)
