"""Newline-delimited JSON: the lines that any reader of it sees, wherever the input is cut.

Method: recorded streams of Ollama and Cohere (../shared/vectors/streams, where present) and lines
made at random are fed whole, byte by byte, in two and at random cuts; orjson reads the lines.
"""

import random
import sys
from pathlib import Path

import orjson
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from scan_native import NDJSON, ElementReader, cuts  # noqa: E402

STREAMS = Path(__file__).resolve().parents[3] / "shared/vectors/streams"
SEED = 20261121


def read(*pieces: bytes) -> ElementReader:
    reader = ElementReader(NDJSON)
    for piece in pieces:
        reader.feed(piece)
    return reader


@pytest.mark.parametrize("raw, lines, ends", [
    (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}'], [(8, 1), (16, 1)]),
    (b'{"a":1}\r\n\r\n \t\n{"b":2}\r\n', [b'{"a":1}\r', b'{"b":2}\r'],
     [(9, 1), (11, 0), (14, 0), (23, 1)]),
    (b'  {"a": "\\n\xe2\x80\xa8\xc2\x85"}  \n', [b'{"a": "\\n\xe2\x80\xa8\xc2\x85"}  '],
     [(21, 1)]),
    (b"\n\nx\n", [b"x"], [(1, 0), (2, 0), (4, 1)]),
    (b"", [], []),
])
def test_a_line_is_an_event_and_ends_at_its_line_feed(raw, lines, ends):
    for pieces in cuts(raw, random.Random(SEED)):
        reader = read(*pieces)
        assert (reader.events, reader.ends) == (lines, ends), pieces
        assert not reader.split.open


@pytest.mark.parametrize("raw, is_open", [
    (b'{"a":1}\n{"b"', True), (b'{"a":1}\n', False), (b'{"a":1}\n \r', False), (b"x", True)])
def test_a_last_line_without_its_line_feed_is_open(raw, is_open):
    for pieces in cuts(raw, random.Random(SEED)):
        assert read(*pieces).split.open == is_open


def test_recorded_streams_give_the_lines_that_were_sent():
    found = sorted(
        path for pattern in ("ollama.api-*.stream.*.bin", "cohere.v1-chat.stream.*.bin")
        for path in STREAMS.glob(pattern))
    if not found:
        pytest.skip("no ../shared/vectors here")
    for path in found:
        raw = path.read_bytes()
        expected = [orjson.loads(line) for line in raw.split(b"\n") if line.strip()]
        assert len(expected) > 10
        ways = [[raw], [raw[i : i + 1] for i in range(len(raw))]]
        ways += [[raw[i : i + size] for i in range(0, len(raw), size)] for size in (7, 100, 4093)]
        for pieces in ways:
            reader = read(*pieces)
            events = [*reader.events, *([reader.text] if reader.split.open else [])]
            assert [orjson.loads(event) for event in events] == expected, path.name
