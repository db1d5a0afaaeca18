"""A provider's own books: OpenAI's and Anthropic's usage reports, as JSON and CSV.

Numbers come out normalised as INTERFACE section 5 has them (`input_tokens` includes cached and
cache-write tokens), so that they stand beside the ledger's. What never passes as calls through a
gateway (batches) is left out, and said.

Sources, each read by the function that names it: platform.openai.com/docs/api-reference/usage;
platform.claude.com/docs/en/api/admin/usage_report; and what others have published of the CSV
files of both consoles (headers and rows of real ones, 2024 to 2026).
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from fastgw.errors import FastgwError

DAY_NS = 86_400 * 10**9
# Cache writes stand together, or, where a report tells their lifetimes apart, by lifetime.
CACHE_WRITE = "cache_write_tokens"
LIFETIMES = {"5m": "cache_write_5m_tokens", "1h": "cache_write_1h_tokens"}
FIELDS = ("input_tokens", "cached_input_tokens", CACHE_WRITE, *LIFETIMES.values(),
          "output_tokens")
# What a result of OpenAI's speaks of, and the operations of the ledger that it counts.
_OPENAI = {
    "organization.usage.completions.result": ("chat", "responses", "completions"),
    "organization.usage.embeddings.result": ("embeddings",),
    "organization.usage.moderations.result": ("moderations",),
}
_COMPLETIONS = "organization.usage.completions.result"
# Money, no tokens: columns and members of the reports of costs, OpenAI's and Anthropic's.
_COSTS = ("amount_value", "amount", "cost_type", "cost_usd")
_TOKENS = ("output_tokens", "usage_output_tokens")
_COSTS_REMEDY = (
    "this is a report of costs; tokens are compared: give it the report of usage, from the same "
    "page of the console, or /v1/organization/usage/completions (OpenAI), "
    "/v1/organizations/usage_report/messages (Anthropic)"
)
_REMEDY = (
    "give it the answer of OpenAI's /v1/organization/usage/completions or Anthropic's "
    "/v1/organizations/usage_report/messages (grouped by model and api_key_id), or the usage CSV "
    "of their consoles"
)


class ExportError(FastgwError):
    """The file is no usage report that is known. Names place and remedy."""


@dataclass(frozen=True, slots=True)
class Billed:
    """One result of one bucket. ``model``, ``key`` None: not grouped by it. ``requests`` None:
    not told."""

    start_ns: int
    end_ns: int
    model: str | None
    key: str | None
    tokens: dict[str, int]
    requests: int | None
    tier: str | None = None  # the service tier, where the report tells it

    @property
    def day(self) -> str:
        return day_of(self.start_ns)

    def together(self) -> dict[str, int]:
        """Its tokens, of cache writes their sum alone."""
        parts = [self.tokens[name] for name in LIFETIMES.values() if name in self.tokens]
        if not parts:
            return self.tokens
        told = {name: tokens for name, tokens in self.tokens.items()
                if name not in LIFETIMES.values()}
        return told | {CACHE_WRITE: sum(parts)}


@dataclass(slots=True)
class Export:
    """``dialect``: whose. [start_ns, end_ns): what its buckets cover. ``operations``: of which
    kinds of calls it tells; empty: of all."""

    dialect: str
    start_ns: int = 2**63
    end_ns: int = 0
    operations: set[str] = field(default_factory=set)
    billed: list[Billed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    batch_tokens: int = 0


def day_of(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // 10**9, UTC).strftime("%Y-%m-%d")


def read_export(
    raw: bytes, name: str, since_ns: int | None = None, until_ns: int | None = None
) -> Export:
    """The report in ``raw``; ``name`` is its file, for errors. Of its buckets, those wholly
    within [since, until). Raises ExportError."""
    text = raw.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        raise ExportError(f"{name}: the file is empty; {_REMEDY}")
    window = (0 if since_ns is None else since_ns, 2**63 if until_ns is None else until_ns)
    reading = _Reading(name, window)
    if text[:1] in b"{[":
        reading.pages(text)
    else:
        reading.table(text)
    if reading.export is None:
        raise ExportError(f"{name}: no bucket of time lies within --since and --until; {_REMEDY}")
    if reading.export.batch_tokens:
        reading.export.notes.append(
            f"{reading.export.batch_tokens} tokens of batches are left out: what a provider works "
            "off later never passes as calls"
        )
    return reading.export


class _Reading:
    """What was read so far, and where."""

    def __init__(self, name: str, window: tuple[int, int]) -> None:
        self.name = name
        self.export: Export | None = None
        self._window = window

    def wrong(self, place: str, what: str) -> ExportError:
        return ExportError(f"{self.name}: {place}: {what}")

    def pages(self, text: bytes) -> None:
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            place = f"line {error.lineno}"
            raise self.wrong(place, f"not JSON ({error.msg}); {_REMEDY}") from None
        pages = found if isinstance(found, list) else [found]
        for number, page in enumerate(pages):
            at = f"[{number}]." if isinstance(found, list) else ""
            buckets = page.get("data") if isinstance(page, dict) else None
            if not isinstance(buckets, list):
                raise self.wrong(f"{at}data", f"expected a list of buckets; {_REMEDY}")
            for index, bucket in enumerate(buckets):
                self._bucket(bucket, f"{at}data[{index}]")
        last = pages[-1] if pages else {}
        if isinstance(last, dict) and last.get("has_more") and self.export is not None:
            self.export.notes.append(
                "has_more: the provider has further pages; a JSON list of all pages is read as one"
            )

    def _bucket(self, bucket: Any, place: str) -> None:
        results = bucket.get("results") if isinstance(bucket, dict) else None
        if not isinstance(results, list):
            raise self.wrong(f"{place}.results", f"expected a list; {_REMEDY}")
        openai = "start_time" in bucket
        first, last = ("start_time", "end_time") if openai else ("starting_at", "ending_at")
        start = self._instant(bucket.get(first), f"{place}.{first}")
        end = self._instant(bucket.get(last), f"{place}.{last}")
        if not self._covers("openai" if openai else "anthropic", start, end, place):
            return
        for index, result in enumerate(results):
            at = f"{place}.results[{index}]"
            if not isinstance(result, dict):
                raise self.wrong(at, "expected an object")
            (self._openai if openai else self._anthropic)(result, start, end, at)

    def table(self, text: bytes) -> None:
        try:
            rows = csv.DictReader(io.StringIO(text.decode()), strict=True)
            columns = set(rows.fieldnames or ())
            anthropic = {"usage_date_utc", "model_version", "usage_output_tokens"} <= columns
            if columns.intersection(_COSTS) and not columns.intersection(_TOKENS):
                raise self.wrong("line 1", _COSTS_REMEDY)
            if not anthropic and not {"start_time", "end_time"} <= columns:
                raise self.wrong("line 1", f"these columns are no provider's; {_REMEDY}")
            for row in rows:
                place = f"line {rows.line_num}"
                (self._anthropic_row if anthropic else self._openai_row)(row, place)
        except (UnicodeDecodeError, csv.Error) as error:
            raise ExportError(f"{self.name}: neither JSON nor CSV ({error}); {_REMEDY}") from None

    def _openai_row(self, row: dict[str, Any], place: str) -> None:
        """completions_usage_….csv of platform.openai.com/usage: start_time, end_time (seconds),
        the same as ISO 8601, project_id, num_model_requests (as 3.0), user_id, api_key_id, model,
        batch (False), service_tier, and the members of the API's result. An interval without calls
        has the times alone; a file without any calls has no other columns."""
        start = self._instant(row["start_time"], f"{place}: start_time")
        end = self._instant(row["end_time"], f"{place}: end_time")
        if not self._covers("openai", start, end, place) or not (row.get("model") or any(
            row.get(name) for name in ("input_tokens", "output_tokens")
        )):
            return  # an hour without calls
        if "output_tokens" not in row:
            raise self.wrong(place, "no column output_tokens: of OpenAI's CSV files, the one "
                             "of completions is read (completions_usage_….csv)")
        said = {**row, "object": _COMPLETIONS, "batch": str(row.get("batch")).lower() == "true"}
        self._openai(said, start, end, place)

    def _anthropic_row(self, row: dict[str, Any], place: str) -> None:
        """The usage CSV of console.anthropic.com: usage_date_utc, model_version, api_key (its
        name), workspace, usage_type, context_window, usage_input_tokens_no_cache,
        …_cache_write_5m, …_cache_write_1h (older ones: …_cache_write), …_cache_read,
        usage_output_tokens, web_search_count; newer ones inference_geo, speed."""
        start = self._instant(row["usage_date_utc"], f"{place}: usage_date_utc")
        start -= start % DAY_NS
        if not self._covers("anthropic", start, start + DAY_NS, place):
            return
        said = {
            "uncached_input_tokens": row.get("usage_input_tokens_no_cache"),
            "cache_creation": {
                "input_tokens": row.get("usage_input_tokens_cache_write"),
                "ephemeral_5m_input_tokens": row.get("usage_input_tokens_cache_write_5m"),
                "ephemeral_1h_input_tokens": row.get("usage_input_tokens_cache_write_1h"),
            },
            "cache_read_input_tokens": row.get("usage_input_tokens_cache_read"),
            "output_tokens": row["usage_output_tokens"],
            "model": row["model_version"],
            "api_key_id": row.get("api_key"),
            "service_tier": row.get("usage_type"),
        }
        self._anthropic(said, start, start + DAY_NS, place)

    def _covers(self, dialect: str, start: int, end: int, place: str) -> bool:
        """Whether the bucket is asked for; it must not reach over midnight."""
        if not start < end or (end - 1) // DAY_NS != start // DAY_NS:
            raise self.wrong(place, "a bucket must lie within one day (UTC): export by day, hour "
                             "or minute")
        if start < self._window[0] or end > self._window[1]:
            return False
        export = self.export = self.export or Export(dialect)
        if export.dialect != dialect:
            raise self.wrong(place, "two providers in one file: reconcile each by itself")
        export.start_ns, export.end_ns = min(export.start_ns, start), max(export.end_ns, end)
        return True

    def _openai(self, result: dict[str, Any], start: int, end: int, place: str) -> None:
        """A result of GET /v1/organization/usage/{completions,embeddings,moderations}. In newer
        ones input_tokens is of text, audio and pictures, cached and written to a cache; others
        say what of it is which (input_uncached_tokens, input_cache_write_tokens, …)."""
        assert self.export is not None
        kind = result.get("object")
        if kind == "organization.costs.result":
            raise self.wrong(place, _COSTS_REMEDY)
        operations = _OPENAI.get(str(kind))
        if operations is None:
            raise self.wrong(f"{place}.object", f"{kind!r} has no tokens to compare; {_REMEDY}")
        self.export.operations.update(operations)
        inputs = self._count(result, "input_tokens", place, needed=True)
        outputs = self._count(result, "output_tokens", place, needed=kind == _COMPLETIONS)
        # Without the break-down of newer reports, input_tokens is that of text alone.
        if result.get("input_text_tokens") is None and result.get("input_uncached_tokens") is None:
            inputs += self._count(result, "input_audio_tokens", place)
            outputs += self._count(result, "output_audio_tokens", place)
        tokens = {
            "input_tokens": inputs,
            "cached_input_tokens": self._count(result, "input_cached_tokens", place),
            "output_tokens": outputs,
        }
        if result.get("input_cache_write_tokens") not in (None, ""):
            written = self._count(result, "input_cache_write_tokens", place)
            tokens[CACHE_WRITE] = written
        requests = self._count(result, "num_model_requests", place)
        batch = bool(result.get("batch"))
        self._take(result, start, end, tokens, requests, batch=batch, place=place)

    def _anthropic(self, result: dict[str, Any], start: int, end: int, place: str) -> None:
        """A result of GET /v1/organizations/usage_report/messages: uncached_input_tokens,
        cache_creation {ephemeral_5m_input_tokens, ephemeral_1h_input_tokens},
        cache_read_input_tokens, output_tokens, server_tool_use; api_key_id is null for the
        Workbench, service_tier standard, batch, priority, flex and more."""
        if "amount" in result and "output_tokens" not in result:
            raise self.wrong(place, _COSTS_REMEDY)
        written = result.get("cache_creation") or {}
        if not isinstance(written, dict):
            raise self.wrong(f"{place}.cache_creation", f"expected an object; {_REMEDY}")
        lives = {
            name: self._count(written, f"ephemeral_{life}_input_tokens", f"{place}.cache_creation")
            # Some schemas have them beside the other counts.
            + self._count(result, f"cache_creation_{life}_input_tokens", place)
            for life, name in LIFETIMES.items()
        }
        if written.get("input_tokens") is not None:  # an older CSV's one column
            lives = {CACHE_WRITE: self._count(written, "input_tokens", f"{place}.cache_creation")}
        cache_write = sum(lives.values())
        cached = self._count(result, "cache_read_input_tokens", place)
        plain = self._count(result, "uncached_input_tokens", place, needed=True)
        tokens = {
            "input_tokens": plain + cached + cache_write,
            "cached_input_tokens": cached,
            **lives,
            "output_tokens": self._count(result, "output_tokens", place, needed=True),
        }
        batch = result.get("service_tier") == "batch"
        self._take(result, start, end, tokens, None, batch=batch, place=place)

    def _take(self, result: dict[str, Any], start: int, end: int, tokens: dict[str, int],
              requests: int | None, *, batch: bool, place: str) -> None:
        assert self.export is not None
        for name in ("model", "api_key_id"):
            if not isinstance(result.get(name) or "", str):
                raise self.wrong(f"{place}.{name}", f"expected a text, got {result[name]!r}")
        if batch:
            self.export.batch_tokens += tokens["input_tokens"] + tokens["output_tokens"]
            return
        model, key = result.get("model") or None, result.get("api_key_id") or None
        tier = result.get("service_tier")
        tier = tier if isinstance(tier, str) and tier else None
        self.export.billed.append(Billed(start, end, model, key, tokens, requests, tier))

    def _count(
        self, row: dict[str, Any], name: str, place: str, *, needed: bool = False
    ) -> int:
        """A count of tokens; 0 where it is absent. CSV has them as text, some as `3.0`."""
        found = row.get(name)
        if found in (None, "") and not needed:
            return 0
        try:
            number = float("nan" if isinstance(found, bool) or found is None else found)
            whole = int(number)
        except (TypeError, ValueError, OverflowError):
            whole, number = -1, 0
        if whole < 0 or whole != number or number > 2**53:
            raise self.wrong(f"{place}.{name}", f"expected a count, got {found!r}; {_REMEDY}")
        return whole

    def _instant(self, found: Any, place: str) -> int:
        """Seconds since 1970, or a date and time as ISO 8601 has it (UTC where it says none)."""
        text = str(found).strip()
        try:
            if text.isdigit() and len(text) <= 11:
                return int(text) * 10**9
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise self.wrong(place, f"expected a time, got {found!r}; {_REMEDY}") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) * 10**9
