"""The ledger beside a provider's own books: what differs, and which attempts explain it.

Both sides are summed by day (UTC), model and provider key. An attempt whose usage the provider
told has one number; every other has an interval with a point in it (counted, estimated, cut,
lost). So the sums of the ledger are intervals too: what was billed must lie within, and how far it
lies from the point is allotted to the attempts with room, those that ended badly first. A call
that ran over the edge of a bucket may be billed on either side of it.

A difference inside the intervals is explained; what lies outside is not: calls that never passed
here, an attempt billed twice, a report that is not complete yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from fastgw.dialect.names import DIALECTS, OPERATIONS
from fastgw.errors import LedgerError
from fastgw.ledger.decision import instant
from fastgw.ledger.exports import CACHE_WRITE, DAY_NS, FIELDS, LIFETIMES, Export, day_of
from fastgw.ledger.names import Names
from fastgw.ledger.query import Ledger
from fastgw.ledger.records import (
    CLOSE,
    CLOSE_ASKED,
    FATE_DELIVERED,
    NAME_MODEL,
    NAME_PROVIDER,
    NAME_PROVIDER_KEY,
    OPEN,
    PROVENANCE_PROVIDER,
    UNBOUNDED,
    Close,
    Open,
    split,
    unpack_record,
)
from fastgw.ledger.spill import waiting
from fastgw.ledger.usage import normalise
from fastgw.ledger.vocabulary import FATES, PROVENANCES, TIERS, word

EXACT, OVER_EDGE = "exact", "over a bucket's edge"
# The order in which a difference is allotted: what ended badly before what was only counted.
_CAUSES = ("worker lost", "open", "cut by client", "cut by cap", "failed in stream",
           "failed before first byte", "retried away", "estimated", "counted", OVER_EDGE, EXACT)
_SNAPSHOT = re.compile(r"-(\d{4}-\d\d-\d\d|\d{8}|latest)$")


@dataclass(slots=True)
class Span:
    """A sum of intervals. ``high`` None: no bound known."""

    low: int = 0
    point: int = 0
    high: int | None = 0

    def add(self, other: Span) -> None:
        self.low += other.low
        self.point += other.point
        bounded = self.high is not None and other.high is not None
        self.high = (self.high or 0) + (other.high or 0) if bounded else None

    def room(self, upwards: bool) -> int | None:
        """How far the truth may lie from the point; None: no bound."""
        if not upwards:
            return self.point - self.low
        return None if self.high is None else self.high - self.point


@dataclass(slots=True)
class Part:
    """The attempts of one cause in one group."""

    attempts: int = 0
    spans: dict[str, Span] = field(default_factory=lambda: {name: Span() for name in FIELDS})

    def add(self, attempts: int, spans: dict[str, Span]) -> None:
        self.attempts += attempts
        for name, span in spans.items():
            self.spans[name].add(span)


@dataclass(slots=True)
class Group:
    """One day, model and key, on both sides."""

    billed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FIELDS, 0))
    requests: int | None = None
    parts: dict[str, Part] = field(default_factory=dict)


# (day, model, key, cause) of the ledger's side
Sums = dict[tuple[str, str, str, str], Part]


def reconcile(
    data_dir: Path,
    export: Export,
    *,
    providers: tuple[str, ...] = (),
    keys: dict[str, str] | None = None,
    instance: str | None = None,
) -> dict[str, Any]:
    """{"provider", "since", "until", "rows", "unexplained", "service_tiers", "notes"}; a row per
    day, model, key.

    ``providers``: of the ledger; empty: the one that has the export's name or dialect.
    ``keys``: the export's name of a key -> the gateway's. ``instance``: as of `Ledger.usage`.
    What waits in the spill log of ``data_dir`` counts as well. Raises LedgerError.
    """
    with Ledger(data_dir) as ledger:
        book = _Book(data_dir, ledger, export, instance)
        chosen = book.choose(providers)
        sums = book.sums(chosen)
        tiers = _tiers(export, {key: n for key, n in book.tiers.items() if key[0] in chosen})
    notes = [*export.notes, *book.notes]
    tokens = _of_one_kind(export, notes)
    groups = _match(export, tokens, sums, keys or {}, notes)
    told = tuple(name for name in FIELDS if any(name in one for one in tokens))
    rows = [_row(*at, group, told or FIELDS) for at, group in sorted(groups.items())]
    return {
        "provider": sorted(chosen),
        "since": day_of(export.start_ns),
        "until": day_of(export.end_ns - 1),
        "rows": rows,
        "unexplained": sum(row["verdict"] == "unexplained" for row in rows),
        "service_tiers": tiers,
        "notes": notes + [
            f"{one['day']} {one['model'] or '(all)'}, {one['service_tier']}: billed "
            f"{one['billed']:,} tokens, {one['ledger']:,} by the answers' own words"
            for one in tiers if one["billed"] != one["ledger"]
        ],
    }


def _of_one_kind(export: Export, notes: list[str]) -> list[dict[str, int]]:
    """The tokens of each result, all with the same fields for cache writes."""
    told = {name for one in export.billed for name in one.tokens}
    if CACHE_WRITE not in told or told.isdisjoint(LIFETIMES.values()):
        return [one.tokens for one in export.billed]
    notes.append("a part of the report does not tell the lifetimes of cache writes apart: they "
                 "are compared together")
    return [one.together() for one in export.billed]


def _tiers(
    export: Export, ours: dict[tuple[str, str, str, str], int]
) -> list[dict[str, Any]]:
    """Tokens in and out by day, model and service tier, where the report tells tiers: what
    explains a bill in money whose tokens are right."""
    if not any(one.tier for one in export.billed):
        return []
    by_model = any(one.model for one in export.billed)
    found: dict[tuple[str, str, str], list[int]] = {}

    def add(day: str, model: str, tier: str, side: int, tokens: int) -> None:
        at = (day, _SNAPSHOT.sub("", model) if by_model else "", tier)
        found.setdefault(at, [0, 0])[side] += tokens

    for one in export.billed:
        tokens = one.tokens["input_tokens"] + one.tokens["output_tokens"]
        tier = one.tier or "standard"
        add(one.day, one.model or "", "standard" if tier == "default" else tier, 0, tokens)
    for (_, day, model, tier), tokens in ours.items():
        add(day, model, tier, 1, tokens)
    return [
        {"day": day, "model": model or None, "service_tier": tier, "billed": sides[0],
         "ledger": sides[1]}
        for (day, model, tier), sides in sorted(found.items())
    ]  # fmt: skip


class _Book:
    """The ledger's attempts within what an export covers."""

    def __init__(
        self, data_dir: Path, ledger: Ledger, export: Export, instance: str | None
    ) -> None:
        self._export = export
        self._sums: dict[tuple[str, str, str, str, str], Part] = {}
        self.tiers: dict[tuple[str, str, str, str], int] = {}
        self._dialects: dict[str, set[str]] = {}
        self._known = {text for _, _, _, text in ledger.names(NAME_PROVIDER)}
        self._names = Names(ledger.database)
        self.notes: list[str] = []
        begins: list[int] = []
        with ledger.database.snapshot():  # what leaves the spill meanwhile is not seen twice
            for view in ledger.views(instance):
                own = view.database.instance == ledger.database.instance
                spilled = _spilled(data_dir, view) if own else []
                if spilled:
                    self.notes.append(
                        f"{len(spilled)} records that the store does not have yet are read from "
                        "the spill log"
                    )
                for close, key in _attempts(view, export, spilled):
                    self._add(close, key)
                begin = view.begins_ns()
                begins += [] if begin is None else [begin]
        begin = min(begins, default=0)
        if begin > export.start_ns:
            self.notes.append(
                f"the ledger begins at {instant(begin)}, after the export does: what was billed "
                "before stays unexplained"
            )

    def _add(self, close: Close, key: int) -> None:
        operation = word(OPERATIONS, close.dims.operation)
        if self._export.operations and operation not in self._export.operations:
            return
        provider = self._names.text(NAME_PROVIDER, close.dims.provider)
        dialect = word(DIALECTS, close.dims.dialect)
        self._dialects.setdefault(dialect, set()).add(provider)
        model = self._names.text(NAME_MODEL, close.dims.upstream_model)
        key_name = self._names.text(NAME_PROVIDER_KEY, key)
        for day, cause, spans in _placed(close, self._export):
            at = (provider, day, model, key_name, cause)
            self._sums.setdefault(at, Part()).add(1, spans)
            tiered = (provider, day, model, word(TIERS, close.dims.tier))
            tokens = spans["input_tokens"].point + spans["output_tokens"].point
            self.tiers[tiered] = self.tiers.get(tiered, 0) + tokens

    def choose(self, asked: tuple[str, ...]) -> set[str]:
        unknown = set(asked) - self._known
        if unknown:
            raise LedgerError(
                f"the ledger knows no provider {sorted(unknown)[0]!r}; it knows: "
                f"{', '.join(sorted(self._known)) or 'none'}"
            )
        if asked:
            return set(asked)
        found = self._dialects.get(self._export.dialect, set())
        if self._export.dialect in found or not found:
            return {self._export.dialect}
        if len(found) > 1:
            raise LedgerError(
                f"several providers speak {self._export.dialect}: name those whose bill this is "
                f"with --provider ({', '.join(sorted(found))})"
            )
        return set(found)

    def sums(self, providers: set[str]) -> Sums:
        made: Sums = {}
        for (provider, *rest), part in self._sums.items():
            if provider in providers:
                day, model, key, cause = rest
                made.setdefault((day, model, key, cause), Part()).add(part.attempts, part.spans)
        return made


