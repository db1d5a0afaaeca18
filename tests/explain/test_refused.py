"""explain/refusal: what a refusal says is what happened to that very exchange.

Method: exchanges refused in one phase after another through a worker; the answers are compared.
"""

import orjson

from fastgw.explain.refusal import change
from tests.worker import chat, policy, provider, request, response

DENY = {"name": "no one", "expressions": ["ai.model == 'gpt-4o'"], "actions": [
    {"type": "deny", "config": {"status_code": 451, "message": "not this model"}}]}
PACE = {"actions": [{"type": "rate-limit", "config": {
    "name": "pace", "unit": "requests", "capacity": 2, "per": "1h",
    "bucket_key": ["key.id", "ai.model"]}}]}


def test_a_rules_own_status_message_and_name(worker):
    _, answer = worker(policy=policy(DENY)).ask(request(chat()))

    assert (answer.status, answer.fields["x-fastgw-rule"]) == (451, "no one")
    error = orjson.loads(answer.body)["error"]
    assert "not this model" in error["message"] and error["fastgw"]["rule"] == "no one"
    assert error["fastgw"]["request_id"] == answer.fields["x-fastgw-request-id"]


def test_the_limit_that_was_hit_with_its_key_and_its_numbers(worker):
    one = worker(policy=policy(PACE))
    for _ in range(2):
        one.ask(request(chat()), response())
    _, answer = one.ask(request(chat()))

    assert answer.fields["ratelimit-policy"] == '"pace";q=2;w=3600'
    assert answer.fields["ratelimit"].startswith('"pace";r=0;t=1')
    message = orjson.loads(answer.body)["error"]["message"]
    assert "alice, gpt-4o" in message and "2 used" in message and "of 2 requests" in message


def test_attempts_that_were_made_are_told(worker):
    one = worker(providers=[provider("openai", retries={"max": 1})])
    one.loop.fault = [ConnectionRefusedError(), ConnectionRefusedError()]
    _, answer = one.ask(request(chat()))

    assert (answer.code, answer.fields["x-fastgw-attempts"]) == ("FGW-901", "2")


def test_nothing_of_the_exchange_before_is_told(worker):
    one = worker(policy=policy(DENY))
    one.ask(request(chat()))
    _, answer = one.ask(request(chat(), key=""))

    assert (answer.status, answer.code) == (401, "FGW-301")
    assert "x-fastgw-rule" not in answer.fields and b"not this model" not in answer.body


def test_nothing_of_the_limits_before_is_told(worker):
    one = worker(policy=policy(PACE))
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(response())
    assert "ratelimit" in client.answer().fields
    one.records()
    client.feed(request(chat(), key=""))

    assert "ratelimit" not in client.answer().fields
    (refused,) = one.records()
    assert refused.limits == [] and refused.code == 301


def test_a_parameter_at_fault_is_named(worker):
    _, answer = worker().ask(request(b'{"messages":[]}'))

    assert orjson.loads(answer.body)["error"]["param"] == "model"


def test_every_limit_that_failed_is_told_to_the_client(worker):
    """One exchange, two limits of two units, and the tokens that would have passed both."""
    both = {"actions": [
        {"type": "rate-limit", "config": {"name": "tokens", "unit": "tokens", "capacity": 100,
                                          "per": "1h", "bucket_key": ["key.id"]}},
        {"type": "rate-limit", "config": {"name": "output", "unit": "output_tokens",
                                          "capacity": 60, "per": "1h"}}]}
    one = worker(policy=policy(both))
    one.ask(request(chat(max_tokens=40)), response())
    _, answer = one.ask(request(chat(max_tokens=90, n=2)))

    error = orjson.loads(answer.body)["error"]
    limits = {limit["name"]: limit for limit in error["fastgw"]["limits"]}
    assert answer.code == "FGW-802" and set(limits) == {"tokens", "output"}
    assert (limits["tokens"]["used"], limits["output"]["used"]) == (50, 19)
    assert limits["tokens"]["key"] == "alice" and limits["output"]["key"] == ""
    room = error["fastgw"]["change"]["max_tokens"]
    assert f"at most {room} output tokens an answer (max_tokens)" in error["message"]
    _, answer = one.ask(request(chat(max_tokens=room, n=2)), response())
    assert answer.status == 200


def test_a_clients_own_text_in_a_bucket_key_stays_text(worker):
    one = worker(policy=policy(PACE))
    model = 'a"b\\c é</x>, "limit": "evil"'
    for _ in range(3):
        _, answer = one.ask(request(chat(model=model)), response())

    error = orjson.loads(answer.body)["error"]
    assert error["fastgw"]["limits"][0]["key"] == f"alice, {model}"
    assert f"for alice, {model}: " in error["message"]


