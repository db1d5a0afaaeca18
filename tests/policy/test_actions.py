"""What rules and keys do: order, effect, shadow, and what is recorded.

Method: small policies over facts by name; codes are those of the catalogue.
"""

import pytest

from fastgw.errors import Code, ConfigError
from tests.policy.configured import CHAT, policy

DENY, RATE_LIMIT, CAP, MODELS, USAGE_CAP, CONCURRENCY_LIMIT = 1, 2, 3, 4, 5, 6


def trace(result):
    return [
        (entry["rule"], entry["action"], entry["enforced"], entry["code"])
        for entry in result["rules"]
    ]


def test_deny_ends_with_its_status_message_and_rule():
    built = policy("""
- {name: first, expressions: ["ai.model == 'gpt-4o'"],
   actions: [{type: deny, config: {status_code: 451, message: not here}}]}
- {name: second, actions: [{type: deny}]}
""")

    result = built.decide(CHAT)
    other = built.decide({**CHAT, "ai.model": "x"})

    assert (
        result["denied"],
        result["status"],
        result["code"],
        result["message"],
        result["rule"],
    ) == (True, 451, Code.DENIED, "not here", "first")
    assert trace(result) == [("first", DENY, True, Code.DENIED)]
    assert (other["status"], other["message"], other["rule"]) == (403, None, "second")


def test_all_expressions_of_a_rule_must_hold():
    built = policy('- {name: r, expressions: ["ai.n > 1", "ai.stream"], actions: [{type: deny}]}')

    assert built.decide({"ai.n": 2, "ai.stream": True})["denied"]
    assert not built.decide({"ai.n": 2, "ai.stream": False})["denied"]
    assert not built.decide({"ai.n": 1, "ai.stream": True})["denied"]


@pytest.mark.parametrize("where", ["rule", "action", "config"])
def test_a_shadow_is_recorded_and_does_nothing(where):
    shadow = {
        name: "enforce: false, " if name == where else "" for name in ("rule", "action", "config")
    }
    built = policy(
        "- {name: r, "
        + shadow["rule"]
        + "actions: [{type: deny, "
        + shadow["action"]
        + "config: {"
        + shadow["config"]
        + "status_code: 400}}]}\n"
        "- {name: s, actions: [{type: cap-output, config: {max_output_tokens: 5}}]}"
    )

    result = built.decide(CHAT)

    assert not result["denied"] and result["status"] == 0 and result["output_max"] == 5
    assert trace(result) == [("r", DENY, False, Code.DENIED), ("s", CAP, True, 0)]


def test_a_shadow_rule_has_limits_of_its_own_and_caps_nothing():
    built = policy("""
- name: shadow
  enforce: false
  actions:
    - {type: cap-output, config: {max_output_tokens: 5}}
    - {type: rate-limit, config: {name: p, capacity: 1, per: 1s}}
    - {type: restrict-models, config: {allow: [x]}}
- {name: real, actions: [{type: rate-limit, config: {name: p, capacity: 1, per: 1s}}]}
""")
    result = built.decide(CHAT)

    assert result["output_max"] == 0 and not result["denied"]
    assert [demand["enforced"] for demand in result["demands"]] == [False, True]
    assert result["demands"][0]["identity"] != result["demands"][1]["identity"]
    assert trace(result)[2] == ("shadow", MODELS, False, Code.MODEL_RESTRICTED)


def test_the_lowest_ceiling_wins_and_is_named():
    built = policy("""
- {name: a, actions: [{type: cap-output, config: {max_output_tokens: 100}}]}
- {name: b, actions: [{type: cap-output, config: {max_output_tokens: 50}}]}
- {name: c, actions: [{type: cap-output, config: {max_output_tokens: 70}}]}
""")
    result = built.decide(CHAT)

    assert (result["output_max"], result["output_rule"], result["rule"]) == (50, "b", "b")
    assert [entry["value"] for entry in result["rules"]] == [100, 50, 70]


