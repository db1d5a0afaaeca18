"""Cohere: what was read and written is counted, what is billed is kept beside it.

Method: the recorded answers of v1 and v2 (skipped where absent), at any cut, against the raw usage
of the manifest by WIRE.md section 2; then events of our own for what they do not show.
"""

import sys
from pathlib import Path

import pytest

from fastgw.dialect.meter import Meter

sys.path.insert(0, str(Path(__file__).parent))
from recorded import body_of, names, read, rows, state, totals, ways  # noqa: E402

ROWS = [row for row in rows("cohere") if row["status"] == 200]
OPERATIONS = {"v1/chat": "chat", "v2/chat": "chat", "embed": "embeddings", "rerank": "rerank"}
START = (b'event: message-start\ndata: {"id":"r1","type":"message-start","delta":{"message":'
         b'{"role":"assistant","content":[],"tool_plan":"","tool_calls":[]}}}\n\n')
DELTA = (b'event: content-delta\ndata: {"type":"content-delta","index":0,"delta":{"message":'
         b'{"content":{"text":"hello"}}}}\n\n')
END = (b'event: message-end\ndata: {"type":"message-end","delta":{"finish_reason":"COMPLETE",'
       b'"usage":{"billed_units":{"input_tokens":181.0,"output_tokens":34.0},"tokens":'
       b'{"input_tokens":1698.0,"output_tokens":66.0}}}}\n\n')


def events(*pieces: bytes, tracked: bool = False) -> Meter:
    return read(Meter("cohere", "chat", streaming="sse", tracked=tracked), list(pieces))


def stream_kind(row: dict):
    if not row["streaming"]:
        return False
    return "sse" if row["content_type"] == "text/event-stream" else "ndjson"


def test_the_recordings_are_here():
    if not ROWS:
        pytest.skip("no ../shared/vectors here")
    assert len(ROWS) >= 12


@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_recorded_answers_give_their_usage_at_any_cut(row):
    body, told, seen = body_of(row), row["expected_usage"], []
    raw = row["usage_raw"]
    billed, tokens = raw.get("billed_units") or {}, raw.get("tokens") or {}
    for pieces in ways(body):
        meter = Meter("cohere", OPERATIONS[row["api"]], streaming=stream_kind(row))
        classes, flags = read(meter, pieces).usage()
        seen.append(state(meter))
        if told["input"] is None:  # rerank: searches are told, no tokens
            assert flags == {"provider"} and meter.billed is None
            assert meter.units()["searches"] == billed["search_units"] == 1
            continue
        pictures = tokens.get("image_tokens") or 0  # stand beside input_tokens
        assert totals(classes) == (told["input"] + pictures, told["output"] or 0)
        assert classes["cached_input"] == min(told["cached_input"] or 0, told["input"])
        assert classes["reasoning"] == (tokens.get("reasoning_tokens") or 0)
        assert flags == {"provider", "billed"}
        assert meter.billed == (billed["input_tokens"], billed.get("output_tokens", 0))
        if row["streaming"]:
            assert {"finish", "done"} <= meter.ever and meter.text_events > 5
    assert all(one == seen[0] for one in seen)


def test_numbers_may_have_a_fraction():
    meter = events(START, DELTA, END)

    assert totals(meter.usage()[0]) == (1698, 66) and meter.billed == (181, 34)
    assert meter.id == "r1"


@pytest.mark.parametrize("delta", [
    b'{"finish_reason":"ERROR"}', b'{"finish_reason":"ERROR","error":"it broke"}',
    b'{"error":"it broke"}'])
def test_a_stream_that_failed_says_so(delta):
    meter = events(START, DELTA, b'event: message-end\ndata: {"type":"message-end","delta":'
                   + delta + b"}\n\n")

    assert "error" in meter.ever and meter.usage()[1] == frozenset()


def test_a_stream_that_was_cut_tells_nothing():
    assert events(START, DELTA).usage()[1] == frozenset()


def test_blocks_that_stand_open_are_known_at_a_cut():
    opens = b'data: {"type":"content-start","index":0,"delta":{"message":{"content":{}}}}\n\n'
    call = (b'data: {"type":"tool-call-start","index":2,"delta":{"message":{"tool_calls":'
            b'{"function":{"name":"f","arguments":""}}}}}\n\n')
    ended = b'data: {"type":"tool-call-end","index":2}\n\n'

    assert events(START, opens, DELTA, tracked=True).cut["blocks"] == (0,)
    assert events(START, opens, call, DELTA, tracked=True).cut["blocks"] == (0, ~2)
    assert events(START, opens, call, ended, DELTA, tracked=True).cut["blocks"] == (0,)
    assert events(DELTA, tracked=True).cut["begun"] is False


def test_everything_that_is_written_is_heard():
    parts = [b'{"tool_plan":"I will"}', b'{"content":{"thinking":"hm"}}',
             b'{"tool_calls":{"function":{"arguments":"{}"}}}', b'{"citations":{"text":"no"}}']
    stream = [b'data: {"type":"x","delta":{"message":' + part + b"}}\n\n" for part in parts]
    for tracked in (False, True):
        assert events(*stream, tracked=tracked).output_bytes == len("I will" "hm" "{}")
