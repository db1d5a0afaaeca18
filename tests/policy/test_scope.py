"""Names have the places that C gives them.

Method: the header of the contract is read as text and compared.
"""

import re
from pathlib import Path

import pytest

from fastgw.policy.lexer import ExpressionError
from fastgw.policy.scope import FACTS_MAX, FIXED, Scope

CSRC = Path(__file__).resolve().parents[2] / "csrc"


def test_fixed_facts_stand_in_the_order_of_the_contract():
    text = (CSRC / "fgw_policy.h").read_text()
    names = re.findall(r"FGW_FACT_(\w+)[,]", text)

    assert names == [name.replace(".", "_").upper() for name, _ in FIXED]
    assert int(re.search(r"#define FGW_FACTS_MAX (\d+)", text)[1]) == FACTS_MAX


def test_dynamic_facts_get_the_next_place_once():
    scope = Scope()

    places = [
        scope.place("header", "X-A", 0),
        scope.place("tag", "tier", 0),
        scope.place("header", "x-a", 0),
        scope.place("owner", "tier", 0),
    ]

    assert places == [21, 22, 21, 23]
    assert scope.dynamic == [("header", "x-a"), ("tag", "tier"), ("owner", "tier")]


def test_more_dynamic_facts_than_there_is_room_are_refused():
    scope = Scope()
    for i in range(FACTS_MAX - len(FIXED)):
        scope.place("header", f"x-{i}", 0)

    with pytest.raises(ExpressionError, match="more than 43 different"):
        scope.place("tag", "one", 0)
