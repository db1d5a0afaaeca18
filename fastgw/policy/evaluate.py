"""One expression over given variables: `fastgw policy eval`, and the conformance cases.

Values are typed as in ../shared/vectors/cel.jsonl: {"type": "int", "value": 3}. An expression that
cannot be understood raises ExpressionError; one that fails while it runs, EvaluationError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastgw.policy.bindings import PREFIXES, Bindings
from fastgw.policy.compiler import compile_whole
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.program import EvaluationError
from fastgw.policy.scope import FIXED, Scope


def evaluate(text: str, bindings: Mapping[str, Any], *, strict: bool = True, template: bool = False,
             seed: int = 0) -> dict[str, Any]:
    """The typed value of ``text`` over ``bindings``: plain JSON or typed, see Bindings."""
    given = Bindings(bindings)
    compiled = compile_whole(text, given.scope, strict=strict, template=template)
    return compiled.program.run(given.facts, given.sources, seed=seed)


def evaluate_loosely(text: str, bindings: Mapping[str, Any], seed: int = 0) -> dict[str, Any]:
    """As ``evaluate``; what a check of types refuses is tried, as CEL does without a check."""
    try:
        return evaluate(text, bindings, seed=seed)
    except ExpressionError as refused:
        try:
            return evaluate(text, bindings, strict=False, seed=seed)
        except EvaluationError:
            raise refused from None


def facts_in_order(scope: Scope, facts: Mapping[str, Any]) -> list[Any]:
    """``facts`` by name to the array that programs of ``scope`` read. None: absent."""
    names = [name for name, _ in FIXED]
    names += [f"{PREFIXES[kind]}.{name}" for kind, name in scope.dynamic]
    return [facts.get(name) for name in names]