def test_a_client_that_asks_for_less_is_not_shaped():
    built = policy("- {name: a, actions: [{type: cap-output, config: {max_output_tokens: 100}}]}")

    less = built.decide({**CHAT, "ai.max_output_tokens": 100})
    more = built.decide({**CHAT, "ai.max_output_tokens": 101})

    assert (less["output_max"], less["rule"]) == (100, None)
    assert (more["output_max"], more["rule"]) == (100, "a")


MODEL_CASES = [
    ({"ai.model": "gpt-4o"}, True),
    ({"ai.model": "gpt-4o-mini"}, True),
    ({"ai.model": "gpt-4o-secret"}, False),
    ({"ai.model": "o3"}, False),
    ({"ai.model": "GPT-4o"}, False),
    # `provider/model` pins: named with or without the provider.
    ({"ai.model": "openai/gpt-4o", "ai.provider": "openai"}, True),
    ({"ai.model": "openai/gpt-4o-secret", "ai.provider": "openai"}, False),
    ({"ai.model": "openai/o3", "ai.provider": "openai"}, False),
    ({"ai.model": "other/gpt-4o", "ai.provider": "openai"}, False),
    # No model: nothing that could generate.
    ({"ai.operation": "models", "req.method": "GET"}, True),
    ({"ai.operation": "responses", "req.method": "GET"}, True),
    ({"ai.operation": "files", "req.method": "POST"}, True),
    ({"ai.operation": "batches", "req.method": "POST"}, False),
    ({"ai.operation": "audio", "req.method": "POST"}, False),
    ({"ai.operation": "other", "req.method": "POST", "ai.model": ""}, False),
]


@pytest.mark.parametrize("facts, allowed", MODEL_CASES)
def test_restrict_models(facts, allowed):
    built = policy(
        "- {name: r, actions: [{type: restrict-models, config: "
        '{allow: ["gpt-4o*"], deny: ["*-secret"]}}]}'
    )
    result = built.decide({"req.method": "POST", "ai.operation": "chat", **facts})

    assert result["denied"] is not allowed
    assert trace(result) == [("r", MODELS, True, 0 if allowed else Code.MODEL_RESTRICTED)]
    assert result["status"] == (0 if allowed else 403)


@pytest.mark.parametrize(
    "facts, allowed",
    [
        ({"ai.model": "o3"}, True),
        ({"ai.model": "x-secret"}, False),
        ({"ai.model": "openai/x-secret", "ai.provider": "openai"}, False),
    ],
)
def test_deny_alone_allows_the_rest(facts, allowed):
    built = policy('- {actions: [{type: restrict-models, config: {deny: ["*-secret"]}}]}')

    assert built.decide({**CHAT, **facts})["denied"] is not allowed


def test_access_models_of_a_key():
    built = policy(keys=['access: {models: ["gpt-4o*"]}', "tags: {}"])

    for facts, allowed in MODEL_CASES:
        if "secret" not in facts.get("ai.model", ""):
            result = built.decide({"req.method": "POST", "ai.operation": "chat", **facts}, "a")
            assert result["denied"] is not allowed, facts
            assert allowed or (result["rule"], result["code"]) == (
                "key a: access.models",
                Code.MODEL_RESTRICTED,
            )
    assert not built.decide({**CHAT, "ai.model": "o3"}, "b")["denied"]


def test_access_operations_and_providers_of_a_key():
    built = policy(keys=["access: {operations: [chat, models], providers: [openai]}"])

    assert not built.decide(CHAT, "a")["denied"]
    assert not built.decide({**CHAT, "ai.provider": ""}, "a")["denied"]
    assert not built.decide({**CHAT, "ai.provider": "openai"}, "a")["denied"]
    for facts, rule in (
        ({"ai.provider": "other"}, "providers"),
        ({"ai.operation": "embeddings"}, "operations"),
        ({"ai.operation": None}, "operations"),
    ):
        result = built.decide({**CHAT, **facts}, "a")
        assert (result["status"], result["code"], result["rule"]) == (
            403,
            Code.KEY_SCOPE,
            f"key a: access.{rule}",
        )


