"""Limits as an operator writes them, to the model. Refusals are in test_broken_limits.py.

Method: small files; amounts are compared as exact integers, also against a table of dollars that
no float can hold.
"""

import pytest

from fastgw.config import canonical_content, examine_text
from fastgw.config.model import ConcurrencyLimit, Queue, Rate, RateLimit, UsageCap
from tests.config.broken import ENV, HASH, PROVIDERS, RULES

MINUTE = 60 * 10**9
CLUSTER = 'cluster: {redis: "redis://u:${env:CANARY}@h:6379/0"}\n'


def read(text, env=ENV):
    config, errors, warnings = examine_text(text, "f.yaml", env)
    assert errors == [], "\n".join(map(str, errors))
    return config, warnings


def actions(*lines, before="", warned=()):
    rules = RULES + "    - actions:\n" + "".join(f"        - {line}\n" for line in lines)
    config, warnings = read(before + rules)
    assert [warning.key.rpartition(".")[2] for warning in warnings] == list(warned)
    return config.rules[0].actions


def cap(text):
    return "{type: usage-cap, config: {name: c, window: month, " + text + "}}"


def test_a_pace_has_any_unit_and_algorithm():
    plain, sliding, dollars = actions(
        "{type: rate-limit, config: {name: a, capacity: 60, per: 60s}}",
        "{type: rate-limit, config: {name: b, unit: tokens, algorithm: sliding_window,"
        " capacity: 9, per: 1h, enforce: false}}",
        "{type: rate-limit, config: {name: c, unit: cost, algorithm: fixed_window,"
        " capacity: 5.50, per: 3ms}}",
    )

    assert plain == RateLimit("a", Rate("requests", 60, MINUTE))
    assert sliding == RateLimit(
        "b", Rate("tokens", 9, 60 * MINUTE), algorithm="sliding_window", enforce=False
    )
    # A window's word counts units, not nanoseconds: it may hold more than one a nanosecond.
    assert dollars == RateLimit("c", Rate("cost", 5_500_000, 3_000_000), algorithm="fixed_window")


def test_a_cap_says_all_that_it_can():
    least, most = actions(
        "{type: usage-cap, config: {name: a, unit: requests, limit: 5, window: total}}",
        "{type: usage-cap, config: {name: b, unit: cost, limit: 250.00, window: month,"
        " time_zone: Europe/Berlin, bucket_key: [key.owner.team, ai.model],"
        " alert_at: [80%, 0.5, 0.8, 1], unbounded: allow, on_worker_lost: progress,"
        " enforce: true}, enforce: false}",
    )

    assert least == UsageCap("a", "requests", 5, "total")
    assert (least.time_zone, least.unbounded, least.on_worker_lost) == ("UTC", "deny", "ceiling")
    assert (most.limit, most.window, most.time_zone) == (250_000_000, "month", "Europe/Berlin")
    assert [part.text for part in most.bucket_key] == ["key.owner.team", "ai.model"]
    assert most.alert_at == (0.5, 0.8, 1.0)
    assert (most.unbounded, most.on_worker_lost, most.enforce) == ("allow", "progress", False)


def test_concurrency_may_have_a_queue():
    refusing, queueing = actions(
        "{type: concurrency-limit, config: {name: a, limit: 20, bucket_key: [key.id]}}",
        "{type: concurrency-limit, config: {name: b, limit: 1, queue: {max: 50, timeout: 5s}}}",
    )

    assert (refusing.limit, refusing.queue) == (20, None)
    assert queueing == ConcurrencyLimit("b", 1, queue=Queue(50, 5 * 10**9))


@pytest.mark.parametrize(
    "written, micro",
    [
        ("250", 250_000_000),
        ("250.00", 250_000_000),
        ("0.1", 100_000),
        ("0.000001", 1),
        ("1.1", 1_100_000),
        ("4503599.627371", 4_503_599_627_371),
        ("999999999.999999", 999_999_999_999_999),
    ],
)
def test_dollars_are_micro_dollars_exactly(written, micro):
    (limit,) = actions(cap(f"unit: cost, limit: {written}"))
    config, _ = read(
        PROVIDERS + f"keys:\n  - {{id: a, hash: {HASH}, limits: {{cost: {written}/month}}}}\n"
    )

    assert limit.limit == config.keys[0].limits[0].limit == micro


