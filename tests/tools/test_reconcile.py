"""Goal: a line in the provider's books and the ledger's entry for it are judged rightly.

Method: made-up decisions, each wrong in one way; what is judged fine must be the two good ones.
"""

import pytest

from tools.reconcile import judge

LINE = {"request_id": "r", "attempt": 1, "billed": True, "input_tokens": 10, "output_tokens": 5}


def decision(*attempts: dict) -> dict:
    return {"attempts": list(attempts)}


def attempt(number: int = 1, fate: str | None = "delivered", provenance: str = "provider",
            tokens: tuple[int, int] = (10, 5), **interval: list[int]) -> dict:
    usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "provenance": provenance}
    return {"number": number, "fate": fate, "usage": usage | {"interval": interval}}


WIDE = {"provenance": "estimated", "tokens": (0, 0)}


@pytest.mark.parametrize(("found", "verdict"), [
    (decision(attempt()), "equal"),
    (decision(attempt(2), attempt(tokens=(10, 5))), "equal"),
    (decision(attempt(**WIDE, input_tokens=[10, 10], output_tokens=[0, 5])), "inside"),
    (None, "missing"),
    (decision(), "missing"),
    (decision(attempt(2)), "missing"),
    (decision(attempt(), attempt()), "doubled"),
    (decision(attempt(fate=None)), "open"),
    (decision(attempt(tokens=(10, 6))), "unequal"),
    (decision(attempt(tokens=(9, 5))), "unequal"),
    (decision(attempt(**WIDE, input_tokens=[10, 10], output_tokens=[6, 9])), "outside"),
    (decision(attempt(**WIDE, input_tokens=[1, 9], output_tokens=[0, 9])), "outside"),
    (decision(attempt(**WIDE, output_tokens=[0, 9])), "outside"),
])
def test_line_is_judged(found: dict | None, verdict: str) -> None:
    assert judge(LINE, found)[0] == verdict
