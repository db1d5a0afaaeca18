"""Attempts one by one, as exports and `fastgw usage --attempts` have them: out of the batches,
in the order stored, from a cursor on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from fastgw.dialect.names import DIALECTS, OPERATIONS
from fastgw.ledger.decision import estimates
from fastgw.ledger.names import Names
from fastgw.ledger.query import Ledger
from fastgw.ledger.records import (
    CLOSE,
    FATE_WORKER_LOST,
    NAME_LABEL,
    NAME_MODEL,
    NAME_PROVIDER,
    NAME_USER,
    UNBOUNDED,
    Close,
    Name,
    RequestId,
    Tokens,
    is_quote,
    split,
)
from fastgw.ledger.vocabulary import FATES, PROVENANCES, TIERS, word

# The first of the classes; those of pictures came later, and stand behind.
_CLASSES = tuple(name for name in Tokens.__slots__ if not name.startswith("image_"))
# A name may be recorded a moment after the record that uses it (another ring).
_NAMES_LATE_NS = 5_000_000_000


@dataclass(slots=True)
class Group:
    """What comes next. ``batch``: the cursor when all of it is delivered."""

    batch: int
    events: list[dict[str, Any]] = field(default_factory=list)
    skipped: int = 0  # batches that retention took away before they were read


def event_of(close: Close, names: Names, quotes: Sequence[str] = ()) -> dict[str, Any]:
    """One attempt. ``id`` is the same whenever it is sent: who has it has this attempt. Tokens are
    the disjoint classes; what is not known is None. ``quotes``: what its provider said of its
    usage, which goes on letter by letter."""
    account = names.account(close.dims.account) if close.dims.account else {}
    return {
        "id": f"{close.id}/{close.attempt}",
        "request_id": str(close.id),
        "attempt": close.attempt,
        "final": bool(close.final),
        "time_unix_nano": close.wall_ns,
        "started_unix_nano": close.started_ns or close.wall_ns,
        "key": account.get("id", ""),
        "owner": _texts(account.get("owner")),
        "tags": _texts(account.get("tags")),
        "user": names.text(NAME_USER, close.dims.user),
        "labels": [names.text(NAME_LABEL, label) for label in close.dims.labels],
        "model": names.text(NAME_MODEL, close.dims.model),
        "provider": names.text(NAME_PROVIDER, close.dims.provider),
        "upstream_model": names.text(NAME_MODEL, close.dims.upstream_model),
        "dialect": word(DIALECTS, close.dims.dialect),
        "operation": word(OPERATIONS, close.dims.operation),
        "stream": bool(close.dims.stream),
        "status": close.status,
        "fate": word(FATES, close.fate),
        "code": f"FGW-{close.code:03d}" if close.code else "",
        **{name: getattr(close.tokens, name) for name in _CLASSES},
        "provenance": word(PROVENANCES, close.provenance),
        "input_low": close.input_low,
        "input_high": close.input_high,
        "output_low": close.output_low,
        "output_high": None if close.output_high == UNBOUNDED else close.output_high,
        "cost_nano_usd": close.cost_nano_usd,
        "price_version": close.price_version,
        "events": close.events,
        "bytes_in": close.bytes_in,
        "bytes_out": close.bytes_out,
        "overrun_tokens": close.overrun_tokens,
        "overrun_nano_usd": close.overrun_nano_usd,
        "service_tier": word(TIERS, close.dims.tier),
        "image_input": close.tokens.image_input,
        "image_output": close.tokens.image_output,
        **asdict(close.units),
        "provider_usage": [_verbatim(quote) for quote in quotes],
        "estimates": estimates(close),
    }


def _verbatim(quote: str) -> orjson.Fragment | str:
    """JSON as it came; a text where it was longer than what is kept of it."""
    try:
        orjson.loads(quote)
    except orjson.JSONDecodeError:
        return quote
    return orjson.Fragment(quote)


def _texts(members: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in (members or {}).items()}


# Of an event, in its order.
COLUMNS = tuple(event_of(Close(RequestId(0, 0, 0), 0), Names(None)))  # type: ignore[arg-type]


class Events:
    """The attempts of one ledger, for one reader."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._names = Names(ledger.database)

    def cursor(self, export: str) -> int:
        """Up to which batch this export has delivered all."""
        return self._ledger.exported(export)

    def after(self, batch: int, events_max: int) -> Group:
        """What comes behind ``batch``: whole batches, until there are ``events_max`` or more."""
        group = Group(batch)
        for number, wall_last, records in self._ledger.batches(after=batch):
            events = list(self._of(records))
            if wall_last > time.time_ns() - _NAMES_LATE_NS and any(map(_unnamed, events)):
                self._names = Names(self._ledger.database)  # it keeps what it did not find
                break
            if group.batch > self._ledger.database.first:
                group.skipped += number - group.batch - 1
            group.batch = number
            group.events += events
            if len(group.events) >= events_max:
                break
        return group

    def between(self, since_ns: int, until_ns: int | None) -> Iterator[dict[str, Any]]:
        """The attempts that ended in [since, until)."""
        for _, wall_last, records in self._ledger.batches():
            if wall_last < since_ns:
                continue
            for event in self._of(records):
                ended = event["time_unix_nano"]
                if ended >= since_ns and (until_ns is None or ended < until_ns):
                    yield event

    def _of(self, records: bytes) -> Iterator[dict[str, Any]]:
        """A worker posts an attempt's quotes right before its CLOSE, so they are in the same
        batch, unless that begins between the two; or the worker died there, and the supervisor's
        sweep has closed the attempt. Then they are looked for where `explain` finds them."""
        quotes: list[Name] = []
        begins = True  # nothing but quotes so far
        for raw in split(records):
            if is_quote(raw):
                quotes.append(Name.unpack(raw))
                continue
            if raw[4] == CLOSE:
                close = Close.unpack(raw)
                if close.attempt:
                    apart = begins or close.fate == FATE_WORKER_LOST
                    near = self._ledger.quotes(close.id) if apart else quotes
                    yield event_of(close, self._names, [
                        one.text for one in near
                        if one.id == close.id and one.hash0 == close.attempt])
            quotes.clear()
            begins = False


def _unnamed(event: dict[str, Any]) -> bool:
    named = (event["key"], event["model"], event["provider"], event["upstream_model"],
             event["user"], *event["labels"])
    return any(name.startswith("?") for name in named)
