"""Usage out of the roll-ups, as `fastgw usage` and `/api/usage` show it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from fastgw.config.schema import GROUPS
from fastgw.dialect.names import DIALECTS, OPERATIONS
from fastgw.errors import LedgerError
from fastgw.ledger.database import RANGE_BITS, Database
from fastgw.ledger.names import Names
from fastgw.ledger.records import NAME_LABEL, NAME_MODEL, NAME_PROVIDER, NAME_USER
from fastgw.ledger.schema import ROLLUPS, SUMS, SUMS_4, unsigned, version_of
from fastgw.ledger.vocabulary import TIERS, word

MINUTE_NS = 60_000_000_000
INSTANCE = "instance"  # of ``by``: which of those that share the database
_TIMES = {"minute": 1, "hour": 60, "day": 1440}
# Columns of `dims` that are name hashes, with the space of their names.
_HASHED = {
    "model": NAME_MODEL,
    "provider": NAME_PROVIDER,
    "upstream_model": NAME_MODEL,
    "user": NAME_USER,
}


class GroupError(LedgerError):
    """Usage cannot be grouped by what was asked."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the answer: the columns of `dims` it is made of, and how."""

    needs: tuple[str, ...]
    show: Callable[[dict[str, int]], Any]


def sum_usage(
    database: Database,
    since_ns: int | None,
    until_ns: int | None,
    by: Sequence[str],
    labels: Sequence[str] = (),
    key: str | None = None,
    within: Sequence[int] = (),
) -> list[dict[str, Any]]:
    """Rows of [since, until), grouped by ``by``, in whole minutes. Raises GroupError: unknown
    ``by``; LedgerError.

    ``labels`` are the configured names, in their order: records hold only the values. ``key``:
    what was used with this one alone; others' rows are not even read. ``within``: the instances
    whose usage it is; none: all that the database has.
    """
    names, by = Names(database), list(dict.fromkeys(by))
    step = min((_TIMES[name] for name in by if name in _TIMES), default=0)
    rows: dict[tuple[Any, ...], list[int]] = {}
    with database.snapshot():  # rows move on to coarser tables meanwhile
        accounts = None if key is None else names.accounts_of(key)
        columns = {name: _column(name, names, labels, accounts) for name in by}
        needs = sorted({need for column in columns.values() for need in column.needs})
        read = _Reading(database, since_ns, until_ns, step, needs, within, accounts)
        for dims, sums in read.rows():
            group = tuple(column.show(dims) for column in columns.values())
            total = rows.setdefault(group, [0] * len(SUMS))
            for index, number in enumerate(sums):
                total[index] += number
    if not by and not rows:
        rows[()] = [0] * len(SUMS)
    made = [dict(zip(by, group, strict=True)) | shape(total) for group, total in rows.items()]
    return sorted(made, key=lambda row: tuple(str(row[name]) for name in by))


def shape(sums: Sequence[int]) -> dict[str, Any]:
    """Summed columns as INTERFACE section 5 has them."""
    row = dict(zip(SUMS, sums, strict=True))
    shown = normalise(row)
    return {
        "requests": row["requests"],
        "attempts": row["attempts"],
        "denied": row["denied"],
        **shown,
        # A sum that leaves unknown prices out would be read as the whole: null, with what is
        # known.
        "cost_nano_usd": None if row["cost_unknown"] else row["cost_nano_usd"],
        "cost_nano_usd_known": row["cost_nano_usd"],
        "attempts_without_price": row["cost_unknown"],
        "images": row["images"],
        "audio_seconds": row["audio_ms"] / 1000,
        "characters": row["characters"],
        "searches": row["searches"],
        "interval": {
            "input_tokens": [row["input_low"], row["input_high"]],
            "output_tokens": [row["output_low"], None if row["unbounded"] else row["output_high"]],
        },
    }


def normalise(tokens: dict[str, int]) -> dict[str, int]:
    """Disjoint classes to the fields people know: input includes cached and cache writes, output
    includes reasoning."""
    cache_write = tokens["cache_write"] + tokens["cache_write_1h"]
    inputs = tokens["input"] + tokens["cached_input"] + cache_write + tokens["audio_input"]
    inputs += tokens["image_input"]
    outputs = tokens["output"] + tokens["reasoning"] + tokens["audio_output"]
    outputs += tokens["image_output"]
    return {
        "input_tokens": inputs,
        "cached_input_tokens": tokens["cached_input"],
        "cache_write_tokens": cache_write,
        "output_tokens": outputs,
        "reasoning_tokens": tokens["reasoning"],
        "total_tokens": inputs + outputs,
    }


def rollups_of(version: int) -> tuple[tuple[str, int], ...]:
    """The tables of roll-ups that a ledger of this version has."""
    return ROLLUPS if version >= 3 else ROLLUPS[:1]


