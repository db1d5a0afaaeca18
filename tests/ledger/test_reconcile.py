"""The ledger beside a provider's books: equal; inside an interval, and whose; outside.

Method: attempts with known numbers go through a ring and the real recorder; reports are written
out with what a provider would have billed for them.
"""

from dataclasses import replace
from functools import partial

import pytest

from fastgw.config.model import Secret
from fastgw.errors import LedgerError
from fastgw.ledger.exports import read_export
from fastgw.ledger.journal import name_hash
from fastgw.ledger.reconcile import reconcile
from fastgw.ledger.recorder import Paths, Recorder
from fastgw.ledger.records import (
    FATE_CUT_BY_CLIENT,
    FATE_WORKER_LOST,
    NAME_MODEL,
    NAME_PROVIDER,
    NAME_PROVIDER_KEY,
    PROVENANCE_COUNTED,
    PROVENANCE_PROVIDER,
    UNBOUNDED,
    Close,
    Name,
    Open,
    RequestId,
    Tokens,
)
from fastgw.ledger.vocabulary import TIERS
from tests.ledger.fabricate import T0, dims, names, post_all, rings
from tests.ledger.test_exports import CLAUDE, CLAUDE_CSV, START, USED, anthropic, openai

CLAUDE_DIMS = dims(model="claude-sonnet-4", provider="anthropic")
NOON = START * 10**9 + 43_200 * 10**9


class Book:
    """Attempts on their way through a recorder."""

    def __init__(self, folders) -> None:
        self.folder = folders[0]
        self._ring = rings(folders[1])
        self._recorder = Recorder(Paths(*folders), lambda event, fields: None)
        self._count = 0
        more = [(NAME_MODEL, "gpt-4o-2024-08-06"), (NAME_MODEL, "claude-sonnet-4"),
                (NAME_PROVIDER, "anthropic"), (NAME_PROVIDER, "groq"),
                (NAME_PROVIDER_KEY, "main"), (NAME_PROVIDER_KEY, "other")]  # fmt: skip
        made = [Name(space, name_hash(text), 0, text).pack() for space, text in more]
        post_all(self._ring, [*names(), *made])

    def attempt(self, input, output, *, at=NOON, ended=None, key="main", closed=True, low=None,
                high=None, cached=0, write=0, write_1h=0, what=None, **more) -> None:
        self._count += 1
        id, what = RequestId(1, 0, self._count), what or dims()
        opened = Open(id, at, 1, what, name_hash(key), 4096, 512)
        more.setdefault("provenance", PROVENANCE_PROVIDER)
        more.setdefault("input_provenance", PROVENANCE_PROVIDER)
        one = Close(
            id, at + 10**9 if ended is None else ended, dims=what,
            tokens=Tokens(input - cached - write - write_1h, cached, write, write_1h, output),
            input_low=input, input_high=input,
            output_low=output if low is None else low, output_high=high or output,
            output_provenance=more["provenance"], started_ns=at, cost_nano_usd=1, status=200,
            **more,
        )
        post_all(self._ring, [opened.pack(), *([one.pack()] if closed else [])])

    def against(self, raw: bytes, **options):
        self._recorder.step()
        self._recorder.close()
        return reconcile(self.folder, read_export(raw, "f"), **options)

    def step(self) -> None:
        assert self._recorder.step()

    def spilled(self) -> None:
        """What is posted by now goes into the spill log, and no further."""
        spans = self._recorder._tails.take()
        assert self._recorder._spill_spans(spans)
        self._recorder._tails.safe(spans)

    def so_far(self, raw: bytes, **options):
        return reconcile(self.folder, read_export(raw, "f"), **options)


@pytest.fixture
def book(folders, either_store):
    return Book(folders)


def only(told):
    (row,) = told["rows"]
    return row


