"""Goal: the bound of a request is that of the worst candidate that may still be tried.

Method: requests through a worker; OPEN records have the bounds. Money is in test_ceilings.
"""

import pytest

from fastgw.ledger.records import Close, Open
from fastgw.shm import counters
from tests.worker import chat, provider, request, response

TWO = [provider("openai", retries={"max": 2, "on": [500]}), provider("spare")]


def house(*candidates, fallback=(), **more):
    one = [{"provider": who, "model": model} for who, model in candidates]
    other = [{"provider": who, "model": model} for who, model in fallback]
    return [{"id": "house", "candidates": one, "fallback": other, **more}]


def bound(one, *answers, **asked):
    client = one.connect()
    client.feed(request(chat(model="house", **asked)))
    for answer in answers or [response()]:
        one.upstream.feed(answer)
    return [record.output_high for record in one.records() if isinstance(record, Open)]


@pytest.mark.parametrize("models, most", [
    (house(("openai", "gpt-4o")), 16384),
    (house(("openai", "gpt-4o"), fallback=[("spare", "o3")]), 100_000),
    (house(("openai", "gpt-4o"), fallback=[("spare", "unheard-of")]), 131_072),
    (house(("openai", "gpt-4o"), max_output=7000), 7000),
    (house(("openai", "unheard-of"), max_output=7000), 7000)])
def test_without_a_limit_it_is_what_the_longest_model_writes(worker, models, most):
    one = worker(providers=TWO, models=models)

    assert bound(one) == [most] and bound(one, n=2) == [2 * most]
    assert bound(one, max_tokens=99) == [99]


def test_a_retry_keeps_the_bound_that_was_held(worker):
    one = worker(providers=TWO, models=house(("openai", "gpt-4o"), fallback=[("spare", "o3")]))

    assert bound(one, response(b"{}", status=500), response()) == [100_000, 100_000]


def test_providers_that_a_key_may_not_use_do_not_count(worker):
    keys = [{"id": "alice", "value": "fgw-alice", "access": {"providers": ["openai"]}}]
    one = worker(providers=TWO, keys=keys,
                 models=house(("openai", "gpt-4o"), fallback=[("spare", "o3")]))

    assert bound(one) == [16384]


JUDGED = b'{"id":"m","model":"omni-moderation-2024-09-26","results":[{"flagged":false}]}'


@pytest.mark.parametrize("dialect, model, cost", [
    ("openai", "omni-moderation-latest", 0), ("mistral", "", None)])
def test_a_moderation_that_names_no_model_is_of_the_documented_one(worker, dialect, model, cost):
    one = worker(providers=[provider("openai", dialect)])
    got, answer = one.ask(request(b'{"input":"a"}', path="/v1/moderations"), response(JUDGED))
    close = one.one(Close)

    assert answer.status == 200 and got.endswith(b'{"input":"a"}')  # as it came
    assert (one.names.get(close.dims.upstream_model, ""), close.cost_nano_usd) == (model, cost)
    assert close.dims.model == 0
    assert counters.total(one.segment).counters["cost_unknown"] == (cost is None)


def test_it_has_a_price_so_a_cap_in_money_lets_it_pass(worker):
    one = worker(keys=[{"id": "alice", "value": "fgw-alice", "limits": {"cost": "1/day"}}])
    asked = (request(b'{"input":"a"}', path="/v1/moderations"), response(JUDGED))

    assert one.ask(*asked)[1].status == 200
