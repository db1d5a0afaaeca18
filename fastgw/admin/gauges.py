"""How full limits are, for /metrics: sums by limit, and the fullest keys of each by name.

A limit may have a million keys, and each would be a series of its own: only the fullest are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

KEYS_SHOWN = 20  # of each limit

_OF_LIMIT = ("limit", "unit", "enforced")
_OF_KEY = (*_OF_LIMIT, "key")
_PARTS = {
    "used": "Used of a limit, held amounts included; cost in dollars.",
    "held": "Of what is used, held by running requests.",
    "limit": "What the limit allows.",
}


def limit_gauges(rows: list[dict[str, Any]]) -> Iterator[Metric]:
    """``rows``: as fastgw.process.levels.live_limits has them."""
    limits: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["limit"]:  # else the name of the word is lost
            limits[row["name"], row["unit"], str(row["enforced"]).lower()].append(row)
    keys = _family("limit_keys", "Keys with a bucket or cap in use.", _OF_LIMIT)
    full = _family("limit_keys_full", "Of these, keys that have no room left.", _OF_LIMIT)
    parts = {part: _family(f"limit_key_{part}", text, _OF_KEY) for part, text in _PARTS.items()}
    reset = _family("limit_key_reset_seconds", "Until the limit is unused again.", _OF_KEY)
    for labels, live in sorted(limits.items()):
        keys.add_metric(labels, len(live))
        full.add_metric(labels, sum(row["used"] >= row["limit"] for row in live))
        live.sort(key=lambda row: (-row["used"] / row["limit"], row["key"]))
        for row in live[:KEYS_SHOWN]:
            for part, family in parts.items():
                family.add_metric((*labels, row["key"]), _in_unit(row[part], row["unit"]))
            reset.add_metric((*labels, row["key"]), row["reset_ms"] / 1000)
    yield from (keys, full, *parts.values(), reset)


def _family(name: str, help: str, labels: tuple[str, ...]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"fastgw_{name}", help, labels=labels)


def _in_unit(amount: int, unit: str) -> float:
    return amount / 1e6 if unit == "cost" else float(amount)
