"""Spans and instants as people type them.

Method: now is an integer that the test owns.
"""

import pytest

from fastgw.process.moments import between_ns, since_ns

NOW = 1_700_000_000 * 10**9


@pytest.mark.parametrize("text, expected", [
    ("90s", NOW - 90 * 10**9),
    ("24h", NOW - 86_400 * 10**9),
    ("7d", NOW - 7 * 86_400 * 10**9),
    ("1h30m", NOW - 5_400 * 10**9),
    ("3y", NOW - 3 * 365 * 86_400 * 10**9),  # sums by the day are kept as long
    ("500d", NOW - 500 * 86_400 * 10**9),
    ("2023-11-14T22:13:20Z", NOW),
    ("2023-11-14T22:13:20", NOW),
    ("2023-11-14T23:13:20+01:00", NOW),
    ("2023-11-14", 1_699_920_000 * 10**9),
])
def test_reads_spans_and_times(text, expected):
    assert since_ns(text, now_ns=NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "-1h", "24", "2023-13-01", "1h ago"])
def test_refuses_what_is_neither(text):
    with pytest.raises(ValueError, match="neither a span"):
        since_ns(text, now_ns=NOW)


def test_a_time_has_a_beginning_before_its_end():
    hour = 3_600 * 10**9
    assert between_ns("2h", "1h", now_ns=NOW) == (NOW - 2 * hour, NOW - hour)
    assert between_ns("2h", None, now_ns=NOW) == (NOW - 2 * hour, None)
    for until in ("2h", "3h"):
        with pytest.raises(ValueError, match=f"until '{until}' is not after since '2h'"):
            between_ns("2h", until, now_ns=NOW)
