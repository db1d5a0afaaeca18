"""What every rule came to, part by part, for `fastgw policy simulate`; off the hot path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastgw.config.model import Rule
from fastgw.policy.compiler import compile_whole
from fastgw.policy.program import EvaluationError
from fastgw.policy.scope import Scope
from fastgw.policy.typed import Typed, walk

# (from, to) in the expression's text, and the typed value of what stands there.
Step = tuple[int, int, Mapping[str, Any]]
# By name, `vars.tier` or `actions.route.provider`: what rules have written so far.
Written = Mapping[str, Mapping[str, Any]]
ABSENT = {"type": "error", "code": "ABSENT", "message": "the request does not have it"}


@dataclass(frozen=True, slots=True)
class Looked:
    """An expression that was looked at: the steps of it, and its typed tree, in which they stand.
    The last step is the whole; an error is {"type": "error", "code": …, "message": …}."""

    text: str
    steps: Sequence[Step]
    tree: Typed


@dataclass(frozen=True, slots=True)
class Collected:
    """A limit that is asked for: ``key`` is its bucket key as JSON."""

    name: str
    key: str
    enforced: bool


@dataclass(frozen=True, slots=True)
class Act:
    """One action's trace: its number, code and value as records have them."""

    action: int
    enforced: bool
    code: int
    value: int


@dataclass(frozen=True, slots=True)
class Did:
    """What a rule did. Fields are whole lines; ``output_max`` and ``route`` only where it changed
    them; ``message``: of a denial, as the rule says it."""

    acts: tuple[Act, ...]
    collected: tuple[Collected, ...]
    fields: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    route: Any = None
    output_max: int | None = None
    status: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A rule as it was run. ``rule`` None: the access and limits of the key ``key_id``.
    ``reading``: what its expressions may read, a word of policy.phases.PHASES.

    ``tried``: until an expression was false. ``before``, ``after``: what rules had written when it
    began, and when it was done. ``ended``: no rule of its phase came after it.
    """

    phase: str
    reading: str
    number: int
    rule: Rule | None
    tried: Sequence[Looked]
    matched: bool
    ended: bool
    before: Written
    after: Written
    did: Did
    key_id: str = ""


Tracer = Callable[[Seen], None]


def trace_expression(text: str, scope: Scope, facts: Sequence[Mapping[str, Any] | None],
                     sources: Mapping[int, Sequence[tuple[str, str]]],
                     seed: int = 0) -> Looked:
    """``seed``: what random() goes on from."""
    compiled = compile_whole(text, scope)
    seen: list[tuple[int, dict[str, Any]]] = []
    try:
        whole = compiled.program.run(facts, sources, seed=seed, trace=seen)
    except EvaluationError as error:
        whole = {"type": "error", "code": error.code, "message": str(error)}
    steps: list[Step] = [(*compiled.spans[at], value) for at, value in seen]
    steps.append((0, len(text), whole))
    return Looked(text, list(_with_facts(steps, compiled.tree, facts)), compiled.tree)


def _with_facts(steps: Sequence[Step], tree: Typed,
                facts: Sequence[Mapping[str, Any] | None]) -> Iterator[Step]:
    """The steps, and before them the facts that the machine compares without a step of its own."""
    nodes = {(node.tree.whole, node.tree.end): node for node in walk(tree)}
    known = {(start, end) for start, end, _ in steps}
    for start, end, value in steps:
        for part, place in _facts_of(nodes.get((start, end))):
            span = part.tree.whole, part.tree.end
            if span not in known:
                known.add(span)
                yield (*span, facts[place] or ABSENT)
        yield start, end, value


def _facts_of(node: Typed | None) -> Iterator[tuple[Typed, int]]:
    for part in node.parts if node is not None else ():
        if part.op == "fact" and isinstance(part.value, int):
            yield part, part.value
