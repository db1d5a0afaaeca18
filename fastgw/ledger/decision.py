"""One request as `explain` and `/api/decisions` show it, rendered from its records alone."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from fastgw.dialect.names import DIALECTS, OPERATIONS
from fastgw.ledger.names import BUCKET_PARTS, Names
from fastgw.ledger.records import (
    NAME_FINDING,
    NAME_LABEL,
    NAME_LIMIT,
    NAME_MODEL,
    NAME_NOTE,
    NAME_POLICY,
    NAME_PROVIDER,
    NAME_PROVIDER_KEY,
    NAME_QUOTE,
    NAME_REASON,
    NAME_REQUEST,
    NAME_RULE,
    NAME_USER,
    UNBOUNDED,
    Close,
    LimitTrace,
    Name,
    Open,
    Record,
    Request,
    RuleTrace,
)
from fastgw.ledger.usage import normalise
from fastgw.ledger.vocabulary import (
    ACTIONS,
    BASES,
    BY_WRITING,
    FATES,
    LIMIT_VERDICTS,
    PHASES,
    PROVENANCES,
    TIERS,
    UNITS,
    UNREAD,
    WRITINGS,
    effect,
    word,
)

_DEGRADED = 1  # enum fgw_trace_flag: decided while the fleet's store was lost
_FATE_OPEN = 0
_REFUSED = (2, 3, 5)  # enum fgw_limit_verdict: a refused request would have taken that much


@dataclass
class Story:
    """All records of one request."""

    request: Request | None = None
    opens: dict[int, Open] = field(default_factory=dict)
    closes: dict[int, Close] = field(default_factory=dict)
    client_request_id: str = ""
    notes: list[dict[str, Any]] = field(default_factory=list)  # of log actions, and late rules
    findings: list[dict[str, Any]] = field(default_factory=list)  # of `detect`
    # By attempt: what its provider said of its usage.
    quotes: dict[int, list[Any]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        if isinstance(record, Request):
            self.request = record
        elif isinstance(record, Open):
            self.opens[record.attempt] = record
        elif isinstance(record, Close):
            self.closes[record.attempt] = record
        elif isinstance(record, Name) and record.space == NAME_REQUEST:
            self.client_request_id = record.text
        elif isinstance(record, Name) and record.space == NAME_NOTE:
            self.notes.append(orjson.loads(record.text))
        elif isinstance(record, Name) and record.space == NAME_FINDING:
            self.findings.append(orjson.loads(record.text))
        elif isinstance(record, Name) and record.space == NAME_QUOTE:
            self.quotes.setdefault(record.hash0, []).append(_quoted(record.text))

    @property
    def known(self) -> bool:
        return self.request is not None or bool(self.opens) or bool(self.closes)

    @property
    def last(self) -> Close | None:
        return self.closes[max(self.closes)] if self.closes else None


def render(story: Story, names: Names) -> dict[str, Any]:
    """The shape of INTERFACE section 5; members beyond it stand at the end."""
    request, last = story.request, story.last
    some = request or last or next(iter(story.opens.values()))
    denied = request is not None and request.verdict == 1
    attempts = [_attempt(number, story, names) for number in sorted({*story.opens, *story.closes})]
    ended = request if denied and request is not None else last  # who knows how it ended
    code = ended.code if ended is not None else 0
    decision = {
        "request_id": str(some.id),
        "time": instant(some.wall_ns),
        "verdict": "deny" if denied else "allow",
        "status": (ended.status if ended is not None else 0) or None,
        "dialect": word(DIALECTS, some.dims.dialect),
        "operation": word(OPERATIONS, some.dims.operation),
        "model": names.text(NAME_MODEL, some.dims.model),
        "stream": bool(some.dims.stream),
        "key": names.account(some.dims.account) if some.dims.account else None,
        "policy_version": "",
        "code": f"FGW-{code:03d}" if code else None,
        "reason": None,
        "rules": [],
        "limits": [],
        "attempts": attempts,
        "usage": _sum_usage(list(story.closes.values())),
        "phases_us": _phases(request, last),
        "cost_nano_usd": _sum_cost(list(story.closes.values())),
        "user": names.text(NAME_USER, some.dims.user) or None,
        "labels": [text for one in some.dims.labels if (text := names.text(NAME_LABEL, one))],
        "client_request_id": story.client_request_id or None,
        "complete": denied or bool(last and last.final),
    }
    if request is not None:
        decision |= _decided(request, names)
    rules = [_rule(rule, names) for rule in request.rules] if request is not None else []
    late = [rule for note in story.notes for rule in note.get("rules", ())]
    decision["rules"] = [*_with_findings(rules, story.findings), *late]
    decision["rules_total"] = (request.rules_total if request else 0) + len(late)
    decision["reason"] = decision["reason"] or next(
        (note["reason"] for note in story.notes if "reason" in note), None)
    decision["logs"] = [note for note in story.notes if "metadata" in note]
    return decision


def _decided(request: Request, names: Names) -> dict[str, Any]:
    """What only the REQUEST record knows."""
    return {
        "policy_version": names.text(NAME_POLICY, request.policy_version).removeprefix("?"),
        "reason": names.text(NAME_REASON, request.reason) or None,
        "limits": [_limit(limit, names, request.wall_ns) for limit in request.limits],
        "rule": names.text(NAME_RULE, request.rule, or_space=NAME_LIMIT) or None,
        "rules_total": request.rules_total,
        "phase": word(PHASES, request.phase),
        "client_ip": _address(request.client_ip),
        "input_bytes": request.input_bytes,
        "input_estimate": request.input_estimate,
        "max_output_tokens": request.output_max or None,
        "tools": bool(request.tools),
        "answers": request.answers or None,
        "input_high": request.input_high or None,
        "output_fitted": request.fitted,
        "unbounded": request.unbounded,
        "sampled": bool(request.sampled),
    }


def _rule(rule: RuleTrace, names: Names) -> dict[str, Any]:
    return {
        "name": names.text(NAME_RULE, rule.rule),
        "matched": True,
        "enforced": bool(rule.enforced),
        "effect": effect(word(ACTIONS, rule.action), rule.value, rule.code, bool(rule.enforced)),
    }


def _with_findings(rules: list[dict[str, Any]],
                   findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rules with what their `detect` has found: of the request in the place of the action's
    own entry, of the answer behind them all."""
    rules = list(rules)
    for finding in findings:
        shadow = "" if finding["enforced"] else " (shadow: not enforced)"
        told = {"name": finding["name"], "matched": True, "enforced": finding["enforced"],
                "effect": f"detect: {finding['effect']}{shadow}"}
        same = [i for i, rule in enumerate(rules) if rule["name"] == finding["name"]
                and rule["effect"].startswith("detect: found")]
        if same:
            rules[same[0]] = told
        else:
            rules.append(told)
    return rules


