"""What providers leave out, or write so that strict parsers fail: never a 0 that they did not say.

Method: answers written here; classes and flags of the meter. What is told of an answer is told,
what is not is an estimate's business, whoever forgot it.
"""

import json

import pytest

from fastgw.dialect.meter import Meter

TEXT = {"choices": [{"index": 0, "delta": {"content": "hello you"}, "finish_reason": None}]}
STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
START = {"type": "message_start", "message": {"id": "m", "model": "c", "usage": {
    "input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 1}}}  # fmt: skip
PIECE = {"type": "content_block_delta", "index": 0,
         "delta": {"type": "text_delta", "text": "hello"}}  # fmt: skip
END = {"type": "message_stop"}


def sse(*documents) -> bytes:
    return b"".join(b"data: %s\n\n" % (one if isinstance(one, bytes) else json.dumps(one).encode())
                    for one in documents)  # fmt: skip


def usage(**members) -> dict:
    return {"choices": [], "usage": members}


def message_delta(reason, **members) -> dict:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": members}


def read(dialect, operation, kind, body, **more):
    meter = Meter(dialect, operation, streaming=kind, **more)
    meter.feed(body)
    meter.end()
    classes, flags = meter.usage()
    return {name: number for name, number in classes.items() if number}, flags


@pytest.mark.parametrize("members", [
    {}, {"completion_tokens": None, "total_tokens": None}, {"completion_tokens": "7"},
    {"completion_tokens": -3}, {"completion_tokens": 2**40}])  # fmt: skip
def test_output_that_is_not_told_is_not_0(members):
    told = usage(prompt_tokens=5, **members)
    assert read("openai", "chat", "sse", sse(TEXT, STOP, told, b"[DONE]")) == (
        {"input": 5}, {"partial"})  # fmt: skip


def test_an_explicit_0_is_the_provider_s_word():
    told = usage(prompt_tokens=5, completion_tokens=0, total_tokens=5)
    assert read("openai", "chat", "sse", sse(TEXT, STOP, told))[1] == {"provider"}


def test_input_that_is_not_told_is_not_0():
    assert read("openai", "chat", "sse", sse(TEXT, STOP, usage(completion_tokens=5))) == (
        {"output": 5}, {"provider", "no_input"})  # fmt: skip
    assert read("anthropic", "messages", "sse",
                sse(PIECE, message_delta("end_turn", output_tokens=5), END)) == (
        {"output": 5}, {"provider", "no_input"})  # fmt: skip


def test_a_total_alone_is_the_input_of_vectors_and_else_nothing():
    for body in ({"total_tokens": 15}, {"prompt_tokens": 10, "total_tokens": 15}):
        assert read("openai", "embeddings", "", json.dumps({"usage": body}).encode()) == (
            {"input": 15}, {"provider"})  # fmt: skip
    assert read("openai", "chat", "sse", sse(TEXT, STOP, usage(total_tokens=15))) == ({}, set())


@pytest.mark.parametrize("dialect, kind, body, known", [
    ("anthropic", "", json.dumps({"type": "message", "content": [{"type": "text", "text": "hi"}],
                                  "usage": {"input_tokens": 5}}).encode(), {"input": 5}),
    ("ollama", "ndjson", b'{"message":{"content":"hi"}}\n{"done":true,"prompt_eval_count":5}\n',
     {"input": 5}),
    ("cohere", "sse", sse(
        {"type": "content-delta", "delta": {"message": {"content": {"text": "hi"}}}},
        {"type": "message-end", "delta": {"usage": {"tokens": {"input_tokens": 5}}}}),
     {"input": 5})])  # fmt: skip
def test_no_dialect_takes_a_missing_output_for_0(dialect, kind, body, known):
    assert read(dialect, "chat", kind, body) == (known, {"partial"})


@pytest.mark.parametrize("events, flags", [
    ([message_delta(None, output_tokens=5), PIECE], {"partial"}),
    ([message_delta(None, output_tokens=5), PIECE, message_delta("end_turn", output_tokens=9)],
     {"provider"}),
    ([message_delta(None, output_tokens=5), END], {"provider"}),
    ([message_delta("end_turn", output_tokens=None), END], {"partial"}),
    ([message_delta("end_turn"), END], {"partial"})])  # fmt: skip
def test_the_placeholder_of_a_message_and_numbers_on_the_way_are_not_final(events, flags):
    assert read("anthropic", "messages", "sse", sse(START, PIECE, *events))[1] == flags


def test_usage_alone_at_a_clean_end_is_final_and_a_preview_is_not():
    last = usage(prompt_tokens=5, completion_tokens=3)
    assert read("openai", "chat", "sse", sse(TEXT, last))[1] == {"provider"}
    assert read("openai", "chat", "sse", sse(last, TEXT))[1] == {"partial"}
    cut = Meter("openai", "chat", streaming="sse")
    cut.feed(sse(TEXT, last))
    assert cut.usage()[1] == {"partial"}


def test_an_error_beside_usage_goes_to_the_client():
    failed = {**usage(prompt_tokens=5, completion_tokens=1), "error": {"message": "no"}}
    for event in (sse(failed), b"event: error\n" + sse(usage(prompt_tokens=5))):
        meter = Meter("openai", "chat", streaming="sse", hide_usage=True)
        assert [flags for _, flags, _ in meter.feed(event)] == [{"dispatch", "usage", "error"}]


def test_thoughts_that_only_the_total_has_are_output():
    told = {"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2,
                              "totalTokenCount": 100}}  # fmt: skip
    assert read("gemini", "generate", "", json.dumps(told).encode()) == (
        {"input": 5, "output": 2, "reasoning": 93}, {"provider"})  # fmt: skip


def test_sound_that_only_the_total_has_leaves_the_text_text():
    told = {"prompt_audio_seconds": 3, "prompt_tokens": 9, "completion_tokens": 248,
            "total_tokens": 632, "prompt_tokens_details": {"audio_tokens": 375}}  # fmt: skip
    assert read("openai", "chat", "", json.dumps({"usage": told}).encode()) == (
        {"input": 9, "audio_input": 375, "output": 248}, {"provider"})  # fmt: skip


def test_a_cancelled_response_has_ended():
    last = {"type": "response.cancelled", "response": {"usage": {
        "input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}}  # fmt: skip
    assert read("openai", "responses", "sse", sse(last))[1] == {"provider"}


ODD = {
    "half a pair": rb"\ud83d", "the other half": rb"\ude00", "two first halves": rb"\ud83d\ud83d",
    "half a pair before an escape": rb"\ud83d\n", "before another character": rb"\ud83d\u0041",
    "no UTF-8": b"\xff", "a broken sequence": b"\xe2\x82", "another": b"\xf0\x9f\x98x",
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_text_that_strict_parsers_refuse_costs_what_it_costs(odd):
    body = (b'{"choices":[{"message":{"content":"a' + odd + b'"},"finish_reason":"length"}],'
            b'"usage":{"prompt_tokens":5,"completion_tokens":3}}')  # fmt: skip
    whole = None
    for size in (len(body), 1, 2, 3, 7):
        meter = Meter("openai", "chat", streaming="")
        for at in range(0, len(body), size):
            meter.feed(body[at : at + size])
        meter.end()
        assert meter.usage()[1] == {"provider"}
        whole = whole or meter.output_bytes
        assert meter.output_bytes == whole


@pytest.mark.parametrize("odd", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"[-Infinity,NaN]"])
def test_numbers_that_are_no_json_cost_nothing_but_themselves(odd):
    body = (b'{"x":' + odd + b',"usage":{"prompt_tokens":5,"completion_tokens":' + odd
            + b'},"usage":{"prompt_tokens":5,"completion_tokens":3}}')  # fmt: skip
    for size in (len(body), 1, 3):
        meter = Meter("openai", "chat", streaming="")
        for at in range(0, len(body), size):
            meter.feed(body[at : at + size])
        meter.end()
        assert meter.usage() == ({**meter.usage()[0], "input": 5, "output": 3}, {"provider"})


@pytest.mark.parametrize("odd", [b"Nan", b"-Inf", b"-I", b"NaNx", b"+1", b"--Infinity", b"nan"])
def test_what_no_parser_reads_is_broken_all_the_same(odd):
    body = b'{"x":' + odd + b',"usage":{"prompt_tokens":5,"completion_tokens":3}}'
    assert read("openai", "chat", "", body) == ({}, set())


@pytest.mark.parametrize("before", [b"", b"\n\n", b": PROCESSING\n\n"])
def test_an_answer_is_read_as_what_it_is_whatever_its_type_says(before):
    last = usage(prompt_tokens=5, completion_tokens=3)
    stream = before + sse(TEXT, STOP, last, b"[DONE]")
    body = before + json.dumps({"choices": [{"message": {"content": "a"}}], **last}).encode()
    if before.startswith(b":"):
        body = body.replace(b'"choices": [], ', b"")
    expected = {"input": 5, "output": 3}, {"provider"}
    for kind, answer in (("", stream), ("sse", body)):
        for size in (len(answer), 1, 5):
            meter = Meter("openai", "chat", streaming=kind)
            for at in range(0, len(answer), size):
                meter.feed(answer[at : at + size])
            meter.end()
            classes, flags = meter.usage()
            assert ({name: n for name, n in classes.items() if n}, flags) == expected
