"""What was played beside what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastgw.rehearsal.cases import Expected
from fastgw.rehearsal.stage import Played

BODY_SHOWN = 200


def differences(expect: Expected, played: Played) -> list[str]:
    """A line for each expectation that does not hold, the likely cause first."""
    return [*_answer(expect, played), *_fields(expect, played), *_rules(expect, played)]


def _answer(expect: Expected, played: Played) -> Iterator[str]:
    if expect.verdict not in (None, verdict := verdict_of(played)):
        yield f"verdict: expected {expect.verdict}, got {verdict}{_because(played)}"
    if expect.status not in (None, played.status):
        yield f"status: expected {expect.status}, got {played.status}{_because(played)}"
    code = played.fields.get("x-fastgw-code")
    if expect.code not in (None, code):
        yield f"code: expected {expect.code}, got {code or 'none'}"
    text = played.body.decode(errors="replace")
    for part in expect.body:
        if part not in text:
            yield f"body: '{part}' does not stand in {text[:BODY_SHOWN]!r}"


def _fields(expect: Expected, played: Played) -> Iterator[str]:
    rule = played.fields.get("x-fastgw-rule")
    if expect.rule not in (None, rule):
        yield f"rule: expected '{expect.rule}', got {rule or 'none'}"
    for name, pattern in (expect.headers or {}).items():
        value = played.fields.get(name)
        if pattern is None and value is not None:
            yield f"header {name}: expected none, got '{value}'"
        elif pattern is not None and (value is None or not _covers(pattern, value)):
            yield f"header {name}: expected '{pattern}', got {'none' if value is None else value}"


def _rules(expect: Expected, played: Played) -> Iterator[str]:
    if not expect.matched and not expect.unmatched:
        return
    if played.decision is None:
        yield "rules: no decision was recorded"
        return
    matched = {rule["name"] for rule in played.decision["rules"] if rule["matched"]}
    shown = ", ".join(sorted(matched)) or "none"
    yield from (f"matched: '{name}' did not match; these did: {shown}"
                for name in expect.matched if name not in matched)
    yield from (f"unmatched: '{name}' matched" for name in expect.unmatched if name in matched)


def verdict_of(played: Played) -> str:
    """allow or deny; an answer without a record (a malformed head) was no decision: deny."""
    return played.decision["verdict"] if played.decision else "deny"


def _because(played: Played) -> str:
    reason = (played.decision or {}).get("reason")
    code = played.fields.get("x-fastgw-code")
    return "".join(f" ({text})" for text in (" ".join(filter(None, (code, reason))),) if text)


def _covers(pattern: str, value: str) -> bool:
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), value, re.DOTALL) is not None
