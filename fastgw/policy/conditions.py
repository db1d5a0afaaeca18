"""What a rule's expressions ask of single facts: the values that each may have.

Only conjunctions of tests of one fact with constants are understood (`==`, `in`, `<` … `>=`, a
boolean by itself or negated, `||` over one fact). ``exact`` says whether that was all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fastgw.policy.typed import Typed

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers from ``low`` to ``high``, both included; None: no bound."""

    low: float | None = None
    high: float | None = None


Values = frozenset[object] | Interval


@dataclass(slots=True)
class Conditions:
    """Fact (its position) -> what it may be; ``never``: no request at all matches."""

    facts: dict[int, Values] = field(default_factory=dict)
    exact: bool = True
    never: bool = False

    def ask(self, fact: int, values: Values) -> None:
        known = self.facts.get(fact)
        self.facts[fact] = values if known is None else meet(known, values)


def conditions(trees: Iterable[Typed]) -> Conditions:
    """Of all ``trees`` together."""
    found = Conditions()
    for tree in trees:
        _read(tree, found)
    return found


def meet(one: Values, other: Values) -> Values:
    """What both allow."""
    if isinstance(one, Interval) and isinstance(other, Interval):
        lows = [bound for bound in (one.low, other.low) if bound is not None]
        highs = [bound for bound in (one.high, other.high) if bound is not None]
        return Interval(max(lows, default=None), min(highs, default=None))
    if isinstance(one, Interval):
        one, other = other, one
    assert isinstance(one, frozenset)
    return frozenset(value for value in one if _within(value, other))


def is_empty(values: Values) -> bool:
    if isinstance(values, Interval):
        return values.low is not None and values.high is not None and values.low > values.high
    return not values


def covers(whole: Values, part: Values) -> bool:
    """Whether ``whole`` allows all that ``part`` does."""
    if isinstance(part, frozenset):
        return all(_within(value, whole) for value in part)
    if isinstance(whole, frozenset):
        return is_empty(part)
    return is_empty(part) or (
        (whole.low is None or part.low is not None and part.low >= whole.low)
        and (whole.high is None or part.high is not None and part.high <= whole.high))


def _within(value: object, values: Values) -> bool:
    if isinstance(values, frozenset):
        return value in values
    return isinstance(value, (int, float)) and (
        (values.low is None or value >= values.low)
        and (values.high is None or value <= values.high))


def _read(tree: Typed, found: Conditions) -> None:
    if tree.op == "&&":
        for part in tree.parts:
            _read(part, found)
    elif tree.op == "constant":
        found.never |= tree.value is not True
    else:
        single = _single(tree)
        if single is None:
            found.exact = False
        else:
            found.ask(*single)


def _single(tree: Typed) -> tuple[int, Values] | None:
    """(fact, values) of a test of one fact."""
    if tree.op == "fact":
        return (_place(tree), frozenset([True])) if str(tree.type) == "bool" else None
    if tree.op == "not" and tree.parts[0].op == "fact":
        return _place(tree.parts[0]), frozenset([False])
    if tree.op == "in" and tree.parts[0].op == "fact":
        return _place(tree.parts[0]), frozenset(tree.value)  # type: ignore[call-overload]
    if tree.op == "||":
        sides = [_single(part) for part in tree.parts]
        if None not in sides and len({side[0] for side in sides if side}) == 1:
            return _join(*[side for side in sides if side])
        return None
    return _comparison(tree)


def _join(one: tuple[int, Values], other: tuple[int, Values]) -> tuple[int, Values] | None:
    if isinstance(one[1], frozenset) and isinstance(other[1], frozenset):
        return one[0], one[1] | other[1]
    return None


def _comparison(tree: Typed) -> tuple[int, Values] | None:
    if tree.op not in ("==", *_MIRRORED) or len(tree.parts) != 2:
        return None
    fact, constant = tree.parts
    op = tree.op
    if fact.op == "constant":
        fact, constant, op = constant, fact, _MIRRORED.get(op, op)
    if fact.op != "fact" or constant.op != "constant":
        return None
    value = constant.value
    if op == "==":
        return _place(fact), frozenset([value])
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    step = 1 if isinstance(value, int) and str(fact.type) == "int" else 0
    if not step and op in ("<", ">"):
        return None  # the border itself is out: an interval of whole numbers cannot say so
    if op in ("<", "<="):
        return _place(fact), Interval(None, value - step if op == "<" else value)
    return _place(fact), Interval(value + step if op == ">" else value, None)


def _place(fact: Typed) -> int:
    assert isinstance(fact.value, int)
    return fact.value
