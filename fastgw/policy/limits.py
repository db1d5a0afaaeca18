"""Limits as fastgw.limit takes them, and the part of their identity that never changes."""

from __future__ import annotations

import struct
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from fastgw.config.model import ConcurrencyLimit, Limit, RateLimit, UsageCap
from fastgw.wire.ratelimit import item, policy_item

# fgw_unit; every request takes one slot, and its own amount of the rest.
UNIT_NUMBERS = {"requests": 0, "tokens": 1, "input_tokens": 2, "output_tokens": 3, "cost": 4,
                "slots": 5}
# fgw_algorithm
ALGORITHM_NUMBERS = {"token_bucket": 1, "concurrency": 2, "cap": 3, "fixed_window": 4,
                     "sliding_window": 5}


@dataclass(frozen=True, slots=True)
class LimitSpec:
    """One limit of a policy. Name, unit, algorithm, period, window, time zone and whether it is
    enforced are its identity: over an edit of the rest its counters go on."""

    name: str
    unit: str  # a key of UNIT_NUMBERS; cost in micro-dollars
    algorithm: str  # a key of ALGORITHM_NUMBERS
    capacity: int
    period_ns: int  # 0: none (caps, concurrency)
    enforced: bool  # False: a shadow, with words of its own
    window: str = ""  # of a cap: hour | day | week | month | total
    time_zone: str = ""  # of a cap with a window
    unbounded: str = "deny"
    on_worker_lost: str = "ceiling"
    queue_max: int = 0  # 0: no queue
    queue_timeout_ns: int = 0
    alert_at: tuple[float, ...] = ()
    on_store_loss: str = "closed"
    cluster: bool = False

    def prefix(self) -> bytes:
        """How this limit begins the row that its buckets' identities are hashed from."""
        head = _field(self.name) + struct.pack(
            ">BBQB", UNIT_NUMBERS[self.unit], ALGORITHM_NUMBERS[self.algorithm], self.period_ns,
            not self.enforced)
        return head + (_field(self.window) + _field(self.time_zone) if self.window else b"")

    def header_items(self) -> tuple[str, str]:
        """What the `RateLimit` and the `RateLimit-Policy` field begin its items with."""
        policy = policy_item(self.name, self.unit, self.capacity, self.period_ns, self.window)
        return item(self.name), policy

    def bucket_text(self, key: bytes, enforced: bool, window_end_ns: int = 0) -> bytes:
        """What the ledger's NAME_BUCKET says of one word: ``key`` is its key as a JSON array,
        ``window_end_ns`` (CLOCK_REALTIME) is when a calendar cap's window is over."""
        return orjson.dumps({
            "name": self.name, "unit": self.unit, "algorithm": self.algorithm,
            "key": orjson.loads(key or b"[]"), "limit": self.capacity,
            "period_ns": self.period_ns, "window": self.window, "time_zone": self.time_zone,
            "window_end_ns": window_end_ns, "enforced": enforced,
        })

    def wish(self) -> dict[str, Any]:
        """What ``fastgw.limit.limits.Limits`` is asked for; the hash of the name is not in it."""
        return asdict(self)


def spec_of(limit: Limit, enforced: bool) -> LimitSpec:
    """``enforced``: the rule's own ``enforce`` and the action's."""
    if isinstance(limit, RateLimit):
        rate = limit.rate
        return LimitSpec(limit.name, rate.unit, limit.algorithm, rate.capacity, rate.period_ns,
                         enforced, on_store_loss=limit.on_store_loss, cluster=limit.cluster)
    if isinstance(limit, UsageCap):
        return LimitSpec(
            limit.name, limit.unit, "cap", limit.limit, 0, enforced, limit.window,
            "" if limit.window == "total" else limit.time_zone, limit.unbounded,
            limit.on_worker_lost, alert_at=limit.alert_at, on_store_loss=limit.on_store_loss,
            cluster=limit.cluster)
    assert isinstance(limit, ConcurrencyLimit)
    queue = limit.queue
    return LimitSpec(limit.name, "slots", "concurrency", limit.limit, 0, enforced,
                     queue_max=queue.max if queue else 0,
                     queue_timeout_ns=queue.timeout_ns if queue else 0)


def _field(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">I", len(encoded)) + encoded
