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
    # Maps of the request as a whole, and names that only the request knows.
    "req.headers.exists(h, h == 'x-one')", "req.headers.exists(h, v, v == 'first, second')",
    "req.headers[ai.user] == 'Named'", "ai.user in req.headers", "!(ai.model in req.headers)",
    "req.headers['X-TWO'.upperAscii().lowerAscii()] == 'Only'", "hasReqHeader(ai.user)",
    "getReqHeader('x-one') == ['first', 'second']", "getReqHeader('X-Two')[0] == 'Only'",
    "getReqHeader('x-none') == []", "size(key.tags) == 1", "key.owner == {'team': 'a'}",
    "key.tags.exists(t, key.tags[t] == 'free')", "req.query == {'a': 'b', 'c': 'd e/'}",
    "req.query.c == 'd e/'", "'c' in req.query && !('x' in req.query)",
    "!req.headers.exists(h, h == 'authorization')", "getReqHeader('authorization') == []",
    "'authorization' in req.headers", "time.now.getHours(req.query.?zone.orValue('UTC')) < 24",
    "time.now.getHours('Asia/Tokyo') == time.now.getHours(req.headers['x-zone'])",
    "random() < 1.0",
]


def denying(expression):
    return policy({"expressions": [expression], "actions": [{"type": "deny"}]})


@pytest.mark.parametrize("fact", FACTS)
def test_a_rule_sees(worker, fact):
    asked = request(BODY, "X-ONE: first", "x-two: Only", "x-one: second", "U-1: Named",
                    "x-zone: Asia/Tokyo", path="/v1/chat/completions?a=b&c=d+e%2F&a=z")

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


def test_nothing_is_left_of_the_maps_before(worker):
    one = worker(policy=denying("req.query.exists(q, q == 'x') || req.query.?y.hasValue()"))
    path = "/v1/chat/completions"

    for _ in range(2):
        assert one.ask(request(BODY, path=f"{path}?x=1"))[1].code == "FGW-601"
        assert one.ask(request(BODY, path=path), response())[1].status == 200
        assert one.ask(request(BODY, path=f"{path}?y"))[1].code == "FGW-601"


def test_nothing_is_left_of_the_key_before(worker):
    keys = [{"id": name, "value": f"fgw-{name}", "tags": tags}
            for name, tags in (("alice", {"tier": "free"}), ("bob", {}))]
    one = worker(keys=keys, policy=denying("key.tags.tier == 'free'"))

    for _ in range(2):
        assert one.ask(request(BODY))[1].code == "FGW-601"
        assert one.ask(request(BODY, key="fgw-bob"), response())[1].status == 200
