"""Usage out of the roll-ups, as `fastgw usage` and `/api/usage` show it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from fastgw.dialect.names import DIALECTS, OPERATIONS
from fastgw.errors import LedgerError
from fastgw.ledger.names import Names
from fastgw.ledger.records import NAME_LABEL, NAME_MODEL, NAME_PROVIDER, NAME_USER
from fastgw.ledger.schema import SUMS, unsigned
from fastgw.ledger.vocabulary import word

MINUTE_NS = 60_000_000_000
_TIMES = {"minute": 1, "hour": 60, "day": 1440}
# Columns of `dims` that are name hashes, with the space of their names.
_HASHED = {
    "model": NAME_MODEL,
    "provider": NAME_PROVIDER,
    "upstream_model": NAME_MODEL,
    "user": NAME_USER,
}
_DIMS = (
    "account",
    "model",
    "provider",
    "upstream_model",
    "user",
    "label0",
    "label1",
    "label2",
    "label3",
    "dialect",
    "operation",
    "stream",
)

Cell = Callable[[dict[str, int]], Any]


def sum_usage(
    connection: sqlite3.Connection,
    since_ns: int | None,
    until_ns: int | None,
    by: Sequence[str],
    labels: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Rows of [since, until), grouped by ``by``, in whole minutes. Raises LedgerError: unknown
    ``by``.

    ``labels`` are the configured names, in their order: records hold only the values.
    """
    names = Names(connection)
    cells = {name: _cell(name, names, labels) for name in by}
    step = min((_TIMES[name] for name in by if name in _TIMES), default=0)
    rows: dict[tuple[Any, ...], list[int]] = {}
    for dims, sums in _read(connection, since_ns, until_ns, step):
        key = tuple(cell(dims) for cell in cells.values())
        total = rows.setdefault(key, [0] * len(SUMS))
        for index, number in enumerate(sums):
            total[index] += number
    if not by and not rows:
        rows[()] = [0] * len(SUMS)
    made = [dict(zip(by, key, strict=True)) | shape(total) for key, total in rows.items()]
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
    outputs = tokens["output"] + tokens["reasoning"] + tokens["audio_output"]
    return {
        "input_tokens": inputs,
        "cached_input_tokens": tokens["cached_input"],
        "cache_write_tokens": cache_write,
        "output_tokens": outputs,
        "reasoning_tokens": tokens["reasoning"],
        "total_tokens": inputs + outputs,
    }


def _read(
    connection: sqlite3.Connection, since_ns: int | None, until_ns: int | None, step: int
) -> Iterator[tuple[dict[str, int], tuple[int, ...]]]:
    """(dims with their time bucket, sums), summed over minutes before names are looked up."""
    first = 0 if since_ns is None else since_ns // MINUTE_NS
    last = 2**62 if until_ns is None else -(-until_ns // MINUTE_NS)
    bucket = f"minute / {step} * {step}" if step else "0"
    sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
    cursor = connection.execute(
        f"SELECT bucket, {', '.join('dims.' + name for name in _DIMS)}, "
        f"{', '.join('summed.' + name for name in SUMS)} FROM ("
        f"SELECT {bucket} AS bucket, dims AS id, {sums} FROM rollup "
        "WHERE minute >= ? AND minute < ? GROUP BY 1, 2) AS summed JOIN dims USING (id)",
        (first, last),
    )
    for row in cursor:
        dims = dict(zip(_DIMS, map(unsigned, row[1 : 1 + len(_DIMS)]), strict=True))
        yield dims | {"bucket": row[0]}, row[1 + len(_DIMS) :]


def _cell(name: str, names: Names, labels: Sequence[str]) -> Cell:
    """How one column of the answer is found in a dims row."""
    if name in _TIMES:
        minutes = _TIMES[name]
        return lambda dims: _time(dims["bucket"] // minutes * minutes)
    if name in _HASHED:
        return lambda dims: names.text(_HASHED[name], dims[name])
    if name == "key":
        return lambda dims: names.account(dims["account"]).get("id", "")
    if name == "dialect":
        return lambda dims: word(DIALECTS, dims["dialect"])
    if name == "operation":
        return lambda dims: word(OPERATIONS, dims["operation"])
    if name == "stream":
        return lambda dims: bool(dims["stream"])
    part, _, field = name.partition(".")
    if part in ("owner", "tags") and field:
        return lambda dims: _member(names.account(dims["account"]), part, field)
    return _label_or_owner(name, names, labels)


def _label_or_owner(name: str, names: Names, labels: Sequence[str]) -> Cell:
    if not name.replace("-", "_").isidentifier():
        raise LedgerError(
            f"usage cannot be grouped by {name!r}: use key, model, provider, upstream_model, "
            "user, dialect, operation, stream, minute, hour, day, team, owner.*, tags.* or a "
            "label's name"
        )

    index = list(labels).index(name) if name in labels else -1

    def cell(dims: dict[str, int]) -> str:
        # A configured name is a label's and nothing else's: what clients send as a label's value
        # must never pass for the owner of a key.
        if index >= 0:
            return names.text(NAME_LABEL, dims[f"label{index}"])
        return _member(names.account(dims["account"]), "owner", name)

    return cell


def _member(account: dict[str, Any], part: str, field: str) -> str:
    """`team` is an owner's member; a tag where the owner has none of that name."""
    for place in (part, "tags"):
        found = (account.get(place) or {}).get(field)
        if found is not None:
            return str(found)
    return ""


def _time(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
