"""Which bucket is meant, and how much: before any order is sent.

Method: rows as /api/limits has them; orders themselves are tested on whole gateways in
tests/journey/test_continuity.py.
"""

import pytest

from fastgw.admin.giving import BucketUnknown, find, parse_amount


def row(name: str, key: str, **more):
    return {"name": name, "key": key, "unit": "tokens", "algorithm": "cap", "enforced": True,
            **more}


LIVE = [row("team month", "a"), row("team month", "b"), row("pace", "alice, gpt-4o"),
        row("pace", "7"), row("open to all", ""), row("both", "a"),
        row("both", "a", unit="cost", enforced=False)]


@pytest.mark.parametrize(("name", "key", "at"), [
    ("team month", "b", 1), ("team month", '["b"]', 1), ("pace", "alice, gpt-4o", 2),
    ("pace", '["alice", "gpt-4o"]', 2), ("pace", "[7]", 3), ("pace", "7", 3),
    ("open to all", "", 4), ("open to all", "[]", 4),
])
def test_a_key_is_understood_as_people_see_it_and_as_json(name, key, at):
    assert find(LIVE, name, key) is LIVE[at]


@pytest.mark.parametrize(("name", "key", "said"), [
    ("team moth", "a", "near it: 'team month'"),
    ("team month", "c", "no bucket in use for 'c'; near it: 'a', 'b'"),
    ("pace", "alice", "near it: 'alice, gpt-4o'"),
    ("both", "a", "several limits of that key: tokens (cap), cost (cap, shadow)"),
])
def test_what_is_not_there_is_said_with_what_is_near(name, key, said):
    with pytest.raises(BucketUnknown) as raised:
        find(LIVE, name, key)
    assert said in str(raised.value)


def test_where_nothing_is_in_use_that_is_said():
    with pytest.raises(BucketUnknown, match="no bucket at all"):
        find([], "pace", "a")


def test_amounts_are_whole_units_and_dollars_for_cost():
    assert parse_amount("5", "tokens") == parse_amount(5, "requests") == 5
    assert parse_amount("1.25", "cost") == 1_250_000
    assert parse_amount(0.1, "cost") == 100_000
    for wrong in ("", "x", "-1", 0, "1.5", "nan", "inf", True, None, [], "1e30"):
        with pytest.raises(ValueError, match="amount"):
            parse_amount(wrong, "tokens")
    with pytest.raises(ValueError, match="amount"):
        parse_amount("0.0000001", "cost")


@pytest.mark.parametrize("unit", ["tokens", "cost"])
@pytest.mark.parametrize("wrong", ["1e999999999", "1e999999", "-1e999999999", "1e-999999999"])
def test_an_amount_of_a_billion_digits_is_refused_without_writing_it_out(unit, wrong):
    with pytest.raises(ValueError, match="no positive amount"):
        parse_amount(wrong, unit)
