"""Limits that make sense: rate-limit, usage-cap, concurrency-limit, and the short forms of keys.

A limit that cannot be kept as it is written is an error here: nobody believes in it then.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from fastgw.config import amounts
from fastgw.config.model import (
    ConcurrencyLimit,
    Limit,
    Queue,
    Rate,
    RateLimit,
    Rule,
    UsageCap,
)
from fastgw.config.shape import Reading

KINDS = ("rate-limit", "usage-cap", "concurrency-limit")
NAME_BYTES_MAX = 400  # with the rest of its identity it stays below FGW_DEMAND_PREFIX_MAX
_KEY_LIMITS = ("requests", "tokens", "input_tokens", "output_tokens", "cost", "concurrency")


def build_limit(kind: str, config: dict[str, Any], enforce: bool, path: str, clustered: bool,
                reading: Reading) -> Limit:
    """``config`` has the shape of the action ``kind``; ``path`` is that of the config.

    ``clustered``: there is a `cluster` section.
    """
    name, bucket_key = config["name"], tuple(config.get("bucket_key", ()))
    _check_name(name, f"{path}.name", reading)
    if kind == "concurrency-limit":
        queue = config.get("queue")
        return ConcurrencyLimit(
            name, config["limit"], bucket_key,
            Queue(queue["max"], queue["timeout"]) if queue else None, enforce)
    shared = _build_shared(config, path, clustered, reading)
    unit = config.get("unit", "requests")
    if kind == "rate-limit":
        return _build_pace(name, unit, config, bucket_key, shared | {"enforce": enforce}, path,
                           reading)
    if config["window"] == "total" and "time_zone" in config:
        reading.warn(f"{path}.time_zone", "a total has no days, so no time zone matters",
                     "remove it")
    return UsageCap(
        name, unit, amount_in(unit, config["limit"], f"{path}.limit", reading),
        config["window"], config.get("time_zone", "UTC"), bucket_key,
        tuple(sorted(set(config.get("alert_at", ())))), config.get("unbounded", "deny"),
        config.get("on_worker_lost", "ceiling"), enforce=enforce, **shared)


def _build_pace(name: str, unit: str, config: dict[str, Any], bucket_key: tuple[Any, ...],
                rest: dict[str, Any], path: str, reading: Reading) -> RateLimit:
    algorithm = config.get("algorithm", "token_bucket")
    if ("per" in config) == ("rate" in config):
        both = "both per and rate" if "per" in config else "'per' is missing"
        reading.fail(f"{path}.per", both, "add per: 30s, 500ms or 24h")
    period_ns = config.get("per") or config.get("rate") or 60 * 10**9
    capacity = amount_in(unit, config["capacity"], f"{path}.capacity", reading)
    rate = Rate(unit, capacity, period_ns)
    if algorithm == "token_bucket":
        check_rate(rate, f"{path}.capacity", reading)
    elif rate.period_ns < amounts.WINDOW_PERIOD_MIN_NS:
        reading.fail(f"{path}.per", f"no window is shorter than {amounts.WINDOW_PERIOD_MIN_NS} ns",
                     "3ms or longer, or algorithm: token_bucket")
    elif rate.capacity > amounts.WINDOW_CAPACITY_MAX:
        reading.fail(f"{path}.capacity",
                     f"a window counts up to {amounts.WINDOW_CAPACITY_MAX:,} of {unit}",
                     "a smaller capacity, or algorithm: token_bucket")
    return RateLimit(name, rate, bucket_key, algorithm, **rest)


def _build_shared(config: dict[str, Any], path: str, clustered: bool,
                  reading: Reading) -> dict[str, Any]:
    if config.get("cluster") and not clustered:
        reading.fail(f"{path}.cluster", "over several nodes, and there is no `cluster` section",
                     "add cluster: {redis: redis://…} at the top, or remove it")
    elif "on_store_loss" in config and not config.get("cluster", clustered):
        reading.warn(f"{path}.on_store_loss", "this limit needs no store that could be lost",
                     "remove it, or add cluster: {redis: redis://…} at the top")
    return {"on_store_loss": config.get("on_store_loss", "closed"),
            "cluster": config.get("cluster", clustered)}


def build_key_limits(given: dict[str, Any], path: str, clustered: bool,
                     reading: Reading) -> tuple[Limit, ...]:
    """`60/1m` is a token bucket, `250/month` a cap over a window of the UTC calendar."""
    built: list[Limit] = []
    for what, value in given.items():
        name, at = f"key {what}", f"{path}.{what}"
        if what == "concurrency":
            built.append(ConcurrencyLimit(name, value))
            continue
        written, period_ns, window = value
        amount = amount_in(what, written, at, reading)
        if window:
            built.append(UsageCap(name, what, amount, window, cluster=clustered))
        else:
            rate = Rate(what, amount, period_ns)
            check_rate(rate, at, reading)
            built.append(RateLimit(name, rate, cluster=clustered))
    return tuple(built)


def amount_in(unit: str, amount: Decimal, path: str, reading: Reading) -> int:
    """The whole number in ``unit``: of cost, written in dollars, micro-dollars."""
    if amount == 0:
        reading.fail(path, "an amount of 0 lets nothing pass", "write a deny rule")
        return 1
    whole = amounts.micro_dollars(amount) if unit == "cost" else amounts.whole(amount)
    if whole is None:
        why = "finer than a micro-dollar" if unit == "cost" else f"{unit} are whole numbers"
        reading.fail(path, f"{amount} cannot be counted: {why}",
                     "at most six digits behind the point" if unit == "cost" else
                     f"for example {int(amount) + 1}")
        return 1
    if whole > amounts.AMOUNT_MAX:
        reading.fail(path, f"more than {amounts.AMOUNT_MAX:,} can be counted in {unit}",
                     "a smaller amount, or no limit")
        return 1
    return whole


def check_rate(rate: Rate, path: str, reading: Reading) -> None:
    """A token bucket's word counts nanoseconds, so that is as fine as it gets."""
    if rate.capacity > rate.period_ns:
        unit = "micro-dollar" if rate.unit == "cost" else "unit"
        message = f"more than one {unit} a nanosecond ({rate.capacity} in {rate.period_ns} ns)"
        reading.fail(path, message, "a longer period, a smaller capacity")


