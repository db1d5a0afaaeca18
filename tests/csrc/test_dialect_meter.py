"""Meter: every recorded answer of these dialects gives its usage, wherever it is cut.

Method: the rows of ../shared/vectors/streams (skipped where absent) are fed whole, byte by byte if
small, and at random cuts with a printed seed. The report must be `expected_usage` as it stands, in
the provider's convention; the classes must be what the table of WIRE.md section 2 makes of it,
written down here once more, dialect by dialect, from the row alone.
Rules that no row shows have cases in test_dialect_openai_answer and test_dialect_anthropic_answer.
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
