"""Atoms: what a rule asks of single facts, as the rule index files it.

Method: expressions are compiled as a configuration's are, and their terms compared with what is
written beside them. That the terms follow from the expressions is shown by whole policies in
test_policy.py.
"""

import pytest

from fastgw.policy import atoms
from fastgw.policy.atoms import leading_text, steady_facts, terms_of
from fastgw.policy.compiler import compile_text
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
)
from fastgw.policy.scope import Scope

MODEL, STREAM, N, IP, FIRST = 10, 12, 14, 5, 21  # places of facts; FIRST of dynamic ones


def terms(*expressions: str):
    scope = Scope()
    trees = [compile_text(text, scope)[1] for text in expressions]
    found = terms_of(trees, steady_facts(scope.fixed, scope.dynamic))
    return None if found is None else [sorted(term, key=repr) for term in found]


@pytest.mark.parametrize("expression, atom", [
    ("ai.model == 'a'", Atom(TEXT, MODEL, b"a")),
    ("'a' == ai.model", Atom(TEXT, MODEL, b"a")),
    ("ai.model.startsWith('gpt-é')", Atom(PREFIX, MODEL, "gpt-é".encode())),
    ("ai.model.glob('gpt-*-x*')", Atom(PREFIX, MODEL, b"gpt-")),
    ("glob(ai.model, 'gpt-4o')", Atom(TEXT, MODEL, b"gpt-4o")),
    ("ai.model.matches('^gpt-4[ox]')", Atom(PREFIX, MODEL, b"gpt-4")),
    ("ai.stream", Atom(NUMBER, STREAM, 1)),
    ("!ai.stream", Atom(NUMBER, STREAM, 0)),
    ("ai.stream == false", Atom(NUMBER, STREAM, 0)),
    ("ai.n == -3", Atom(NUMBER, N, -3)),
    ("ai.n > 5", Atom(RANGE, N, (6, MOST))),
    ("5 > ai.n", Atom(RANGE, N, (LEAST, 4))),
    ("ai.n <= 5", Atom(RANGE, N, (LEAST, 5))),
    ("5 <= ai.n", Atom(RANGE, N, (5, MOST))),
    ("has(key.tags.tier)", Atom(HAS, FIRST)),
    ("'x-a' in req.headers", Atom(HAS, FIRST)),
    ("req.headers['X-A'] == 'b'", Atom(TEXT, FIRST, b"b")),
    ("conn.client_ip in cidr('10.1.2.3/8')", Atom(NETWORK, IP, (bytes([10, 0, 0, 0]), 8))),
    ("conn.client_ip in cidr('::/0')", Atom(NETWORK, IP, (bytes(16), 0))),
])
def test_one_test_is_one_atom(expression, atom):
    assert terms(expression) == [[atom]]


@pytest.mark.parametrize("expression", [
    "true", "ai.model != 'a'", "!(ai.model == 'a')", "ai.model.endsWith('a')", "ai.n + 1 == 2",
    "ai.model.matches('gpt')", "ai.model.glob('*x')", "ai.model.startsWith('')",
    "ai.model == 'a' || ai.n != 1", "ai.stream ? ai.n == 1 : false", "random() < 0.5",
    "req.path == ai.model", "size(ai.model) > 3", "req.headers.exists(h, h == 'x')",
    "time.now > timestamp('2026-01-01T00:00:00Z')",
])
def test_what_is_no_atom_says_nothing(expression):
    assert terms(expression) is None


def test_alternatives_are_terms_and_conjunctions_join_them():
    a, b = Atom(TEXT, MODEL, b"a"), Atom(TEXT, MODEL, b"b")
    stream, n = Atom(NUMBER, STREAM, 1), Atom(NUMBER, N, 2)

    assert terms("ai.model in ['a', 'b']") == [[a], [b]]
    assert terms("ai.model in ['a', 'b'] && ai.stream") == [[a, stream], [b, stream]]
    assert terms("ai.model in ['a', 'b']", "ai.stream") == [[a, stream], [b, stream]]
    assert terms("ai.model == 'a' && ai.n != 3 || ai.n == 2") == [[a], [n]]
    assert terms("(ai.model == 'a' || ai.n != 3) && ai.stream") == [[a, stream], [stream]]
    assert terms() is None


def test_of_too_many_combinations_the_shorter_side_is_filed():
    models = ", ".join(f"'m{i}'" for i in range(60))
    numbers = ", ".join(map(str, range(50)))

    assert len(terms(f"ai.model in [{models}] && ai.n in [{numbers}]")) == 50
    assert len(terms(f"ai.model in [{models}] && ai.stream")) == 60
    assert len(terms(f"ai.model in [{models}] && (ai.n in [{numbers}] || true)")) == 60


def test_a_list_that_is_too_long_says_nothing(monkeypatch):
    monkeypatch.setattr(atoms, "LIST_MAX", 2)

    assert terms("ai.n in [1, 2]") is not None
    assert terms("ai.n in [1, 2, 3]") is None
    assert terms("ai.n in [1, 2] || ai.n in [3, 4]") is None


def test_facts_that_rules_change_are_left_to_their_programs():
    steady = steady_facts(21, [("tag", "a"), ("vars", "b"), ("actions", "c.d"), ("query", "e")])

    assert [steady(fact) for fact in (0, 20, 21, 22, 23, 24)] == [
        True, True, True, False, False, True]


@pytest.mark.parametrize("pattern, text", [
    ("^abc", "abc"), ("abc", ""), ("^abc$", "abc"), ("^a.c", "a"), ("^abc*", "ab"),
    ("^abc+", "abc"), ("^abc?", "ab"), ("^abc{0,1}", "ab"), ("^a|b", ""), ("^(?i)a", ""),
    ("^ab(c|d)", ""), ("^", ""), ("^a\\.b", "a"), ("^é[x]", "é"),
])
def test_leading_text_of_a_pattern(pattern, text):
    assert leading_text(pattern) == text
