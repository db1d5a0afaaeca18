"""Typed trees are walked from the top, and their types named as people name them."""

from fastgw.policy.checker import check
from fastgw.policy.parser import parse
from fastgw.policy.scope import Scope
from fastgw.policy.typed import Local, a, walk
from fastgw.policy.types import INT


def test_walk_meets_every_node_once_parents_first():
    tree = check(parse("ai.n > 1 && ai.stream"), Scope())

    assert [node.op for node in walk(tree)] == ["&&", ">", "fact", "constant", "fact"]


def test_articles():
    assert [a("int"), a("string"), a("uint"), a("optional(int)")] == [
        "an int", "a string", "a uint", "an optional(int)"]


def test_variables_of_one_name_are_two():
    assert Local("x", INT) != Local("x", INT)
