"""What was played beside what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
    if not (expect.matched or expect.unmatched or expect.effects or expect.limits):
        return
    if played.decision is None:
        yield "rules: no decision was recorded"
        return
    effects: dict[str, list[str]] = {}
    for rule in played.decision["rules"]:
        if rule["matched"]:
            effects.setdefault(rule["name"], []).append(rule.get("effect", ""))
    shown = ", ".join(sorted(effects)) or "none"
    yield from (f"matched: '{name}' did not match; these did: {shown}"
                for name in expect.matched if name not in effects)
    yield from (f"unmatched: '{name}' matched" for name in expect.unmatched if name in effects)
    for name, pattern in (expect.effects or {}).items():
        if not any(_covers(pattern, effect) for effect in effects.get(name, ())):
            said = "; ".join(effects.get(name, ())) or "it did not match"
            yield f"effects: '{name}': expected '{pattern}', got: {said}"
    yield from _limits(expect.limits or {}, played.decision["limits"])


def _limits(expected: Mapping[str, str], limits: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for limit in limits:
        found.setdefault(limit["name"], []).append(limit["verdict"])
    for name, verdict in expected.items():
        if verdict not in found.get(name, ()):
            said = ", ".join(found.get(name, ())) or "it was not asked for"
            yield f"limits: '{name}': expected {verdict}, got: {said}"


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
