"""Tokens of CEL: numbers, strings with every escape, and errors that point.

Method: tables from the specification's lexis.
"""

import pytest

from fastgw.policy.lexer import ExpressionError, tokenize


def kinds(text):
    return [(token.kind, token.value) for token in tokenize(text)[:-1]]


@pytest.mark.parametrize(
    "text, tokens",
    [
        ("a.b", [("name", "a"), ("symbol", "."), ("name", "b")]),
        ("a<=b", [("name", "a"), ("symbol", "<="), ("name", "b")]),
        ("0x1F 1.5e-3 7", [("int", 31), ("double", 0.0015), ("int", 7)]),
        ("[.5]", [("symbol", "["), ("double", 0.5), ("symbol", "]")]),
        ("a.`x-b`", [("name", "a"), ("symbol", "."), ("quoted", "x-b")]),
        ("1 // tail", [("int", 1)]),
        ("7u 0x1FU", [("uint", 7), ("uint", 31)]),
        ("1e3 1E-3 .5e1", [("double", 1000.0), ("double", 0.001), ("double", 5.0)]),
        ("b'\\xff\\377é\\u00e9' bR'\\x'", [("bytes", b"\xff\xff\xc3\xa9\xc3\xa9"),
                                             ("bytes", b"\\x")]),
        ('"""a\'""b"""', [("string", "a'\"\"b")]),
        (
            "'a' \"b\" r'\\d' R\"\\\"",
            [("string", "a"), ("string", "b"), ("string", "\\d"), ("string", "\\")],
        ),
        ("'''a\n'b'\"c'''", [("string", "a\n'b'\"c")]),
        ("'\\\\\\'\\\"\\`\\?\\a\\b\\f\\n\\r\\t\\v'", [("string", "\\'\"`?\a\b\f\n\r\t\v")]),
        ("'\\x41\\X42\\u00e9\\U0001f600\\101'", [("string", "ABé😀A")]),
        ("'''a\r\nb\rc'''", [("string", "a\nb\nc")]),
    ],
)
def test_tokens(text, tokens):
    assert kinds(text) == tokens


@pytest.mark.parametrize(
    "text, offset, words",
    [
        ("a = b", 2, "unexpected character '='"),
        ("a & b", 2, "unexpected"),
        ("x == 'a", 5, "no end"),
        ("'a\nb'", 0, "no end"),
        ("'''a'", 0, "no end"),
        ("'\\q'", 1, "no such escape"),
        ("'\\ud800'", 1, "no character"),
        ("'\\U00110000'", 1, "no character"),
        ("'\\400'", 1, "no such escape"),
        ("1.5u", 3, "cannot be followed"),
        ("b'\\ud800'", 2, "no character"),
        ("bb'a'", 0, "prefix"),
        ("12a", 2, "cannot be followed"),
        ("a # b", 2, "unexpected"),
        ("rr'a'", 0, "prefix"),
        ("“a”", 0, "unexpected"),
        ("'\\", 1, "no such escape"),
    ],
)
def test_errors_point(text, offset, words):
    with pytest.raises(ExpressionError, match=words) as caught:
        tokenize(text)

    assert caught.value.offset == offset and caught.value.end > offset


def test_tokens_know_their_place():
    assert [(token.offset, token.end) for token in tokenize("ab == 'c'")] == [
        (0, 2),
        (3, 5),
        (6, 9),
        (9, 9),
    ]
