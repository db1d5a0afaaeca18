"""SSE scanner: exact by WHATWG wherever the input is cut, and linear however long a line is.

Method: the published cases (../shared/vectors/sse.jsonl, where present) and a few of our own are
fed whole, byte by byte, at every two-way cut and at random cuts; the pieces are put together by a
reader that knows only the rules of event assembly.
"""

import base64
import json
import random
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from scan_native import EventReader, cuts, library  # noqa: E402

VECTORS = Path(__file__).resolve().parents[3] / "shared/vectors/sse.jsonl"
SEED = 20261121

OWN = [
    (b"data: a\n\n", [("message", "a")]),
    (b"data:a\r\n\r\ndata:b\r\n\r\n", [("message", "a"), ("message", "b")]),
    (b"\xef\xbb\xbfdata: a\rdata:  b\r\r", [("message", "a\n b")]),
    (b"\xef\xbbdata: a\n\ndata: b\n\n", [("message", "b")]),
    (b"event: x\nevent: y\ndata\ndata\n\n", [("y", "\n")]),
    (b": note\n\nevent: lost\n\ndata: kept\n\n", [("message", "kept")]),
    (b"data: never ended\n", []),
    (b"dataa: no\ndat: no\nDATA: no\ndata : no\ndata:yes\n\n", [("message", "yes")]),
    (b"data:\n\n", [("message", "")]),
    (b"data: a\n\ndata\xef\xbb\xbf: b\n\n", [("message", "a")]),
]


def read(*pieces: bytes) -> EventReader:
    reader = EventReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


@pytest.mark.parametrize("raw, expected", OWN)
def test_events_are_the_same_at_any_cut(raw, expected):
    for pieces in cuts(raw, random.Random(SEED)):
        got = [(event["event"], event["data"]) for event in read(*pieces).events]
        assert got == expected, pieces


def test_published_cases_give_their_events_at_any_cut():
    if not VECTORS.exists():
        pytest.skip("no ../shared/vectors here")
    print("seed", SEED)
    rng = random.Random(SEED)
    rows = [json.loads(line) for line in VECTORS.read_text().splitlines()]
    assert len(rows) > 100
    for row in rows:
        raw = base64.b64decode(row["raw_base64"])
        ways = list(cuts(raw, rng)) if len(raw) < 20_000 else [[raw], [raw[:999], raw[999:]]]
        if row.get("chunk_sizes"):
            at, pieces = 0, []
            for size in row["chunk_sizes"]:
                pieces.append(raw[at : at + size])
                at += size
            ways.append([*pieces, raw[at:]])
        for pieces in ways:
            reader = read(*pieces)
            assert len(reader.events) == len(row["expected_events"]), row["id"]
            for event, expected in zip(reader.events, row["expected_events"], strict=True):
                assert (event["event"], event["data"]) == (expected["event"], expected["data"])
                assert event["id"] == expected.get("id", event["id"]), row["id"]
            assert reader.retry == row["final_retry"], row["id"]
            assert reader.last_id == (row["final_last_event_id"] or ""), row["id"]


def test_an_end_says_where_the_event_ends_in_the_input():
    raw = b": c\r\n\r\ndata: 1\n\nevent: x\ndata: 2\r\n\r\n"

    assert read(raw).ends == [(7, 0), (16, 1), (len(raw), 1)]


def test_a_line_feed_cut_from_its_carriage_return_ends_nothing():
    reader = read(b"data: 1\r\n\r", b"\ndata: 2\r\n\r\n")

    assert [event["data"] for event in reader.events] == ["1", "2"]
    assert [dispatch for _, dispatch in reader.ends] == [1, 1]


def test_a_long_line_in_small_reads_costs_what_its_bytes_cost():
    """Rescanning would make 8 MiB in 1 KiB reads 4,096 times dearer than in one read."""
    lib, raw = library(), b"data: " + b"x" * (8 << 20) + b"\n\n"

    def cost(read_size: int) -> float:
        start = time.process_time()
        assert lib.shim_sse_count(raw, len(raw), read_size) == 8 << 20
        return time.process_time() - start

    whole = min(cost(len(raw)) for _ in range(3))
    small = min(cost(1024) for _ in range(3))
    assert small < 50 * whole + 0.05