def test_equal_books_are_equal_to_the_token_with_cached_ones(book):
    book.attempt(60, 4, cached=40)
    book.attempt(40, 3)
    told = book.against(openai(USED), keys={"key_a": "main"})

    row = only(told)
    assert (row["verdict"], told["unexplained"], told["provider"]) == ("equal", 0, ["openai"])
    assert (row["day"], row["key"], row["requests"]) == (
        "2027-01-15", "main", {"billed": 3, "ledger": 2})
    assert {name: one["billed"] for name, one in row["fields"].items()} == {
        "input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 7}
    assert not any(one["difference"] for one in row["fields"].values())


def test_a_report_without_cached_tokens_differs_in_these_alone(book):
    book.attempt(100, 7, cached=30)
    row = only(book.against(openai(USED), keys={"key_a": "main"}))

    assert {name: one["unexplained"] for name, one in row["fields"].items()} == {
        "input_tokens": 0, "cached_input_tokens": 10, "output_tokens": 0}


def test_what_an_aborted_call_was_billed_lies_in_its_interval(book):
    book.attempt(60, 2)
    book.attempt(40, 3, low=2, high=90, fate=FATE_CUT_BY_CLIENT, provenance=PROVENANCE_COUNTED)
    told = book.against(openai(USED | {"input_cached_tokens": 0, "output_tokens": 50}),
                        keys={"key_a": "main"})

    output = only(told)["fields"]["output_tokens"]
    assert told["unexplained"] == 0 and only(told)["verdict"] == "inside"
    assert (output["interval"], output["difference"], output["unexplained"]) == ([4, 92], 45, 0)
    assert output["explained"] == [
        {"cause": "cut by client", "attempts": 1, "tokens": 45, "room": 87}]


def test_a_difference_downwards_is_explained_downwards(book):
    book.attempt(100, 9, low=5, high=9, provenance=PROVENANCE_COUNTED)
    output = only(book.against(openai(USED | {"input_cached_tokens": 0}),
                               keys={"key_a": "main"}))["fields"]["output_tokens"]

    assert output["explained"] == [{"cause": "counted", "attempts": 1, "tokens": -2, "room": 4}]
    assert output["verdict"] == "inside"


def test_the_worst_ended_are_allotted_first_and_the_rest_stays_unexplained(book):
    book.attempt(50, 1, low=0, high=3, provenance=PROVENANCE_COUNTED)
    book.attempt(50, 1, low=0, high=5, fate=FATE_WORKER_LOST, provenance=PROVENANCE_COUNTED)
    told = book.against(openai(USED | {"input_cached_tokens": 0, "output_tokens": 10}),
                        keys={"key_a": "main"})

    output = only(told)["fields"]["output_tokens"]
    assert [(one["cause"], one["tokens"]) for one in output["explained"]] == [
        ("worker lost", 4), ("counted", 2)]
    assert (output["unexplained"], told["unexplained"]) == (2, 1)


def test_a_call_that_the_gateway_never_saw_stays_unexplained(book):
    book.attempt(100, 7, cached=40)
    told = book.against(openai(USED, USED | {"model": "gpt-4.1", "api_key_id": "key_b"}),
                        keys={"key_a": "main"})

    assert [(row["model"], row["key"], row["verdict"]) for row in told["rows"]] == [
        ("gpt-4.1", "key_b", "unexplained"), ("gpt-4o", "main", "equal")]
    assert told["unexplained"] == 1


def test_a_call_that_was_not_billed_is_no_less_unexplained(book):
    book.attempt(100, 7, cached=40)
    book.attempt(1, 1, key="other")
    told = book.against(openai(USED), keys={"key_a": "main"})

    assert [(row["key"], row["verdict"]) for row in told["rows"]] == [
        ("main", "equal"), ("other", "unexplained")]
    assert told["rows"][1]["fields"]["input_tokens"]["unexplained"] == -1


def test_keys_that_nobody_named_are_compared_as_one_and_it_is_said(book):
    book.attempt(50, 3, cached=40)
    book.attempt(50, 4, key="other")
    told = book.against(openai(USED))

    assert (only(told)["key"], only(told)["verdict"]) == (None, "equal")
    (said,) = [note for note in told["notes"] if "compared over all keys" in note]
    assert "(ours: main, other)" in said


def test_a_report_that_is_not_grouped_is_compared_as_one(book):
    book.attempt(50, 3, cached=40)
    book.attempt(50, 4, what=dims(model="gpt-4o-2024-08-06"))
    row = only(book.against(openai(USED | {"model": None, "api_key_id": None})))

    assert (row["model"], row["key"], row["verdict"]) == (None, None, "equal")


def test_snapshots_stay_apart_where_the_gateway_asked_for_them(book):
    dated = "gpt-4o-2024-08-06"
    book.attempt(100, 7, cached=40, what=dims(model=dated))
    told = book.against(openai(USED, USED | {"model": "gpt-4o-2024-05-13"}),
                        keys={"key_a": "main"})

    assert [(row["model"], row["verdict"]) for row in told["rows"]] == [
        ("gpt-4o-2024-05-13", "unexplained"), (dated, "equal")]


def test_a_call_over_midnight_may_be_billed_on_either_day(book):
    midnight = (START + 86400) * 10**9
    book.attempt(100, 7, cached=40, at=midnight - 10**9, ended=midnight + 10**9)
    both = b"[%s,%s]" % (openai(), openai(USED, start=START + 86400, end=START + 2 * 86400))
    told = book.against(both, keys={"key_a": "main"})

    assert [(row["day"], row["verdict"]) for row in told["rows"]] == [
        ("2027-01-15", "inside"), ("2027-01-16", "inside")]
    assert told["unexplained"] == 0


def test_an_open_attempt_may_cost_up_to_its_ceilings(book):
    book.attempt(100, 7, closed=False)
    told = book.against(openai(USED | {"input_cached_tokens": 0}), keys={"key_a": "main"})

    fields = only(told)["fields"]
    assert fields["input_tokens"]["interval"] == [0, 4096]
    assert fields["output_tokens"]["explained"][0]["cause"] == "open"
    assert told["unexplained"] == 0


def test_no_bound_explains_any_number_upwards(book):
    book.attempt(100, 7, low=7, high=UNBOUNDED, cached=40, provenance=PROVENANCE_COUNTED)
    output = only(book.against(openai(USED | {"output_tokens": 10**9}),
                               keys={"key_a": "main"}))["fields"]["output_tokens"]

    assert (output["interval"], output["verdict"]) == ([7, None], "inside")


def test_anthropics_cache_writes_are_compared_too(book):
    book.attempt(37, 5, cached=20, write=4, write_1h=3, what=CLAUDE_DIMS)
    told = book.against(anthropic(CLAUDE), keys={"apikey_01": "main"}, providers=("anthropic",))

    assert only(told)["verdict"] == "equal" and list(only(told)["fields"]) == [
        "input_tokens", "cached_input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
        "output_tokens"]


def test_lifetimes_of_cache_writes_that_are_swapped_are_not_equal(book):
    """One of an hour is 1.6 times as dear: their sum alone would hide it."""
    book.attempt(37, 5, cached=20, write=3, write_1h=4, what=CLAUDE_DIMS)
    row = only(book.against(anthropic(CLAUDE), keys={"apikey_01": "main"},
                            providers=("anthropic",)))

    assert row["verdict"] == "unexplained"
    assert {name: one["unexplained"] for name, one in row["fields"].items()
            if one["difference"]} == {"cache_write_5m_tokens": 1, "cache_write_1h_tokens": -1}


@pytest.mark.parametrize("mixed", [False, True])
def test_where_a_report_does_not_tell_them_apart_they_are_compared_together(book, mixed):
    old = CLAUDE_CSV.replace(b"_cache_write_5m,usage_input_tokens_cache_write_1h", b"_cache_write")
    raw = old.replace(b"200k,10,4,3,20", b"200k,10,7,20")
    book.attempt(37, 5, cached=20, write=3, write_1h=4, what=CLAUDE_DIMS)
    export = read_export(raw, "f")
    if mixed:
        export.billed += read_export(CLAUDE_CSV, "f").billed
        book.attempt(37, 5, cached=20, write_1h=7, what=CLAUDE_DIMS)
    book.step()
    told = reconcile(book.folder, export, keys={"apikey_01": "main"}, providers=("anthropic",))

    assert only(told)["verdict"] == "equal"
    assert list(only(told)["fields"]) == [
        "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens"]
    assert any("lifetimes of cache writes" in note for note in told["notes"]) == mixed


def test_the_provider_whose_bill_it_is_must_be_clear(book):
    book.attempt(1, 1, what=dims(provider="groq"))
    book.attempt(1, 1, what=dims(provider="anthropic"))
    with pytest.raises(LedgerError, match=r"name those .* with --provider \(anthropic, groq\)"):
        book.against(openai(USED))
    with pytest.raises(LedgerError, match="no provider 'openay'; it knows: anthropic, groq"):
        reconcile(book.folder, read_export(openai(USED), "f"), providers=("openay",))


def test_what_was_billed_before_the_ledger_began_is_said(book):
    book.attempt(100, 7, at=T0, cached=40)
    told = book.against(openai(USED))

    assert any("the ledger begins at 2027-01-15T08:00" in note for note in told["notes"])


def test_what_waits_in_the_spill_log_counts_and_is_said(book):
    book.attempt(60, 4, cached=40)
    book.step()
    book.attempt(40, 3)
    book.attempt(1, 1, closed=False)
    book.spilled()
    before = book.so_far(openai(USED), keys={"key_a": "main"})
    after = book.against(openai(USED), keys={"key_a": "main"})

    assert only(before) == only(after) and only(before)["requests"]["ledger"] == 3
    assert "3 records that the store does not have yet" in before["notes"][0]
    assert not any("spill" in note for note in after["notes"])


def test_books_of_all_instances_are_one_sides(postgres, folders, tmp_path, monkeypatch):
    url = Secret(postgres.database())
    monkeypatch.setitem(globals(), "Paths", partial(Paths, store=url))
    (tmp_path / "b").mkdir()
    first, second = Book(folders), Book((tmp_path / "b", tmp_path / "rings-b"))
    first.attempt(60, 4, cached=40)
    second.attempt(40, 3)  # of the same request id
    first.step()
    second.step()
    told = first.so_far(openai(USED), keys={"key_a": "main"})
    alone = first.so_far(openai(USED), keys={"key_a": "main"}, instance="self")

    assert only(told)["verdict"] == "equal" and only(told)["requests"]["ledger"] == 2
    assert only(alone)["verdict"] == "unexplained" and only(alone)["requests"]["ledger"] == 1


def test_a_report_by_service_tier_shows_which_side_says_which(book):
    """What costs more at the provider than here although all its tokens are known."""
    book.attempt(60, 4, cached=40, what=replace(dims(), tier=TIERS.index("flex")))
    book.attempt(40, 3)
    parts = ({"input_tokens": 60, "output_tokens": 4, "service_tier": "priority"},
             {"input_tokens": 40, "input_cached_tokens": 0, "output_tokens": 3,
              "service_tier": "default"})
    told = book.against(openai(*(USED | part for part in parts)), keys={"key_a": "main"})

    assert only(told)["verdict"] == "equal"
    assert [(one["service_tier"], one["billed"], one["ledger"])
            for one in told["service_tiers"]] == [
        ("flex", 0, 64), ("priority", 64, 0), ("standard", 43, 43)]
    assert [note for note in told["notes"] if "standard" in note] == []
    assert any("priority: billed 64 tokens, 0 by" in note for note in told["notes"])


def test_a_report_without_tiers_says_nothing_of_them(book):
    book.attempt(100, 7, cached=40)
    told = book.against(openai(USED), keys={"key_a": "main"})

    assert told["service_tiers"] == []
