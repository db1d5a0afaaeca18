"""The process tree under random kills: whatever dies together, all places are filled again.

Method: rounds of one to all processes killed in random order, some at the very same instant; the
seed is printed. After each round the tree must be whole. FASTGW_CHAOS_S makes it run longer.
"""

import os
import random
import signal
import time


def test_the_tree_is_whole_again_after_every_round_of_kills(start, tools):
    seed = int(os.environ.get("FASTGW_CHAOS_SEED", time.time_ns() % 1_000_000))
    print("seed", seed)
    chance = random.Random(seed)
    instance = start(workers=2).wait_ready()
    until = time.monotonic() + float(os.environ.get("FASTGW_CHAOS_S", "6"))
    while time.monotonic() < until:
        victims = list(instance.pids.values())
        chance.shuffle(victims)
        for pid in victims[: chance.randint(1, len(victims))]:
            kill(pid)
            time.sleep(chance.choice((0, 0, 0.001, 0.005)))
        tools.wait_until(
            lambda: instance.process.poll() is not None
            or all(
                place["state"] == "ready" and tools.is_alive(place["pid"])
                for place in places(instance.state)
            )
        )
        assert instance.process.poll() is None

    assert {instance.ask()["slot"] for _ in range(40)} == {0, 1}
    instance.kill()
    assert instance.wait_exit() == 0


def places(state: dict) -> list[dict]:
    return [*state["workers"], state["zygote"], state["recorder"]]


def kill(pid: int) -> None:
    try:
        if pid:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it died of an earlier kill; its successor is not in instance.json yet
