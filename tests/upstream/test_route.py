"""Goal: a model goes to its candidates in their exact shares, then to the fallbacks, in order.

Method: whole requests through a worker; the answer's own fields tell who served it.
"""

from collections import Counter

import orjson
import pytest
from fastgw.upstream.route import Candidate, Route

from tests.worker import chat, provider, request, response

PROVIDERS = [provider("one"), provider("two"), provider("three"),
             provider("claude", "anthropic", path="")]


def models(*candidates, fallback=(), id="house"):
    return [{"id": id, "candidates": list(candidates), "fallback": list(fallback)}]


def at(provider_id, model="m", **more):
    return {"provider": provider_id, "model": model, **more}


def served(one, client, **more):
    """Who served one request, and the model that it was asked for."""
    client.feed(request(chat(model="house", **more)))
    asked = orjson.loads(one.upstream.taken().partition(b"\r\n\r\n")[2])
    one.upstream.feed(response())
    return client.answer().fields["x-fastgw-provider"], asked["model"]


@pytest.mark.parametrize("weights", [(9, 1), (5, 3, 2), (1, 1, 1), (1, 4, 2)])
def test_shares_are_exact_in_any_row_of_requests(worker, weights):
    """Nine to one is nine and one in any ten, not on average."""
    shares = dict(zip(("one", "two", "three"), weights, strict=False))
    one = worker(providers=PROVIDERS, models=models(
        *(at(name, f"model-{name}", weight=weight) for name, weight in shares.items())))
    client, seen, row = one.connect(), [], sum(weights)
    for _ in range(4 * row):
        client.feed(request(chat(model="house")))
        (busy,) = [end for end in one.loop.opened if end.transport.sent]
        asked = orjson.loads(busy.taken().partition(b"\r\n\r\n")[2])["model"]
        busy.feed(response())
        seen.append(client.answer().fields["x-fastgw-provider"])
        assert asked == f"model-{seen[-1]}"

    for first in range(3 * row):
        assert Counter(seen[first:first + row]) == shares


def test_candidates_of_another_dialect_are_none(worker):
    one = worker(providers=PROVIDERS, models=models(at("one"), fallback=[at("two")]))

    _, answer = one.ask(request(chat(model="house", max_tokens=1), path="/v1/messages"))
    assert (answer.status, answer.code) == (503, "FGW-701") and one.loop.opened == []


def test_after_the_candidates_the_fallbacks_follow_in_order(worker):
    one = worker(providers=[entry | {"retries": {"max": 5}} for entry in PROVIDERS],
                 models=models(at("one"), fallback=[at("three"), at("two")]))
    one.loop.fault = [ConnectionRefusedError(), ConnectionRefusedError()]

    assert served(one, one.connect())[0] == "two"
    assert [host for host, _, _ in one.loop.asked] == ["one.example", "three.example",
                                                       "two.example"]


@pytest.mark.parametrize("asked, provider_id, model", [
    ("two/gpt-4o", "two", "gpt-4o"), ("two/org/gpt-4o", "two", "org/gpt-4o"),
    ("other/gpt-4o", "one", "other/gpt-4o"), ("gpt-4o", "one", "gpt-4o")])
def test_a_prefix_that_is_a_provider_pins_it(worker, asked, provider_id, model):
    got, answer = worker(providers=PROVIDERS).ask(request(chat(model=asked)), response())

    assert answer.fields["x-fastgw-provider"] == provider_id
    assert orjson.loads(got.partition(b"\r\n\r\n")[2])["model"] == model


def test_a_name_of_ours_goes_before_a_pin(worker):
    one = worker(providers=PROVIDERS, models=models(at("one", "x"), id="two/gpt-4o"))

    got, answer = one.ask(request(chat(model="two/gpt-4o")), response())
    assert answer.fields["x-fastgw-provider"] == "one" and b'"model":"x"' in got


def test_strict_models_know_no_others(worker):
    one = worker(providers=PROVIDERS, models=models(at("one")), models_strict=True)

    _, answer = one.ask(request(chat(model="gpt-4o")))
    assert (answer.status, answer.code) == (404, "FGW-509")


def test_a_dialect_that_nobody_speaks_has_no_candidate(worker):
    one = worker(providers=PROVIDERS[:1])

    _, answer = one.ask(request(chat(max_tokens=1), path="/v1/messages"))
    assert (answer.status, answer.code) == (503, "FGW-701")


def test_more_candidates_than_can_be_remembered_are_refused():
    with pytest.raises(ValueError, match="at most"):
        Route([Candidate.__new__(Candidate)] * 65)
