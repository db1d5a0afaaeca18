"""Ollama: lines or bodies give their counts; a prompt that nobody counted is not a prompt of 0.

Method: the recorded answers (skipped where absent), at any cut, against what the recorder's
manifest says of them; then lines of our own for what no recording shows.
"""

import sys
from pathlib import Path

import pytest

from fastgw.dialect.meter import Meter

sys.path.insert(0, str(Path(__file__).parent))
from recorded import body_of, names, read, rows, state, ways  # noqa: E402

ROWS = rows("ollama")
OPERATIONS = {"api/chat": "chat", "api/generate": "generate", "api/embed": "embeddings"}
PIECE = b'{"model":"m","message":{"role":"assistant","content":"ab"},"done":false}\n'
LAST = (b'{"model":"m","message":{"content":""},"done":true,"done_reason":"stop",'
        b'"prompt_eval_count":11,"eval_count":7}\n')


def lines(*pieces: bytes, operation: str = "chat", tracked: bool = False) -> Meter:
    return read(Meter("ollama", operation, streaming="ndjson", tracked=tracked), list(pieces))


def test_the_recordings_are_here():
    if not ROWS:
        pytest.skip("no ../shared/vectors here")
    assert len(ROWS) >= 6


@pytest.mark.parametrize("tracked", [False, True])
@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_recorded_answers_give_their_usage_at_any_cut(row, tracked):
    body, told, seen = body_of(row), row["expected_usage"], []
    for pieces in ways(body):
        meter = Meter("ollama", OPERATIONS[row["api"]],
                      streaming="ndjson" if row["streaming"] else False,
                      tracked=tracked and row["streaming"])
        classes, flags = read(meter, pieces).usage()
        assert (meter.report["input"], meter.report["output"]) == (told["input"], told["output"])
        assert (classes["input"], classes["output"]) == (told["input"] or 0, told["output"])
        assert flags == {"provider"} | ({"no_input"} if told["input"] is None else set())
        assert meter.model == row["model"] or meter.model
        if row["streaming"]:
            assert {"finish", "done"} <= meter.ever and meter.text_events > 5
        seen.append(state(meter))
    assert all(one == seen[0] for one in seen)


def test_cached_tokens_are_inside_the_prompt():
    meter = lines(LAST.replace(b'"eval_count"', b'"prompt_eval_cached_count":4,"eval_count"'))

    assert meter.usage()[0]["input"] == 7 and meter.usage()[0]["cached_input"] == 4


def test_thoughts_and_calls_are_generated_text():
    meter = lines(
        b'{"message":{"content":"","thinking":"hmm","tool_calls":[{"function":{"name":"f",'
        b'"arguments":{"city":"Rome","n":1}}}]}}\n', LAST)

    assert meter.output_bytes == len("hmm") + len("cityRomen")


@pytest.mark.parametrize("line, ends", [
    (b'{"error":"llama runner process has terminated"}\n', True),
    (b'{"error":"","done":false}\n', False),
    (b'{"error":null}\n', False),
])
def test_an_error_line_ends_the_stream(line, ends):
    meter = lines(PIECE, line)

    assert ("error" in meter.ever) == ends
    assert meter.usage() == (meter.usage()[0], frozenset())


def test_a_stream_without_its_end_tells_nothing():
    meter = lines(PIECE, PIECE)

    assert meter.usage()[1] == frozenset()
    assert (meter.events, meter.text_events, meter.output_bytes) == (2, 2, 4)


def test_a_last_line_without_its_line_feed_counts():
    assert lines(PIECE, LAST[:-1]).usage()[1] == {"provider"}


def test_an_embedding_has_input_alone():
    meter = read(Meter("ollama", "embeddings", streaming=False),
                 [b'{"model":"m","embeddings":[[0.1,2e-3]],"prompt_eval_count":8}'])

    assert (meter.usage()[0]["input"], meter.usage()[0]["output"]) == (8, 0)
    assert meter.usage()[1] == {"provider"}
