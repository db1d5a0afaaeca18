"""Exports: every attempt at least once, over failures, kills and retention; nobody waits for them.

Method: a sender on paper that fails as told; then a real webhook behind a real recorder that is
killed with -9 again and again.
"""

import json
import os
import signal
import time

import pytest

from fastgw.config import examine_text
from fastgw.config.model import Secret, WebhookExport
from fastgw.ledger.committer import Paths
from fastgw.ledger.query import Ledger
from fastgw.ledger.recorder import Recorder
from fastgw.ledger.records import NAME_QUOTE, Name, RequestId
from fastgw.ledger.store import Store
from fastgw.process import exports as module
from fastgw.process.exports import Export, Exports, WebhookSender, body, exports_of
from tests.csrc.ledger_native import seeded
from tests.ledger.fabricate import T0, Traffic, close, names, post_all, rings
from tests.ledger.test_store import placed, span, traffic_records
from tests.process.test_alerts import Receiver

PROVIDERS = "providers: [{id: p, dialect: openai, base_url: 'http://127.0.0.1:1'}]\n"


class Paper:
    """Fails with each of ``problems``, then takes all."""

    events_max, place = 20, "paper"

    def __init__(self, *problems) -> None:
        self.problems, self.taken = list(problems), []

    def send(self, events):
        if self.problems and (problem := self.problems.pop(0)):
            if isinstance(problem, Exception):
                raise problem
            return problem
        self.taken += [one["id"] for one in events]
        return None


@pytest.fixture
def stored(tmp_path):
    store = Store(tmp_path)
    store.commit([span(placed(names()), ring=9)])
    traffic, records = traffic_records(51, 120)
    for start in range(0, len(records), 40):
        store.commit([span(records[start : start + 40])])
    yield tmp_path, store, traffic
    store.close()


def quiet(event, fields): ...


def all_of(export: Export, tries: int = 100) -> None:
    for _ in range(tries):
        problem, moved = export.step()
        if not problem and not moved:
            return
    raise AssertionError("it never ends")


def test_failures_are_said_once_and_repeated_until_it_is_taken(stored):
    folder, _, traffic = stored
    lines = []
    paper = Paper("status 500", "status 500", "", ValueError("defect"), "")
    export = Export("paper", paper, folder, lambda event, fields: lines.append((event, fields)))
    all_of(export)

    assert len(paper.taken) == len(set(paper.taken)) == traffic.books["attempts"]
    assert export.progress.delivered == traffic.books["attempts"]
    assert export.progress.failures == 3 and export.progress.failing == ""
    assert [event for event, _ in lines] == [
        "export failing", "export is back", "export failing", "export is back"]


def test_who_starts_again_goes_on_at_the_stored_mark(stored):
    folder, store, traffic = stored
    first, second = Paper(), Paper()
    export = Export("paper", first, folder, quiet)
    exports = Exports([export])
    export.step()
    marks = exports.marks()
    assert marks and exports.marks() == marks, "told until it is stored"
    store.exported(marks)
    exports.stored(marks)
    assert exports.marks() == {}, "and then no more"
    export.step()  # delivered, and then killed before the mark was stored

    again = Export("paper", second, folder, quiet)
    all_of(again)
    assert set(first.taken) | set(second.taken) == set(first.taken + second.taken)
    assert len(set(first.taken + second.taken)) == traffic.books["attempts"]
    assert len(first.taken) + len(second.taken) > traffic.books["attempts"], "at least once"


def test_what_retention_took_is_counted_and_said(stored):
    folder, store, _ = stored
    lines, paper = [], Paper()
    export = Export("paper", paper, folder, lambda event, fields: lines.append(event))
    export.step()
    store.prune(2**62, batches_max=store._next_batch - 2)
    all_of(export)
    assert export.progress.skipped > 0 and lines == ["export missed what retention took"]


def test_a_ledger_that_is_not_there_yet_is_waited_for(tmp_path):
    export = Export("paper", Paper(), tmp_path, quiet)
    problem, moved = export.step()
    assert problem is not None and "nothing was recorded" in problem and not moved


def test_a_webhook_gets_attempts_in_groups_with_one_id_whenever_sent(stored):
    folder, _, traffic = stored
    receiver = Receiver(500, 204)
    wanted = WebhookExport("hook", Secret(receiver.url), Secret("canary-secret"))
    export = Export("hook", WebhookSender(wanted), folder, quiet)
    all_of(export)
    receiver.server.shutdown()

    sent = [json.loads(content) for _, _, content in receiver.calls]
    assert sent[0]["id"] == sent[1]["id"] and sent[0]["type"] == "usage.attempts"
    ids = [one["id"] for part in sent[1:] for one in part["attempts"]]
    assert len(ids) == len(set(ids)) == traffic.books["attempts"]
    assert body([{"id": "a"}]) != body([{"id": "b"}])


