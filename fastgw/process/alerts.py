"""Tells a webhook of caps that reach a fraction: signed, again and again, never in anybody's way.

The ledger keeps each alert until it is told or given up, so the queue here may be short and is
lost with its process. An alert may therefore arrive twice; its ``id`` says so.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson

from fastgw.ledger.decision import instant
from fastgw.ledger.drawn import GIVEN_UP, SENT, Alert
from fastgw.ledger.vocabulary import UNITS, word
from fastgw.process.webhook import TIMEOUT_S, Hook

if TYPE_CHECKING:
    from fastgw.config import Config

QUEUE_MAX = 100
# Before the 2nd, 3rd, … try: an hour in all, then the alert is given up.
DELAYS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1500.0)

Log = Callable[[str, dict[str, object]], None]
_Key = tuple[bytes, int]


class Webhook:
    """The outbox of a recorder (fastgw.ledger.recorder.Outbox). Its thread starts with the first
    alert and never keeps a process alive."""

    def __init__(
        self,
        url: str,
        secret: str | None,
        log: Log,
        *,
        delays_s: tuple[float, ...] = DELAYS_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._hook = Hook(url, secret, timeout_s=timeout_s)
        self._log = log
        self._delays_s = delays_s
        self._waiting: queue.Queue[Alert] = queue.Queue(QUEUE_MAX)
        self._ended: queue.SimpleQueue[tuple[Alert, int]] = queue.SimpleQueue()
        self._taken: set[_Key] = set()  # the recorder's thread alone
        self._thread: threading.Thread | None = None

    def put(self, alert: Alert) -> bool:
        key = (alert.identity, alert.ppm)
        if key in self._taken:
            return True
        if len(self._taken) >= QUEUE_MAX:
            return False
        self._taken.add(key)
        self._waiting.put_nowait(alert)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="fastgw-alerts", daemon=True)
            self._thread.start()
        return True

    def done(self) -> list[tuple[Alert, int]]:
        ended: list[tuple[Alert, int]] = []
        while not self._ended.empty():
            alert, state = self._ended.get()
            self._taken.discard((alert.identity, alert.ppm))
            ended.append((alert, state))
        return ended

    def _run(self) -> None:
        while True:
            alert = self._waiting.get()
            self._ended.put((alert, self._tell(alert)))

    def _tell(self, alert: Alert) -> int:
        content = body(alert)
        for delay_s in (*self._delays_s, None):
            problem = self._hook.post(content)
            if problem is None:
                return SENT
            self._log(
                "alert not delivered",
                {"host": self._hook.host, "problem": problem, "again_in_s": delay_s},
            )
            if delay_s is not None:
                time.sleep(delay_s)
        return GIVEN_UP


def webhook_of(config: Config, log: Log) -> Webhook | None:
    """What the configuration asks for; None: alerts are only logged and counted."""
    alerts = config.alerts
    if alerts is None:
        return None
    secret = alerts.secret.reveal() if alerts.secret is not None else None
    return Webhook(alerts.webhook.reveal(), secret, log)


def body(alert: Alert) -> bytes:
    """What is posted. Amounts are whole numbers of ``unit``; cost in micro-dollars."""
    name = hashlib.sha256(alert.identity + alert.ppm.to_bytes(4, "little")).hexdigest()[:32]
    return orjson.dumps({
        "type": "usage_cap.alert",
        "id": name,
        "time": instant(alert.wall_ns),
        "limit": alert.name,
        "key": alert.key,
        "unit": word(UNITS, alert.unit),
        "fraction": alert.fraction,
        "used": alert.used,
        "of": alert.limit,
        "window_end": instant(alert.window_end_ns) if alert.window_end_ns else None,
    })
