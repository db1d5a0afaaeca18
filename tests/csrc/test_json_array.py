"""A streamed JSON array: its elements, wherever the input is cut.

Method: recorded streams of Gemini (../shared/vectors/streams, where present) and arrays made at
random are fed whole, byte by byte, in two and at random cuts; orjson reads the array as a whole
and every element that was handed out.
"""

import json
import random
import sys
from pathlib import Path

import orjson
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from scan_native import JSON_ARRAY, ElementReader, cuts, library  # noqa: E402

STREAMS = Path(__file__).resolve().parents[3] / "shared/vectors/streams"
SEED = 20261121


def read(*pieces: bytes) -> ElementReader:
    reader = ElementReader(JSON_ARRAY)
    for piece in pieces:
        reader.feed(piece)
    return reader


def closed(reader: ElementReader) -> bool:
    return bool(library().shim_array_closed(reader.split.state))


@pytest.mark.parametrize("raw, elements, ends", [
    (b'[{"a":1}\n,\r\n{"b":[]}\n]\n', [b'{"a":1}', b'{"b":[]}'], [(8, 1), (20, 1), (22, 0)]),
    (b"[]", [], [(2, 0)]),
    (b' [ "a]\\"[" , 12,null ,[[1]],-1.5e3]', [b'"a]\\"["', b"12", b"null", b"[[1]]", b"-1.5e3"],
     [(10, 1), (15, 1), (20, 1), (27, 1), (34, 1), (35, 0)]),
    (b'{"error":{"code":400}}\n', [b'{"error":{"code":400}}'], [(22, 1)]),
    (b'[{"error":{"a":"}\\\\"}}]', [b'{"error":{"a":"}\\\\"}}'], [(22, 1), (23, 0)]),
    (b"<html> ", [b"<html>"], [(6, 1)]),
    (b"[{}]]},", [b"{}", b"]}"], [(3, 1), (4, 0), (6, 1)]),
    (b"", [], []),
])
def test_elements_end_where_they_end_at_any_cut(raw, elements, ends):
    for pieces in cuts(raw, random.Random(SEED)):
        reader = read(*pieces)
        assert (reader.events, reader.ends) == (elements, ends), pieces
        assert not reader.split.open
        assert closed(reader) == raw.startswith((b"[", b" ["))


@pytest.mark.parametrize("raw", [b'[{"a":1', b'[{"a":"}', b'[{"a":"\\', b"[1", b'["x', b"{"])
def test_an_element_that_is_cut_off_is_open(raw):
    for pieces in cuts(raw, random.Random(SEED)):
        reader = read(*pieces)
        assert reader.split.open and not closed(reader)
        assert reader.events == []


def made(rng: random.Random, depth: int = 0):
    kind = rng.randrange(8 if depth < 4 else 5)
    if kind < 3:
        return "".join(rng.choice('ab"\\[]{},: \n\u2028é😀') for _ in range(rng.randrange(9)))
    if kind < 5:
        return rng.choice([None, True, 0, -12, 1.5e300])
    if kind < 7:
        return {f"k{i}": made(rng, depth + 1) for i in range(rng.randrange(4))}
    return [made(rng, depth + 1) for _ in range(rng.randrange(4))]


def test_made_arrays_give_the_elements_that_orjson_sees():
    print("seed", SEED)
    rng = random.Random(SEED)
    for _ in range(150):
        elements = [made(rng) for _ in range(rng.randrange(6))]
        raw = json.dumps(elements, indent=rng.choice([None, 0, 2]),
                         ensure_ascii=rng.random() < 0.5).encode()
        for pieces in list(cuts(raw, rng))[:: rng.choice([1, 7])]:
            reader = read(*pieces)
            assert [orjson.loads(event) for event in reader.events] == elements, (raw, pieces)
            assert closed(reader)


def test_recorded_streams_give_their_elements():
    found = [path for path in sorted(STREAMS.glob("gemini.streamgeneratecontent.stream.*.bin"))
             if path.read_bytes().lstrip()[:1] == b"["]
    if not found:
        pytest.skip("no ../shared/vectors here, or none that is an array")
    for path in found:
        raw = path.read_bytes()
        expected = orjson.loads(raw)
        ways = [[raw], [raw[i : i + 1] for i in range(len(raw))]]
        ways += [[raw[i : i + size] for i in range(0, len(raw), size)] for size in (7, 100, 4093)]
        for pieces in ways:
            reader = read(*pieces)
            assert [orjson.loads(event) for event in reader.events] == expected, path.name
            assert closed(reader)
