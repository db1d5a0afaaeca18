"""Usage: rows in the shape of INTERFACE section 5, grouped by anything, normalised, unknowns as
null.

Method: records with known numbers, stored as the recorder stores them.
"""

import pytest

from fastgw.errors import LedgerError
from fastgw.ledger.journal import name_hash
from fastgw.ledger.query import Ledger, usage
from fastgw.ledger.records import (
    NAME_ACCOUNT,
    NAME_LABEL,
    NAME_USER,
    UNBOUNDED,
    Close,
    Name,
    Refused,
    RequestId,
    Tokens,
)
from fastgw.ledger.span import Span
from fastgw.ledger.store import Store
from fastgw.ledger.usage import normalise
from tests.ledger.fabricate import MINUTE, T0, account, close, dims, names, request

pytestmark = pytest.mark.usefixtures("either_store")

HOUR = 60 * MINUTE


def id(number: int) -> RequestId:
    return RequestId(1, 0, number)


@pytest.fixture
def ledger(tmp_path):
    """Two keys, two models, a label, a counted flood; three hours."""
    search = (name_hash("search"), 0, 0, 0)
    records = [
        *names(models=("gpt-4o", "claude")),
        Name(
            NAME_ACCOUNT, name_hash(account("k3", "b", "pro")), 0, account("k3", "b", "pro")
        ).pack(),
        Name(NAME_USER, name_hash("ann"), 0, "ann").pack(),
        Name(NAME_LABEL, name_hash("plain"), 0, "plain").pack(),
        request(id(1), T0).pack(),
        close(id(1), T0, input=100, output=10).pack(),
        request(id(2), T0 + HOUR, dims=dims("k2", stream=1)).pack(),
        close(id(2), T0 + HOUR, input=200, output=20, dims=dims("k2", stream=1)).pack(),
        request(
            id(3), T0 + 2 * HOUR, dims=dims("k1", "claude", "anthropic", labels=search)
        ).pack(),
        Close(
            id(3),
            T0 + 2 * HOUR,
            dims=dims("k1", "claude", "anthropic", labels=search),
            tokens=Tokens(1, 2, 4, 8, 16, 32, 64, 128),
            input_low=70,
            input_high=90,
            output_low=100,
            output_high=UNBOUNDED,
            cost_nano_usd=None,
        ).pack(),
        request(id(4), T0, verdict=1, status=403).pack(),
        Refused(id(5), T0, account=name_hash(account("k1")), code=801, count=40).pack(),
    ]
    size = sum(map(len, records))
    Store(tmp_path).commit([Span(1, 0, 0, 0, size, b"".join(records))])
    with Ledger(tmp_path) as opened:
        yield opened


def test_a_row_has_the_shape_of_the_interface(ledger):
    (row,) = ledger.usage(until_ns=T0 + MINUTE)

    assert row == {
        "requests": 42,
        "attempts": 1,
        "denied": 41,
        "input_tokens": 100,
        "cached_input_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 10,
        "reasoning_tokens": 0,
        "total_tokens": 110,
        "cost_nano_usd": 1000,
        "cost_nano_usd_known": 1000,
        "attempts_without_price": 0,
        "images": 0,
        "audio_seconds": 0,
        "characters": 0,
        "searches": 0,
        "interval": {"input_tokens": [100, 100], "output_tokens": [10, 10]},
    }


def test_tokens_are_normalised_and_never_double_counted(ledger):
    (row,) = ledger.usage(since_ns=T0 + 2 * HOUR)

    assert row["input_tokens"] == 1 + 2 + 4 + 8 + 64
    assert (row["cached_input_tokens"], row["cache_write_tokens"]) == (2, 12)
    assert row["output_tokens"] == 16 + 32 + 128 and row["reasoning_tokens"] == 32
    assert row["total_tokens"] == row["input_tokens"] + row["output_tokens"] == 255


def test_unknown_prices_and_bounds_are_null_never_zero(ledger):
    (row,) = ledger.usage()

    assert row["cost_nano_usd"] is None
    assert (row["cost_nano_usd_known"], row["attempts_without_price"]) == (2000, 1)
    assert row["interval"] == {"input_tokens": [370, 390], "output_tokens": [130, None]}


