"""What a refusal should say, in plain Python: the oracle that csrc/fgw_explain.c is held against.

Written as directly as can be, with `orjson` for the JSON and strings for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from fastgw.errors import Code
from fastgw.explain.catalogue import entry, url

TAKEN, REFUSED, NEVER, UNDONE, TABLE_FULL = 1, 2, 3, 4, 5
VERDICTS = ("", "taken", "refused", "never", "undone", "table_full")
UNITS = ("requests", "tokens", "input_tokens", "output_tokens", "cost", "slots")
MODEL_CODES = (Code.MODEL_MISSING, Code.MODEL_INVALID, Code.MODEL_UNKNOWN, Code.MODEL_RESTRICTED)
FOREVER = 2**64 - 1
RETRY_MAX_NS = 60 * 10**9


@dataclass
class Limit:
    """A limit at the instant of the decision; cost in micro-dollars."""

    name: str
    unit: str
    limit: int
    used: int = 0
    held: int = 0
    taken: int = 0
    needed: int = 0
    wait_ns: int = 0
    reset_ns: int = 0
    verdict: int = TAKEN
    enforced: bool = True
    key: Sequence[Any] = ()
    period_ns: int = 0
    cap: bool = False

    @property
    def free(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def blocked(self) -> bool:
        return self.enforced and self.verdict in (REFUSED, NEVER, TABLE_FULL)

    @property
    def never(self) -> bool:
        """No wait helps: also where a cap has no window that ends."""
        endless = self.cap and self.verdict == REFUSED and not self.wait_ns
        return self.verdict == NEVER or self.wait_ns == FOREVER or endless

    @property
    def shown_key(self) -> str:
        return ", ".join(part if isinstance(part, str) else orjson.dumps(part).decode()
                         for part in self.key)


@dataclass
class Refusal:
    code: int
    request_id: str = "00000001-00-0000000001"
    rule: str = ""
    reason: str = ""
    status: int = 0
    limits: Sequence[Limit] = ()
    input_expected: int = 0
    input_ceiling: int = 0
    answers: int = 1
    model: str = ""
    parameter: str = "max_tokens"
    attempts: int = 0
    close: bool = False
    version: str = "0123456789abcdef"
    allow: str = "POST"

    @property
    def http_status(self) -> int:
        return self.status or entry(self.code).status

    @property
    def blocked(self) -> list[Limit]:
        """The one that matters most first: who waits for it has waited for all."""
        found = [one for one in self.limits if one.blocked]
        if found:
            first = max(found, key=lambda one: (one.never, one.wait_ns))
            found = [first] + [one for one in found if one is not first]
        return found

    @property
    def wait_ns(self) -> int | None:
        """Until it would pass; 0: unknown; None: waiting does not help."""
        if self.blocked:
            return None if self.blocked[0].never else self.blocked[0].wait_ns
        return 0 if entry(self.code).retry else None

    def input_of(self, one: Limit) -> int:
        if one.unit != "tokens":
            return 0
        return self.input_ceiling if one.cap else self.input_expected

    def output(self, unused: bool = False) -> int:
        """Output tokens an answer with which all limits would let it pass; 0: none."""
        rooms = []
        for one in self.blocked:
            free = one.limit if unused and one.verdict == NEVER else one.free
            helps = one.unit in ("tokens", "output_tokens") and free < one.needed
            room = (free - self.input_of(one)) // max(1, self.answers)
            rooms.append(max(0, room) if helps else 0)
        return min(rooms, default=0)

    def input(self) -> int:
        """By how many tokens the input is too long for the caps that refuse; 0: shorter is no
        way."""
        over = []
        for one in self.blocked:
            helps = one.cap and one.unit in ("tokens", "input_tokens")
            over.append(one.needed - one.free if helps else 0)
        return max(over) if over and all(0 < one < self.input_expected for one in over) else 0


def message(one: Refusal) -> str:
    known = entry(one.code)
    text = f"{known.text}: {one.reason.rstrip('.') or known.title}"
    if one.rule and not one.blocked:
        text += f" (rule {one.rule!r})"
    parts = [text, *map(describe, one.blocked)]
    if one.blocked or not one.reason:
        parts.append(change(one))
    return ". ".join(parts) + "."


def describe(one: Limit) -> str:
    whose = f" for {one.shown_key}" if one.key else ""
    unit = "" if one.unit == "cost" else f" {one.unit}"
    held = f", {amount(one.held, one.unit)} held" if one.held else " or held"
    text = (f"Limit {one.name!r}{whose}: {amount(max(0, one.used - one.held), one.unit)} used"
            f"{held} of {amount(one.limit, one.unit)}{unit}")
    if one.needed:
        text += f", this request needs {amount(one.needed, one.unit)}"
    if one.reset_ns and one.reset_ns != FOREVER:
        text += f", resets in {duration(one.reset_ns)}"
    return text


def change(one: Refusal) -> str:
    ways = []
    if one.blocked and one.wait_ns:
        ways.append(f"wait {duration(one.wait_ns)}")
    if one.output():
        ways.append(ask_for(one, one.output()))
    elif one.input():
        ways.append(f"shorten the input by {one.input()} tokens")
    elif one.output(unused=True):
        ways.append(ask_for(one, one.output(unused=True))
                    + " and wait until what is used now is free again")
    if one.model:
        ways.append(f"use the model {one.model}")
    return "To pass, " + ", or ".join(ways) if ways else entry(one.code).remedy.rstrip(".")


def ask_for(one: Refusal, tokens: int) -> str:
    text = f"ask for at most {tokens} output tokens"
    if one.answers == 0:
        return text + ", all answers together"
    return text + (" an answer" if one.answers > 1 else "") + f" ({one.parameter})"


def fields(one: Refusal) -> dict[str, str]:
    """All header fields but content-length."""
    found = {"content-type": "application/json", "x-fastgw-request-id": one.request_id,
             "x-fastgw-code": entry(one.code).text, "x-fastgw-policy": one.version}
    if one.rule:
        found["x-fastgw-rule"] = visible(one.rule)
    shown = [limit for limit in one.limits if limit.enforced]
    if shown:
        found["ratelimit-policy"] = ", ".join(map(policy_item, shown))
        found["ratelimit"] = ", ".join(map(item, shown))
    wait_ns = one.wait_ns
    if wait_ns is None or wait_ns > RETRY_MAX_NS:
        found["x-should-retry"] = "false"
    if wait_ns is not None and one.http_status in (408, 429, 503, 504):
        found["retry-after"] = str(-(-(wait_ns or 10**9) // 10**9))
        found["retry-after-ms"] = str(-(-(wait_ns or 10**9) // 10**6))
    if one.attempts:
        found["x-fastgw-attempts"] = str(one.attempts)
    if one.http_status == 405:
        found["allow"] = one.allow
    if one.http_status == 401:
        found["www-authenticate"] = "Bearer"
    if one.close:
        found["connection"] = "close"
    return found


def policy_item(one: Limit) -> str:
    window = f";w={-(-one.period_ns // 10**9)}" if one.period_ns else ""
    unit = {"input_tokens": "input-tokens", "output_tokens": "output-tokens",
            "cost": "micro-dollars", "slots": "concurrent-requests"}.get(one.unit, one.unit)
    quota_unit = "" if unit == "requests" else f';qu="{unit}"'
    return f"{quoted(one.name)};q={one.limit}{quota_unit}{window}"


def item(one: Limit) -> str:
    wait_ns = one.wait_ns if one.verdict == REFUSED else one.reset_ns
    text = f"{quoted(one.name)};r={0 if one.blocked else one.free}"
    return text if wait_ns in (0, FOREVER) else text + f";t={-(-wait_ns // 10**9)}"


def body(one: Refusal, dialect: int) -> dict[str, Any]:
    known = entry(one.code)
    first = one.blocked[0] if one.blocked else None
    wait_ms = -(-one.wait_ns // 10**6) if first and one.wait_ns else None
    own = {
        "code": known.text, "url": url(one.code), "rule": one.rule or None,
        "limit": first.name if first else None, "retry_after_ms": wait_ms,
        "limits": [_limit(limit) for limit in one.limits if limit.blocked],
        "change": {
            "wait_ms": wait_ms, "max_tokens": one.answers and one.output() or None,
            "fewer_input_tokens": not one.output() and one.input() or None,
            "model": one.model or None,
        } if first else None,
        "request_id": one.request_id,
    }
    if dialect == 2:
        error = {"type": known.anthropic_type, "message": message(one), "fastgw": own}
        return {"type": "error", "error": error, "request_id": one.request_id}
    return {"error": {
        "message": message(one), "type": known.openai_type,
        "param": "model" if one.code in MODEL_CODES else None, "code": known.openai_code,
        "fastgw": own,
    }}


def _limit(one: Limit) -> dict[str, Any]:
    def ms(ns: int) -> int | None:
        return -(-ns // 10**6) if ns and ns != FOREVER else None

    return {
        "name": one.name, "key": one.shown_key, "unit": one.unit, "used": one.used,
        "held": one.held, "limit": one.limit, "reset_ms": ms(one.reset_ns), "taken": 0,
        "needed": one.needed, "wait_ms": None if one.never else ms(one.wait_ns),
        "verdict": VERDICTS[one.verdict],
    }


def duration(ns: int) -> str:
    if ns < 10**9:
        return f"{math.ceil(ns / 10**6)} ms"
    seconds = -(-ns // 10**9)
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


def amount(number: int, unit: str) -> str:
    if unit != "cost":
        return str(number)
    dollars, micros = divmod(number, 10**6)
    return f"${dollars}" + f".{micros:06}".rstrip("0").rstrip(".")


def visible(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def quoted(text: str) -> str:
    return '"' + visible(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
