"""Caps through the whole gateway: the mock's own books never pass them, and what they bill beyond
a limit that they were told is overrun, to the token.

Method: two workers, many clients at once, each request asks for far more than is left. The mock
counts by itself what it generates.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from tests.journey.harness import Gateway, chat, configuration, post, read_answer, wait_until

N = 60_000
CALLS = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
    "responses": ("/v1/responses", {"input": "hi"}),
    "completions": ("/v1/completions", {"prompt": "hi"}),
    "messages": ("/v1/messages", {"max_tokens": 9000,
                                  "messages": [{"role": "user", "content": "hi"}]}),
}


def capped(mock, limit, unit="tokens", workers=2, **more):
    return Gateway(configuration(mock.port, **more, policy={"on_http_request": [{"actions": [
        {"type": "usage-cap", "config": {"name": "all", "unit": unit, "limit": limit,
                                         "window": "total"}}]}]}), workers=workers)


def call(gateway, path, body, asked):
    """Status and, of an answer that was let through, its request id."""
    with gateway.connect(timeout=30) as sock:
        sock.sendall(post(path, orjson.dumps(body), f"x-mock: {asked}"))
        status, fields, _ = read_answer(sock)
    return status, fields.get("x-fastgw-request-id")


def storm(one):
    """Many at once, then one after the other until the cap has nothing left: all statuses."""
    with ThreadPoolExecutor(12) as crowd:
        statuses = list(crowd.map(lambda n: one(n)[0], range(40)))
    refused = 0
    for n in range(200):
        statuses.append(one(n)[0])
        refused = refused + 1 if statuses[-1] == 429 else 0
        if refused == 5:
            break
        time.sleep(0.02 * refused)  # an answer is read before its request is settled
    return set(statuses)


def billed(mock):
    return sum(one["input_tokens"] + one["output_tokens"] for one in mock.books()["by"].values())


@pytest.mark.parametrize("operation", CALLS)
def test_the_books_of_a_provider_that_obeys_never_pass_a_cap(mock, operation):
    path, content = CALLS[operation]
    mock.reset()
    gateway = capped(mock, N)
    try:
        statuses = storm(lambda n: call(
            gateway, path, {"model": "m", "stream": n % 2 == 0, **content},
            "events=2500,tokens_per_event=3,reasoning=100"))

        assert statuses == {200, 429} and billed(mock) <= N
        assert billed(mock) > N - 4300  # what is left has no room for a prompt and its allowance
    finally:
        gateway.remove()


def test_what_a_provider_bills_beyond_its_limit_is_overrun_to_the_token(mock):
    mock.reset()
    gateway = capped(mock, N, workers=1)
    try:
        status, request_id = call(gateway, "/v1/chat/completions", orjson.loads(
            chat(max_tokens=50)), "events=300,tokens_per_event=1,ignore_max=1")
        (one,) = mock.books()["by"].values()
        decision = wait_until(lambda: (
            found := gateway.decision(request_id))["complete"] and found)
        (attempt,) = decision["attempts"]

        assert status == 200 and one["output_tokens"] == 300
        assert attempt["overrun_tokens"] == 250
        assert attempt["overrun_nano_usd"] == 250 * 10_000
        assert attempt["cost_nano_usd"] == one["input_tokens"] * 2500 + 300 * 10_000
        assert "250 of these tokens lie beyond the ceiling" in gateway.run("explain", request_id)
    finally:
        gateway.remove()


def test_a_cap_in_money_holds_over_candidates_of_different_prices(mock):
    """gpt-4o-mini by weight, gpt-4o where it fails: what is held is always what gpt-4o costs."""
    mock.reset()
    models = [{"id": "house", "candidates": [{"provider": "openai", "model": "gpt-4o-mini"}],
               "fallback": [{"provider": "spare", "model": "gpt-4o"}]}]
    both = configuration(mock.port)["providers"]
    both.append({**both[0], "id": "spare"})
    limit = 0.10
    gateway = capped(mock, limit, "cost", models=models, providers=both)
    try:
        statuses = storm(lambda n: call(
            gateway, "/v1/chat/completions",
            {"model": "house", "messages": [{"role": "user", "content": "hi"}],
             "service_tier": "default"},
            "events=4000,only_model=gpt-4o-mini,status=500"))
        spent = 0
        for name, one in mock.books()["by"].items():
            price = (150, 600) if name.startswith("gpt-4o-mini|") else (2500, 10_000)
            spent += one["input_tokens"] * price[0] + one["output_tokens"] * price[1]

        assert {200, 429} <= statuses
        assert 0.85 * limit * 1e9 < spent <= limit * 1e9
    finally:
        gateway.remove()
