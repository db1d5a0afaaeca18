"""A second evaluator of CEL: it walks the syntax tree in Python, by the words of cel-spec alone.

It knows booleans, ints, doubles, strings, lists, the operators, a few methods and the macros.
"""

import math

ERROR = object()
COMPARISONS = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
               ">=": lambda a, b: a >= b}


def evaluate(tree, names):
    """The value of ``tree``, or ERROR."""
    kind = tree.kind
    if kind in ("null", "bool", "int", "double", "string"):
        return tree.value
    if kind == "name":
        return names.get(tree.value, ERROR)
    if kind == "binary" and tree.value in ("&&", "||"):
        return _logic(tree.value == "||", [evaluate(part, names) for part in tree.parts])
    if kind == "ternary":
        condition = evaluate(tree.parts[0], names)
        if not isinstance(condition, bool):
            return ERROR
        return evaluate(tree.parts[1 if condition else 2], names)
    if kind == "method" and tree.value in MACROS:
        return _macro(tree, names)
    values = [evaluate(part, names) for part in tree.parts]
    if any(value is ERROR for value in values):
        return ERROR
    return _STRICT[kind](tree, values)


def _logic(wins, sides):
    if any(side is wins for side in sides):
        return wins
    return (not wins) if all(side is (not wins) for side in sides) else ERROR


def _ranged(number):
    return number if -(2**63) <= number < 2**63 else ERROR


def _unary(tree, values):
    value = values[0]
    if tree.value == "!":
        return not value if isinstance(value, bool) else ERROR
    if isinstance(value, float):
        return -value
    return _ranged(-value) if type(value) is int else ERROR


def _binary(tree, values):
    left, right = values
    op = tree.value
    if op in ("==", "!="):
        return same(left, right) == (op == "==")
    if op == "in":
        return any(same(left, item) for item in right) if isinstance(right, list) else ERROR
    if type(left) is not type(right):
        return ERROR
    if op in COMPARISONS:
        ordered = isinstance(left, (bool, int, float, str))
        return COMPARISONS[op](left, right) if ordered else ERROR
    if op == "+" and isinstance(left, (str, list)):
        return left + right
    if type(left) is int:
        return _whole(op, left, right)
    return _real(op, left, right) if isinstance(left, float) else ERROR


def _whole(op, left, right):
    if op in ("/", "%"):
        if right == 0:
            return ERROR
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        if _ranged(quotient) is ERROR:
            return ERROR  # of % too, as cel-go has it
        return quotient if op == "/" else left - quotient * right
    return _ranged({"+": left + right, "-": left - right, "*": left * right}[op])


def _real(op, left, right):
    if op == "/":
        if right == 0.0:
            if left == 0.0 or math.isnan(left):
                return math.nan
            return math.copysign(math.inf, left) * math.copysign(1.0, right)
        return left / right
    return {"+": left + right, "-": left - right, "*": left * right}[op] if op != "%" else ERROR


def same(left, right):
    """Numbers of different types may be equal, other values of different types never are."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left == right
    return type(left) is type(right) and left == right


def _method(tree, values):
    target, *arguments = values
    if tree.value == "size" and isinstance(target, (str, list)):
        return len(target)
    if isinstance(target, str) and all(isinstance(one, str) for one in arguments):
        return {"startsWith": lambda: target.startswith(*arguments),
                "endsWith": lambda: target.endswith(*arguments),
                "contains": lambda: arguments[0] in target}[tree.value]()
    return ERROR


def _index(tree, values):
    target, at = values
    if not isinstance(target, list) or type(at) is not int or not 0 <= at < len(target):
        return ERROR
    return target[at]


_STRICT = {
    "unary": _unary, "binary": _binary, "method": _method, "index": _index,
    "call": lambda tree, values: len(values[0]) if isinstance(values[0], (str, list)) else ERROR,
    "list": lambda tree, values: values,
}
MACROS = ("all", "exists", "exists_one", "map", "filter")


def _macro(tree, names):
    target = evaluate(tree.parts[0], names)
    if not isinstance(target, list):
        return ERROR
    variable = tree.parts[1].value
    found = [evaluate(tree.parts[2], names | {variable: item}) for item in target]
    if tree.value in ("all", "exists"):
        wins = tree.value == "exists"
        return _logic(wins, found) if found else not wins
    if any(value is ERROR for value in found):
        return ERROR
    if tree.value == "map":
        return found
    if not all(isinstance(value, bool) for value in found):
        return ERROR
    if tree.value == "exists_one":
        return found.count(True) == 1
    return [item for item, kept in zip(target, found, strict=True) if kept]
