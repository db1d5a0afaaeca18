"""The part of a limit's identity that is known at load.

Method: prefixes of neighbouring limits are compared.
"""

import re
import zoneinfo
from dataclasses import replace
from pathlib import Path

import pytest

from fastgw.config.limits import NAME_BYTES_MAX
from fastgw.config.model import ConcurrencyLimit, Queue, Rate, RateLimit, UsageCap
from fastgw.policy.limits import ALGORITHM_NUMBERS, UNIT_NUMBERS, LimitSpec, spec_of

CSRC = Path(__file__).resolve().parents[2] / "csrc"
SPEC = LimitSpec("pace", "requests", "token_bucket", 60, 60 * 10**9, True)
CAP = LimitSpec("pace", "requests", "cap", 60, 0, True, "month", "UTC")


def test_everything_but_capacity_is_in_the_prefix():
    changed = [
        replace(SPEC, name="pacf"),
        replace(SPEC, unit="tokens"),
        replace(SPEC, period_ns=1),
        replace(SPEC, enforced=False),
        replace(SPEC, algorithm="fixed_window"),
        CAP,
        replace(CAP, window="day"),
        replace(CAP, time_zone="Asia/Tokyo"),
        replace(CAP, enforced=False),
    ]

    assert replace(SPEC, capacity=61).prefix() == SPEC.prefix()
    assert len({SPEC.prefix(), *(one.prefix() for one in changed)}) == 10


def test_what_is_no_identity_may_be_edited():
    edited = replace(
        CAP, capacity=1, unbounded="allow", on_worker_lost="progress", alert_at=(0.5,),
        on_store_loss="open", cluster=True,
    )

    assert edited.prefix() == CAP.prefix()


def test_window_and_time_zone_cannot_be_mistaken_for_each_other():
    assert replace(CAP, window="da", time_zone="yX").prefix() != replace(
        CAP, window="day", time_zone="X"
    ).prefix()


def test_the_longest_name_fits_the_row():
    room = int(re.search(r"FGW_DEMAND_PREFIX_MAX (\d+)", (CSRC / "fgw_demand.h").read_text())[1])
    longest_zone = max(zoneinfo.available_timezones(), key=len)

    name = "x" * NAME_BYTES_MAX
    assert len(replace(CAP, name=name, time_zone=longest_zone).prefix()) <= room


@pytest.mark.parametrize(
    "limit, spec",
    [
        (
            RateLimit("p", Rate("tokens", 5, 10**9), algorithm="sliding_window", cluster=True),
            LimitSpec("p", "tokens", "sliding_window", 5, 10**9, True, cluster=True),
        ),
        (
            UsageCap("c", "cost", 10**6, "day", "Asia/Tokyo", (), (0.5, 1.0), "allow", "progress",
                     "open"),
            LimitSpec("c", "cost", "cap", 10**6, 0, True, "day", "Asia/Tokyo", "allow",
                      "progress", 0, 0, (0.5, 1.0), "open"),
        ),
        (
            UsageCap("c", "requests", 5, "total", "Asia/Tokyo"),
            LimitSpec("c", "requests", "cap", 5, 0, True, "total"),
        ),
        (
            ConcurrencyLimit("s", 20, queue=Queue(50, 5 * 10**9)),
            LimitSpec("s", "slots", "concurrency", 20, 0, True, queue_max=50,
                      queue_timeout_ns=5 * 10**9),
        ),
        (
            ConcurrencyLimit("s", 20),
            LimitSpec("s", "slots", "concurrency", 20, 0, True),
        ),
    ],
)
def test_every_kind_of_limit_has_its_spec(limit, spec):
    assert spec_of(limit, True) == spec
    assert spec_of(limit, False) == replace(spec, enforced=False)


def test_units_and_algorithms_are_numbered_as_in_the_kernels():
    units, algorithms = (
        (CSRC / name).read_text() for name in ("fgw_record.h", "fgw_limit.h")
    )

    for name, number in UNIT_NUMBERS.items():
        assert f"FGW_UNIT_{name.upper()} = {number}," in units
    for name, number in ALGORITHM_NUMBERS.items():
        assert f"FGW_ALGORITHM_{name.upper()} = {number}," in algorithms
