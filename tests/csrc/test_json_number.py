"""Numbers of the JSON scan: whole values exact, others truncated and marked, none beyond a double.

Method: Decimal is the oracle for values; orjson (tests/csrc/test_json.py) for what is a number.
"""

import random
import sys
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from scan_native import Scan  # noqa: E402

SEED = 11
LARGEST = (1 << 63) - 1


@pytest.fixture(scope="module")
def scan():
    return Scan({1: {"element": 2}, 2: {"slot": 0}})


def read(scan: Scan, number: str, at: int) -> tuple[int, int]:
    document = f"[{number}]".encode()
    assert scan.read(document[:at], document[at:]) == 0, number
    slot = scan.slot(0)
    assert document[slot["start"] : slot["end"]] == number.encode()
    return slot["number"], slot["inexact"]


@pytest.mark.parametrize(
    "number, expected",
    [("181.0", (181, 0)), ("0", (0, 0)), ("-0", (0, 0)), ("1e3", (1000, 0)), ("1.5e1", (15, 0)),
     ("12.50", (12, 1)), ("-7.9", (-7, 1)), ("1E-2", (0, 1)), ("100e-2", (1, 0)), ("0.0", (0, 0)),
     ("9223372036854775807", (LARGEST, 0)), ("9223372036854775808", (LARGEST, 1)),
     ("1e300", (LARGEST, 1)), ("-1e300", (-LARGEST, 1)), ("0e999999999999", (0, 0)),
     ("1.00000000000000000000000", (1, 0)), ("1.00000000000000000000001", (1, 1))],
)  # fmt: skip
def test_values(scan, number, expected):
    for at in range(len(number) + 3):
        assert read(scan, number, at) == expected


def test_random_numbers_are_truncated_as_decimals(scan):
    print("seed", SEED)
    rng = random.Random(SEED)
    for _ in range(4_000):
        number = str(rng.randrange(10 ** rng.randrange(1, 18)))
        if rng.random() < 0.5:
            number += "." + "".join(rng.choices("0123456789", k=rng.randrange(1, 9)))
        if rng.random() < 0.3:
            number += f"e{rng.randrange(-12, 6)}"
        if rng.random() < 0.3:
            number = "-" + number
        exact = Decimal(number)
        expected = max(-LARGEST, min(LARGEST, int(exact)))
        got, inexact = read(scan, number, rng.randrange(len(number) + 2))
        assert got == expected, number
        assert inexact == (exact != expected), number