def _spilled(data_dir: Path, ledger: Ledger) -> list[bytes]:
    """Records that wait in the spill log. What the supervisor swept is settled when it is stored:
    until then such an attempt is open."""
    return [
        raw
        for span in waiting(data_dir, ledger.acked()) if not span.from_supervisor
        for raw in split(span.records) if raw[4] in (OPEN, CLOSE)
    ]


def _attempts(
    ledger: Ledger, export: Export, spilled: list[bytes]
) -> Iterator[tuple[Close, int]]:
    """(CLOSE, hash of the provider's key) of every attempt that may touch what the export
    covers; one that is still open may cost what its OPEN allows."""
    opened: dict[tuple[str, int], Open] = {}
    late: dict[tuple[str, int], Close] = {}
    stored = ledger.records(since_ns=export.start_ns - DAY_NS, until_ns=export.end_ns + DAY_NS)
    still = {(one["request_id"], one["attempt"]) for one in ledger.open_attempts()}
    for raw in chain(stored, spilled):
        if raw[4] not in (OPEN, CLOSE):
            continue
        one = unpack_record(raw)
        assert isinstance(one, Open | Close)
        at = (str(one.id), one.attempt)
        if isinstance(one, Open):
            if at in late:
                yield late.pop(at), one.provider_key
            else:
                opened[at] = one
        elif one.attempt and one.flags & CLOSE_ASKED:
            before = opened.pop(at, None)
            if before is None:  # of a sweep, stored before what the worker had posted
                late[at] = one
            else:
                yield one, before.provider_key
        else:
            opened.pop(at, None)
    yield from ((close, 0) for close in late.values())
    still |= {(str(one.id), one.attempt) for one in map(Open.unpack, filter(_opens, spilled))}
    for at, one in opened.items():
        if at in still:
            yield _as_open(one, export.end_ns), one.provider_key


