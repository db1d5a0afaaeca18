"""Limits: all together or none, exact when workers race, and nothing lost when they are killed.

Method: limit_race.c forks workers behind a starting gate onto one segment; limit_exact.c has them
spend every algorithm and unit to the last, stopped at random instructions; limit_kill.c kills them
at random instants and checks the words against its books (its first comment says how). Each is
also built with what it must catch: without CAS, with a sweeper that guesses, with one that changes
words before it has found out. What one worker alone does is in tests/limit.
"""

import os
import subprocess

import pytest

from tests.csrc.shm_native import program, run

WORKERS = 4
NO_CAS = "-DFGW_MUTANT_NO_CAS"
GUESS = "-Wl,--wrap=fgw_word_happened"
SEED = 20261121


def race(mode, n, *flags, workers=WORKERS):
    return run(program("limit_race.c", *flags), mode, workers, n)


def fault_of_pace(said, n):
    return said["passed"] != n or said["used"] != n


def fault_of_slots(said, n):
    return said["most"] > 2 or said["used"] != 0


def fault_of_both(said, n):
    """Never more than any allows; and what one refused was given back to the other."""
    return not said["passed"] == said["used"] == said["second"] == n * 7 // 10


def fault_of_insert(said, n):
    return not (said["inserted"] == said["entries"] == n and said["passed"] == n * WORKERS)


RACES = [("pace", 200_000, fault_of_pace), ("slots", 200_000, fault_of_slots),
         ("both", 100_000, fault_of_both), ("insert", 100_000, fault_of_insert)]


@pytest.mark.parametrize("mode, n, fault", RACES)
def test_workers_that_race_take_exactly_what_there_is(mode, n, fault):
    for _ in range(3):
        said = race(mode, n)
        assert not fault(said, n), said


@pytest.mark.parametrize("mode, n, fault", RACES)
def test_the_race_catches_words_that_are_changed_without_cas(mode, n, fault):
    # On a busy machine workers seldom run at the same instant: most often one race is enough.
    assert any(fault(race(mode, n, NO_CAS), n) for _ in range(200))


def test_a_million_keys_that_four_processes_insert_at_once_have_a_place_each():
    said = race("insert", 1_000_000)

    assert not fault_of_insert(said, 1_000_000), said


def fault_of_evict(said):
    """Two inside by one key, or a slot held in a place that is another key's by now."""
    return said["most"] > 1 or said["stale"] > 0


def test_eviction_takes_no_place_from_under_a_worker():
    said = [race("evict", 100_000, workers=3) for _ in range(3)]

    assert not any(map(fault_of_evict, said)), said
    assert all(one["inserted"] > 100 for one in said), "too few were evicted to show anything"


def test_the_race_catches_a_supervisor_that_does_not_wait_for_the_workers():
    assert any(fault_of_evict(race("evict", 1_000_000, "-DMUTANT_NAIVE_EVICT", workers=3))
               for _ in range(40))


def test_a_thousand_a_day_admits_a_thousand_of_five_thousand():
    said = race("pace", 1000, workers=5)  # each asks 1,000 times

    assert said["passed"] == 1000


ALGORITHMS = ("bucket", "fixed", "sliding", "cap", "slots", "draw", "undo")


def exact(rounds, *flags, seed=SEED):
    return run(program("limit_exact.c", *flags), seed, rounds, timeout=200)


def test_every_algorithm_passes_exactly_what_there_is_in_every_unit():
    """A round is a seed of its own; FGW_ROUNDS=100 for the long run."""
    said = exact(int(os.environ.get("FGW_ROUNDS", "8")))

    assert said == dict.fromkeys(ALGORITHMS, 0), "rounds that went wrong"


@pytest.mark.parametrize("flags, where", [
    pytest.param((NO_CAS,), ALGORITHMS[:4], id="no CAS"),
    pytest.param(("-DREAD_THEN_ADD", "-Wl,--wrap=fgw_word_add"), ALGORITHMS[3:6],
                 id="reads, then adds"),
    pytest.param(("-DFGW_MUTANT_NO_UNDO",), ALGORITHMS[5:], id="a refused draw is not undone"),
])
def test_the_race_for_exactness_catches(flags, where):
    for seed in range(SEED, SEED + 12):
        said = exact(3, *flags, seed=seed)
        if any(said[name] for name in where):
            return
    pytest.fail("survived 36 rounds")


def test_no_amount_is_lost_when_workers_are_killed_at_random_instants():
    """All algorithms, draws included; FGW_KILLS=10000 for the long run."""
    kills = int(os.environ.get("FGW_KILLS", "700"))
    said = run(program("limit_kill.c"), kills, SEED, timeout=120 + kills)

    assert said["kills"] >= kills
    assert said["windows"] > 20, "too few died in the middle of a change to have shown anything"
    assert said["drawing"] > 5, "or in the middle of a draw"
    assert said["wanted"] > 5, "or when its last CLOSE could have been posted"


@pytest.mark.parametrize("flags", [
    pytest.param(("-DMUTANT=0", GUESS), id="gives back only what is surely taken: leaks"),
    pytest.param(("-DMUTANT=1", GUESS), id="gives back what was intended: admits one more"),
    pytest.param(("-DRESOLVE_FIRST=0",), id="changes words before it has found out about all"),
    pytest.param((NO_CAS,), id="no CAS"),
])
def test_the_books_catch_a_sweeper_that_is_wrong(flags):
    path = program("limit_kill.c", *flags)
    for seed in range(SEED, SEED + 10):
        done = subprocess.run([path, "700", str(seed)], capture_output=True, text=True,
                              timeout=120)
        if done.returncode:
            assert "not so: value_of" in done.stderr, done.stderr
            return
    pytest.fail("survived 7,000 kills")