def test_a_cap_says_by_how_much_the_input_is_too_long(worker):
    """The output limit is one token already: what refuses is the prompt."""
    cap = {"actions": [{"type": "usage-cap", "config": {
        "name": "day", "unit": "tokens", "limit": 20_000, "window": "day",
        "bucket_key": ["key.id"]}}]}
    one = worker(policy=policy(cap))
    one.ask(request(chat()), response())

    def asked(length):
        client = one.connect()
        client.feed(request(chat(messages=[{"role": "user", "content": "word " * length}])))
        return client

    answer = asked(3200).answer()
    error = orjson.loads(answer.body)["error"]
    (limit,) = error["fastgw"]["limits"]
    assert (answer.code, limit["used"], limit["limit"]) == ("FGW-806", 50, 20_000)
    over = error["fastgw"]["change"]["fewer_input_tokens"]
    assert f"To pass, shorten the input by {over} tokens." in error["message"]
    assert over == limit["needed"] - (20_000 - 50) and limit["reset_ms"] > 0
    one.upstream.taken()
    asked(3200 - over)
    assert one.upstream.taken().startswith(b"POST ")


CAP = {"actions": [{"type": "usage-cap", "config": {
    "name": "out", "unit": "output_tokens", "limit": 100, "window": "total",
    "bucket_key": ["key.id"]}}]}


def test_what_is_used_and_what_running_requests_hold_are_told_apart(worker):
    """Summed from the holds, so not for each of a flood: once until the timer ticks again."""
    one = worker(policy=policy(CAP))
    one.ask(request(chat(max_tokens=40)), response())  # used: 19
    running = one.connect()
    running.feed(request(chat(max_tokens=81)))  # and 81 held
    one.records()
    texts = []
    for _ in range(3):
        if len(texts) == 2:
            one.tick()
        _, answer = one.ask(request(chat(max_tokens=5)))
        assert answer.code == "FGW-804"
        error = orjson.loads(answer.body)["error"]
        texts.append(error["message"])
        (limit,) = error["fastgw"]["limits"]
        (refused,) = one.records()
        assert (refused.limits[0].used, refused.limits[0].held) == (100, limit["held"])
        assert (limit["used"], limit["taken"], limit["needed"]) == (100, 0, 1)
    assert "19 used, 81 held of 100 output_tokens" in texts[0] and texts[2] == texts[0]
    assert "100 used or held of 100 output_tokens" in texts[1]


def test_the_ledger_knows_the_smaller_answer_that_would_have_passed(worker):
    one = worker(policy=policy({"actions": [{"type": "rate-limit", "config": {
        "name": "tokens", "unit": "tokens", "capacity": 500, "per": "1h"}}]}))
    one.ask(request(chat(max_tokens=200, n=2)), response())
    one.records()
    _, answer = one.ask(request(chat(max_tokens=300, n=2)))
    error = orjson.loads(answer.body)["error"]
    (refused,) = one.records()
    (limit,) = refused.limits
    told = {"unit": "tokens", "used": limit.used, "held": 0, "limit": 500, "reset_ms": 0,
            "taken": 0, "needed": limit.taken, "wait_ms": -(-limit.wait_ns // 10**6),
            "verdict": "refused", "enforced": True, "algorithm": "token_bucket"}
    said = change(refused.code, [told], refused.input_estimate, refused.input_high,
                  refused.answers)
    assert "output tokens an answer (max_tokens)" in said and said in error["message"]


def test_a_clients_own_request_id_is_kept_and_recorded(worker):
    one = worker(policy=policy(DENY))
    _, answer = one.ask(request(chat(), "X-Request-Id: my-own-7"))
    assert answer.fields["x-request-id"] == "my-own-7"
    (refused,) = one.records()
    assert one.names[refused.client_request_id] == "my-own-7"
    for own in ("x" * 201, "caf\u00e9", "a b"):
        raw = request(chat(), "X-Request-Id: OWN").replace(b"OWN", own.encode())
        client = one.connect()
        client.feed(raw)
        answer = client.answer()
        assert answer.status == 451 and "x-request-id" not in answer.fields
        (refused,) = one.records()
        assert one.names[refused.client_request_id] == own
    _, answer = one.ask(request(chat()))
    assert "x-request-id" not in answer.fields
    (refused,) = one.records()
    assert refused.client_request_id == 0