def _opens(raw: bytes) -> bool:
    return raw[4] == OPEN


def _as_open(one: Open, until_ns: int) -> Close:
    return Close(
        one.id, max(one.wall_ns, until_ns - 1), one.attempt, 0, one.dims,
        input_high=one.input_high, output_high=one.output_high, started_ns=one.wall_ns,
    )


def _cause(close: Close) -> str:
    if close.fate != FATE_DELIVERED:
        spans = _spans(close).values()
        certain = all(span.low == span.high for span in spans)
        return EXACT if certain else word(FATES, close.fate)
    if close.provenance == PROVENANCE_PROVIDER:
        return EXACT
    return word(PROVENANCES, close.provenance)


def _placed(close: Close, export: Export) -> Iterator[tuple[str, str, dict[str, Span]]]:
    """(day, cause, spans): once; or, where it ran over an edge, for each side it may be on."""
    start, end = close.started_ns or close.wall_ns, close.wall_ns
    inside = [export.start_ns <= at < export.end_ns for at in (start, end)]
    spans, cause = _spans(close), _cause(close)
    if all(inside) and day_of(start) == day_of(end):
        yield day_of(start), cause, spans
        return
    cause = OVER_EDGE if cause == EXACT else cause
    if inside[0]:
        yield day_of(start), cause, {
            name: Span(0, span.point, span.high) for name, span in spans.items()
        }
    if inside[1] and (not inside[0] or day_of(start) != day_of(end)):
        yield day_of(end), cause, {name: Span(0, 0, span.high) for name, span in spans.items()}


def _spans(close: Close) -> dict[str, Span]:
    """The attempt's interval by field, normalised; a part of the input is as sure as it is."""
    shown = normalise(asdict(close.tokens))
    bounds = {
        "input_tokens": (close.input_low, close.input_high),
        "output_tokens": (close.output_low, close.output_high),
    }
    sure = close.input_provenance == PROVENANCE_PROVIDER
    shown |= dict(zip(LIFETIMES.values(), (close.tokens.cache_write, close.tokens.cache_write_1h),
                      strict=True))
    for name in ("cached_input_tokens", CACHE_WRITE, *LIFETIMES.values()):
        bounds[name] = (shown[name], shown[name]) if sure else (0, close.input_high)
    return {
        name: Span(low, shown[name], None if high == UNBOUNDED else high)
        for name, (low, high) in bounds.items()
    }