def test_a_webhook_gets_the_providers_words_and_what_an_estimate_is_worth(tmp_path):
    id, receiver = RequestId(1, 0, 1), Receiver(204)
    store = Store(tmp_path)
    store.commit([span(placed([
        *names(), Name(NAME_QUOTE, 1, 0, '{"cost":0.10}', id, T0).pack(),
        close(id, output_basis=2).pack()]))])  # by a ratio, of prose
    wanted = WebhookExport("hook", Secret(receiver.url), Secret("canary-secret"))
    all_of(Export("hook", WebhookSender(wanted), tmp_path, quiet))
    receiver.server.shutdown()
    store.close()

    (_, _, content), = receiver.calls
    assert b'"provider_usage":[{"cost":0.10}]' in content
    [event] = json.loads(content)["attempts"]
    told = event["estimates"]["output_tokens"]
    assert (told["by"], told["family"], told["ratio"]) == ("ratio", "o200k_base", 1.0)


def test_a_post_has_a_bounded_size_however_large_the_batch(stored, monkeypatch):
    folder, _, traffic = stored
    monkeypatch.setattr(WebhookSender, "events_max", 7)
    receiver = Receiver(204, 500, 204)
    wanted = WebhookExport("hook", Secret(receiver.url), Secret("canary-secret"))
    export = Export("hook", WebhookSender(wanted), folder, quiet)
    assert export.step()[0] == "status 500" and export.progress.delivered == 0
    all_of(export)
    receiver.server.shutdown()

    sent = [json.loads(content) for _, _, content in receiver.calls]
    assert all(0 < len(one["attempts"]) <= 7 for one in sent)
    assert [one["id"] for one in sent[2:4]] == [one["id"] for one in sent[:2]], "sent again"
    ids = {one["id"] for part in sent for one in part["attempts"]}
    assert len(ids) == export.progress.delivered == traffic.books["attempts"]


def test_over_kills_of_the_recorder_every_attempt_arrives(tmp_path):
    folders = tmp_path / "data", tmp_path / "shm"
    receiver = Receiver(204)
    draw, traffic = seeded("kill while exporting"), Traffic(52)
    ring, waiting = rings(folders[1]), []
    post_all(ring, names())
    wanted = WebhookExport("hook", Secret(receiver.url))

    def recorder() -> Recorder:
        exports = Exports([Export("hook", WebhookSender(wanted), folders[0], quiet)])
        return Recorder(Paths(*folders, interval_ms=5), quiet, exports=exports)

    for _ in range(12):
        child = os.fork()
        if child == 0:
            recorder().run(os.pipe()[0])
        until = time.monotonic() + draw.random() * 0.3
        while time.monotonic() < until:
            waiting = waiting or traffic.one()
            while waiting and ring.post_bytes(waiting[0]):
                waiting.pop(0)
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    while waiting:
        assert ring.post_bytes(waiting.pop(0))

    stop_end, stop = os.pipe()
    os.close(stop)
    last = recorder()
    last._exports._exports[0].stop = lambda patience_s: _until_all(
        last._exports._exports[0], receiver, traffic)
    last.run(stop_end)
    last.close()
    receiver.server.shutdown()
    assert _ids(receiver) == traffic.books["attempts"]
    with Ledger(folders[0]) as ledger:
        assert ledger.verify() == [] and ledger.exported("hook") > 0


def _ids(receiver: Receiver) -> int:
    return len({one["id"] for _, _, content in list(receiver.calls)
                for one in json.loads(content)["attempts"]})


def _until_all(export: Export, receiver: Receiver, traffic: Traffic) -> None:
    """As `Export.stop`, on a machine that is busy elsewhere."""
    until = time.monotonic() + 30
    while _ids(receiver) < traffic.books["attempts"] and time.monotonic() < until:
        time.sleep(0.01)
    Export.stop(export, 10)


def test_exports_are_those_of_the_configuration(tmp_path):
    pytest.importorskip("confluent_kafka")
    config, errors, _ = examine_text(PROVIDERS + (
        "export:\n"
        "  - {type: kafka, brokers: ['127.0.0.1:9'], topic: t}\n"
        "  - {type: webhook, name: books, url: 'http://127.0.0.1:9/x', secret: s3cret}\n"), "x")
    assert config is not None, errors
    made = exports_of(config, tmp_path, quiet)
    assert made is not None and list(made.status()) == ["kafka", "books"]
    assert made.marks() == {}
    plain, _, _ = examine_text(PROVIDERS, "x")
    assert plain is not None and exports_of(plain, tmp_path, quiet) is None
    assert module.DELAYS_S == tuple(sorted(module.DELAYS_S))
