"""Strings of CEL against Python's own, and what it does with bytes that are no text.

Method: random texts over a small alphabet that has characters of one to four bytes, so that
searches hit; every function over many of them in one program, and the same in Python on code
points. format's verbs over values whose text is known.
"""

import base64
import math
import random
import re

import pytest

from fastgw.policy.assemble import FUNCTIONS, Assembly
from tests.csrc.cel_calls import call, d, i, push, run, s

SEED = 20261121
ALPHABET = "aab,é€😀 "


def texts(count, most=12):
    chance = random.Random(SEED)
    print("seed", SEED)
    return ["".join(chance.choice(ALPHABET) for _ in range(chance.randrange(most)))
            for _ in range(count)]


def results(name, rows):
    assembly = Assembly(0)
    assembly.emit("LIST", at=len(rows))
    for row in rows:
        assembly.emit("LIST", at=1)  # an error in a list would swallow the list
        for operand in row:
            push(assembly, *operand)
        assembly.emit("CALL", at=FUNCTIONS[name], arg=len(row))
        assembly.emit("APPEND")
        assembly.emit("APPEND")
    return [one[0] for one in run(assembly, steps=10**7)]


def check(name, rows, wanted):
    got = results(name, rows)
    for row, one, two in zip(rows, got, wanted, strict=True):
        assert one == two, (name, row)


def strings(parts):
    return [("string", part) for part in parts]


def test_searching():
    some = texts(600)
    pairs = list(zip(some, texts(600, 3)[::-1], strict=True))
    rows = [(s(a), s(b)) for a, b in pairs]

    check("CONTAINS", rows, [("bool", b in a) for a, b in pairs])
    check("STARTS_WITH", rows, [("bool", a.startswith(b)) for a, b in pairs])
    check("ENDS_WITH", rows, [("bool", a.endswith(b)) for a, b in pairs])
    check("INDEX_OF", rows, [("int", a.find(b)) for a, b in pairs])
    check("LAST_INDEX_OF", rows, [("int", a.rfind(b)) for a, b in pairs])


