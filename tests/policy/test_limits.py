"""The part of a limit's identity that is known at load.

Method: prefixes of neighbouring limits are compared.
"""

import re
from dataclasses import replace
from pathlib import Path

from fastgw.policy.limits import UNIT_NUMBERS, LimitSpec

CSRC = Path(__file__).resolve().parents[2] / "csrc"
SPEC = LimitSpec("pace", "requests", "token_bucket", 60, 60 * 10**9, True)


def test_everything_but_capacity_is_in_the_prefix():
    changed = [
        replace(SPEC, name="pacf"),
        replace(SPEC, unit="tokens"),
        replace(SPEC, period_ns=1),
        replace(SPEC, enforced=False),
    ]

    assert replace(SPEC, capacity=61).prefix() == SPEC.prefix()
    assert len({SPEC.prefix(), *(one.prefix() for one in changed)}) == 5


def test_the_longest_name_fits_the_row():
    room = int(re.search(r"FGW_DEMAND_PREFIX_MAX (\d+)", (CSRC / "fgw_demand.h").read_text())[1])

    assert len(replace(SPEC, name="😀" * 124).prefix()) <= room


def test_units_are_numbered_as_in_the_ledger():
    text = (CSRC / "fgw_record.h").read_text()

    for name, number in UNIT_NUMBERS.items():
        assert f"FGW_UNIT_{name.upper()} = {number}," in text
