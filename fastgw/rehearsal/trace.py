"""What each rule's expressions came to, part by part, on the facts that the gateway decided on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastgw.config.model import Config, Rule
from fastgw.policy.compiler import compile_whole
from fastgw.policy.scope import Scope
from fastgw.policy.tracing import Step
from fastgw.policy.typed import walk
from fastgw.rehearsal.stage import Steps

SHOWN_OF_A_LOOP = 5

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
    name: str
    line: int
    matched: bool
    reached: bool
    expressions: tuple[Tried, ...]


def trace_rules(config: Config, steps: Steps, decision: Mapping[str, Any]) -> list[RuleTrace]:
    """``decision``: the record of the same request."""
    matched = {rule["name"] for rule in decision["rules"] if rule["matched"]}
    traces, reached = [], True
    for number, rule in enumerate(config.rules):
        tried = tuple(_tried(rule, number, steps)) if reached else ()
        traces.append(RuleTrace(rule.name, rule.place.line, rule.name in matched, reached, tried))
        reached = reached and rule.name != _ended(decision)
    return traces


def _ended(decision: Mapping[str, Any]) -> str | None:
    """The rule that ended the request in phase POLICY, if one did."""
    code = decision["code"]
    if decision["verdict"] != "deny" or code is None or not code.startswith("FGW-6"):
        return None
    ends = [rule["name"] for rule in decision["rules"] if rule["matched"]]
    return ends[-1] if ends else None


def _tried(rule: Rule, number: int, steps: Steps) -> Iterator[Tried]:
    """Each expression until one is not true: the gateway asks no further either."""
    for which, expression in enumerate(rule.expressions):
        if (number, which) not in steps:
            return
        *parts, (_, _, whole) = steps[number, which]
        yield Tried(expression.text, show(whole), tuple(_parts(expression.text, parts)))
        if whole.get("value") is not True:
            return


def _parts(text: str, steps: list[Step]) -> Iterator[Part]:
    """In the order of evaluation; constants and the whole are left out."""
    tree = compile_whole(text, Scope()).tree
    nodes = {(node.tree.whole, node.tree.end): node for node in walk(tree)}
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
