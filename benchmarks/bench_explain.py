"""Explain: a refusal in its dialect's shape, with the limit and the smallest change."""

from types import SimpleNamespace

import pytest

from fastgw.explain.refusal import Explainer
from fastgw.explain.trial import refuse
from fastgw.policy.limits import LimitSpec

TOKENS = LimitSpec("tokens", "tokens", "token_bucket", 100_000, 60_000_000_000, True)
STATE = {"index": 0, "used": 99_000, "held": 0, "limit": 100_000, "taken": 0, "needed": 5_000,
         "wait_ns": 2_400_000_000, "reset_ns": 60_000_000_000, "unit": 1, "verdict": 2,
         "enforced": True, "key_text": b'["alice"]'}


@pytest.mark.parametrize("dialect", [1, 2])
def test_render_a_refusal_by_a_limit(benchmark, dialect):
    """With the work of making it up from Python, which is most of it."""
    policy = SimpleNamespace(version="0", names=list, limits=[TOKENS], messages=())
    benchmark(refuse, Explainer(policy), 801, dialect, limits=[STATE])
