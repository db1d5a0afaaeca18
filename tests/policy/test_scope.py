"""Names have the places that C gives them.

Method: the header of the contract is read as text and compared.
"""

import re
from pathlib import Path

import pytest

from fastgw.policy.lexer import ExpressionError
from fastgw.policy.scope import FACTS_MAX, FIXED, Scope
from fastgw.policy.types import DYN, INT, STRING

CSRC = Path(__file__).resolve().parents[2] / "csrc"


def test_fixed_facts_stand_in_the_order_of_the_contract():
    text = (CSRC / "fgw_policy.h").read_text()
    names = re.findall(r"FGW_FACT_(\w+)[,]", text)

    assert names == [name.strip(".").replace(".", "_").upper() for name, _ in FIXED]
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


def test_a_response_has_names_that_a_request_has_not():
    request, response = Scope(), Scope(phase="response")

    assert response.fact("res.status", 0) == (21, INT)
    assert response.fact("ai.model", 0) == (10, STRING)
    assert request.fact("res.status", 0) is None
    assert "only in the response phase" in request.unknown("res.status", 0, 1).message
    assert response.dynamic == [("res", "status")]
    assert "res.headers" in response.maps and "res.headers" not in request.maps
    assert Scope(phase="event").names == response.names


def test_results_of_actions_have_the_type_that_is_said():
    scope = Scope(later={})
    scope.results["restrict_ips.matched_cidr"] = STRING

    assert scope.member("actions", "restrict_ips.matched_cidr", 0) == (21, STRING)
    assert scope.member("actions", "rate_limit.limited", 0) == (22, DYN)
    assert scope.dynamic[0] == ("actions", "restrict_ips.matched_cidr")


def test_the_machines_own_facts_are_no_variables():
    assert not [name for name in Scope().names if name.startswith(".")]
    assert "did you mean" in Scope().unknown("req.querry", 0, 1).suggestion