def _check_name(name: str, path: str, reading: Reading) -> None:
    if len(name.encode()) > NAME_BYTES_MAX:
        reading.fail(path, f"a name of more than {NAME_BYTES_MAX} bytes", "a shorter one")
    if name in [f"key {what}" for what in _KEY_LIMITS]:
        reading.fail(path, f"'{name}' is the name of the keys' own limits", "another name")


def check_names(rules: tuple[Rule, ...], reading: Reading) -> None:
    """One name, one meaning: counters live under it over edits and reloads.

    A shadow of the same name may have another capacity: it has counters of its own, and trying a
    capacity is what it is for.
    """
    first_meaning: dict[str, tuple[object, str]] = {}
    first_values: dict[tuple[str, bool], tuple[Limit, str]] = {}
    for limit, enforced, path in _limits(rules):
        meaning, at = first_meaning.setdefault(limit.name, (_meaning(limit), path))
        if meaning != _meaning(limit):
            _refuse_name(limit.name, "means something else", path, at, reading)
            continue
        same, at = first_values.setdefault((limit.name, enforced), (limit, path))
        if _values(same) != _values(limit):
            _refuse_name(limit.name, "has other values", path, at, reading)


def _refuse_name(name: str, what: str, path: str, first: str, reading: Reading) -> None:
    line = reading.place(first).line
    reading.fail(path, f"the limit '{name}' {what} on line {line}",
                 "give it another name, or the same values")


def _limits(rules: tuple[Rule, ...]) -> Iterator[tuple[Limit, bool, str]]:
    for i, rule in enumerate(rules):
        for k, action in enumerate(rule.actions):
            if isinstance(action, Limit):
                path = f"policy.on_http_request[{i}].actions[{k}].config.name"
                yield action, rule.enforce and action.enforce, path


def _meaning(limit: Limit) -> tuple[object, ...]:
    keys = tuple(part.text for part in limit.bucket_key)
    if isinstance(limit, RateLimit):
        return keys, limit.rate.unit, limit.algorithm, limit.rate.period_ns
    if isinstance(limit, UsageCap):
        return keys, limit.unit, "cap", limit.window, limit.time_zone
    return keys, "slots", "concurrency"


def _values(limit: Limit) -> tuple[object, ...]:
    if isinstance(limit, RateLimit):
        return limit.rate.capacity, limit.on_store_loss, limit.cluster
    if isinstance(limit, UsageCap):
        return (limit.limit, limit.alert_at, limit.unbounded, limit.on_worker_lost,
                limit.on_store_loss, limit.cluster)
    return limit.limit, limit.queue
