"""Meter: every recorded answer of these dialects gives its usage, wherever it is cut.

Method: the rows of ../shared/vectors/streams (skipped where absent) are fed whole, byte by byte if
small, and at random cuts with a printed seed. The report must be `expected_usage` as it stands, in
the provider's convention; the classes must be what the table of WIRE.md section 2 makes of it,
written down here once more, dialect by dialect, from the row alone. Faults, literals and
rules that no row shows have cases of our own.
"""

import gzip
import json
import random
from pathlib import Path

import pytest

from fastgw.dialect.meter import Meter

STREAMS = Path(__file__).resolve().parents[3] / "shared/vectors/streams"
SEED = 20261121
OTHER_DIALECTS = {"gemini", "vertex", "bedrock", "cohere", "ollama"}
OPERATIONS = {
    "rawPredict": "messages", "streamRawPredict": "messages", "complete": "other",
    **{name: name for name in (
        "chat", "responses", "completions", "embeddings", "messages", "count_tokens", "images",
        "audio", "moderations", "batches",
    )},
}  # fmt: skip
FIELDS = ("input", "output", "total", "cached_input", "cache_write", "reasoning")


def rows() -> list[dict]:
    manifest = STREAMS / "manifest.jsonl"
    if not manifest.exists():
        return []
    read = [json.loads(line) for line in manifest.read_text().splitlines()]
    return [
        row for row in read
        if row["dialect"] not in OTHER_DIALECTS and row["api"] in OPERATIONS
    ]  # fmt: skip


ROWS = rows()


def body_of(row: dict) -> bytes:
    if row["wire_file"] and row["wire_file"].endswith(".gzip"):
        return gzip.decompress((STREAMS / Path(row["wire_file"]).name).read_bytes())
    return (STREAMS / f"{row['name']}.bin").read_bytes()


def meter_for(row: dict) -> Meter:
    dialect = "anthropic" if row["dialect"].startswith("anthropic") else "openai"
    streaming = "event-stream" in (row["content_type"] or "") or (
        row["streaming"] and row["status"] == 200
    )
    return Meter(dialect, OPERATIONS[row["api"]], streaming=streaming)


def read(meter: Meter, *pieces: bytes) -> Meter:
    for piece in pieces:
        meter.feed(piece)
    meter.end()
    return meter


def cut(body: bytes, rng: random.Random, marks: int) -> list[bytes]:
    at = sorted(rng.randrange(len(body) + 1) for _ in range(marks))
    return [body[a:b] for a, b in zip([0, *at], [*at, len(body)], strict=True)]


def state(meter: Meter):
    return (meter.report, meter.iterations, meter.usage(), meter.ever, meter.events, meter.id,
            meter.text_events, meter.output_bytes, meter.model)  # fmt: skip


def iterations(row: dict) -> list[dict]:
    found = (row["usage_raw"] or {}).get("iterations") or []
    return [one for one in found if one["type"] not in ("message", "fallback_message")]


def anthropic_totals(row: dict, told: dict) -> dict:
    """Cached and written tokens stand beside the input; iterations come on top."""
    totals = {
        "cached": told["cached_input"], "written": told["cache_write"],
        "reasoning": told["reasoning"], "output": told["output"],
        "input": told["input"] + told["cached_input"] + told["cache_write"],
    }  # fmt: skip
    for one in iterations(row):
        cached, written = one["cache_read_input_tokens"], one["cache_creation_input_tokens"]
        totals["cached"] += cached
        totals["written"] += written
        totals["input"] += one["input_tokens"] + cached + written
        totals["output"] += one["output_tokens"]
    return totals


def openai_totals(row: dict, told: dict) -> dict:
    """Everything is inside input and output, but for the vendors named here."""
    total, reasoning = told["total"], told["reasoning"]
    totals = {
        "input": told["input"], "output": told["output"], "reasoning": reasoning,
        "cached": min(told["cached_input"], told["input"]),  # Azure-hosted Grok tells more
        "written": told["cache_write"],
    }  # fmt: skip
    dialect, model = row["dialect"], row["model"] or ""
    if dialect == "xai" and row["api"] == "chat":
        totals["output"] += reasoning
    elif dialect == "gemini-openai-compat":
        totals["output"] = total - told["input"]
    elif dialect == "openrouter":
        totals["output"] = max(told["output"], total - told["input"])
    elif dialect == "vercel-gateway" and model.startswith("google/"):
        totals["output"] += reasoning
    elif "voxtral" in model and total > told["input"] + told["output"]:
        totals["input"] = total - told["output"]
    totals["reasoning"] = min(reasoning, totals["output"])
    return totals


def expected_totals(row: dict) -> dict:
    told = {field: row["expected_usage"][field] or 0 for field in FIELDS}
    if row["dialect"].startswith("anthropic"):
        return anthropic_totals(row, told)
    return openai_totals(row, told)


