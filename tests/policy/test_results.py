"""Results of actions: the table, and the actions that stand in it."""

from fastgw.config.schema import ACTIONS
from fastgw.ledger.vocabulary import ACTIONS as RECORDED
from fastgw.policy.results import LIMITS, OF_LIMITS, RESULTS, TYPES, word


def test_every_action_leaves_results():
    assert set(RESULTS) <= set(ACTIONS)
    assert set(ACTIONS) - set(RESULTS) <= {"detect"}
    assert set(ACTIONS) <= set(RECORDED)


def test_results_fit_into_the_action_s_places():
    assert all(len(results) <= 6 for type, results in RESULTS.items() if type not in LIMITS)


def test_names_are_those_that_expressions_use():
    assert word("restrict-ips") == "restrict_ips"
    assert TYPES["restrict_ips.matched_cidr"] == "string"
    assert "rate_limit.limited" in OF_LIMITS and "deny.denied" not in OF_LIMITS