@dataclass(frozen=True, slots=True)
class _Sides:
    """Under which names both sides meet: what the export is not grouped by is "" on both."""

    whole: set[str]  # models whose snapshots are compared together
    by_model: bool
    by_key: bool
    keys: dict[str, str]

    def model(self, name: str) -> str:
        if not self.by_model:
            return ""
        base = _SNAPSHOT.sub("", name)
        return base if base in self.whole else name

    def key(self, name: str) -> str:
        return name if self.by_key else ""


def _sides(export: Export, sums: Sums, keys: dict[str, str], notes: list[str]) -> _Sides:
    billed = {one.model for one in export.billed if one.model}
    ours = {model for _, model, _, _ in sums}
    # A provider answers for `gpt-4o` with the snapshot it stood for, and bills that.
    whole = {_SNAPSHOT.sub("", name) for name in ours - billed}
    named = {one.key for one in export.billed if one.key}
    known = {key for _, _, key, _ in sums}
    by_key = any(name in keys or name in known for name in named)
    for theirs, key in sorted(keys.items()):
        if theirs not in named:
            notes.append(f"--key {theirs}={key}: the report has no key {theirs!r}")
        elif key not in known:
            notes.append(
                f"--key {theirs}={key}: the ledger has no attempt of a key {key!r} in this time "
                f"(ours: {', '.join(sorted(known - {''})) or 'none'})"
            )
    if named and sums and not by_key:
        notes.append(
            f"none of the report's keys ({', '.join(sorted(named)[:3])}, ...) is an id of the "
            "gateway's: compared over all keys; name them with --key THEIRS=OURS "
            f"(ours: {', '.join(sorted(known - {''})) or 'none'})"
        )
    return _Sides(whole, bool(billed), by_key, keys)


def _match(
    export: Export, tokens: list[dict[str, int]], sums: Sums, keys: dict[str, str],
    notes: list[str],
) -> dict[tuple[str, str, str], Group]:
    sides = _sides(export, sums, keys, notes)
    groups: dict[tuple[str, str, str], Group] = {}
    for one, used in zip(export.billed, tokens, strict=True):
        key = sides.key(keys.get(one.key, one.key) if one.key else "")
        group = groups.setdefault((one.day, sides.model(one.model or ""), key), Group())
        for name, number in used.items():
            group.billed[name] += number
        if one.requests is not None:
            group.requests = (group.requests or 0) + one.requests
    for (day, model, key, cause), part in sums.items():
        group = groups.setdefault((day, sides.model(model), sides.key(key)), Group())
        group.parts.setdefault(cause, Part()).add(part.attempts, part.spans)
    return groups


def _row(day: str, model: str, key: str, group: Group, told: tuple[str, ...]) -> dict[str, Any]:
    fields = {name: _compare(group, name) for name in told}
    verdicts = [one["verdict"] for one in fields.values()]
    return {
        "day": day,
        "model": model or None,
        "key": key or None,
        "verdict": max(verdicts, key=("equal", "inside", "unexplained").index),
        "requests": {
            "billed": group.requests,
            "ledger": sum(part.attempts for part in group.parts.values()),
        },
        "attempts": {cause: part.attempts for cause, part in sorted(group.parts.items())},
        "fields": fields,
    }


def _compare(group: Group, name: str) -> dict[str, Any]:
    """One field: the difference (billed less the ledger's point), and who explains how much."""
    total = Span()
    for part in group.parts.values():
        total.add(part.spans[name])
    difference = left = group.billed[name] - total.point
    explained = []
    for cause in sorted(group.parts, key=_CAUSES.index):
        part = group.parts[cause]
        room = part.spans[name].room(difference > 0)
        if not left or room == 0:
            continue
        size = abs(left) if room is None else min(abs(left), room)
        share = size if left > 0 else -size
        left -= share
        explained.append(
            {"cause": cause, "attempts": part.attempts, "tokens": share, "room": room}
        )
    return {
        "verdict": "unexplained" if left else "inside" if difference else "equal",
        "billed": group.billed[name],
        "ledger": total.point,
        "interval": [total.low, total.high],
        "difference": difference,
        "explained": explained,
        "unexplained": left,
    }
