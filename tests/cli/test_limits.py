"""``fastgw limits`` on a live instance.

Method: bob has used his two requests of the limit ``free``; nobody else has a bucket.
"""

import pytest

from fastgw.cli.limits import amount, over
from tests.cli.live import run


def test_tells_how_full_live_buckets_are(live):
    done = run("limits", "--data-dir", str(live.data_dir), cwd=live.folder)
    heading, *rows = done.stdout.splitlines()

    assert done.returncode == 0, done.stderr
    assert heading.split()[:7] == ["name", "key", "unit", "over", "used", "held", "limit"]
    assert [row.split()[:8] for row in rows] == [
        ["free", "bob", "requests", "24", "h", "2", "0", "2"]
    ]


def test_shows_only_what_was_asked_for(live):
    for arguments, expected in (
        (("--name", "free"), 2), (("--key", "bob"), 2), (("--key", "alice"), 0),
        (("--name", "other"), 0),
    ):
        done = run("limits", "--data-dir", str(live.data_dir), *arguments, cwd=live.folder)
        assert len(done.stdout.splitlines()) == expected, arguments


@pytest.mark.parametrize(
    "row, shown",
    [
        ({"algorithm": "token_bucket", "period_ns": 60 * 10**9}, "60 s"),
        ({"algorithm": "fixed_window", "period_ns": 3600 * 10**9}, "60 min fixed"),
        ({"algorithm": "sliding_window", "period_ns": 10**9}, "1 s sliding"),
        ({"algorithm": "cap", "window": "month", "time_zone": "Asia/Tokyo"}, "month Asia/Tokyo"),
        ({"algorithm": "cap", "window": "total"}, "total"),
        ({"algorithm": "concurrency"}, "now"),
    ],
)
def test_tells_what_a_limit_counts_over(row, shown):
    assert over({"period_ns": 0, "window": "", "time_zone": "", **row}) == shown


@pytest.mark.parametrize(
    "value, unit, shown",
    [
        (1234567, "tokens", "1,234,567"),
        (250_000_000, "cost", "$250.00"),
        (1_234_567_890_120, "cost", "$1,234,567.89012"),
        (1, "cost", "$0.000001"),
        (None, "cost", "?"),
    ],
)
def test_cost_is_shown_in_dollars(value, unit, shown):
    assert amount(value, unit) == shown
