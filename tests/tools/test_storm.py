"""Goal: whatever is killed, locked, filled or broken beside calls of every dialect, the ledger has
one entry a call, equal or inside its interval, and the gateway's own invariant is 0.

Method: a short storm with each sort of weather at least once; the long one is `make chaos`. And
that the judge is no rubber stamp: books that were changed are found.
"""

import json

import pytest

from fastgw.ledger.records import (
    PROVENANCE_ESTIMATED,
    PROVENANCE_PROVIDER,
    Close,
    RequestId,
    Tokens,
)
from fastgw.mock.runner import Mock
from tools.calls import KINDS, spoken
from tools.storm import trial, verdict_of


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict:
    told = trial(tmp_path_factory.mktemp("storm"), calls=4000, seconds=16.0, clients=20, seed=7,
                 every_s=0.5, gentle=True)
    print(json.dumps(told, default=str))
    return told


def test_the_books_agree_in_a_storm(told):
    assert told["well"], told
    assert told["verdicts"]["equal"] > 30 and told["verdicts"]["inside"] > 10
    assert set(told["verdicts"]) == {"equal", "inside"}
    assert {"worker killed", "recorder killed", "store locked",
            "supervisor killed", "all killed", "worker frozen", "recorder frozen",
            "supervisor frozen"} <= set(told["happened"])
    assert told["drained"] > 0 and told["widths"]["cut by client"]["n"] > 0


def test_every_dialect_that_is_spoken_was_called(told):
    with Mock() as mock:
        names = {kind.name for kind in spoken(mock.url)}
    assert {"openai chat", "anthropic messages", "openai responses"} <= names
    assert set(told["kinds"]) == names <= {kind.name for kind in KINDS}


def close(provenance, input_high=40, output_low=2):
    return Close(RequestId(1, 0, 1), 7, attempt=1, fate=1, provenance=provenance,
                 tokens=Tokens(input=30, cached_input=5, output=10, reasoning=4),
                 input_low=0, input_high=input_high, output_low=output_low, output_high=20)


def test_the_judge_is_no_rubber_stamp():
    def line(inputs=35, outputs=14):
        return {"input_tokens": inputs, "output_tokens": outputs}

    told, guessed = close(PROVENANCE_PROVIDER), close(PROVENANCE_ESTIMATED)
    assert verdict_of(line(), told)[0] == "equal"
    assert verdict_of(line(36), told)[0] == verdict_of(line(35, 13), told)[0] == "unequal"
    assert verdict_of(line(36, 20), guessed) == ("inside", 58)
    assert verdict_of(line(41), guessed)[0] == verdict_of(line(35, 1), guessed)[0] == "outside"
    assert verdict_of(line(35, 21), guessed)[0] == "outside"
    assert verdict_of(line(), None)[0] == "missing"
