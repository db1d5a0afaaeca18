"""What instances that share a database own of its numbers and names: nothing in common.

Method: an implementation that stores nothing, of several instances.
"""

import pytest

from fastgw.ledger.database import RANGE_BITS, Database


class Nowhere(Database):
    """Answers nothing."""

    def __init__(self, instance: int) -> None:
        self.instance = instance

    def rows(self, sql, *values):
        return [(1,), (2,)] if sql == "two" else []

    def run(self, sql, *values): ...
    def run_many(self, sql, values): ...
    def transaction(self): ...
    def snapshot(self): ...
    def has_table(self, name): ...
    def put_attempts(self, batch, records): ...
    def drop_attempts(self, batch): ...
    def shrink(self): ...
    def close(self): ...


def test_an_instance_owns_a_range_and_names_of_its_own():
    alone, one, two = map(Nowhere, (0, 1, 2))

    assert (alone.first, alone.last) == (0, (1 << RANGE_BITS) - 1)
    assert alone.last + 1 == one.first and one.last + 1 == two.first
    assert (alone.own(b"x"), alone.own_text("x")) == (b"x", "x"), "as a file always had it"
    assert len({each.own(b"x") for each in (alone, one, two)}) == 3
    assert len({each.own_text("x") for each in (alone, one, two)}) == 3
    assert one.own(b"\xff" * 16) < two.own(bytes(16)), "names of an instance lie together"
    assert Nowhere((1 << 23) - 1).last < 1 << 63


@pytest.mark.parametrize(("sql", "found"), [("two", (1,)), ("none", None)])
def test_a_row_is_the_first_of_all(sql, found):
    assert Nowhere(0).row(sql) == found
    assert Nowhere(0).ddl("CREATE TABLE x") == "CREATE TABLE x"
