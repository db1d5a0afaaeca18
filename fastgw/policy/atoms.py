"""What a rule asks of single facts, read off its typed expressions: the terms that the rule index
files it under (``policy/index.py``).

A term is a set of atoms; where the rule matches, all atoms of one of its terms hold. So `&&` joins
every term of one side with every one of the other, `||` and `in` put terms side by side, and what
is no atom (`!=`, arithmetic, macros, a fact that actions change) says nothing: the rule's program
tests it. A fact that stays as it is while rules run is *steady*.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastgw.policy.index import (
    HAS,
    LEAST,
    MOST,
    NETWORK,
    NUMBER,
    PREFIX,
    RANGE,
    TEXT,
    Atom,
    Term,
)
from fastgw.policy.typed import Typed

Terms = list[Term]
NOTHING_KNOWN: Terms = [frozenset()]
TERMS_MAX = 64  # of a conjunction of alternatives; beyond, the shorter side alone is filed
LIST_MAX = 4096  # of one `in`
STEADY_KINDS = ("header", "query", "tag", "owner")
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
_SPECIAL = frozenset("\\.+*?()|[]{}^$")


def terms_of(trees: Iterable[Typed], steady: Callable[[int], bool]) -> Terms | None:
    """The terms of a rule with these expressions; None where every request is a candidate."""
    found = NOTHING_KNOWN
    for tree in trees:
        found = _both(found, _terms(tree, steady))
    return None if frozenset() in found else found


def steady_facts(fixed: int, dynamic: Sequence[tuple[str, str]]) -> Callable[[int], bool]:
    """Which facts do not change while the rules of the request phase run."""
    return lambda fact: fact < fixed or dynamic[fact - fixed][0] in STEADY_KINDS


def _terms(tree: Typed, steady: Callable[[int], bool]) -> Terms:
    if tree.op == "&&":
        return _both(*(_terms(part, steady) for part in tree.parts))
    if tree.op == "||":
        left, right = (_terms(part, steady) for part in tree.parts)
        return left + right if len(left) + len(right) <= LIST_MAX else NOTHING_KNOWN
    atoms = _atoms(tree)
    if not atoms or len(atoms) > LIST_MAX or not steady(atoms[0].fact):
        return NOTHING_KNOWN
    return [frozenset([atom]) for atom in atoms]


def _both(left: Terms, right: Terms) -> Terms:
    if len(left) * len(right) <= TERMS_MAX or 1 in (len(left), len(right)):
        return [one | other for one, other in itertools.product(left, right)]
    for side, other in ((left, right), (right, left)):
        if frozenset() in side:
            return other
    return min(left, right, key=len)


def _place(fact: Typed) -> int:
    place: Any = fact.value
    return place


def _atoms(tree: Typed) -> list[Atom]:
    """Of one test: the atoms of which one holds where it is true; none if it is no such test."""
    read = _READERS.get(tree.op)
    return read(tree) if read else []


def _fact(tree: Typed) -> list[Atom]:
    return [Atom(NUMBER, _place(tree), 1)] if tree.type.name == "bool" else []


def _not(tree: Typed) -> list[Atom]:
    part = tree.parts[0]
    if part.op == "fact" and part.type.name == "bool":
        return [Atom(NUMBER, _place(part), 0)]
    return []


def _has(tree: Typed) -> list[Atom]:
    return [Atom(HAS, _place(tree))]


def _equal(fact: int, kind: str, constant: object) -> list[Atom]:
    if kind == "string" and isinstance(constant, str):
        return [Atom(TEXT, fact, constant.encode())]
    if kind in ("int", "bool") and isinstance(constant, int):
        return [Atom(NUMBER, fact, int(constant))]
    return []


def _in(tree: Typed) -> list[Atom]:
    needle = tree.parts[0]
    if needle.op != "fact":
        return []
    constants: Any = tree.value
    found = [_equal(_place(needle), needle.type.name, constant) for constant in constants]
    return [atom for atoms in found for atom in atoms] if all(found) else []


def _compared(tree: Typed) -> list[Atom]:
    left, right = tree.parts
    op = tree.op
    if left.op == "constant":
        left, right, op = right, left, _MIRRORED[op]
    if left.op != "fact" or right.op != "constant" or left.type.name != right.type.name:
        return []
    fact, constant = _place(left), right.value
    if op == "==":
        return _equal(fact, left.type.name, constant)
    if left.type.name != "int" or not isinstance(constant, int):
        return []
    least = constant + (op == ">") if op in (">", ">=") else LEAST
    most = constant - (op == "<") if op in ("<", "<=") else MOST
    return [Atom(RANGE, fact, (least, most))] if least <= MOST and most >= LEAST else []


def _call(tree: Typed) -> list[Atom]:
    if len(tree.parts) != 2 or tree.parts[1].op != "constant" or tree.parts[0].op != "fact":
        return []
    if tree.parts[0].type.name != "string" or tree.parts[1].type.name != "string":
        return []
    fact, text = _place(tree.parts[0]), str(tree.parts[1].value)
    if tree.value == "glob":
        if "*" not in text:
            return [Atom(TEXT, fact, text.encode())]
        text = text.partition("*")[0]
    elif tree.value == "matches":
        text = leading_text(text)
    elif tree.value != "startsWith":
        return []
    return [Atom(PREFIX, fact, text.encode())] if text else []


def leading_text(pattern: str) -> str:
    """The text that everything begins with that the pattern finds; "" where there is none."""
    if not pattern.startswith("^") or "|" in pattern or "(?" in pattern:
        return ""
    text = "".join(itertools.takewhile(lambda char: char not in _SPECIAL, pattern[1:]))
    behind = pattern[1 + len(text):2 + len(text)]
    return text[:-1] if behind in ("*", "?", "{") and behind else text


def _in_of(tree: Typed) -> list[Atom]:
    needle, heap = tree.parts
    constant = heap.parts[0] if heap.op == "call" and heap.value == "cidr" else heap
    if needle.op != "fact" or constant.op != "constant" or constant.type.name not in (
            "string", "cidr") or (heap.op != "call" and constant.type.name != "cidr"):
        return []
    try:
        network = ipaddress.ip_network(str(constant.value), strict=False)
    except ValueError:
        return []
    return [Atom(NETWORK, _place(needle), (network.network_address.packed, network.prefixlen))]


_READERS: dict[str, Callable[[Typed], list[Atom]]] = {
    "fact": _fact, "not": _not, "has": _has, "in": _in, "in_of": _in_of, "call": _call,
    **dict.fromkeys(_MIRRORED, _compared),
}