def test_a_keys_limits_come_first_and_are_its_own():
    built = policy(
        "- {name: r, actions: [{type: rate-limit, config: {name: p, capacity: 1, per: 1s, "
        "bucket_key: [key.id, ai.model]}}]}",
        keys=["limits: {requests: 60/1m}", "limits: {requests: 60/1m}"],
    )
    one, two = built.decide(CHAT, "a"), built.decide(CHAT, "b")

    assert [
        (demand["limit"].name, demand["key"], demand["rule"]) for demand in one["demands"]
    ] == [("key requests", '["a"]', "key a: limits.requests"), ("p", '["a","gpt-4o"]', "r")]
    assert one["demands"][0]["identity"] != two["demands"][0]["identity"]
    assert one["demands"][1]["identity"] == two["demands"][1]["identity"]


def test_a_bucket_that_is_asked_for_twice_is_taken_once():
    limit = "actions: [{type: rate-limit, config: {name: p, capacity: 1, per: 1s}}]"
    result = policy(f"- {{name: a, {limit}}}\n- {{name: b, {limit}}}").decide(CHAT)

    assert len(result["demands"]) == 1 and [e["rule"] for e in result["rules"]] == ["a", "b"]


def test_an_absent_part_of_a_bucket_key_is_null():
    built = policy(
        "- {actions: [{type: rate-limit, config: {name: p, capacity: 1, per: 1s, "
        "bucket_key: [\"req.headers['x-a']\", ai.n, ai.stream]}}]}"
    )

    assert built.decide({"ai.n": 2, "ai.stream": True})["demands"][0]["key"] == "[null,2,true]"


def test_client_addresses_are_counted_by_64():
    built = policy(
        "- {actions: [{type: rate-limit, config: {name: p, capacity: 1, per: 1s, "
        "bucket_key: [key.id, conn.client_ip]}}]}"
    )

    def demand(address):
        return built.decide({"conn.client_ip": address, "key.id": "a"})["demands"][0]

    assert demand("2001:db8::1")["identity"] == demand("2001:db8::2")["identity"]
    assert demand("2001:db8::1")["key"] == '["a","2001:db8::/64"]'
    assert demand("192.0.2.1")["identity"] != demand("192.0.2.2")["identity"]


def test_the_texts_of_many_long_keys_share_their_room():
    limits = "".join(
        f"    - {{type: rate-limit, config: {{name: l{i}, capacity: 1, per: 1s, "
        "bucket_key: [ai.model, ai.user, req.path, req.host]}}\n"
        for i in range(8)
    )
    built = policy("- name: r\n  actions:\n" + limits)
    long = {name: "x" * 300 for name in ("ai.model", "ai.user", "req.path", "req.host")}

    keys = [demand["key"] for demand in built.decide(long)["demands"]]

    assert len(keys) == 8 and sum(map(len, keys)) <= 1024
    assert keys[0] == '["' + '","'.join(["x" * 96 + "…"] * 4) + '"]'
    assert keys[2:] == ['["…"]'] * 6


def test_an_expression_that_fails_does_not_match_and_is_recorded():
    built = policy(
        "- {name: r, expressions: [\"req.headers['x-a'] != 'b'\"], actions: [{type: deny}]}"
    )

    result = built.decide(CHAT)

    assert not result["denied"] and trace(result) == [("r", 0, True, Code.POLICY_FAILED)]
    assert built.decide({"req.headers.x-a": "c"})["denied"]
    assert "x-a" in str(built.warnings[0]) and len(built.warnings) == 1


def test_failed_expressions_leave_room_for_the_rules_that_match():
    failing = "".join(
        f"- {{name: f{i}, expressions: [\"req.headers['x-a'] == '{i}'\"], "
        "actions: [{type: deny}]}\n"
        for i in range(30)
    )
    result = policy(failing + "- {name: last, actions: [{type: deny}]}").decide(CHAT)

    assert [entry["rule"] for entry in result["rules"]] == [f"f{i}" for i in range(8)] + ["last"]
    # Of the rules under an absent fact the index offers no more than can be told.
    assert result["rules_total"] == 9 and result["rule"] == "last"


