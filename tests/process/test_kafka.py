"""Kafka: what a consumer reads is every attempt, with its key; a broker that is away loses none.

Method: librdkafka's own mock cluster, which runs inside a producer of the test and speaks the real
protocol on 127.0.0.1; a consumer reads what the sender sent. And where there is one, a real broker
that is killed with -9 and started again under the sender.
"""

import sys
import threading
from collections import Counter

import pytest

from fastgw.config.model import KafkaExport, Secret
from fastgw.process import kafka as module
from fastgw.process.kafka import KafkaSender, settings
from fastgw.process.protobuf import encode
from tests.csrc.ledger_native import seeded
from tests.process.broker import KafkaBroker
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


@pytest.fixture(scope="module")
def broker():
    one = KafkaBroker()
    yield one
    one.end()


@pytest.mark.parametrize("patience_s", [30.0, 1.0], ids=["patient", "impatient"])
def test_a_real_broker_that_is_killed_loses_none(broker, monkeypatch, patience_s):
    """Patient: the producer waits for the broker, and what it sends again is told apart by its
    numbers. Impatient: it is given up and made anew, as after 30 s; what then comes twice has the
    same key, header and bytes."""
    monkeypatch.setattr(module, "_FLUSH_S", patience_s)
    topic = f"usage-{patience_s:.0f}"
    brokers = [f"127.0.0.1:{broker.port}"]
    one = KafkaSender(KafkaExport("kafka", tuple(brokers), topic), **{"linger.ms": 1})
    groups = [[event | {"id": f"g{n}-{event['id']}"} for event in events(200, f"group {n}")]
              for n in range(60)]
    sent, problems = threading.Event(), []

    def send() -> None:
        for number, group in enumerate(groups):
            while (problem := one.send(group)) is not None:  # as Export does, with less delay
                problems.append(problem)
            if number == 9:
                sent.set()

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    assert sent.wait(120)
    for _ in range(2):
        broker.kill()
        broker.start()
    thread.join(180)
    assert not thread.is_alive()

    wanted = {event["id"]: event for group in groups for event in group}
    found = read_all(brokers, topic, len(wanted))
    times = Counter(message.headers()[0][1].decode() for message in found)
    assert set(times) == set(wanted), "every attempt, and no other"
    assert problems or len(found) == len(wanted), "an idempotent producer sends nothing twice"
    for message in found:
        event = wanted[message.headers()[0][1].decode()]
        assert message.headers()[0][0] == "idempotency-key"
        assert message.key().decode() == event["request_id"]
        assert message.value() == encode(event)
    print(f"{patience_s} s: {len(wanted)} attempts, {len(found) - len(wanted)} more than once, "
          f"{len(problems)} groups sent again ({Counter(problems)})")


def read_all(brokers, topic: str, number: int) -> list:
    """All there is, known by the broker's own end of the topic."""
    consumer = confluent.Consumer({"bootstrap.servers": ",".join(brokers), "group.id": topic,
                                   "auto.offset.reset": "earliest", "log_level": 0})
    partition = confluent.TopicPartition(topic, 0, 0)
    _, end = consumer.get_watermark_offsets(partition, timeout=60)
    assert end >= number
    consumer.assign([partition])
    found: list = []
    for _ in range(600):
        read = [one for one in consumer.consume(2000, 0.1) if one.error() is None]
        found += read
        if read and read[-1].offset() == end - 1:
            break
    consumer.close()
    return found