def totals_of(classes: dict) -> dict:
    written = classes["cache_write"] + classes["cache_write_1h"]
    return {
        "cached": classes["cached_input"], "written": written, "reasoning": classes["reasoning"],
        "input": classes["input"] + classes["cached_input"] + written
        + classes["audio_input"] + classes["image_input"],
        "output": classes["output"] + classes["reasoning"]
        + classes["audio_output"] + classes["image_output"],
    }  # fmt: skip


def test_the_recordings_are_here():
    if not ROWS:
        pytest.skip("no ../shared/vectors/streams here")
    assert len(ROWS) > 150
    assert sum(row["expected_usage"] is not None for row in ROWS) > 110


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"][:44])
def test_a_recorded_answer_gives_its_usage_at_any_cut(row):
    body, rng = body_of(row), random.Random(SEED)
    whole = read(meter_for(row), body)

    expected = row["expected_usage"]
    report = {field: whole.report[field] for field in FIELDS}
    assert report == (expected or dict.fromkeys(FIELDS))
    classes, flags = whole.usage()
    if expected is None or row["api"] == "count_tokens":
        assert not flags
    elif not any(expected.values()) and whole.output_bytes:
        assert flags == {"zero"}
    else:
        assert totals_of(classes) == expected_totals(row)
        assert "provider" in flags and "partial" not in flags
        assert ("iterations" in flags) == bool(iterations(row))

    ways = [cut(body, rng, 3) for _ in range(4)] + [cut(body, rng, 300)]
    if len(body) < 20_000:
        ways.append([body[at : at + 1] for at in range(len(body))])
    for pieces in ways:
        assert state(read(meter_for(row), *pieces)) == state(whole), f"seed {SEED}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"][:44])
def test_event_ends_divide_a_recorded_stream_at_any_cut(row):
    """Each end lies after a blank line; the ends are the same however the stream arrives."""
    body, rng = body_of(row), random.Random(SEED)
    if "event-stream" not in (row["content_type"] or "") or b"\r" in body:
        return  # a CR at the end of a read ends its event there: ends may differ by its LF
    whole = meter_for(row).feed(body)
    pieces, meter, cut_ends = cut(body, rng, 40), meter_for(row), []
    for piece in pieces:
        cut_ends += meter.feed(piece)
    assert cut_ends == whole
    for end, _, _ in whole:
        assert body[end - 1 : end] == b"\n"


def chat_event(**members) -> bytes:
    return b"data: " + json.dumps(members).encode() + b"\n\n"


def delta(content: str, finish: str | None = None) -> dict:
    return {"index": 0, "delta": {"content": content}, "finish_reason": finish}


USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def chat(*events: bytes, hide: bool = False) -> tuple[Meter, list]:
    meter = Meter("openai", "chat", streaming=True, hide_usage=hide)
    ended = meter.feed(b"".join(events))
    meter.end()
    return meter, ended


def test_content_that_looks_like_usage_or_an_end_is_content():
    trap = '"usage":{"prompt_tokens":9} data: [DONE]\n\ndata: [DONE]\n\n{"error":{}}'
    meter, _ = chat(chat_event(choices=[delta(trap)]), chat_event(choices=[{"delta": {"content": [
        {"type": "text", "text": "x", "usage": USAGE, "error": {"a": 1}}]}}]))  # fmt: skip

    assert meter.usage() == (dict.fromkeys(meter.usage()[0], 0), frozenset())
    assert meter.ever == {"dispatch", "text"}
    assert meter.output_bytes == len(trap.encode()) + 1


def test_only_the_usage_chunk_is_hidden_and_only_when_asked():
    events = [
        chat_event(choices=[delta("a")], usage=None), chat_event(choices=[delta("", "stop")]),
        chat_event(choices=[], usage=None), chat_event(choices=[], usage=USAGE),
        b"data: [DONE]\n\n",
    ]  # fmt: skip
    for hide in (True, False):
        meter, ended = chat(*events, hide=hide)
        assert ["hide" in flags for _, flags, _ in ended] == [False, False, False, hide, False]
        assert meter.report["output"] == 5
    kept = chat(chat_event(choices=[delta("", "stop")], usage=USAGE), hide=True)[1]
    assert "hide" not in kept[0][1]


def test_the_last_usage_that_says_something_wins():
    filler = dict.fromkeys(USAGE, 0)
    more = {**USAGE, "completion_tokens": 6, "total_tokens": 13}
    meter, _ = chat(
        chat_event(choices=[], usage=USAGE), chat_event(choices=[], usage=more),
        chat_event(choices=[], usage=None), chat_event(choices=[], usage={}),
        chat_event(choices=[delta("x")], usage=filler), b"data: [DONE]\n\n",
    )  # fmt: skip

    assert (meter.report["input"], meter.report["output"]) == (7, 6)


def test_a_stream_cut_short_has_partial_usage_at_best():
    meter, _ = chat(chat_event(choices=[delta("x")], usage=USAGE))
    assert meter.usage()[1] == {"partial"}

    start = {"type": "message_start", "message": {"id": "m", "model": "c", "usage": {
        "input_tokens": 10, "output_tokens": 1}}}  # fmt: skip
    meter = Meter("anthropic", "messages", streaming=True)
    meter.feed(chat_event(**start))
    assert meter.usage()[1] == {"partial"}
    assert meter.usage()[0]["input"] == 10


