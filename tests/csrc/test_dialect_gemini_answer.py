"""Goal: every recorded answer of Gemini and Vertex AI gives its usage, wherever it is cut.

Method: as test_dialect_meter.py, whose rows are of the other dialects: whole, byte by byte and at
random cuts with a printed seed; the compressed ones inflated. The report is `expected_usage` as it
stands; the classes must be what WIRE.md section 2 makes of it, written down here once more. Then
small streams for rules that no recording shows.
"""

import json
import random

import pytest

from fastgw.dialect.meter import Meter
from tests.csrc.test_dialect_meter import STREAMS, body_of, cut, read, state, totals_of

SEED = 20261121
OPERATIONS = {
    "generateContent": "generate", "streamGenerateContent": "generate",
    "batchEmbedContents": "embeddings", "embedContent": "embeddings", "predict": "embeddings",
    "countTokens": "count_tokens",
}  # fmt: skip


def rows() -> list[dict]:
    manifest = STREAMS / "manifest.jsonl"
    if not manifest.exists():
        return []
    read = [json.loads(line) for line in manifest.read_text().splitlines()]
    return [row for row in read if row["dialect"] in ("gemini", "vertex")
            and row["api"] in OPERATIONS]


ROWS = rows()


def meter_for(row: dict, tracked: bool = False) -> Meter:
    kind = ""
    if row["api"] == "streamGenerateContent" and row["status"] == 200:
        kind = "sse" if "event-stream" in (row["content_type"] or "") else "array"
    return Meter("gemini", OPERATIONS[row["api"]], streaming=kind, tracked=tracked)


def test_the_recordings_are_here():
    if not ROWS:
        pytest.skip("no ../shared/vectors/streams here")
    assert len(ROWS) > 28
    assert {meter_for(row).usage()[0]["input"] for row in ROWS} == {0}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"][:44])
def test_a_recorded_answer_gives_its_usage_at_any_cut(row):
    body, rng = body_of(row), random.Random(SEED)
    whole = read(meter_for(row), body)
    expected = row["expected_usage"]
    classes, flags = whole.usage()

    assert "broken" not in whole.ever
    if expected is None:
        assert not flags
    else:
        told = {name: number or 0 for name, number in expected.items()}
        total = told["total"] or told["input"]
        spent = told["output"] + told["reasoning"]
        assert totals_of(classes) == {
            "cached": told["cached_input"], "written": 0, "reasoning": told["reasoning"],
            "input": total - spent,  # the prompt and what tools brought in
            "output": spent,
        }  # fmt: skip
        assert total - spent >= told["input"]
        assert flags == {"provider"}
        assert whole.report["input"] == expected["input"]

    ways = [cut(body, rng, 3) for _ in range(4)] + [cut(body, rng, 300)]
    if len(body) < 20_000:
        ways.append([body[at : at + 1] for at in range(len(body))])
    for pieces in ways:
        assert state(read(meter_for(row), *pieces)) == state(whole), f"seed {SEED}"
    tracked = read(meter_for(row, tracked=row["api"] == "streamGenerateContent"), body)
    assert state(tracked) == state(whole)


@pytest.mark.parametrize("row", [row for row in ROWS if row["streaming"]],
                         ids=lambda row: row["name"][:44])
def test_a_recorded_stream_ends_in_its_reason(row):
    meter = meter_for(row, tracked=True)
    events = meter.feed(body_of(row))
    flags = [flags for _, flags, _ in events if "dispatch" in flags]

    assert "finish" in flags[-1] or "finish" in meter.ever
    assert all("usage" in one for one in flags)
    assert meter.id and meter.model.startswith("gemini")
    assert meter.cut["finished"] <= {0}


# ---- what no recording shows


def chunk(text=None, finish=None, index=0, usage=None, **more) -> dict:
    candidate = {"content": {"parts": [{"text": text}] if text else [], "role": "model"},
                 "index": index}  # fmt: skip
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate]} | ({"usageMetadata": usage} if usage else {}) | more


def sse(*documents: dict) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in documents)


def array(*documents: dict) -> bytes:
    return b"[" + b"\n,\r\n".join(json.dumps(one, indent=2).encode() for one in documents) + b"\n]"


