"""What every part of every expression comes to, for `fastgw policy simulate`; off the hot path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastgw.config.model import Rule
from fastgw.policy.compiler import compile_whole
from fastgw.policy.program import EvaluationError
from fastgw.policy.scope import Scope

# (from, to) in the expression's text, and the typed value of what stands there.
Step = tuple[int, int, Mapping[str, Any]]
Tracer = Callable[[int, int, list[Step]], None]


def trace_rules(rules: Sequence[Rule], scope: Scope, facts: Sequence[Mapping[str, Any] | None],
                sources: Mapping[int, Sequence[tuple[str, str]]], tracer: Tracer) -> None:
    """Calls ``tracer(rule, expression, steps)`` for each expression of ``rules``, by number. The
    last step is the whole. An error is {"type": "error", "code": …, "message": …}."""
    for number, rule in enumerate(rules):
        for which, expression in enumerate(rule.expressions):
            compiled = compile_whole(expression.text, scope)
            seen: list[tuple[int, dict[str, Any]]] = []
            try:
                whole = compiled.program.run(facts, sources, trace=seen)
            except EvaluationError as error:
                whole = {"type": "error", "code": error.code, "message": str(error)}
            steps = [(*compiled.spans[at], value) for at, value in seen]
            tracer(number, which, [*steps, (0, len(expression.text), whole)])
