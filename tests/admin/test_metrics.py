"""/metrics of a live instance, and what a scrape costs.

Method: parsed by Prometheus' own parser; five calls are known (conftest).
"""

import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fastgw.admin.metrics import Metrics, Rarely
from fastgw.errors import LedgerError
from tests.admin.conftest import TOKEN


@pytest.fixture
def samples(live):
    """{(name, labels): value}, once all five calls are recorded."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        status, _, body = live.admin("/metrics", authorization=f"Bearer {TOKEN}")
        assert status == 200
        found = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }
        if found.get(("fastgw_ledger_requests_total", ())) == 5:
            return found
        time.sleep(0.05)
    raise AssertionError(body.decode())


def test_sums_traffic_over_workers(samples):
    assert samples["fastgw_requests_total", ()] == 5
    assert samples["fastgw_denied_total", ()] == 1
    assert samples["fastgw_responses_total", (("class", "2xx"),)] == 4
    assert samples["fastgw_responses_total", (("class", "4xx"),)] == 1
    assert samples["fastgw_attempts_ended_total", (("fate", "delivered"),)] == 4
    assert samples["fastgw_tokens_total", (("class", "output"),)] == 4 * 8
    refused = (("code", "FGW-801"), ("name", "limit_requests"))
    assert samples["fastgw_refusals_total", refused] == 1


def test_histograms_are_cumulative(samples):
    buckets = [
        (float(dict(labels)["le"]), value)
        for (name, labels), value in samples.items() if name == "fastgw_total_seconds_bucket"
    ]
    counts = [value for _, value in sorted(buckets)]

    assert counts == sorted(counts)
    assert sorted(buckets)[-1] == (float("inf"), samples["fastgw_total_seconds_count", ()])


def test_tells_how_the_tree_is(samples):
    assert samples["fastgw_workers_alive", ()] == samples["fastgw_workers_wanted", ()] == 2
    for process in ("worker 0", "worker 1", "zygote", "recorder", "admin"):
        assert samples["fastgw_process_up", (("process", process),)] == 1
        assert samples["fastgw_restarts_total", (("process", process),)] == 0
    for worker in ("0", "1"):
        assert 0 <= samples["fastgw_heartbeat_age_seconds", (("worker", worker),)] < 2


def test_tells_how_limits_rings_and_ledger_are(samples):
    assert samples["fastgw_holds_live", ()] == samples["fastgw_attempts_open", ()] == 0
    assert samples["fastgw_table_entries", ()] == 1
    of = (("enforced", "true"), ("limit", "free"), ("unit", "requests"))
    assert samples["fastgw_limit_keys_full", of] == 1
    of_bob = (of[0], ("key", "bob"), *of[1:])
    assert samples["fastgw_limit_key_used", of_bob] == 2
    for ring in ("00-main", "01-main", "00-refusals", "supervisor"):
        assert 0 <= samples["fastgw_ring_fill_ratio", (("ring", ring),)] < 1
    assert samples["fastgw_spill_bytes", ()] == samples["fastgw_ledger_failing", ()] == 0
    assert samples["fastgw_ledger_attempts_total", ()] == 4
    assert samples["fastgw_ledger_open_attempts", ()] == 0
    assert samples["fastgw_ledger_difference", ()] == 0


def test_an_instance_that_never_ran_has_no_metrics(tmp_path):
    assert Metrics(tmp_path).exposition() == b""


def test_what_is_slow_is_read_rarely():
    now, reads = [100.0], []

    def slow() -> int:
        now[0] += 2.0
        reads.append(now[0])
        return len(reads)

    rarely = Rarely(slow, lambda: now[0])

    assert rarely.read() == 1
    now[0] += 37.0
    assert rarely.read() == 1
    now[0] += 2.0
    assert rarely.read() == 2


def test_what_cannot_be_read_is_absent_and_tried_again():
    answers = [LedgerError("locked"), 5]

    def read() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    rarely = Rarely(read)

    assert rarely.read() is None
    time.sleep(0.01)
    assert rarely.read() == 5
