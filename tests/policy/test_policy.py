"""Phase POLICY: a configuration compiled, its names, limits, facts and labels.

Method: policies of a few lines of YAML; decisions are read back by ``decide``, which fills the
facts as the journey does and calls the same ``run``.
"""

import pytest

from fastgw.config.model import Access, AccessKey, Rate, RateLimit
from fastgw.errors import ConfigError
from fastgw.policy.limits import LimitSpec
from fastgw.policy.policy import Policy
from tests.policy.configured import CHAT, config, policy

MINUTE = 60 * 10**9
PINNED = (423424736548704268, 8058645855854132586)  # of a key a, a model gpt-4o


def test_no_rules_decide_nothing():
    result = policy().decide(CHAT)

    assert (result["denied"], result["rules"], result["demands"], result["output_max"]) == (
        False,
        [],
        [],
        0,
    )


def test_the_version_is_the_configurations():
    loaded = config()

    assert Policy(loaded).version == loaded.version
    assert Policy(loaded).version_hash == int(loaded.version, 16)


def test_facts_used_and_dynamic_facts_follow_the_expressions():
    built = policy(
        """
- expressions: ["req.headers['X-A'] == 'b' && time.hour > 3", "key.tags.tier == 'free'"]
  actions: [{type: rate-limit,
             config: {name: p, capacity: 1, per: 1s, bucket_key: [key.owner.team]}}]
""",
        more="usage: {labels: {f: \"req.headers['x-feature']\"}}\n",
    )

    assert built.dynamic_facts == (
        ("header", "x-feature"),
        ("header", "x-a"),
        ("tag", "tier"),
        ("owner", "team"),
    )
    assert built.n_facts == 25
    for position in (21, 22, 23, 24, 19):
        assert built.facts_used >> position & 1
    assert not built.facts_used >> 2 & 1  # req.query: nobody asks


def test_limits_are_listed_once_and_named():
    built = policy(
        """
- name: one
  actions:
    - {type: rate-limit, config: {name: p, capacity: 5, per: 1m, bucket_key: [key.id]}}
    - {type: rate-limit, config: {name: q, unit: tokens, capacity: 9, per: 1h}, enforce: false}
- name: two
  actions: [{type: rate-limit, config: {name: p, capacity: 5, per: 1m, bucket_key: [key.id]}}]
""",
        keys=["limits: {requests: 60/1m, tokens: 9/1m}", "limits: {requests: 60/1m}"],
    )

    assert built.limits == [
        LimitSpec("p", "requests", "token_bucket", 5, MINUTE, True),
        LimitSpec("q", "tokens", "token_bucket", 9, 60 * MINUTE, False),
        LimitSpec("key requests", "requests", "token_bucket", 60, MINUTE, True),
        LimitSpec("key tokens", "tokens", "token_bucket", 9, MINUTE, True),
    ]
    texts = {text for space, _, text in built.names() if space == 5}
    assert texts == {"p", "q", "key requests", "key tokens"}


def test_every_name_that_a_decision_can_hold_is_listed():
    built = policy(
        "- {name: r, actions: [{type: deny}]}\n- actions: [{type: deny}]",
        keys=["access: {models: [m]}"],
    )
    rules = {text for space, _, text in built.names() if space == 4}

    assert {"r", "on_http_request[1]", "key a: access.models"} <= rules
    assert len({hash for space, hash, _ in built.names() if space == 4}) == len(rules)


def test_labels_are_texts_of_at_most_64_bytes():
    more = (
        "usage: {labels: {a: \"req.headers['x-a']\", b: ai.n, c: ai.stream, "
        "d: \"ai.model.startsWith('gpt') ? 'gpt' : 'other'\"}}\n"
    )
    built = policy(more=more)

    full = built.decide({**CHAT, "req.headers.x-a": "é" * 40, "ai.n": -3, "ai.stream": True})
    empty = built.decide({})

    assert built.labels == ("a", "b", "c", "d")
    assert full["labels"] == {"a": "é" * 32, "b": "-3", "c": "true", "d": "gpt"}
    assert empty["labels"] == {"a": "", "b": "", "c": "", "d": ""}


def test_a_double_is_no_label():
    with pytest.raises(ConfigError, match="a double where a string or int or bool is wanted"):
        policy(more="usage: {labels: {a: '1.5'}}\n")


def test_a_key_made_later_gets_its_part():
    built = policy(
        "- {name: r, actions: [{type: rate-limit, config: {name: p, capacity: 1, per: 1s}}]}"
    )
    key = AccessKey(
        "new",
        b"0" * 32,
        access=Access(models=("gpt-*",)),
        limits=(RateLimit("key requests", Rate("requests", 7, MINUTE)),),
    )

    part = built.compile_part(key)

    assert part.key_id == "new" and built.part("new") is None
    assert built.limits[-1] == LimitSpec(
        "key requests", "requests", "token_bucket", 7, MINUTE, True
    )


