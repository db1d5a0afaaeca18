"""Goal: a rule sees of a request what DESIGN section 6 says, and nothing of the one before.

Method: each fact in a rule that denies, beside a rule that would deny were the fact otherwise.
"""

import pytest

from tests.worker import chat, policy, request, response

BODY = chat(user="u-1", n=2, stream=True, max_tokens=64, tools=[{"type": "function"}])
FACTS = [
    "req.method == 'POST'", "req.path == '/v1/chat/completions'", "req.query.a == 'b'",
    "req.host == 'gateway'", f"req.size == {len(BODY)}", "conn.client_ip == '192.0.2.7'",
    "conn.tls == false", "ai.dialect == 'openai'", "ai.operation == 'chat'",
    "ai.provider == ''", "ai.model == 'gpt-4o'", "ai.user == 'u-1'", "ai.stream == true",
    "ai.tools == true", "ai.n == 2", "ai.input_tokens > 0", "ai.max_output_tokens == 64",
    "key.id == 'alice'", "key.tags.tier == 'free'", "key.owner.team == 'a'",
    "req.headers['X-One'] == 'first, second'", "req.headers['x-two'] == 'Only'",
    "time.now > timestamp(1700000000)", "time.hour < 24",
]


def denying(expression):
    return policy({"expressions": [expression], "actions": [{"type": "deny"}]})


@pytest.mark.parametrize("fact", FACTS)
def test_a_rule_sees(worker, fact):
    asked = request(BODY, "X-ONE: first", "x-two: Only", "x-one: second",
                    path="/v1/chat/completions?a=b")

    _, answer = worker(policy=denying(fact)).ask(asked)
    assert answer.code == "FGW-601"
    _, answer = worker(policy=denying(f"!({fact})")).ask(asked, response())
    assert answer.status == 200


def test_a_pinned_provider_and_another_dialect_are_seen(worker):
    one = worker(policy=denying("ai.provider == 'anthropic' && ai.dialect == 'anthropic'"))
    body = b'{"model":"m","max_tokens":9,"messages":[]}'

    assert one.ask(request(body, path="/providers/anthropic/v1/messages"))[1].code == "FGW-601"
    assert one.ask(request(body, path="/v1/messages"), response())[1].status == 200


def test_nothing_is_left_of_the_request_before(worker):
    one = worker(policy=denying("req.headers['x-one'] == 'a, b'"))

    assert one.ask(request(BODY, "x-one: a", "x-one: b"))[1].code == "FGW-601"
    assert one.ask(request(BODY, "x-one: a"), response())[1].status == 200
    assert one.ask(request(BODY), response())[1].status == 200


def test_nothing_is_left_of_the_key_before(worker):
    keys = [{"id": name, "value": f"fgw-{name}", "tags": tags}
            for name, tags in (("alice", {"tier": "free"}), ("bob", {}))]
    one = worker(keys=keys, policy=denying("key.tags.tier == 'free'"))

    for _ in range(2):
        assert one.ask(request(BODY))[1].code == "FGW-601"
        assert one.ask(request(BODY, key="fgw-bob"), response())[1].status == 200
