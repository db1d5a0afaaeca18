"""Back-off: a crash is answered at once, a crash loop slowly.

Method: lives are given in seconds; no time passes.
"""

from fastgw.process.backoff import Backoff


def test_replaces_at_once_then_waits_longer_while_processes_die_young():
    backoff = Backoff()

    assert [backoff.after(0.01) for _ in range(9)] == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]


def test_starts_anew_after_a_life_of_a_second():
    backoff = Backoff()
    for _ in range(5):
        backoff.after(0.0)

    assert [backoff.after(1.0), backoff.after(0.5), backoff.after(0.5)] == [0, 0, 0.1]


def test_never_overflows():
    backoff = Backoff()

    assert {backoff.after(0.0) for _ in range(5000)} == {0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5}


def test_who_had_served_waits_only_shortly():
    backoff = Backoff()

    assert [backoff.after(0.5, served=True) for _ in range(6)] == [0, 0.1, 0.1, 0.1, 0.1, 0.1]
