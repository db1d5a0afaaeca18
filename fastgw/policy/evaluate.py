"""One expression over given variables: `fastgw policy eval`, and the conformance cases.

Values are typed as in ../shared/vectors/cel.jsonl: {"type": "int", "value": 3}. An expression that
cannot be understood raises ExpressionError; one that fails while it runs, NoValue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastgw.policy.bindings import PREFIXES, Bindings
from fastgw.policy.compiler import compile_whole
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.program import EvaluationError
from fastgw.policy.scope import FIXED, Scope


class NoValue(EvaluationError):
    """An expression failed at ``span`` (from, to) of its text."""

    def __init__(self, message: str, code: str, instruction: int, span: tuple[int, int]) -> None:
        super().__init__(message, code, instruction)
        self.span = span


def evaluate(text: str, bindings: Mapping[str, Any], *, strict: bool = True,
             template: bool = False, seed: int = 0) -> dict[str, Any]:
    """The typed value of ``text`` over ``bindings``: plain JSON or typed, see Bindings.

    Raises NoValue where the expression fails, ValueError for bindings that are no values.
    """
    given = Bindings(bindings)
    compiled = compile_whole(text, given.scope, strict=strict, template=template)
    try:
        return compiled.program.run(given.facts, given.sources, seed=seed)
    except EvaluationError as error:
        at = error.instruction
        span = compiled.spans[at] if at < len(compiled.spans) else (0, len(text))
        raise NoValue(str(error), error.code, at, span) from None


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
    return [facts.get(name) for name in fact_names(scope)]


def fact_names(scope: Scope) -> list[str]:
    """The name of each place of the facts array."""
    return [*(name for name, _ in FIXED),
            *(f"{PREFIXES[kind]}.{name}" for kind, name in scope.dynamic)]
