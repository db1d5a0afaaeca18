"""Ledger: records through a ring into a committed batch, and an account asked for its usage."""

import pytest

from fastgw.ledger.committer import Paths
from fastgw.ledger.recorder import Recorder
from tests.ledger.fabricate import Traffic, names, post_all, rings


@pytest.fixture
def ledger(tmp_path):
    (tmp_path / "data").mkdir()
    ring = rings(tmp_path / "rings", size=1 << 22)
    recorder = Recorder(Paths(tmp_path / "data", tmp_path / "rings"), lambda event, fields: None)
    post_all(ring, names())
    recorder.step()
    yield ring, recorder
    recorder.close()


def test_commit_a_batch_of_1000_requests(benchmark, ledger):
    ring, recorder = ledger
    traffic = Traffic(seed=1)

    def fresh():
        post_all(ring, [record for _ in range(1000) for record in traffic.one()])

    benchmark.pedantic(recorder.step, setup=fresh, rounds=10)
    assert recorder.counts.requests == 10_000
