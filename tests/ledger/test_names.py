"""Names: hashes to texts at read time, also when the text came later.

Method: a store that is written between two looks.
"""

from fastgw.ledger.names import Names
from fastgw.ledger.records import NAME_ACCOUNT, NAME_BUCKET, NAME_MODEL, Grant, Name
from fastgw.ledger.ring import SUPERVISOR
from fastgw.ledger.span import Span
from fastgw.ledger.sqlite import open_reader
from fastgw.ledger.store import Store


def store(folder, *names: Name, ring: int = 1):
    records = b"".join(name.pack() for name in names)
    Store(folder).commit([Span(ring, 0, 0, 0, len(records), records)])


def test_a_name_is_found_by_space_and_hash(tmp_path):
    store(tmp_path, Name(NAME_MODEL, 2**64 - 2, 0, "größer"), Name(NAME_ACCOUNT, 5, 0, "not json"))
    names = Names(open_reader(tmp_path))

    assert names.text(NAME_MODEL, 2**64 - 2) == "größer"
    assert names.text(NAME_MODEL, 0) == ""
    assert names.text(NAME_MODEL, 5) == "?0000000000000005"
    assert names.text(9, 2**64 - 2, or_space=NAME_MODEL) == "größer"
    assert names.account(5) == {"id": "not json", "owner": {}, "tags": {}}


def test_a_name_that_comes_later_is_found_by_the_next_question(tmp_path):
    store(tmp_path, Name(NAME_MODEL, 1, 0, "a"))
    connection = open_reader(tmp_path)
    assert Names(connection).text(NAME_MODEL, 2) == "?0000000000000002"

    store(tmp_path, Name(NAME_MODEL, 2, 0, "b"), ring=2)
    assert Names(connection).text(NAME_MODEL, 2) == "b"


def test_buckets_are_named_by_both_halves(tmp_path):
    store(tmp_path, Name(NAME_BUCKET, 1, 2, '{"name":"pace","key":["k"]}'))
    names = Names(open_reader(tmp_path))

    assert names.bucket((1, 2)) == {"name": "pace", "key": ["k"]}
    assert names.bucket((1, 3)) == {}


def test_what_was_forgiven_counts_from_its_time_on(tmp_path):
    records = b"".join(
        Grant(at, (1, 2), before=before, after=after).pack()
        for at, before, after in ((10, 100, 60), (20, 80, 75))
    )
    Store(tmp_path).commit([Span(1, SUPERVISOR, 0, 0, len(records), records)])
    names = Names(open_reader(tmp_path))

    assert [names.granted((1, 2), at) for at in (9, 10, 19, 20)] == [0, 40, 40, 45]
    assert names.granted((1, 3), 20) == 0
