"""local_share: what a node may spend alone.

Method: the sums over all nodes of a fleet that each spend what they are allowed.
"""

import pytest

from fastgw.cluster.share import LocalShare
from fastgw.cluster.terms import Terms

S = 10**9


@pytest.mark.parametrize("nodes", [1, 2, 3, 7])
def test_windows_shared_out_never_exceed_the_capacity(nodes):
    terms = Terms(0, "n", "requests", 4, 1000, 60 * S)
    spent = [100 // nodes] * nodes
    allowed = [LocalShare(terms, nodes, 0).allowance(each, 5 * S) for each in spent]
    assert sum(allowed) + sum(spent) <= 1000 < sum(allowed) + sum(spent) + nodes


def test_who_had_spent_more_than_its_share_gets_nothing():
    terms = Terms(0, "n", "cost", 3, 1000, 0, "month")
    assert LocalShare(terms, 3, 0).allowance(400, 10**15) == 0


def test_a_buckets_share_is_a_burst_and_a_rate():
    terms = Terms(0, "n", "requests", 1, 900, 60 * S)
    share = LocalShare(terms, 3, 7 * S)
    assert share.allowance(10**6, 7 * S) == 300
    assert share.allowance(10**6, 7 * S + 20 * S) == 300 + 100
    assert share.wait_ns() == 60 * S // 300


def test_there_is_no_share_of_a_fleet_that_was_never_seen():
    terms = Terms(0, "n", "requests", 1, 900, 60 * S)
    assert LocalShare(terms, 0, 0).allowance(0, 10**12) == 0
    assert LocalShare(terms, 0, 0).wait_ns() == 0
