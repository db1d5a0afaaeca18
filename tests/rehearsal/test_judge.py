"""What was played beside what was expected: each expectation holds or says why not."""

import pytest

from fastgw.rehearsal.cases import Expected
from fastgw.rehearsal.judge import differences
from fastgw.rehearsal.stage import Played

PLAYED = Played(
    429, {"x-fastgw-code": "FGW-806", "x-fastgw-rule": "pace", "retry-after": "12"},
    b'{"error": "too fast"}',
    {"verdict": "deny", "reason": "the bucket is empty",
     "rules": [{"name": "pace", "matched": True, "effect": "rate-limit"},
               {"name": "free", "matched": False}],
     "limits": [{"name": "minute", "verdict": "refused"}, {"name": "day", "verdict": "undone"}]})


def test_all_that_holds():
    assert differences(Expected(
        "deny", 429, "FGW-806", "pace", {"retry-after": "1*", "x-other": None}, ("pace",),
        ("free", "unknown"), ("too fast",), {"pace": "rate-*"}, {"minute": "refused"}),
        PLAYED) == []


@pytest.mark.parametrize("expect, said", [
    (Expected(verdict="allow"),
     "verdict: expected allow, got deny (FGW-806 the bucket is empty)"),
    (Expected(status=200), "status: expected 200, got 429 (FGW-806 the bucket is empty)"),
    (Expected(code="FGW-601"), "code: expected FGW-601, got FGW-806"),
    (Expected(rule="free"), "rule: expected 'free', got pace"),
    (Expected(headers={"retry-after": "2*"}), "header retry-after: expected '2*', got 12"),
    (Expected(headers={"retry-after": None}), "header retry-after: expected none, got '12'"),
    (Expected(headers={"x-other": "*"}), "header x-other: expected '*', got none"),
    (Expected(matched=("free",)), "matched: 'free' did not match; these did: pace"),
    (Expected(unmatched=("pace",)), "unmatched: 'pace' matched"),
    (Expected(effects={"pace": "deny*"}),
     "effects: 'pace': expected 'deny*', got: rate-limit"),
    (Expected(effects={"free": "*"}), "effects: 'free': expected '*', got: it did not match"),
    (Expected(limits={"day": "taken"}), "limits: 'day': expected taken, got: undone"),
    (Expected(limits={"year": "taken"}),
     "limits: 'year': expected taken, got: it was not asked for"),
    (Expected(body=("slow",)), "body: 'slow' does not stand in '{\"error\": \"too fast\"}'"),
])
def test_what_does_not_hold_is_said(expect, said):
    assert differences(expect, PLAYED) == [said]


def test_an_answer_without_a_decision_is_a_refusal():
    played = Played(400, {"x-fastgw-code": "FGW-101"}, b"", None)
    assert differences(Expected(verdict="deny"), played) == []
    assert differences(Expected(verdict="allow", matched=("a",)), played) == [
        "verdict: expected allow, got deny (FGW-101)", "rules: no decision was recorded"]
