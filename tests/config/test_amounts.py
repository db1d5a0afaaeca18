"""Durations, sizes, shares and allowances: exact integers, or None.

Method: tables, and a round trip over random durations.
"""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fastgw.config import amounts
from fastgw.limit import windows


@pytest.mark.parametrize(
    "text, ns",
    [
        ("500ms", 500_000_000),
        ("30s", 30 * 10**9),
        ("5m", 300 * 10**9),
        ("24h", 86400 * 10**9),
        ("1d", 86400 * 10**9),
        ("1h30m", 5400 * 10**9),
        ("1.5s", 1_500_000_000),
        ("1ns", 1),
        ("2us", 2000),
        ("400d", 400 * 86400 * 10**9),
        ("401d", None),
        ("0s", None),
        ("30", None),
        (30, None),
        ("s", None),
        ("-1s", None),
        ("1 s", None),
        ("0.5ns", None),
        ("1m30", None),
        (None, None),
        (True, None),
        ("", None),
        ("٣s", None),
    ],
)
def test_durations(text, ns):
    assert amounts.duration_ns(text) == ns


@given(some.integers(1, 10**15))
@settings(deadline=None)
def test_durations_are_exact(ns):
    seconds, rest = divmod(ns, 10**9)
    text = (f"{seconds}s" if seconds else "") + (f"{rest}ns" if rest else "")

    assert amounts.duration_ns(text) == ns


@pytest.mark.parametrize(
    "text, size",
    [
        ("64KiB", 65536),
        ("32MiB", 32 << 20),
        ("1GiB", 1 << 30),
        ("10kB", 10_000),
        ("1MB", 10**6),
        (4096, 4096),
        ("4096", 4096),
        ("7B", 7),
        ("0", None),
        (0, None),
        ("-1", None),
        ("1.5MiB", None),
        ("1mib", None),
        (True, None),
        (1.5, None),
        (None, None),
    ],
)
def test_sizes(text, size):
    assert amounts.size_bytes(text) == size


@pytest.mark.parametrize(
    "text, share",
    [
        ("20%", 0.2),
        (0.2, 0.2),
        (0, 0.0),
        (1, 1.0),
        ("100%", 1.0),
        ("0.5 %", 0.005),
        ("101%", None),
        (1.1, None),
        (-0.1, None),
        ("20", None),
        (True, None),
        (float("nan"), None),
    ],
)
def test_shares(text, share):
    assert amounts.share(text) == share


@pytest.mark.parametrize(
    "text, allowance",
    [
        ("60/1m", (60, 60 * 10**9, "")),
        ("100000/1m", (100000, 60 * 10**9, "")),
        ("1/500ms", (1, 5 * 10**8, "")),
        ("250/month", (250, 0, "month")),
        ("0.25/day", (Decimal("0.25"), 0, "day")),
        ("9/total", (9, 0, "total")),
        ("60/m", None),
        ("60/minute", None),
        ("0/1m", None),
        ("0.0/month", None),
        ("-1/1m", None),
        ("60", None),
        (60, None),
        ("60/1m/1m", None),
        ("6e3/1m", None),
        (".5/day", None),
        ("1٣/day", None),
    ],
)
def test_allowances(text, allowance):
    assert amounts.allowance(text) == allowance


@settings(max_examples=200, deadline=None)
@given(some.integers(0, 10**15))
def test_dollars_are_exact_to_the_micro_dollar(micro):
    text = f"{micro // 10**6}.{micro % 10**6:06d}"

    assert amounts.micro_dollars(amounts.number(text)) == micro
    assert amounts.micro_dollars(amounts.number(text + "1")) is None


@pytest.mark.parametrize(
    "text", ["1e3", "-1", "+1", "1_000", "", "nan", "9" * 16, "0." + "1" * 13]
)
def test_other_writings_are_no_numbers(text):
    assert amounts.number(text) is None


def test_whole_amounts_have_no_fraction():
    assert amounts.whole(Decimal("5.0")) == 5 and amounts.whole(Decimal("5.5")) is None


@pytest.mark.parametrize(
    "value, fraction", [(0.5, 0.5), ("80%", 0.8), (1, 1.0), (0, None), (2, None)]
)
def test_a_fraction_is_a_share_above_nothing(value, fraction):
    assert amounts.fraction(value) == fraction


@pytest.mark.parametrize(
    "text, instant",
    [
        ("2027-01-01T00:00:00Z", 1798761600),
        ("2027-01-01T01:00:00+01:00", 1798761600),
        ("2027-01-01T00:00:00", None),
        ("2027-01-01", None),
        ("soon", None),
        (5, None),
    ],
)
def test_instants_need_their_offset(text, instant):
    assert amounts.instant_s(text) == instant


def test_windows_are_bounded_as_in_the_kernel():
    header = (Path(__file__).resolve().parents[2] / "csrc/fgw_window.h").read_text()

    def shift(name):
        return 1 << int(re.search(rf"{name} \(UINT64_C\(1\) << (\d+)\)", header)[1])

    assert amounts.WINDOW_CAPACITY_MAX == shift("FGW_WINDOW_CAPACITY_MAX")
    assert amounts.WINDOW_PERIOD_MIN_NS == shift("FGW_WINDOW_PERIOD_MIN")
    assert amounts.WINDOWS == windows.WINDOWS