def test_searching_from_a_character():
    rows, first, last = [], [], []
    for a, b in zip(texts(300), texts(300, 3)[::-1], strict=True):
        for at in (0, len(a) // 2, len(a)):
            rows.append((s(a), s(b), i(at)))
            first.append(("int", a.find(b, at)))
            last.append(("int", max((n for n in range(at + 1) if a.startswith(b, n)), default=-1)))

    check("INDEX_OF", rows, first)
    check("LAST_INDEX_OF", rows, last)


def test_parts():
    some = texts(300)

    check("SIZE", [(s(a),) for a in some], [("int", len(a)) for a in some])
    check("REVERSE", [(s(a),) for a in some], [("string", a[::-1]) for a in some])
    check("TRIM", [(s(a),) for a in some], [("string", a.strip()) for a in some])
    check("UPPER_ASCII", [(s(a),) for a in some],
          [("string", re.sub("[a-z]", lambda one: one[0].upper(), a)) for a in some])
    check("SUBSTRING", [(s(a), i(len(a) // 3), i(len(a) - len(a) // 3)) for a in some],
          [("string", a[len(a) // 3 : len(a) - len(a) // 3]) for a in some])
    check("CHAR_AT", [(s(a), i(len(a) // 2)) for a in some],
          [("string", a[len(a) // 2 : len(a) // 2 + 1]) for a in some])


def test_splitting_joining_replacing():
    some = texts(300)

    check("SPLIT", [(s(a), s(",")) for a in some], [strings(a.split(",")) for a in some])
    check("SPLIT", [(s(a), s("a"), i(2)) for a in some], [strings(a.split("a", 1)) for a in some])
    check("SPLIT", [(s(a), s("")) for a in some], [strings(a) for a in some])
    check("JOIN", [(("list", strings(a)), s("é")) for a in some],
          [("string", "é".join(a)) for a in some])
    check("REPLACE", [(s(a), s("a"), s("éé")) for a in some],
          [("string", a.replace("a", "éé")) for a in some])
    check("REPLACE", [(s(a), s("aa"), s(""), i(1)) for a in some],
          [("string", a.replace("aa", "", 1)) for a in some])
    check("REPLACE", [(s(a), s(""), s("-")) for a in some],
          [("string", a.replace("", "-")) for a in some])


def test_limits_of_splitting_and_replacing():
    assert call("SPLIT", s("a,b,c"), s(","), i(0)) == []
    assert call("SPLIT", s("a,b,c"), s(","), i(1)) == strings(["a,b,c"])
    assert call("SPLIT", s("a,b,c"), s(","), i(-1)) == strings("abc")
    assert call("SPLIT", s(""), s(",")) == strings([""])
    assert call("REPLACE", s("aaa"), s("a"), s("b"), i(0)) == s("aaa")
    assert call("REPLACE", s("aaa"), s("a"), s("b"), i(-(2**63))) == s("bbb")


@pytest.mark.parametrize(("name", "operands", "wanted"), [
    ("CHAR_AT", (s("abc"), i(3)), s("")), ("CHAR_AT", (s("abc"), i(4)), ("error", "INDEX")),
    ("CHAR_AT", (s("abc"), i(-1)), ("error", "INDEX")),
    ("SUBSTRING", (s("abc"), i(2), i(1)), ("error", "INDEX")),
    ("SUBSTRING", (s("é😀"), i(1)), s("😀")), ("SUBSTRING", (s("é"), i(2)), ("error", "INDEX")),
    ("INDEX_OF", (s("abc"), s("c"), i(4)), ("error", "INDEX")),
    ("INDEX_OF", (s("abc"), i(1)), ("error", "TYPE")),
    ("JOIN", (("list", [i(1)]),), ("error", "TYPE")), ("JOIN", (("list", []),), s("")),
    ("SIZE", (("bytes", "é".encode()),), i(2)), ("SIZE", (i(1),), ("error", "TYPE")),
    ("TRIM", (s("\u3000\u2009x\u180e\u200b\u2029"),), s("x\u180e\u200b")),
    ("GLOB", (s("gpt-4o-mini"), s("gpt-4*")), ("bool", True)),
    ("GLOB", (s("gpt-4o"), s("*mini")), ("bool", False))])
def test_edges(name, operands, wanted):
    assert call(name, *operands) == wanted


def test_base64():
    chance = random.Random(SEED)
    for size in range(40):
        content = chance.randbytes(size)
        text = base64.b64encode(content).decode()

        assert call("BASE64_ENCODE", ("bytes", content)) == ("string", text)
        assert call("BASE64_DECODE", s(text)) == ("bytes", text)
        assert call("BASE64_DECODE", s(text.rstrip("="))) == ("bytes", text)
    for wrong in ("a", "ab=c", "a===", "abc d", "ab-_", "====", "abcd="):
        assert call("BASE64_DECODE", s(wrong)) == ("error", "PARSE"), wrong


def test_quoting():
    assert call("QUOTE", s('a"\\\n\t\r\a\b\f\v\0é')) == s('"a\\"\\\\\\n\\t\\r\\a\\b\\f\\v\0é"')


LIST = ("list", [i(6), d(4.25), s("a"), ("null", None), ("bool", True)])


@pytest.mark.parametrize(("template", "operands", "wanted"), [
    ("%s", [LIST], "[6, 4.25, a, null, true]"), ("%s", [("bytes", b"xyz")], "xyz"),
    ("%s|%d", [("duration", -1_500_000_000), ("uint", 2**64 - 1)], "-1.5s|18446744073709551615"),
    ("%s", [("timestamp", (0, 120_000_000))], "1970-01-01T00:00:00.12Z"),
    ("%s %s", [("ip", "2001:db8::1"), ("cidr", "10.0.0.0/8")], "2001:db8::1 10.0.0.0/8"),
    ("%s", [("type", "timestamp")], "google.protobuf.Timestamp"),
    ("%x %X %o %b", [i(-255), s("ÿ"), i(8), ("bool", True)], "-ff C3BF 10 1"),
    ("%x", [("uint", 2**64 - 1)], "f" * 16), ("%b", [i(-(2**63))], "-1" + "0" * 63),
    ("%d", [d(math.nan)], "NaN"), ("%f", [i(3)], "3.000000"), ("%.0e", [d(15.0)], "2e+01"),
    ("%.3f", [d(-0.0001)], "-0.000"), ("100%%", [], "100%"), ("", [i(1)], "")])
def test_formatting(template, operands, wanted):
    assert call("FORMAT", s(template), ("list", operands)) == ("string", wanted)


@pytest.mark.parametrize(("template", "operands", "code"), [
    ("%s", [], "INDEX"), ("%", [i(1)], "ARGUMENT"), ("%.f", [d(1.0)], "ARGUMENT"),
    ("%.1001f", [d(1.0)], "ARGUMENT"), ("%q", [i(1)], "ARGUMENT"), ("%d", [s("1")], "TYPE"),
    ("%b", [d(1.0)], "TYPE"), ("%o", [("bool", True)], "TYPE"), ("%f", [s("1")], "TYPE"),
    ("%x", [("null", None)], "TYPE")])
def test_templates_that_do_not_fit(template, operands, code):
    assert call("FORMAT", s(template), ("list", operands)) == ("error", code)


def test_the_entries_of_a_map_are_written_in_the_order_of_their_keys():
    keys = [s("b"), i(10), ("bool", True), ("uint", 9), s("a"), i(-3), s("é")]
    assembly = Assembly(0)
    assembly.emit("CONSTANT", at=assembly.constant("string", "%s"))
    assembly.emit("LIST")
    assembly.emit("MAP")
    for n, key in enumerate(keys):
        push(assembly, *key)
        push(assembly, "int", n)
        assembly.emit("INSERT")
    assembly.emit("APPEND")
    assembly.emit("CALL", at=FUNCTIONS["FORMAT"], arg=2)

    assert run(assembly) == ("string", "{-3: 5, 10: 1, 9: 3, a: 4, b: 0, true: 2, é: 6}")


def test_patterns_at_run_time_and_at_load():
    for kind in ("string", "regex"):
        assert call("MATCHES", s("the grey cat"), (kind, "gr(a|e)y")) == ("bool", True)
        assert call("MATCHES", s("the grey cat"), (kind, "^gr(a|e)y")) == ("bool", False)
    assert call("MATCHES", s("x"), s("(")) == ("error", "REGEX")
    assert call("MATCHES", s("x"), s(r"(?i)\pL{500}\pL{400}")) == ("error", "REGEX"), "too large"


def test_a_pattern_takes_no_memory_that_it_keeps():
    assembly = Assembly(0)
    assembly.emit("CONSTANT", at=assembly.constant("bool", True))
    for _ in range(200):
        push(assembly, *s("abc" * 50))
        push(assembly, *s("(b|c)+a"))
        assembly.emit("CALL", at=FUNCTIONS["MATCHES"], arg=2)
        assembly.emit("AND")

    assert run(assembly, arena=9000, steps=10**7) == ("bool", True)