def test_more_rules_than_are_recorded_are_counted():
    rules = "".join(
        f"- {{name: r{i}, actions: [{{type: cap-output, config: "
        f"{{max_output_tokens: {100 - i}}}}}]}}\n"
        for i in range(20)
    )
    result = policy(rules).decide(CHAT)

    assert len(result["rules"]) == 16 and result["rules_total"] == 20
    assert result["output_max"] == 81


def test_a_rule_without_actions_is_recorded():
    assert trace(policy('- {name: seen, expressions: ["true"]}').decide({})) == [
        ("seen", 0, True, 0)
    ]


def test_nothing_is_left_of_the_request_before():
    built = policy('- {name: r, expressions: ["ai.n == 1"], actions: [{type: deny}]}')

    assert built.decide({"ai.n": 1})["denied"]
    assert built.decide({"ai.n": 2})["rule"] is None


LIMITS = """
- name: all
  actions:
    - {type: rate-limit, config: {name: p, capacity: 5, per: 1s, algorithm: fixed_window}}
    - type: usage-cap
      config: {name: c, unit: cost, limit: 2.50, window: month, bucket_key: [key.owner.team]}
    - {type: concurrency-limit, config: {name: s, limit: 3}, enforce: false}
"""


def test_caps_and_slots_are_collected_like_paces():
    result = policy(LIMITS).decide({**CHAT, "key.owner.team": "a"})

    assert trace(result) == [
        ("all", RATE_LIMIT, True, 0),
        ("all", USAGE_CAP, True, 0),
        ("all", CONCURRENCY_LIMIT, False, 0),
    ]
    assert [entry["value"] for entry in result["rules"]] == [5, 2_500_000, 3]
    assert [
        (demand["limit"].name, demand["limit"].algorithm, demand["key"], demand["enforced"])
        for demand in result["demands"]
    ] == [
        ("p", "fixed_window", "[]", True),
        ("c", "cap", '["a"]', True),
        ("s", "concurrency", "[]", False),
    ]


def test_limits_of_all_kinds_count_towards_the_most_of_one_request():
    caps = "".join(
        f"    - {{type: usage-cap, config: {{name: c{i}, unit: tokens, limit: 1, window: day}}}}\n"
        for i in range(8)
    )
    slot = "    - {type: concurrency-limit, config: {name: s, limit: 1}}\n"

    policy("- name: r\n  actions:\n" + caps)
    with pytest.raises(ConfigError, match="9 limits could be asked of one request"):
        policy("- name: r\n  actions:\n" + caps + slot)
    with pytest.raises(ConfigError, match="1 limits of the key 'a' and 8 of rules"):
        policy("- name: r\n  actions:\n" + caps, keys=["limits: {concurrency: 1}"])


def test_a_cap_that_is_tried_has_words_and_a_size_of_its_own():
    built = policy("""
- {name: r, actions: [{type: usage-cap, config: {name: c, unit: tokens, limit: 9, window: day}}]}
- name: tried
  enforce: false
  actions: [{type: usage-cap, config: {name: c, unit: tokens, limit: 5, window: day}}]
""")

    real, tried = built.decide(CHAT)["demands"]

    assert (real["limit"].capacity, real["enforced"]) == (9, True)
    assert (tried["limit"].capacity, tried["enforced"]) == (5, False)
    assert real["identity"] != tried["identity"]


def test_identities_of_keys_differ_by_kind_and_not_by_size():
    def demand(limits):
        (one,) = policy(keys=["limits: {" + limits + "}"]).decide(CHAT, "a")["demands"]
        return one["identity"]

    assert demand("tokens: 5/day") == demand("tokens: 6/day")
    assert len({demand("tokens: 5/day"), demand("tokens: 5/month"), demand("tokens: 5/24h"),
                demand("requests: 5/day"), demand("concurrency: 5")}) == 5
