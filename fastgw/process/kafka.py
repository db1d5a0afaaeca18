"""Attempts to Kafka, as Protobuf: an idempotent producer, and every delivery waited for."""

from __future__ import annotations

import importlib
from typing import Any

from fastgw.config.model import KafkaExport
from fastgw.process.protobuf import encode

_FLUSH_S = 30.0
_ASK_AGAIN_S = 0.1


class KafkaSender:
    """One topic. Raises ImportError where confluent-kafka is missing."""

    events_max = 2000

    def __init__(self, export: KafkaExport, **more: Any) -> None:
        self._topic = export.topic
        self._kafka = importlib.import_module("confluent_kafka")
        self._settings = settings(export) | more
        self._producer: Any = None
        self.place = f"topic {export.topic}"

    def send(self, events: list[dict[str, Any]]) -> str | None:
        """None: the brokers have all; else why not. What is sent again has the same ids."""
        if self._producer is None:
            self._producer = self._kafka.Producer(self._settings)
        producer, failed = self._producer, []

        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                failed.append(str(error.code()))

        try:
            for event in events:
                self._produce(producer, event, delivered)
            waiting = producer.flush(_FLUSH_S)
        except (self._kafka.KafkaException, BufferError) as error:
            waiting, failed = 1, [type(error).__name__]
        if not waiting and not failed:
            return None
        # What it still has would come later, out of order; an idempotent producer that has
        # failed for good never sends again: begin anew.
        producer.purge()
        self._producer = None
        return f"Kafka error {failed[0]}" if failed else "no answer"

    def _produce(self, producer: Any, event: dict[str, Any], delivered: Any) -> None:
        while True:
            try:
                producer.produce(
                    self._topic,
                    key=event["request_id"],
                    value=encode(event),
                    headers=[("idempotency-key", event["id"])],
                    on_delivery=delivered,
                )
                producer.poll(0)
                return
            except BufferError:
                producer.poll(_ASK_AGAIN_S)


def settings(export: KafkaExport) -> dict[str, Any]:
    """librdkafka's names for what the configuration says."""
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(export.brokers),
        "client.id": "fastgw",
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 20,
        "compression.type": "zstd",
        "message.timeout.ms": int(_FLUSH_S * 1000),
        "log_level": 0,
    }
    if export.username is not None and export.password is not None:
        found |= {
            "sasl.mechanisms": export.mechanism,
            "sasl.username": export.username,
            "sasl.password": export.password.reveal(),
        }
    sasl = "SASL_" if "sasl.username" in found else ""
    return found | {"security.protocol": sasl + ("SSL" if export.tls else "PLAINTEXT")}