@dataclass(slots=True)
class _Reading:
    """Rows summed by the database to what the answer needs to tell apart."""

    database: Database
    since_ns: int | None
    until_ns: int | None
    step: int
    needs: Sequence[str]
    within: Sequence[int]
    accounts: Sequence[int] | None  # None: of all

    def rows(self) -> Iterator[tuple[dict[str, int], tuple[int, ...]]]:
        """({column of dims, and "bucket": its value}, sums)."""
        version = version_of(self.database) or 0
        later = () if version >= 4 else (*SUMS_4, "tier")  # columns not there yet: all 0
        for table, _ in rollups_of(version):
            for row in self._of(table, later):
                values = map(unsigned, row[1 : 1 + len(self.needs)])
                found = dict(zip(self.needs, values, strict=True))
                yield found | {"bucket": row[0]}, row[1 + len(self.needs) :]

    def _of(self, table: str, later: Sequence[str]) -> list[tuple[Any, ...]]:
        first = 0 if self.since_ns is None else self.since_ns // MINUTE_NS
        last = 2**40 if self.until_ns is None else -(-self.until_ns // MINUTE_NS)
        bucket = f"minute / {self.step} * {self.step}" if self.step else "0"
        cells = {name: f'dims."{name}"' for name in self.needs}
        cells |= {INSTANCE: f"{table}.dims >> {RANGE_BITS}"} | dict.fromkeys(later, "0")
        quoted = "".join(f", {cells[name]}" for name in self.needs)
        sums = ", ".join(
            f"{0 if name in later else f'CAST(sum({name}) AS BIGINT)'} AS {name}" for name in SUMS
        )
        joined, of_key = table, ""
        if self.needs or self.accounts is not None:
            joined = f"{table} JOIN dims ON dims.id = {table}.dims"
        if self.accounts is not None:
            of_key = f"AND dims.account IN ({', '.join(map(str, self.accounts)) or 'NULL'}) "
        mine = [self.database.of(number) for number in self.within]
        ranges = " OR ".join([f"{table}.dims BETWEEN ? AND ?"] * len(mine)) or "1 = 1"
        ends = [end for one in mine for end in (one.first, one.last)]
        return self.database.rows(
            f"SELECT {bucket} AS bucket{quoted}, {sums} FROM {joined} "
            f"WHERE minute >= ? AND minute < ? AND ({ranges}) {of_key}"
            f"GROUP BY {', '.join(map(str, range(1, 2 + len(self.needs))))}",
            first, last, *ends,
        )


def _column(
    name: str, names: Names, labels: Sequence[str], accounts: Sequence[int] | None
) -> Column:
    if name in _TIMES:
        minutes = _TIMES[name]
        return Column((), lambda dims: _time(dims["bucket"] // minutes * minutes))
    if name in _HASHED:
        return Column((name,), lambda dims: names.text(_HASHED[name], dims[name]))
    if name == INSTANCE:
        known = names.database.instances()
        return Column((name,), lambda dims: known.get(dims[INSTANCE], f"#{dims[INSTANCE]}"))
    if name == "key":
        return Column(("account",), lambda dims: names.account(dims["account"]).get("id", ""))
    if name == "dialect":
        return Column((name,), lambda dims: word(DIALECTS, dims["dialect"]))
    if name == "service_tier":
        return Column(("tier",), lambda dims: word(TIERS, dims["tier"]))
    if name == "operation":
        return Column((name,), lambda dims: word(OPERATIONS, dims["operation"]))
    if name == "stream":
        return Column((name,), lambda dims: bool(dims["stream"]))
    part, _, field = name.partition(".")
    if part in ("owner", "tags") and field:
        return Column(
            ("account",), lambda dims: _member(names.account(dims["account"]), part, field)
        )
    return _label_or_owner(name, names, labels, accounts)


def _label_or_owner(
    name: str, names: Names, labels: Sequence[str], accounts: Sequence[int] | None
) -> Column:
    # A configured name is a label's and nothing else's: what clients send as a label's value
    # must never pass for the owner of a key.
    if name in labels:
        label = f"label{list(labels).index(name)}"
        return Column((label,), lambda dims: names.text(NAME_LABEL, dims[label]))
    known = names.accounts(accounts)
    members = {"team"} | {
        field for account in known for part in ("owner", "tags")
        for field in account.get(part) or ()
    }
    if not name.replace("-", "_").isidentifier() or (known and name not in members):
        raise GroupError(_not_a_group(name, {*GROUPS, *labels, *members}, labels))
    return Column(
        ("account",), lambda dims: _member(names.account(dims["account"]), "owner", name)
    )


def _not_a_group(name: str, known: Collection[str], labels: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return (
        f"usage cannot be grouped by {name!r}{meant}: use {', '.join(GROUPS)}, what keys have as "
        "owner or tags (team, owner.*, tags.*), or a label's name"
        + (f" ({', '.join(labels)})" if labels else "")
    )


def _member(account: dict[str, Any], part: str, field: str) -> str:
    """`team` is an owner's member; a tag where the owner has none of that name."""
    for place in (part, "tags"):
        found = (account.get(place) or {}).get(field)
        if found is not None:
            return str(found)
    return ""


def _time(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
