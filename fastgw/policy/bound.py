"""How many limits one request can be asked for at most, and which expressions may surprise.

Rules that compare the same fact with different values never match together (`key.tags.tier ==
'free'`, `… == 'pro'`), so a policy with one limit per tier is not refused. The bound looks at one
fact at a time: it may be too high, never too low.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from fastgw.policy.typed import Typed, walk

Constraints = dict[int, frozenset[object]]  # fact -> the values one of which it must have


def constraints(trees: Iterable[Typed]) -> Constraints:
    """What must hold if all ``trees`` do: of `fact == constant` and `fact in [...]`, under &&."""
    found: Constraints = {}
    for tree in trees:
        for fact, values in _conjuncts(tree):
            found[fact] = found[fact] & values if fact in found else values
    return found


def _conjuncts(tree: Typed) -> Iterator[tuple[int, frozenset[object]]]:
    if tree.op == "&&":
        for part in tree.parts:
            yield from _conjuncts(part)
    elif tree.op == "==":
        fact, constant = sorted(tree.parts, key=lambda part: part.op != "fact")
        if fact.op == "fact" and constant.op == "constant":
            yield fact.value, frozenset([constant.value])  # type: ignore[misc]
    elif tree.op == "in" and tree.parts[0].op == "fact":
        yield tree.parts[0].value, frozenset(tree.value)  # type: ignore[misc, call-overload]


def most_limits(rules: Iterable[tuple[Constraints, frozenset[object]]]) -> int:
    """The most different limits of rules that can match together; each rule comes with its own.
    Work grows with the number of rules, not with its square."""
    rules = [(needs, limits) for needs, limits in rules if limits]
    best = len(frozenset().union(*(limits for _, limits in rules)))
    for fact in {fact for needs, _ in rules for fact in needs}:
        best = min(best, _most_of(rules, fact))
    return best


def _most_of(rules: list[tuple[Constraints, frozenset[object]]], fact: int) -> int:
    """The same as far as one fact tells: it has one value, and most rules ask for another."""
    free: set[object] = set()
    bound: defaultdict[object, set[object]] = defaultdict(set)
    for needs, limits in rules:
        if fact not in needs:
            free |= limits
            continue
        for value in needs[fact]:
            bound[value] |= limits
    return len(free) + max((len(limits - free) for limits in bound.values()), default=0)


def first_beyond(rules: Sequence[tuple[Constraints, frozenset[object]]], most: int) -> int:
    """The number of the first rule with which more than ``most`` limits can come together; all of
    ``rules`` do. A rule more never makes it fewer, so that halving finds it."""
    return bisect.bisect_left(range(len(rules)), True,
                              key=lambda last: most_limits(rules[:last + 1]) > most)


def unguarded(trees: Iterable[Typed], first_dynamic: int) -> list[Typed]:
    """Negated comparisons with a header, tag or owner that nothing asks for first.

    Where it is absent the comparison has no value, and the rule does not match.
    """
    trees = list(trees)
    guarded = {tree.value for root in trees for tree in walk(root) if tree.op == "has"}
    found = []
    for root in trees:
        for tree in walk(root):
            if tree.op in ("!=", "not"):
                found += [part for part in walk(tree) if part.op == "fact"
                          and part.value >= first_dynamic  # type: ignore[operator]
                          and part.value not in guarded]
    return found