def _limit(limit: LimitTrace, names: Names, wall_ns: int) -> dict[str, Any]:
    bucket = names.bucket(limit.identity)
    granted = names.granted(limit.identity, wall_ns)
    key = bucket.get("key", "")
    refused = limit.verdict in _REFUSED
    return {
        "name": names.text(NAME_LIMIT, limit.rule) or bucket.get("name", ""),
        "key": ", ".join(map(str, key)) if isinstance(key, list) else str(key),
        "unit": word(UNITS, limit.unit),
        "used": limit.used,
        "held": limit.held,
        "limit": limit.limit,
        "reset_ms": -(-limit.reset_ns // 1_000_000),
        "taken": 0 if refused else limit.taken,
        "needed": limit.taken if refused and limit.taken else None,
        "place": limit.place or None,
        "verdict": word(LIMIT_VERDICTS, limit.verdict),
        "wait_ms": -(-limit.wait_ns // 1_000_000) if limit.wait_ns else None,
        "enforced": bool(limit.enforced),
        "degraded": bool(limit.flags & _DEGRADED),
        **{part: bucket.get(part, default) for part, default in BUCKET_PARTS.items()},
        **({"granted": granted} if granted else {}),
    }


def _attempt(number: int, story: Story, names: Names) -> dict[str, Any]:
    opened, close = story.opens.get(number), story.closes.get(number)
    some = close or opened
    assert some is not None
    shown = {
        "number": number,
        "provider": names.text(NAME_PROVIDER, some.dims.provider),
        "model": names.text(NAME_MODEL, some.dims.upstream_model),
        "status": close.status or None if close else None,
        "fate": word(FATES, close.fate if close else _FATE_OPEN),
        "usage": _usage(close) if close else None,
        "cost_nano_usd": close.cost_nano_usd if close else None,
        "provider_usage": story.quotes.get(number, []),
    }
    if close is not None:
        shown |= {
            "code": f"FGW-{close.code:03d}" if close.code else None,
            "started": instant(close.started_ns or close.wall_ns),
            "duration_ms": max(0, close.wall_ns - (close.started_ns or close.wall_ns)) / 1e6,
            "events": close.events,
            "bytes_in": close.bytes_in,
            "bytes_out": close.bytes_out,
            "price_version": close.price_version or None,
            "service_tier": word(TIERS, close.dims.tier),
            "overrun_tokens": close.overrun_tokens,
            "overrun_nano_usd": close.overrun_nano_usd,
        }
    if opened is not None:
        shown["provider_key"] = names.text(NAME_PROVIDER_KEY, opened.provider_key) or None
    return shown


def _quoted(text: str) -> Any:
    """As it came; a text where it was longer than what is kept of it, or is no JSON after all."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _usage(close: Close) -> dict[str, Any]:
    high = None if close.output_high == UNBOUNDED else close.output_high
    return {
        **normalise(asdict(close.tokens)),
        "provenance": word(PROVENANCES, close.provenance),
        "interval": {
            "input_tokens": [close.input_low, close.input_high],
            "output_tokens": [close.output_low, high],
        },
        "provenances": {
            "input_tokens": word(PROVENANCES, close.input_provenance),
            "output_tokens": word(PROVENANCES, close.output_provenance),
        },
        "estimates": estimates(close),
        "classes": asdict(close.tokens),
        "units": {name: number for name, number in asdict(close.units).items() if number},
    }


def estimates(close: Close) -> dict[str, dict[str, Any]]:
    """How the points of what nobody told were found; of what was told: nothing."""
    bases = (("input_tokens", close.input_basis), ("output_tokens", close.output_basis))
    return {field: _estimate(basis) for field, basis in bases if basis}


def _estimate(basis: int) -> dict[str, Any]:
    """How a number that no provider told was found; what it is worth is known to who reads
    (fastgw.usage.families.tell)."""
    by = word(BASES, basis & 7)
    if by == "bytes" and basis >> 4:
        return {"by": by, "reason": word(UNREAD, basis >> 4)}
    if by not in BY_WRITING:
        return {"by": by}
    return {"by": by, "writing": word(WRITINGS, basis >> 4), "sampled": bool(basis & 8)}


def _sum_usage(closes: list[Close]) -> dict[str, Any]:
    """Of all attempts together; the weakest provenance, since a sum is as good as its worst
    part."""
    total: dict[str, Any] = normalise(
        {name: sum(getattr(close.tokens, name) for close in closes) for name in _CLASSES}
    )
    bounds = [close.output_high for close in closes]
    weakest = max((close.provenance for close in closes), default=0)
    return total | {
        "provenance": word(PROVENANCES, weakest),
        "interval": {
            "input_tokens": [
                sum(close.input_low for close in closes),
                sum(close.input_high for close in closes),
            ],
            "output_tokens": [
                sum(close.output_low for close in closes),
                None if UNBOUNDED in bounds else sum(bounds),
            ],
        },
    }


_CLASSES = tuple(Close.__dataclass_fields__["tokens"].default_factory().__slots__)  # type: ignore


def _sum_cost(closes: list[Close]) -> int | None:
    known = [close.cost_nano_usd for close in closes]
    return None if None in known else sum(cost for cost in known if cost is not None)


def _phases(request: Request | None, last: Close | None) -> dict[str, int]:
    """Microseconds by phase; the final CLOSE has all, a REQUEST those up to the decision."""
    spent = last.phase_us if last is not None and last.final else ()
    if not any(spent) and request is not None:
        spent = request.phase_us
    return {name: us for name, us in zip(PHASES, spent, strict=False) if us}


def instant(wall_ns: int) -> str:
    """As people read it: UTC, to the millisecond."""
    moment = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{wall_ns // 1_000_000 % 1000:03d}Z"


def _address(raw: bytes) -> str | None:
    if not any(raw):
        return None
    address = ipaddress.IPv6Address(raw)
    return str(address.ipv4_mapped or address)
