"""A whole configuration, its version, the environment as a configuration, and no secret anywhere.

Method: one file with everything this version takes is compared with the model it must become; the
canary is a credential in every place that takes one.
"""

import pickle
from dataclasses import FrozenInstanceError, replace

import orjson
import pytest

from fastgw.config import canonical_content, examine_text, from_environment, load
from fastgw.config.model import Rate, RateLimit, Retries, Secret, Timeouts
from fastgw.errors import ConfigError

CANARY = "sk-canary-5eed"
WHOLE = """
listen: {address: 127.0.0.1, port: 8081, workers: 3, half_close: allow}
admin: {address: 0.0.0.0, port: 9091, token: "${env:TOKEN}"}
data_dir: /tmp/x
shm_dir: /dev/shm
store: sqlite
on_ledger_full: drop
limits: {body: 1MiB, head: 16KiB, connections: 100, buckets: 5000}
usage: {labels: {feature: "req.headers['x-feature']"}}
providers:
  - id: one
    dialect: openai
    base_url: https://api.openai.com/v1/
    keys: [{id: primary, value: "${env:TOKEN}", weight: 3}, {value: "${env:TOKEN}b"}]
    timeouts: {connect: 1s, first_byte: 2s, idle: 3s, total: 4s}
    retries: {max: 1, budget: 10%, on: [connect, 503, 429]}
  - {id: two, dialect: anthropic, base_url: "http://[::1]:9001"}
models:
  - {id: m, candidates: [{provider: one, model: gpt-4o, weight: 9}],
     fallback: [{provider: one, model: gpt-4o-mini}]}
models_strict: true
keys:
  - id: a
    value: "${env:TOKEN}"
    owner: {team: a}
    tags: {tier: free}
    access: {models: [m, "claude-*"], providers: [one], operations: [chat]}
    limits: {requests: 60/1m, output_tokens: 1000/1h}
    expires: 2099-01-01T00:00:00Z
policy:
  on_http_request:
    - name: r
      expressions: ["ai.stream"]
      enforce: false
      actions:
        - {type: deny, config: {status_code: 451, message: no}}
        - {type: cap-output, enforce: false, config: {max_output_tokens: 5}}
        - {type: restrict-models, config: {allow: [m], deny: ["x*"], enforce: false}}
        - {type: rate-limit, config: {name: p, unit: tokens, algorithm: token_bucket, capacity: 9,
                                      per: 1m, bucket_key: ["key.id"]}}
"""
ENV = {"TOKEN": CANARY}


def whole():
    config, errors, _ = examine_text(WHOLE, "f.yaml", ENV)
    assert errors == []
    return config


def test_everything_that_this_version_takes_arrives_in_the_model():
    config = whole()
    one, two = config.providers
    key, rule = config.keys[0], config.rules[0]

    assert (config.listen.port, config.listen.workers, config.listen.half_close) == (8081, 3, True)
    assert config.admin.token == Secret(CANARY)
    assert (config.limits.body, config.limits.head, config.limits.connections) == (
        1 << 20,
        16 << 10,
        100,
    )
    assert config.limits.buckets == 5000
    assert (one.tls, one.host, one.port, one.prefix) == (True, "api.openai.com", 443, "/v1")
    assert (two.tls, two.host, two.port, two.prefix) == (False, "::1", 9001, "")
    assert [(k.id, k.weight) for k in one.keys] == [("primary", 3), ("key-2", 1)]
    assert one.timeouts == Timeouts(10**9, 2 * 10**9, 3 * 10**9, 4 * 10**9)
    assert one.retries == Retries(1, 0.1, True, (429, 503))
    assert two.retries == Retries()
    assert (config.models_strict, config.open, config.on_ledger_full) == (True, False, "drop")
    assert config.models[0].fallback[0].model == "gpt-4o-mini"
    assert key.limits == (
        RateLimit("key requests", Rate("requests", 60, 60 * 10**9)),
        RateLimit("key output_tokens", Rate("output_tokens", 1000, 3600 * 10**9)),
    )
    assert dict(key.owner) == {"team": "a"} and key.expires_at == 4070908800
    assert not rule.enforce and [action.enforce for action in rule.actions] == [
        True,
        False,
        False,
        True,
    ]
    assert config.labels[0].expression.text == "req.headers['x-feature']"


