"""Goal: a worker expects what a model's answers were like, and says how far off it was.

Method: requests through a worker; what it expects shows in the REQUEST and in what pace takes.
"""

import orjson
import pytest

from fastgw.ledger.records import Request
from fastgw.shm import counters
from tests.worker import chat, chunked, delta, policy, request, response, stream_head

PACE = policy({"actions": [{"type": "rate-limit", "config": {
    "name": "out", "unit": "output_tokens", "capacity": 10**9, "per": "1h"}}]})
PROMPT = [{"role": "user", "content": "word " * 800}]  # 1,000 tokens by bytes


def billed(input, output, status=200):
    usage = {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}
    return response(orjson.dumps({"choices": [], "usage": usage}), status=status)


def expects(one, **asked):
    """(input tokens, output tokens) of a request that is then refused by its provider."""
    one.records()
    one.ask(request(chat(**{"messages": PROMPT, **asked})), response(b"{}", status=400))
    seen = one.one(Request)
    return seen.input_estimate, seen.limits[0].taken


def teach(one, *answers, **asked):
    client = one.connect()
    for answer in answers:
        client.feed(request(chat(**{"messages": PROMPT, **asked})))
        one.upstream.feed(answer)


def test_without_experience_it_goes_by_bytes(worker):
    assert expects(worker(policy=PACE)) == (1004, 512)


def test_what_providers_report_is_learned_of_that_model_alone(worker):
    one = worker(policy=PACE)
    teach(one, *[billed(1500, 40)] * 40)

    input, output = expects(one)
    assert 1450 <= input <= 1510 and 40 <= output <= 60
    assert expects(one, model="gpt-4o-mini") == (1004, 512)


def test_n_answers_are_expected_n_times_and_never_more_than_the_limit_allows(worker):
    one = worker(policy=PACE)

    assert [expects(one, **more)[1] for more in (
        {"n": 3}, {"max_tokens": 100}, {"max_tokens": 100, "n": 3}, {"max_tokens": 5000})] == [
        1536, 100, 300, 512]
    teach(one, *[billed(1000, 300)] * 40, n=3)
    assert 100 <= expects(one)[1] <= 140


@pytest.mark.parametrize("answers", [
    [billed(9000, 9000, status=500)], [response(b'{"choices":[]}')]])
def test_what_failed_or_reported_nothing_teaches_nothing(worker, answers):
    one = worker(policy=PACE)
    teach(one, *answers * 5)

    assert expects(one) == (1004, 512)


def test_what_was_cut_teaches_nothing(worker):
    one = worker(policy=PACE)
    for _ in range(5):
        client = one.connect()
        client.feed(request(chat(stream=True, messages=PROMPT)))
        one.upstream.feed(stream_head(), chunked(delta("word")))
        client.end()

    assert expects(one) == (1004, 512)


def test_what_the_provider_fetched_teaches_nothing_of_input(worker):
    one = worker(policy=PACE)
    teach(one, *[billed(90_000, 40)] * 5, web_search_options={})

    assert expects(one)[0] == 1004


def test_names_that_no_provider_answers_for_take_no_place(worker):
    one = worker(policy=PACE)
    teach(one, *[billed(2000, 40)] * 20)
    known = expects(one)
    for number in range(300):
        client = one.connect()
        client.feed(request(chat(model=f"made-up-{number}")))
        one.upstream.feed(response(b"{}", status=404))
        client.end()

    assert expects(one) == known


def test_the_error_is_a_histogram(worker):
    one = worker()
    teach(one, billed(1004, 512), billed(10_040, 1))

    ratios = counters.total(one.segment).ratios
    assert sum(ratios["input"].counts) == sum(ratios["output"].counts) == 2
    by_bound = dict(zip(counters.BUCKETS_RATIO, ratios["input"].counts, strict=False))
    assert by_bound[100] == 1 and ratios["input"].counts[-1] == 1
    assert ratios["output"].counts[0] == 1
