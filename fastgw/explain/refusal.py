"""A refusal for the client: its message, its header fields and its body in a dialect's shape.

Off the hot path. Nothing here decides: it says what was decided, and the smallest change that
would have passed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastgw.explain.catalogue import Entry, entry, url
from fastgw.wire.ratelimit import policy_item, quoted

TAKEN, REFUSED, NEVER, UNDONE, TABLE_FULL = 1, 2, 3, 4, 5
# SDKs do not wait longer than this for a retry: told to, they would try again too early, in vain.
_RETRY_MAX_NS = 60_000_000_000
_SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class LimitState:
    """A limit at the instant of the decision. Amounts in its unit; cost in micro-dollars."""

    name: str
    unit: str
    limit: int
    used: int = 0
    held: int = 0
    taken: int = 0  # what this request asked for
    wait_ns: int = 0
    reset_ns: int = 0
    verdict: int = TAKEN
    enforced: bool = True
    key: str = ""
    period_ns: int = 0
    window: str = ""  # of a cap

    @property
    def free(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def blocked(self) -> bool:
        return self.enforced and self.verdict in (REFUSED, NEVER, TABLE_FULL)


@dataclass(slots=True)
class Refusal:
    """What was refused. ``reason``: the rule's own message; ``status`` 0: the catalogue's."""

    code: int
    request_id: str
    rule: str = ""
    reason: str = ""
    status: int = 0
    limits: Sequence[LimitState] = ()
    input_estimate: int = 0
    output_max: int = 0
    param: str | None = None

    @property
    def entry(self) -> Entry:
        return entry(self.code)

    @property
    def http_status(self) -> int:
        return self.status or self.entry.status

    @property
    def blocking(self) -> LimitState | None:
        """The limit that has to wait longest: only when it passes, all do."""
        blocked = [one for one in self.limits if one.blocked]
        return max(blocked, key=lambda one: (one.verdict == NEVER, one.wait_ns), default=None)

    @property
    def wait_ns(self) -> int | None:
        """Until it would pass; 0: unknown, soon; None: waiting does not help."""
        blocking = self.blocking
        if blocking is not None:
            return None if blocking.verdict == NEVER else blocking.wait_ns
        return 0 if self.entry.retry else None


def message(refusal: Refusal) -> str:
    """One line for people, with the code in front."""
    known = refusal.entry
    first = f"{known.text}: {(refusal.reason or known.title).rstrip('.')}"
    blocking = refusal.blocking
    if refusal.rule and blocking is None:
        first += f" (rule {refusal.rule!r})"
    parts = [first, describe(blocking) if blocking is not None else "", change(refusal)]
    return ". ".join(part for part in parts if part) + "."


def describe(limit: LimitState) -> str:
    """`Limit 'pace' for k1: 58 used, 2 held of 60 requests; resets in 12 s`."""
    whose = f" for {limit.key}" if limit.key else ""
    spent = max(0, limit.used - limit.held)
    text = (
        f"Limit {limit.name!r}{whose}: {_amount(spent, limit.unit)} used, "
        f"{_amount(limit.held, limit.unit)} held of {_amount(limit.limit, limit.unit)} "
        f"{limit.unit}"
    )
    if limit.taken:
        text += f", this request needs {_amount(limit.taken, limit.unit)}"
    if limit.reset_ns:
        text += f", resets in {duration(limit.reset_ns)}"
    return text


def change(refusal: Refusal) -> str:
    """The smallest change that would pass."""
    blocking = refusal.blocking
    if blocking is None:
        return refusal.entry.remedy.rstrip(".") if not refusal.reason else ""
    ways = []
    if blocking.verdict == REFUSED and blocking.wait_ns:
        ways.append(f"wait {duration(blocking.wait_ns)}")
    room = output_room(blocking, refusal.input_estimate)
    if room > 0:
        ways.append(f"ask for at most {room} output tokens (max_tokens)")
    if not ways:
        return refusal.entry.remedy.rstrip(".")
    return "To pass, " + ", or ".join(ways)


def output_room(limit: LimitState, input_estimate: int) -> int:
    """Output tokens that would pass now (of a limit that can never hold it: once it is unused);
    0: none, or not a limit that fewer output tokens would satisfy."""
    if limit.unit not in ("tokens", "output_tokens"):
        return 0
    room = limit.limit if limit.verdict == NEVER else limit.free
    needed = limit.taken - (input_estimate if limit.unit == "tokens" else 0)
    left = room - (input_estimate if limit.unit == "tokens" else 0)
    return left if 0 < left < needed else 0


def headers(refusal: Refusal) -> list[tuple[str, str]]:
    """Header fields of the answer, beside those that every answer has."""
    fields = [("x-fastgw-request-id", refusal.request_id), ("x-fastgw-code", refusal.entry.text)]
    if refusal.rule:
        fields.append(("x-fastgw-rule", _field_text(refusal.rule)))
    fields += rate_limit_fields(refusal.limits)
    wait_ns = refusal.wait_ns
    if wait_ns is None or wait_ns > _RETRY_MAX_NS:
        fields.append(("x-should-retry", "false"))
    if wait_ns is not None and refusal.http_status in (408, 429, 503, 504):
        wait_ns = wait_ns or _SECOND_NS
        fields.append(("retry-after", str(math.ceil(wait_ns / _SECOND_NS))))
        fields.append(("retry-after-ms", str(math.ceil(wait_ns / 1_000_000))))
    return fields


def rate_limit_fields(limits: Sequence[LimitState]) -> list[tuple[str, str]]:
    """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), an item a
    limit."""
    shown = [one for one in limits if one.enforced]
    if not shown:
        return []
    policies, states = [], []
    for one in shown:
        policies.append(policy_item(one.name, one.unit, one.limit, one.period_ns, one.window))
        wait_ns = one.wait_ns if one.verdict == REFUSED else one.reset_ns
        left = 0 if one.blocked else one.free
        ends = f";t={math.ceil(wait_ns / _SECOND_NS)}" if wait_ns else ""
        states.append(f"{quoted(one.name)};r={left}{ends}")
    return [("RateLimit-Policy", ", ".join(policies)), ("RateLimit", ", ".join(states))]


def body(refusal: Refusal, dialect: str) -> dict[str, Any]:
    """The answer's JSON, as that dialect's own API would write it, with a `fastgw` member."""
    known = refusal.entry
    blocking = refusal.blocking
    wait_ns = refusal.wait_ns
    own = {
        "code": known.text,
        "rule": refusal.rule or None,
        "limit": blocking.name if blocking else None,
        "retry_after_ms": math.ceil(wait_ns / 1e6) if wait_ns else None,
        "request_id": refusal.request_id,
        "url": url(refusal.code),
    }
    text = message(refusal)
    if dialect == "anthropic":
        error = {"type": known.anthropic_type, "message": text, "fastgw": own}
        return {"type": "error", "error": error, "request_id": refusal.request_id}
    return {
        "error": {
            "message": text,
            "type": known.openai_type,
            "param": refusal.param,
            "code": known.openai_code,
            "fastgw": own,
        }
    }


def duration(ns: int) -> str:
    """`250 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, rounded up: who waits that long passes."""
    if ns < _SECOND_NS:
        return f"{math.ceil(ns / 1_000_000)} ms"
    seconds = math.ceil(ns / _SECOND_NS)
    if seconds < 120:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 120:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes + (seconds > 0), 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours + (minutes > 0), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def _amount(number: int, unit: str) -> str:
    if unit == "cost":
        return f"${number / 1e6:.6f}".rstrip("0").rstrip(".")
    return str(number)


def _field_text(text: str) -> str:
    """What may stand in a header field: an operator's rule name can be any text."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)
