"""Random expressions of CEL as text: each comes from a number, which hypothesis shows."""

import random

from hypothesis import strategies as some

from tests.policy.printer import quoted

INTS = [0, 1, -1, 2, 7, 2**62, 2**63 - 1, -(2**63)]
DOUBLES = [0.0, -0.0, 1.5, -2.25, 1e300]
NAMES = {"bool": ("b1", "b2"), "int": ("i1", "i2"), "double": ("d1",), "string": ("s1", "s2"),
         "list": ("l1",)}
VALUES = {
    "bool": some.booleans(), "int": some.sampled_from(INTS), "double": some.sampled_from(DOUBLES),
    "string": some.text("abé'\\\n", max_size=3),
    "list": some.lists(some.sampled_from(INTS), max_size=3),
}
BINDINGS = some.fixed_dictionaries({
    name: VALUES[kind] for kind, names in NAMES.items() for name in names})
EQUAL, ORDER = ("==", "!="), ("<", "<=", ">", ">=")
SUMS = {"int": ("+", "-", "*", "/", "%"), "double": ("+", "-", "*", "/")}
# What each kind can be made of; {bool}, {int}, … stand for expressions of that kind.
PATTERNS = {
    "bool": [*(f"({{{kind}}} {op} {{{kind}}})" for kind in NAMES for op in EQUAL),
             *(f"({{{kind}}} {op} {{{kind}}})" for kind in NAMES if kind != "list"
               for op in ORDER),
             *["({bool} && {bool})", "({bool} || {bool})", "(!{bool})"] * 4,
             "{string}.startsWith({string})", "{string}.endsWith({string})",
             "{string}.contains({string})", "({int} in {list})", "({bool} ? {bool} : {bool})",
             *["{list}.all(x, {about})", "{list}.exists(x, {about})",
               "{list}.exists_one(x, {about})"] * 2],
    "int": [*(f"({{int}} {op} {{int}})" for op in SUMS["int"]), "(-({int}))", "size({string})",
            "{list}.size()", "{list}[{int}]", "({bool} ? {int} : {int})"],
    "double": [*(f"({{double}} {op} {{double}})" for op in SUMS["double"]), "(-({double}))",
               "({bool} ? {double} : {double})"],
    "string": ["({string} + {string})", "({bool} ? {string} : {string})"],
    "list": ["({list} + {list})", "[{int}, {int}]", "{list}.filter(x, {about})",
             "{list}.map(x, (x + {int}))", "{list}.map(x, ({int} / x))",
             "({bool} ? {list} : {list})"],
    "about": ["(x == {int})", "(x < {int})", "(10 / x > {int})", "{bool}"],
}
GRAMMAR = [
    "{e} {op} {e}", "{e} {op} {e}", "({e})", "!({e})", "-({e})", "({e}) ? ({e}) : {e}",
    "({e}).{mark}{f}", "({e})[{mark}{e}]", "({e}).m({e}, {e})", "f({e})", "f()", "a.b.c",
    "[{mark}{e}, {e}]", "<{mark}{e}: {e}, {e}: {e}>", "({e}).exists(x, {e})", "has(a.{f})",
]
ATOMS = ["a", ".b", "1", "-3", "7u", "0x1f", "1.5", "-2e3", ".25", "'x'", '"y"', r"r'\d'",
         r"b'\xff'", "'''z'''", "true", "false", "null", "[]", "{}", "cel"]
OPERATORS = ["+", "-", "*", "/", "%", *EQUAL, *ORDER, "in", "&&", "||"]
FIELDS = ["f", "g", "break", "`x-y`", "`a.b/c`"]


def literal(value):
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return str(value).lower()


def _leaf(chance, kind):
    if chance.random() < 0.5:
        return chance.choice(NAMES[kind])
    value = {"bool": lambda: chance.random() < 0.5, "int": lambda: chance.choice(INTS),
             "double": lambda: chance.choice(DOUBLES),
             "string": lambda: "".join(chance.choices("abé'\\\n", k=chance.randrange(4))),
             "list": lambda: [chance.choice(INTS) for _ in range(chance.randrange(4))]}[kind]()
    return literal(value)


def _typed(chance, kind, depth):
    if kind != "about" and (depth == 0 or chance.random() < 0.15):
        return _leaf(chance, kind)
    pattern = chance.choice(PATTERNS[kind])
    return _filled(pattern, {name: lambda name=name: _typed(chance, name, max(depth - 1, 0))
                             for name in PATTERNS})


def _any(chance, depth):
    if depth == 0 or chance.random() < 0.15:
        return chance.choice(ATOMS)
    pattern = chance.choice(GRAMMAR)
    makers = {"e": lambda: _any(chance, depth - 1), "op": lambda: chance.choice(OPERATORS),
              "mark": lambda: chance.choice(["", "?"]), "f": lambda: chance.choice(FIELDS)}
    if pattern[0] == "<":  # a map: its brackets are no placeholder's
        return "{" + _filled(pattern[1:-1], makers) + "}"
    return _filled(pattern, makers)


def _filled(pattern, makers):
    """Every {name} anew."""
    made = ""
    while "{" in pattern:
        before, _, rest = pattern.partition("{")
        name, _, pattern = rest.partition("}")
        made += before + makers[name]()
    return made + pattern


SEEDS = some.integers(0, 2**32)


def expressions(kind, depth):
    """Well-typed ones over NAMES."""
    return SEEDS.map(lambda seed: _typed(random.Random(seed), kind, depth))


def texts(depth=4):
    """Whatever the grammar knows, typed or not."""
    return SEEDS.map(lambda seed: _any(random.Random(seed), depth))


PIECES = ["all(x, ", "exists(", "cel.bind(v, ", "optMap(", "?", "[", "]", "{", "}", "(", ")", ".",
          "'x'", "1", "true", "matches('(')", "cidr('x')", "req.headers", "vars.x", "${", "`",
          "\\", "b'\\xff'", "duration('1s')", "has(", "0x", "1e999", "9" * 30, "math.least(",
          "'%s'.format([", "lists.range(99999)"]


def _spoilt(chance):
    text = _any(chance, 4)
    for _ in range(chance.randrange(4)):
        start = chance.randrange(len(text) + 1)
        text = text[:start] + chance.choice(PIECES) + text[start + chance.randrange(4):]
    return text


def spoilt():
    """Texts of the grammar with something broken in them."""
    return SEEDS.map(lambda seed: _spoilt(random.Random(seed)))
