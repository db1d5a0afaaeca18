"""Explain: a refusal in its dialect's shape, with the limit and the smallest change."""

import pytest

from fastgw.explain.refusal import REFUSED, LimitState, Refusal, body, headers


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_render_a_refusal_by_a_limit(benchmark, dialect):
    limit = LimitState("tokens", "tokens", 100_000, used=99_000, taken=5_000,
                       wait_ns=2_400_000_000, reset_ns=60_000_000_000, verdict=REFUSED,
                       period_ns=60_000_000_000)
    refusal = Refusal(801, "00000001-00-0000000001", limits=[limit])

    def render():
        return headers(refusal), body(refusal, dialect)

    benchmark(render)
