"""Kafka: what a consumer reads is every attempt, with its key; a broker that is away loses none.

Method: librdkafka's own mock cluster, which runs inside a producer of the test and speaks the real
protocol on 127.0.0.1; a consumer reads what the sender sent.
"""

import sys

import pytest

from fastgw.config.model import KafkaExport, Secret
from fastgw.process import kafka as module
from fastgw.process.kafka import KafkaSender, settings
from fastgw.process.protobuf import encode
from tests.csrc.ledger_native import seeded
from tests.process.test_protobuf import attempt, made  # noqa: F401

confluent = pytest.importorskip("confluent_kafka")


@pytest.fixture
def cluster():
    """(brokers, the producer that holds the mock cluster)"""
    holder = confluent.Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1,
                                 "log_level": 0})
    brokers = [f"{one.host}:{one.port}" for one in holder.list_topics(timeout=10).brokers.values()]
    yield brokers, holder
    holder.flush(1)


def sender(brokers, **more) -> KafkaSender:
    return KafkaSender(KafkaExport("kafka", tuple(brokers), "fastgw.usage"), **more)


def consumed(brokers, number: int) -> list:
    consumer = confluent.Consumer({"bootstrap.servers": ",".join(brokers), "group.id": "test",
                                   "auto.offset.reset": "earliest", "log_level": 0})
    consumer.subscribe(["fastgw.usage"])
    found = []
    for _ in range(300):
        found += [one for one in consumer.consume(500, 0.1) if one.error() is None]
        if len(found) >= number:
            break
    consumer.close()
    return found


def events(number: int, seed: str = "kafka") -> list[dict]:
    draw = seeded(seed)
    return [made(draw) | {"id": f"r{n}/1", "request_id": f"r{n}"} for n in range(number)]


def test_every_attempt_arrives_with_its_key(cluster, attempt):  # noqa: F811
    brokers, _ = cluster
    sent = events(1500)
    one = sender(brokers)
    assert one.send(sent[:1000]) is None and one.send(sent[1000:]) is None

    found = consumed(brokers, 1500)
    assert {message.key().decode() for message in found} == {one["request_id"] for one in sent}
    assert len(found) == 1500
    by_id = {one["id"]: one for one in sent}
    for message in found:
        (header, id), = message.headers()
        assert header == "idempotency-key"
        assert message.value() == encode(by_id[id.decode()])
        assert attempt.FromString(message.value()).request_id == message.key().decode()


def test_brokers_that_are_away_are_said_and_nothing_counts(cluster, monkeypatch):
    monkeypatch.setattr(module, "_FLUSH_S", 0.5)
    away = sender(["127.0.0.1:1"])
    problem = away.send(events(3))
    assert problem is not None and ("no answer" in problem or "Kafka error" in problem)

    brokers, _ = cluster
    away._settings["bootstrap.servers"] = ",".join(brokers)
    away._settings["message.timeout.ms"] = 30_000
    monkeypatch.setattr(module, "_FLUSH_S", 30.0)
    assert away.send(events(3)) is None
    assert len(consumed(brokers, 3)) == 3


def test_a_small_queue_is_waited_for(cluster):
    brokers, _ = cluster
    assert sender(brokers, **{"queue.buffering.max.messages": 50}).send(events(500)) is None
    assert len(consumed(brokers, 500)) == 500


def test_settings_are_librdkafka_s():
    plain = settings(KafkaExport("k", ("a:1", "b:2"), "t"))
    assert plain["bootstrap.servers"] == "a:1,b:2" and plain["security.protocol"] == "PLAINTEXT"
    assert plain["enable.idempotence"] is True and plain["acks"] == "all"
    secured = settings(KafkaExport("k", ("a:1",), "t", True, "PLAIN", "u", Secret("canary")))
    assert secured["security.protocol"] == "SASL_SSL" and secured["sasl.password"] == "canary"


def test_without_the_extra_it_is_an_import_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(ImportError):
        sender(["127.0.0.1:1"])