def test_providers_alone_are_enough_and_the_gateway_is_open_on_loopback():
    config, errors, _ = examine_text(
        "providers: [{id: a, dialect: openai, base_url: 'http://h'}]", "f", {}
    )

    assert errors == [] and config.open and config.listen.address == "127.0.0.1"


def test_an_empty_list_of_keys_asks_for_keys():
    text = (
        "listen: {address: 0.0.0.0}\nkeys: []\n"
        "providers: [{id: a, dialect: openai, base_url: 'http://h'}]"
    )

    config, errors, _ = examine_text(text, "f", {})

    assert errors == [] and not config.open


def test_a_configuration_is_frozen():
    config = whole()

    with pytest.raises(FrozenInstanceError):
        config.listen.port = 1
    with pytest.raises(TypeError):
        config.keys[0].tags["tier"] = "gold"


def test_the_version_changes_with_the_meaning_only():
    version = whole().version
    same = "# a comment\n" + WHOLE.replace("listen:", "listen:  ")
    secret = examine_text(WHOLE.replace("${env:TOKEN}b", "another"), "g.yaml", ENV)[0]

    assert len(version) == 16 and int(version, 16)
    assert examine_text(same, "other.yaml", ENV)[0].version == version
    assert secret.version == version
    for old, new in (
        ("weight: 9", "weight: 8"),
        ("ai.stream", "!ai.stream"),
        ("451", "452"),
        ("tier: free", "tier: paid"),
        ("per: 1m", "per: 2m"),
        ("8081", "8082"),
    ):
        assert examine_text(WHOLE.replace(old, new), "f", ENV)[0].version != version, old


def test_no_secret_shows_in_repr_content_or_errors():
    config = whole()
    outputs = [
        repr(config),
        str(config),
        f"{config.admin.token}",
        f"{config.admin.token!r:>40}",
        repr(config.keys),
        orjson.dumps(canonical_content(config)).decode(),
    ]
    broken = WHOLE.replace("value:", "valu:")
    for name in (
        "weight",
        "dialect",
        "base_url",
        "port",
        "expires",
        "body",
        "team",
        "tier",
        "connect",
        "capacity",
        "budget",
        "message",
        "status_code",
        "model",
    ):
        wrong = WHOLE.replace(f"{name}: ", f"{name}: ${{env:TOKEN}} #", 1)
        outputs += [str(error) + repr(error) for error in examine_text(wrong, "f", ENV)[1]]
    outputs += [str(error) for error in examine_text(broken, "f", ENV)[1]]

    assert len(outputs) > 12
    assert not [text for text in outputs if CANARY in text]
    with pytest.raises(TypeError):
        pickle.dumps(config.admin.token)


def test_the_environment_is_a_configuration():
    config = from_environment({"OPENAI_API_KEY": CANARY, "ANTHROPIC_API_KEY": CANARY,
                               "GEMINI_API_KEY": CANARY, "A": "b"})  # fmt: skip

    assert [(p.id, p.dialect, p.host, p.prefix) for p in config.providers] == [
        ("openai", "openai", "api.openai.com", "/v1"),
        ("anthropic", "anthropic", "api.anthropic.com", ""),
        ("gemini", "gemini", "generativelanguage.googleapis.com", ""),
    ]
    assert config.open and config.version and CANARY not in repr(config)


@pytest.mark.parametrize(
    "env, words",
    [
        ({}, "no configuration"),
        ({"OPENAI_API_KEY": " "}, "no configuration"),
        ({"OPENAI_API_KEY": "a\nb"}, "characters that no key has"),
    ],
)
def test_an_environment_without_a_usable_key_says_what_to_do(env, words):
    with pytest.raises(ConfigError, match=words):
        from_environment(env)


def test_load_raises_the_first_error(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text("providers: [{id: a, dialect: openai, base_url: 'http://h', brake: 1}]")

    with pytest.raises(ConfigError) as caught:
        load(file)

    assert caught.value.key == "providers[0].brake" and str(file) in str(caught.value)


def test_a_version_is_given_to_what_was_built_by_hand():
    config = replace(whole(), version="")

    assert canonical_content(config) == canonical_content(whole())
