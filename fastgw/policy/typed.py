"""What the checker makes of a syntax tree: every node with its type and its meaning.

    constant             ``value``; its kind is ``type.name``
    fact, has            ``value``: the fact's place; its value, or whether the request has it
    source               ``value``: a whole map of the request, enum fgw_cel_source_id
    local                ``value``: the Local that a macro bound
    in                   ``value``: the constants that parts[0] may equal
    in_of                parts[0] in parts[1]
    == != < <= > >= + - * / % && || not negate ternary
    list, map            ``value``: the entries with a `?`; ``parts`` as of the tree
    dyn                  parts[0], of which only the run knows the type
    index, opt_index     parts[0][parts[1]]
    select, opt_select, has_member    ``value``: the field of parts[0]
    call                 ``value``: the function's name; ``parts``: receiver and arguments
    or, orValue          of optionals: parts[1] is only looked at where parts[0] is empty
    optMap, optFlatMap   ``value``: the Local; ``parts``: optional, value
    fold                 ``value``: (Fold, its Locals); ``parts``: range, then as Fold says
    bind                 ``value``: the Local; ``parts``: what it is, where it is
    template             ``parts``: what `${…}` and the texts between make in a row
    failed               ``value``: why it has no meaning (lenient checks only)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fastgw.policy.parser import Tree
from fastgw.policy.types import Type


@dataclass(slots=True)
class Typed:
    """``op``, and what ``value`` is then: see above."""

    op: str
    type: Type
    tree: Tree
    value: object = None
    parts: list[Typed] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Local:
    """A variable of a macro: equal to itself only."""

    name: str
    type: Type


def walk(tree: Typed) -> Iterator[Typed]:
    """``tree`` and everything below it."""
    yield tree
    for part in tree.parts:
        yield from walk(part)


def a(kind: Type | str) -> str:
    """`an int`, `a string`."""
    text = str(kind)
    return f"an {text}" if text[0] in "aeio" else f"a {text}"