def streamed(*documents: dict, kind: str = "sse", tracked: bool = False) -> Meter:
    body = (sse if kind == "sse" else array)(*documents)
    return read(Meter("gemini", "generate", streaming=kind, tracked=tracked), body)


USED = {"promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 14}


@pytest.mark.parametrize("kind", ["sse", "array"])
def test_the_last_whole_object_counts_and_what_it_leaves_out_is_nothing(kind):
    meter = streamed(
        chunk("a", usage={**USED, "promptTokenCount": 400, "thoughtsTokenCount": 7}),
        chunk("b", usage={"trafficType": "ON_DEMAND"}),
        chunk(finish="STOP", usage={"promptTokenCount": 11, "totalTokenCount": 11}), kind=kind)

    classes, flags = meter.usage()
    assert (classes["input"], classes["output"], classes["reasoning"]) == (11, 0, 0)
    assert flags == {"provider"} and meter.events == 3


def test_sound_and_pictures_are_apart_from_text_cached_or_not():
    usage = {
        "promptTokenCount": 1000, "candidatesTokenCount": 1300, "toolUsePromptTokenCount": 50,
        "cachedContentTokenCount": 400,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 100},
                                {"modality": "IMAGE", "tokenCount": 600},
                                {"modality": "AUDIO", "tokenCount": 300}],
        "cacheTokensDetails": [{"modality": "IMAGE", "tokenCount": 400}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
        "thoughtsTokenCount": 20,
    }  # fmt: skip
    classes, flags = streamed(chunk(finish="STOP", usage=usage)).usage()

    assert {name: number for name, number in classes.items() if number} == {
        "cached_input": 400, "image_input": 200, "audio_input": 300, "input": 150,
        "image_output": 1290, "output": 10, "reasoning": 20}  # fmt: skip
    assert flags == {"provider"}


def test_candidates_end_one_by_one():
    first = [chunk("a", index=0, usage=USED), chunk("b", index=1, usage=USED)]
    one = streamed(*first, chunk(finish="STOP", index=0, usage=USED), tracked=True)
    both = streamed(*first, chunk(finish="STOP", index=0), chunk(finish="MAX_TOKENS", index=1))

    assert one.usage()[1] == {"partial"} and one.cut["finished"] <= {0}
    assert both.usage()[1] == {"provider"}


@pytest.mark.parametrize("kind", ["sse", "array"])
def test_a_blocked_prompt_is_an_end(kind):
    meter = streamed({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
                      "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8}}, kind=kind)

    assert meter.ever >= {"finish"} and meter.usage()[0]["input"] == 8
    assert meter.usage()[1] == {"provider"}


def test_a_stream_cut_short_is_partial():
    assert streamed(chunk("a", usage=USED)).usage()[1] == {"partial"}


ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}


def test_an_error_within_a_stream_may_be_a_bare_document_of_many_lines():
    bare = json.dumps(ERROR, indent=2).encode()
    for body in (sse(chunk("a", usage=USED)) + bare, sse(chunk("a", usage=USED)) + bare + b"\n",
                 sse(chunk("a", usage=USED), ERROR), bare,
                 array(chunk("a", usage=USED), ERROR), array(ERROR)):
        kind = "array" if body.startswith(b"[") else "sse"
        whole = read(Meter("gemini", "generate", streaming=kind), body)
        assert "error" in whole.ever and "broken" not in whole.ever, body
        for at in range(len(body) + 1):
            parts = read(Meter("gemini", "generate", streaming=kind), body[:at], body[at:])
            assert "error" in parts.ever and parts.usage() == whole.usage()


def test_calls_and_code_are_output_and_results_are_not():
    def bytes_of(part):
        return streamed({"candidates": [{"content": {"parts": [part]}}]}).output_bytes

    assert bytes_of({"functionCall": {"name": "f", "args": {"city": "Rome", "n": [1]}}}) == 9
    assert bytes_of({"executableCode": {"language": "PYTHON", "code": "1+1"}}) == 3
    assert bytes_of({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2" * 99}}) == 0
    assert bytes_of({"text": "abc", "thought": True, "thoughtSignature": "x" * 50}) == 3
    assert bytes_of({"inlineData": {"mimeType": "audio/L16", "data": "AAAA"}}) == 0
