"""One expression over given variables: `fastgw policy eval`, and the conformance cases.

Variables and results are typed as JSON: {"type": "int", "value": 3}. An expression that our
subset does not take raises ExpressionError; one that fails while it runs, EvaluationError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastgw.policy.compiler import compile_text
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.scope import FIXED, LATER, MAPS, Scope

TYPES = ("bool", "int", "double", "string")


def evaluate(text: str, bindings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The typed value of ``text`` where exactly ``bindings`` are declared."""
    for name, binding in bindings.items():
        if binding["type"] not in TYPES:
            raise ExpressionError(f"{name}: a {binding['type']} is not supported yet", 0)
    variables = [(name, binding["type"]) for name, binding in bindings.items()]
    program, tree = compile_text(text, Scope(variables, {}, {}))
    facts = [_value(binding) for binding in bindings.values()]
    return {"type": tree.type, "value": program.evaluate(facts)}


def evaluate_request(text: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The typed value of ``text`` over facts of a request ("ai.model": "gpt-4o",
    "req.headers.x-a": …). Those that are not given are absent."""
    scope = Scope()
    program, tree = compile_text(text, scope)
    return {"type": tree.type, "value": program.evaluate(facts_in_order(scope, facts))}


def facts_in_order(scope: Scope, facts: Mapping[str, Any]) -> list[Any]:
    """``facts`` by name to the array that programs of ``scope`` read. None: absent."""
    prefix = {kind: name for name, kind in MAPS.items()} | {"res_header": "res.headers"}
    names = [name for name, _ in FIXED]
    names += [f"{prefix.get(kind, kind)}.{name}" for kind, name in scope.dynamic]
    return [facts.get(name) for name in names]


def _value(binding: Mapping[str, Any]) -> Any:
    return float(binding["value"]) if binding["type"] == "double" else binding["value"]


__all__ = ["LATER", "evaluate", "evaluate_request", "facts_in_order"]