def test_a_key_whose_limits_do_not_fit_beside_the_rules_is_refused():
    rule = "".join(
        f"    - {{type: rate-limit, config: {{name: l{i}, capacity: 1, per: 1s}}}}\n"
        for i in range(7)
    )

    with pytest.raises(ConfigError, match="2 limits of the key 'a' and 7 of rules"):
        policy("- name: r\n  actions:\n" + rule, keys=["limits: {requests: 1/1s, tokens: 1/1s}"])


def test_identity_is_all_but_capacity():
    def identity(text="capacity: 1, per: 1s", name="p"):
        built = policy(
            "- {name: r, actions: [{type: rate-limit, config: {name: "
            + name
            + ", "
            + text
            + ", bucket_key: [key.id]}}]}"
        )
        return built.decide(CHAT)["demands"][0]["identity"]

    first = identity()

    assert identity("capacity: 2, per: 1s") == first
    others = [
        identity(name="q"),
        identity("capacity: 1, per: 2s"),
        identity("capacity: 1, per: 1s, unit: tokens"),
        identity("capacity: 1, per: 1s, enforce: false"),
    ]
    assert len({first, *others}) == 5


def test_identities_do_not_change_between_versions():
    built = policy(
        "- {name: r, actions: [{type: rate-limit, config: {name: pace, capacity: 9, "
        "per: 1m, bucket_key: [key.id, ai.model]}}]}"
    )

    # Stored in snapshots and in the ledger: a change of these numbers is a change of format.
    assert built.decide(CHAT)["demands"][0]["identity"] == PINNED


def test_buckets_of_different_keys_and_models_differ():
    built = policy(
        "- {name: r, actions: [{type: rate-limit, config: {name: pace, capacity: 9, "
        "per: 1m, bucket_key: [key.id, ai.model]}}]}"
    )
    seen = {
        built.decide({**CHAT, "key.id": key, "ai.model": model})["demands"][0]["identity"]
        for key in ("a", "b")
        for model in ("x", "y")
    }

    assert len(seen) == 4


@pytest.mark.parametrize("expression, facts, matches", [
    ("ai.model.startsWith('gpt-')", {"ai.model": "gpt-4o"}, True),
    ("ai.model.startsWith('gpt-')", {"ai.model": "gpt"}, False),
    ("ai.model.startsWith('gpt-')", {"ai.model": "o-gpt-4"}, False),
    ("ai.model.startsWith('')", {"ai.model": ""}, True),
    ("ai.model.endsWith('-4o')", {"ai.model": "gpt-4o"}, True),
    ("ai.model.endsWith('-4o')", {"ai.model": "gpt-4om"}, False),
    ("ai.model.endsWith('-4o')", {"ai.model": "4o"}, False),
    ("ai.model.endsWith('')", {"ai.model": "x"}, True),
    ("ai.model.contains('pt')", {"ai.model": "gpt"}, True),
    ("ai.n < 5", {"ai.n": 4}, True), ("ai.n < 5", {"ai.n": 5}, False),
    ("ai.n <= 5", {"ai.n": 5}, True), ("ai.n <= 5", {"ai.n": 6}, False),
    ("ai.n > -5", {"ai.n": -4}, True), ("ai.n > -5", {"ai.n": -5}, False),
    ("ai.n >= 5", {"ai.n": 5}, True), ("ai.n >= 5", {"ai.n": 4}, False),
    ("ai.n + 5 == 7", {"ai.n": 2}, True), ("ai.model.startsWith('a')", {}, False),
    ("ai.n < 5", {}, False), ("5 > ai.n", {"ai.n": 4}, True),
    ("ai.user < 'b'", {"ai.user": "a"}, True), ("ai.user < 'b'", {"ai.user": "c"}, False),
    ("dyn(ai.n) < 5.5", {"ai.n": 5}, True),
])
def test_common_expressions_need_no_machine_and_mean_the_same(expression, facts, matches):
    built = policy(f'- {{name: r, expressions: ["{expression}"], actions: [{{type: deny}}]}}')

    assert built.decide(facts)["denied"] is matches


def test_one_rule_of_two_thousand_is_found_and_named():
    rules = "".join(
        f"- {{name: r{i}, expressions: [\"ai.model == 'm{i}'\"], actions: [{{type: deny}}]}}\n"
        for i in range(2000)
    )

    assert policy(rules).decide({**CHAT, "ai.model": "m1999"})["rule"] == "r1999"