@pytest.mark.parametrize("quotes", ["'", '"'])
def test_an_amount_may_come_from_the_environment(quotes):
    rules = RULES + f"    - actions: [{cap(f'unit: cost, limit: {quotes}${{env:CAP}}{quotes}')}]\n"

    config, _ = read(rules, {**ENV, "CAP": "0.30"})
    _, errors, _ = examine_text(rules, "f.yaml", {**ENV, "CAP": "sk-many"})

    assert config.rules[0].actions[0].limit == 300_000
    assert [error.message for error in errors] == ["expected an amount, got the value of "
                                                   "${env:CAP}"]


def test_the_short_forms_of_a_key():
    config, _ = read(
        PROVIDERS + f"keys:\n  - id: a\n    hash: {HASH}\n    limits: {{requests: 60/1m, "
        "tokens: 1000000/day, input_tokens: 9/1s, output_tokens: 5/total, cost: 250/month, "
        "concurrency: 20}\n"
    )

    assert config.keys[0].limits == (
        RateLimit("key requests", Rate("requests", 60, MINUTE)),
        UsageCap("key tokens", "tokens", 1_000_000, "day"),
        RateLimit("key input_tokens", Rate("input_tokens", 9, 10**9)),
        UsageCap("key output_tokens", "output_tokens", 5, "total"),
        UsageCap("key cost", "cost", 250_000_000, "month"),
        ConcurrencyLimit("key concurrency", 20),
    )


def test_dollars_may_be_a_pace_of_a_key():
    config, _ = read(PROVIDERS + f"keys:\n  - {{id: a, hash: {HASH}, limits: {{cost: 0.5/1h}}}}\n")

    assert config.keys[0].limits == (
        RateLimit("key cost", Rate("cost", 500_000, 60 * MINUTE)),
    )


def test_a_shadow_may_try_another_capacity_under_the_same_name():
    both = actions(
        cap("unit: tokens, limit: 100"), cap("unit: tokens, limit: 50, enforce: false")
    )

    assert [limit.limit for limit in both] == [100, 50]


def test_the_same_limit_may_stand_in_two_rules():
    first, second = actions(cap("unit: tokens, limit: 100"), cap("unit: tokens, limit: 100"))

    assert first == second


def test_limits_hold_over_all_nodes_where_there_is_a_store():
    lines = [
        cap("unit: tokens, limit: 9"),
        cap("unit: tokens, limit: 9, cluster: false").replace("name: c", "name: d"),
        "{type: rate-limit, config: {name: p, capacity: 9, per: 1m, on_store_loss: open}}",
    ]

    shared, own, pace = actions(*lines, before=CLUSTER)
    config, _ = read(
        CLUSTER + PROVIDERS + f"keys:\n  - {{id: a, hash: {HASH}, limits: {{cost: 1/day}}}}\n"
    )

    assert (shared.cluster, shared.on_store_loss) == (True, "closed")
    assert not own.cluster
    assert (pace.cluster, pace.on_store_loss) == (True, "open")
    assert config.keys[0].limits[0].cluster
    assert config.cluster.redis.reveal() == f"redis://u:{ENV['CANARY']}@h:6379/0"
    assert config.cluster.prefix == "fastgw"
    assert ENV["CANARY"] not in repr(config) + str(canonical_content(config))


def test_what_means_nothing_is_warned_of():
    actions(
        cap("unit: tokens, limit: 9, on_store_loss: open"),
        "{type: usage-cap, config: {name: t, unit: tokens, limit: 9, window: total,"
        " time_zone: Asia/Tokyo}}",
        warned=["on_store_loss", "time_zone"],
    )


def test_prices_are_looked_for_beside_the_file(tmp_path):
    (tmp_path / "prices.yaml").write_text("")
    text = PROVIDERS + "prices: {file: prices.yaml}\n"

    config, errors, _ = examine_text(text, str(tmp_path / "fastgw.yaml"), ENV)
    absolute, _ = read(text.replace("prices.yaml", str(tmp_path / "prices.yaml")))

    assert errors == []
    assert config.prices.file == absolute.prices.file == str(tmp_path / "prices.yaml")


def test_alerts_and_models_carry_what_was_written():
    config, warnings = read(
        PROVIDERS + 'alerts: {webhook: "http://hooks.example/x", secret: "${env:CANARY}"}\n'
        "models: [{id: m, candidates: [{provider: openai, model: x}], max_output: 10,"
        " context: 90}]\n"
    )

    assert config.alerts.webhook.reveal() == "http://hooks.example/x"
    assert config.alerts.secret.reveal() == ENV["CANARY"]
    assert (config.models[0].max_output, config.models[0].window) == (10, 90)
    assert [warning.key for warning in warnings] == ["alerts.webhook", "alerts"]
    assert "no usage-cap asks for an alert" in warnings[1].message
