"""What each rule's expressions came to, part by part, on the facts that the gateway decided on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fastgw.config.model import AccessKey, Config, Expression, Rule
from fastgw.policy.bindings import Bindings
from fastgw.policy.compiler import Compiled, compile_whole
from fastgw.policy.program import EvaluationError
from fastgw.policy.typed import walk
from fastgw.rehearsal.cases import Case

SHOWN_OF_A_LOOP = 5
CREDENTIALS = ("authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key",
               "cookie")


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


def trace_rules(config: Config, case: Case, facts: Mapping[str, Any],
                decision: Mapping[str, Any]) -> list[RuleTrace]:
    """``facts``: typed, as `Policy.show_facts` has them; ``decision``: the record."""
    bindings = Bindings(dict(_maps(config, case)) | dict(facts))
    matched = {rule["name"] for rule in decision["rules"] if rule["matched"]}
    traces, reached = [], True
    for rule in config.rules:
        tried = tuple(_try(rule, bindings)) if reached else ()
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


def _maps(config: Config, case: Case) -> Iterator[tuple[str, dict[str, str]]]:
    lines = case.message("127.0.0.1", None).split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n")
    target = lines[0].split(" ")[1] if " " in lines[0] else ""
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        if name not in CREDENTIALS:
            fields[name] = f"{fields[name]}, {value.strip()}" if name in fields else value.strip()
    yield "req.headers", fields
    yield "req.query", dict(parse_qsl(target.partition("?")[2], keep_blank_values=True))
    key: AccessKey | None = next((key for key in config.keys if key.id == case.key), None)
    yield "key.tags", {name: str(value) for name, value in key.tags.items()} if key else {}
    yield "key.owner", {name: str(value) for name, value in key.owner.items()} if key else {}


def _try(rule: Rule, bindings: Bindings) -> Iterator[Tried]:
    """Each expression until one is not true: the gateway asks no further either."""
    for expression in rule.expressions:
        tried = try_expression(expression, bindings)
        yield tried
        if tried.value != "true":
            return


def try_expression(expression: Expression, bindings: Bindings) -> Tried:
    compiled = compile_whole(expression.text, bindings.scope)
    steps: list[tuple[int, dict[str, Any]]] = []
    try:
        value = show(compiled.program.run(bindings.facts, bindings.sources, trace=steps))
    except EvaluationError as error:
        value = f"no value: {error}"
    return Tried(expression.text, value, tuple(_parts(expression.text, compiled, steps)))


def _parts(text: str, compiled: Compiled, steps: list[tuple[int, dict[str, Any]]],
           ) -> Iterator[Part]:
    """In the order of evaluation; constants and the whole are left out."""
    nodes = {(node.tree.whole, node.tree.end): node for node in walk(compiled.tree)}
    found: dict[tuple[int, int], list[str]] = {}
    for instruction, value in steps:
        span = compiled.spans[instruction]
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
