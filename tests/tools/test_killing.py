"""Goal: workers killed -9 under load leave the ledger in agreement with the provider's books.

Method: a short trial; the long one is `python -m tools.killing` (50 kills, 4 workers). Races hide
in a short one, but a gateway that loses entries whenever a worker dies does not pass it.
"""

from pathlib import Path

from tools.killing import trial


def test_ledger_agrees_with_the_books_when_workers_are_killed(tmp_path: Path) -> None:
    told = trial(tmp_path, workers=2, kills=8, every_s=0.3, clients=16, seed=11)
    assert told["killed"] >= 4 and told["outcomes"]["whole"] > 20
    assert told["ledger"]["contradictions"] == []
    assert told["ledger"]["billed"] == told["books"]["billed"] > 50
    assert told["ledger"]["verdicts"]["equal"]["delivered"] > 20
    for name in ("unbilled", "unasked", "unequal", "repeated"):
        assert told["books"][name] == [], name
    assert (told["held"], told["exit_code"]) == (0, 0)