def test_zeros_beside_output_are_not_believed():
    meter, _ = chat(chat_event(choices=[delta("text", "stop")], usage=dict.fromkeys(USAGE, 0)))

    assert meter.usage()[1] == {"zero"}


@pytest.mark.parametrize(
    "end", [b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"data: [DONE] \n\n"]
)
def test_every_way_to_write_the_end_is_an_end(end):
    for at in range(len(end)):
        meter = Meter("openai", "chat", streaming=True)
        meter.feed(end[:at])
        meter.feed(end[at:])
        assert meter.ever == {"dispatch", "done"}


@pytest.mark.parametrize(
    "dialect, operation, body, flags",
    [
        ("openai", "chat", b'data: {"error":{"message":"x","code":500}}\n\n', {"error"}),
        ("openai", "chat", b'data: {"error":"overloaded"}\n\n', {"error"}),
        ("openai", "chat", b'event: error\ndata: {"message":"x"}\n\n', {"error"}),
        ("openai", "chat", b'data: {"error":null,"choices":[]}\n\n', set()),
        ("openai", "chat", b"data: {broken\n\n", {"broken"}),
        ("openai", "chat", b"data: [DONE]x\n\n", {"broken"}),
        ("openai", "responses", b'data: {"type":"error","code":"x"}\n\n', {"error", "done"}),
        ("openai", "responses", b'data: {"type":"response.incomplete","response":{}}\n\n',
         {"done", "finish"}),
        ("openai", "responses",
        b'data: {"type":"response.failed","response":{"error":{"a":1}}}\n\n',
         {"done", "finish", "error"}),
        ("openai", "responses", b'data: {"type":"response.output_text.delta","delta":"ab"}\n\n',
         {"text"}),
        ("openai", "responses", b'data: {"type":"response.output_text.done","text":"ab"}\n\n',
        set()),
        ("openai", "responses", b'data: {"type":"response.audio.delta","delta":"QUJD"}\n\n',
        set()),
        ("anthropic", "messages",
        b'data: {"type":"error","error":{"type":"overloaded_error"}}\n\n',
         {"error"}),
        ("anthropic", "messages", b'event: ping\ndata: {"type":"ping"}\n\n', set()),
        ("anthropic", "messages", b'data: {"type":"message_stop"}\n\n', {"done"}),
        ("anthropic", "messages",
         b'data: {"type":"content_block_delta","delta":{"thinking":"a"}}\n\n',
         {"text"}),
        ("anthropic", "messages",
         b'data: {"type":"content_block_delta","delta":{"signature":"a"}}\n\n',
         set()),
    ],
)  # fmt: skip
def test_an_event_is_what_it_says(dialect, operation, body, flags):
    meter = Meter(dialect, operation, streaming=True)
    (_, got, _), = meter.feed(body)  # fmt: skip
    assert got == flags | {"dispatch"}


def start_event(identity: str, tokens: int) -> bytes:
    usage = {"input_tokens": tokens, "output_tokens": 1}
    message = {"id": identity, "model": "claude", "usage": usage}
    return chat_event(type="message_start", message=message)


def delta_event(tokens: int) -> bytes:
    return chat_event(type="message_delta", delta={"stop_reason": "end_turn"},
                      usage={"output_tokens": tokens, "input_tokens": None})  # fmt: skip


def test_a_repeated_message_start_counts_once_and_another_message_on_top():
    meter = Meter("anthropic", "messages", streaming=True)
    meter.feed(start_event("a", 10) + delta_event(5) + start_event("a", 10))
    classes, flags = meter.usage()
    assert (classes["input"], classes["output"], flags) == (10, 5, {"provider"})

    meter.feed(start_event("b", 100) + delta_event(50))
    classes, _ = meter.usage()
    assert (classes["input"], classes["output"], meter.id) == (110, 55, "b")


def test_the_first_name_given_is_kept():
    meter, _ = chat(chat_event(id="", model="", choices=[]), chat_event(id="i", model="m" * 300),
                    chat_event(id="j", model="n"))  # fmt: skip

    assert (meter.id, meter.model) == ("i", "m" * 128)


def test_a_last_event_without_its_blank_line_still_counts():
    meter = Meter("openai", "chat", streaming=True)
    meter.feed(b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}')
    assert meter.events == 0
    meter.end()
    meter.end()
    assert (meter.events, meter.report["output"]) == (1, 2)


def test_several_lines_are_one_document():
    body = (
        b'data: {"choices":[{"delta":{"content":\r\ndata: "ab"}}],\r\ndata: "usage":null}\r\n\r\n'
    )
    for at in range(len(body)):
        meter = Meter("openai", "chat", streaming=True)
        ended = meter.feed(body[:at]) + meter.feed(body[at:])
        assert [(flags, text) for _, flags, text in ended if flags] == [({"dispatch", "text"}, 2)]
