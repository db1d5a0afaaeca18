"""Sessions: each provider's messages come to the sum of what it told, transcriptions apart.

Method: the recorded transcripts (skipped where absent), what was received as a line a message, at
any cut, against the sums of the manifest; then messages of our own.
"""

import json
import sys
from pathlib import Path

import pytest

from fastgw.dialect.meter import Meter

sys.path.insert(0, str(Path(__file__).parent))
from recorded import body_of, names, read, rows, state, totals, ways  # noqa: E402

ROWS = rows("openai", "azure", "azure-voice-live", "xai", "gemini", api="realtime")
USAGE = {"input_tokens": 41, "output_tokens": 164, "total_tokens": 205,
         "input_token_details": {"text_tokens": 14, "audio_tokens": 27, "cached_tokens": 20,
                                 "cached_tokens_details": {"audio_tokens": 15}},
         "output_token_details": {"text_tokens": 28, "audio_tokens": 136}}
DONE = {"type": "response.done", "response": {"status": "cancelled", "usage": USAGE}}
CREATED = {"type": "response.created", "response": {"usage": None}}


def session(*messages: dict, dialect: str = "openai") -> Meter:
    raw = [json.dumps(message).encode() + b"\n" for message in messages]
    return read(Meter(dialect, "realtime", streaming="ndjson"), raw)


def received(row: dict) -> bytes:
    """A line for each message of the provider."""
    lines = [json.loads(line) for line in body_of(row).splitlines()]
    return b"".join(json.dumps(line["data"]).encode() + b"\n" for line in lines
                    if line["direction"] == "received" and line["kind"] == "message")


def test_the_recordings_are_here():
    if not ROWS:
        pytest.skip("no ../shared/vectors here")
    assert {row["dialect"] for row in ROWS} == {"openai", "azure", "azure-voice-live", "xai",
                                                "gemini"}


@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_recorded_sessions_come_to_their_sums_at_any_cut(row):
    told, seen = row["expected_usage"], []
    dialect = "gemini" if row["dialect"] == "gemini" else "openai"
    beside = told["reasoning"] or 0 if dialect == "gemini" else 0  # thoughts: not in the response
    for pieces in ways(received(row)):
        meter = Meter(dialect, "realtime", streaming="ndjson")
        classes, flags = read(meter, pieces).usage()
        assert totals(classes) == (told["input"], told["output"] + beside)
        assert classes["cached_input"] == (told["cached_input"] or 0)
        assert classes["reasoning"] == (told["reasoning"] or 0)
        assert meter.report["total"] == told["total"]
        assert "provider" in flags and "clamped" not in flags
        seen.append(state(meter))
    assert all(one == seen[0] for one in seen)


def test_sound_is_told_apart_and_cached_sound_counted_once():
    classes, flags = session(CREATED, DONE).usage()

    assert flags == {"provider"} and totals(classes) == (41, 164)
    assert (classes["audio_input"], classes["cached_input"], classes["input"]) == (12, 20, 9)
    assert (classes["audio_output"], classes["output"]) == (136, 28)


def test_responses_add_up_and_one_that_goes_on_makes_it_partial():
    assert totals(session(CREATED, DONE, CREATED, DONE).usage()[0]) == (82, 328)
    assert session(CREATED, DONE, CREATED).usage()[1] == {"partial"}


def test_transcription_of_the_clients_sound_is_kept_apart():
    transcribed = {"type": "conversation.item.input_audio_transcription.completed",
                   "usage": {"type": "tokens", "input_tokens": 19, "output_tokens": 6,
                             "input_token_details": {"audio_tokens": 17}}}
    by_second = {**transcribed, "usage": {"type": "duration", "seconds": 3}}
    meter = session(transcribed, CREATED, DONE, transcribed, by_second)

    assert totals(meter.usage()[0]) == (41, 164)
    assert (meter.beside["input"], meter.beside["output"]) == (38, 12)
    assert meter.usage()[1] == {"provider", "beside"}


def test_of_googles_messages_in_one_turn_the_last_counts_and_turns_add_up():
    def turn(*counts: int):
        for count in counts:
            yield {"serverContent": {"modelTurn": {"parts": [{"text": "hi"}]}},
                   "usageMetadata": {"promptTokenCount": 10, "responseTokenCount": count}}
        yield {"serverContent": {"turnComplete": True}}

    both = [*turn(1, 2, 3), *turn(4)]
    classes, flags = session(*both, dialect="gemini").usage()
    assert (totals(classes), flags) == ((20, 7), {"provider"})
    classes, flags = session(*both[:-1], dialect="gemini").usage()
    assert (totals(classes), flags) == ((20, 7), {"partial"})


def test_an_error_does_not_end_the_session():
    meter = session({"type": "error", "error": {"message": "no"}}, CREATED, DONE)

    assert "error" in meter.ever and meter.usage()[1] == {"provider"}