@pytest.mark.parametrize(
    "by, expected",
    [
        (["key"], {("k1",): 43, ("k2",): 1}),
        (["model"], {("",): 40, ("gpt-4o",): 3, ("claude",): 1}),
        (
            ["provider", "key"],
            {("", "k1"): 40, ("openai", "k1"): 2, ("openai", "k2"): 1, ("?anth", "k1"): 1},
        ),
        (["owner.team"], {("a",): 44}),
        (["team"], {("a",): 44}),
        (["tags.tier"], {("free",): 44}),
        (["tier"], {("free",): 44}),
        (["feature"], {("",): 43, ("search",): 1}),
        (["stream"], {(False,): 43, (True,): 1}),
        (["operation"], {("other",): 40, ("chat",): 4}),
        (["dialect"], {("",): 40, ("openai",): 4}),
        (
            ["hour"],
            {
                ("2027-01-15T08:00:00Z",): 42,
                ("2027-01-15T09:00:00Z",): 1,
                ("2027-01-15T10:00:00Z",): 1,
            },
        ),
        (["day"], {("2027-01-15T00:00:00Z",): 44}),
    ],
)
def test_groups(ledger, by, expected):
    def shown(value):
        return "?anth" if isinstance(value, str) and value.startswith("?") else value

    rows = ledger.usage(by=by, labels=["feature"])
    assert {tuple(shown(row[name]) for name in by): row["requests"] for row in rows} == expected


def test_groups_by_several_columns_add_up(ledger):
    rows = ledger.usage(by=["key", "model", "hour", "user"])
    (total,) = ledger.usage()

    for field in ("requests", "attempts", "denied", "input_tokens", "output_tokens"):
        assert sum(row[field] for row in rows) == total[field]


def test_a_window_is_closed_below_and_open_above(ledger):
    assert ledger.usage(since_ns=T0 + HOUR, until_ns=T0 + 2 * HOUR)[0]["requests"] == 1
    assert ledger.usage(since_ns=T0 + 3 * HOUR)[0]["requests"] == 0
    assert ledger.usage(since_ns=T0 + 3 * HOUR, by=["key"]) == []


def test_a_label_goes_by_the_configured_order(tmp_path):
    what = dims(labels=(0, name_hash("plain"), 0, 0))
    records = (
        Name(NAME_LABEL, name_hash("plain"), 0, "plain").pack() + close(id(1), dims=what).pack()
    )
    Store(tmp_path).commit([Span(1, 0, 0, 0, len(records), records)])

    (row,) = usage(tmp_path, by=["feature"], labels=["other", "feature"])
    assert row["feature"] == "plain"


def test_a_labels_value_never_passes_for_an_owner(tmp_path):
    what = dims(labels=(name_hash("team=b"), name_hash("b"), 0, 0))
    records = b"".join([
        *names(), Name(NAME_LABEL, name_hash("team=b"), 0, "team=b").pack(),
        Name(NAME_LABEL, name_hash("b"), 0, "b").pack(), close(id(1), dims=what).pack(),
    ])  # fmt: skip
    Store(tmp_path).commit([Span(1, 0, 0, 0, len(records), records)])

    assert usage(tmp_path, by=["team"], labels=["feature", "other"])[0]["team"] == "a"
    assert usage(tmp_path, by=["owner.team"], labels=["team"])[0]["owner.team"] == "a"


@pytest.mark.parametrize("name, meant", [
    ("modle", "'model'"), ("teem", "'team'"), ("featur", "'feature'"), ("month", None)])
def test_a_group_that_nothing_has_is_an_error_and_no_empty_column(tmp_path, name, meant):
    records = b"".join([*names(), close(id(1)).pack()])
    Store(tmp_path).commit([Span(1, 0, 0, 0, len(records), records)])

    with pytest.raises(LedgerError, match=f"cannot be grouped by '{name}'") as found:
        usage(tmp_path, by=["key", name], labels=["feature"])
    assert ("did you mean" in str(found.value)) == bool(meant)
    assert (meant or "") in str(found.value)


def test_before_any_key_is_known_every_group_may_be_asked_for(tmp_path):
    Store(tmp_path).commit([])
    assert usage(tmp_path, by=["project"]) == []


def test_an_impossible_group_is_an_error(ledger):
    with pytest.raises(LedgerError, match="cannot be grouped by 'drop table;'"):
        ledger.usage(by=["drop table;"])


def test_normalise_keeps_parts_inside_their_sums():
    tokens = {
        name: 10**at
        for at, name in enumerate(
            (
                "input",
                "cached_input",
                "cache_write",
                "cache_write_1h",
                "output",
                "reasoning",
                "audio_input",
                "audio_output",
                "image_input",
                "image_output",
            )
        )
    }

    assert normalise(tokens) == {
        "input_tokens": 101001111,
        "cached_input_tokens": 10,
        "cache_write_tokens": 1100,
        "output_tokens": 1010110000,
        "reasoning_tokens": 100000,
        "total_tokens": 1111111111,
    }


def test_what_is_named_twice_is_grouped_by_once(ledger):
    assert ledger.usage(by=["key", "model", "key"]) == ledger.usage(by=["key", "model"])


def test_one_key_alone(ledger):
    for key in ("k1", "k2", "k3", "nobody"):
        rows = [row for row in ledger.usage(by=["key", "model"]) if row["key"] == key]
        assert ledger.usage(by=["key", "model"], key=key) == rows
        (row,) = ledger.usage(key=key)
        assert row["attempts"] == sum(one["attempts"] for one in rows)
