"""Requests, as h11 and llhttp (httptools) read them: the parsers that we did not write.

Method: the first message of each input is read by all three. Each difference must be listed in
oracles.py with its reason; those are nearly all to the stricter side. Inputs are our samples, the
vectors, and mutations of both from a fixed seed (tools/fuzz_http1.py goes on from others).
"""

import pytest

from tests.wire.oracles import ORACLES, unexplained
from tests.wire.series import needs_vectors, read_whole, vectors
from tools.fuzz_http1 import SAMPLES, fault_of, fuzz

REQUESTS = vectors("requests.jsonl")
SEED = 20260901


@pytest.mark.parametrize("name", ORACLES)
def test_reads_every_sample_as_the_oracle_does(name):
    for raw in SAMPLES:
        series = read_whole(raw)
        assert series.messages, series.error
        assert unexplained(raw, series, name) is None


@needs_vectors(REQUESTS)
@pytest.mark.parametrize("name", ORACLES)
def test_reads_every_vector_as_the_oracle_does(name):
    for row in REQUESTS:
        assert unexplained(row["raw"], read_whole(row["raw"]), name) is None, row["id"]


def test_finds_no_fault_in_mutated_requests():
    tried, faults = fuzz(fault_of, seconds=300, seed=SEED, inputs=20_000)

    assert faults == []
    assert tried == 20_000


def test_notices_when_an_oracle_reads_another_message():
    raw = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
    other = read_whole(raw.replace(b"/a", b"/b"))

    for name in ORACLES:
        assert "reads" in unexplained(raw, other, name)
