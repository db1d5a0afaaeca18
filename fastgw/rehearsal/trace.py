"""What every rule of every phase came to on one request, part by part, and what it did."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastgw.config.actions import EVENT, REQUEST, RESPONSE
from fastgw.config.model import Config, Detect, Rule
from fastgw.ledger.vocabulary import ACTIONS, effect, word
from fastgw.policy.tracing import Did, Looked, Seen, Written
from fastgw.policy.typed import walk

SHOWN_OF_A_LOOP = 5
KEY = "key"  # what stands where the phase of a rule does, for the key's own access and limits


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an expression and the values it had: several in a loop."""

    text: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """``value``: as text; an error says why there is none."""

    text: str
    value: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """``number``: in its phase. ``before``: variables and results as this rule found them;
    ``sets``: those that it left otherwise; ``does``: a line for each thing it did."""

    phase: str
    number: int
    name: str
    line: int
    matched: bool
    reached: bool
    ended: bool
    expressions: tuple[Tried, ...] = ()
    before: Mapping[str, str] = dataclasses.field(default_factory=dict)
    does: tuple[str, ...] = ()
    sets: Mapping[str, str] = dataclasses.field(default_factory=dict)


def trace_rules(config: Config, seen: Sequence[Seen],
                decision: Mapping[str, Any]) -> list[RuleTrace]:
    """All rules, phase by phase; ``decision``: the record of the same request."""
    traces = [_key(one) for one in seen if one.rule is None]
    phases = {REQUEST: config.rules, RESPONSE: config.response_rules, EVENT: config.event_rules}
    for phase, rules in phases.items():
        found: dict[int, list[Seen]] = {}
        for one in seen:
            if one.phase == phase:
                found.setdefault(one.number, []).append(one)
        for number, rule in enumerate(rules):
            for one in found.get(number, ()):
                traces.append(_rule(one, rule, decision))
            if number not in found:
                traces.append(RuleTrace(phase, number, rule.name, rule.place.line, False, False,
                                        False))
    return traces


def _key(one: Seen) -> RuleTrace:
    return RuleTrace(KEY, 0, f"key {one.key_id}", 0, True, True, one.ended,
                     does=tuple(_did(one.did, KEY)))


def _rule(one: Seen, rule: Rule, decision: Mapping[str, Any]) -> RuleTrace:
    sets = {name: show(value) for name, value in one.after.items()
            if one.before.get(name) != value}
    does = (*_did(one.did, one.phase), *_found(one, rule, decision)) if one.matched else ()
    return RuleTrace(one.phase, one.number, rule.name, rule.place.line, one.matched, True,
                     one.ended, tuple(map(_tried, one.tried)), _shown(one.before), does, sets)


def _shown(written: Written) -> dict[str, str]:
    return {name: show(value) for name, value in written.items()}


def _found(one: Seen, rule: Rule, decision: Mapping[str, Any]) -> list[str]:
    """What the rule's `detect` has found: known only when the texts have gone by."""
    if one.reading != "request" or not any(isinstance(act, Detect) for act in rule.actions):
        return []
    found = [told["effect"] for told in decision["rules"]
             if told["name"] == rule.name and told["effect"].startswith("detect: ")]
    return found or ["detect: nothing found"]


def _did(did: Did, phase: str) -> Iterator[str]:
    for act in did.acts:
        name = word(ACTIONS, act.action)
        if name != "detect":
            yield effect(name, act.value, act.code, act.enforced)
        if name == "deny" and did.message:
            yield f"  message: {did.message}"
    for limit in did.collected:
        shadow = "" if limit.enforced else " (shadow: not enforced)"
        yield f"collects the limit '{limit.name}' for {limit.key or '[]'}{shadow}"
    whose = "to the client" if phase == RESPONSE or did.status else "to the provider"
    yield from (f"adds {whose}  {line}" for line in did.fields)
    if did.removed:
        yield "removes " + ", ".join(did.removed)
    if did.route is not None:
        targets = [f"{one.provider}/{one.model}" for one in did.route.candidates]
        targets += [f"{one.provider}/{one.model} (fallback)" for one in did.route.fallback]
        one = "/".join(filter(None, (did.route.provider, did.route.model)))
        yield "routes to " + (", ".join(targets) or one)
    if did.output_max is not None:
        yield f"output is at most {did.output_max} tokens from here on"


def _tried(looked: Looked) -> Tried:
    return Tried(looked.text, show(looked.steps[-1][2]), tuple(_parts(looked)))


def _parts(looked: Looked) -> Iterator[Part]:
    """In the order of evaluation; constants and the whole are left out."""
    text, steps = looked.text, looked.steps[:-1]
    nodes = {(node.tree.whole, node.tree.end): node for node in walk(looked.tree)}
    found: dict[tuple[int, int], list[str]] = {}
    for start, end, value in steps:
        span = start, end
        node = nodes.get(span)
        if node is not None and node.op == "constant":
            continue
        if node is not None and node.op == "fold":  # its steps are accumulators: the last counts
            span = min(below.tree.whole for below in walk(node)), span[1]
            found.pop(span, None)
        found.setdefault(span, []).append(show(value))
    for (start, end), values in found.items():
        if text[start:end].strip() == text.strip():
            continue
        shown = values[:SHOWN_OF_A_LOOP]
        more = [f"… {len(values)} values"] if len(values) > SHOWN_OF_A_LOOP else []
        yield Part(text[start:end], tuple(shown + more))


def show(value: Mapping[str, Any]) -> str:
    """A typed value as CEL writes it."""
    kind = value["type"]
    if kind == "error":
        return f"no value: {value.get('message') or value.get('code')}"
    if kind == "list":
        return "[" + ", ".join(show(item) for item in value["value"]) + "]"
    if kind == "map":
        pairs = (f"{show(key)}: {show(item)}" for key, item in value["value"])
        return "{" + ", ".join(pairs) + "}"
    content = value.get("value", value.get("value_base64"))
    if kind == "string":
        return repr(content)
    if kind == "bool":
        return "true" if content else "false"
    if kind == "null":
        return "null"
    if kind in ("int", "double"):
        return str(content)
    if kind == "uint":
        return f"{content}u"
    if content is None:
        content = " ".join(str(part) for name, part in value.items() if name != "type")
    return f"{kind}({content!r})"
