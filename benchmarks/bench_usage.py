"""Usage: from a whole answer to tokens by class; from a text to its tokens."""

import base64
from pathlib import Path

import orjson
import tiktoken
from tiktoken_ext import openai_public

from fastgw.dialect.meter import Meter
from fastgw.usage import tokens

PROSE = (Path(__file__).resolve().parents[1] / "ARCHITECTURE.md").read_text()

ANSWER = orjson.dumps({
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1741569952, "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 60},
                 "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 31, "completion_tokens": 60, "total_tokens": 91,
              "prompt_tokens_details": {"cached_tokens": 16},
              "completion_tokens_details": {"reasoning_tokens": 8}}})


def test_meter_an_answer_that_is_no_stream(benchmark):
    def read():
        meter = Meter("openai", "chat", streaming=False)
        meter.feed(ANSWER)
        meter.end()
        return meter.usage()[0]

    assert benchmark(read)["cached_input"] == 16


def test_the_same_answer_in_orjson(benchmark):
    assert benchmark(orjson.loads, ANSWER)["usage"]["prompt_tokens"] == 31


def test_count_the_tokens_of_prose(benchmark):
    assert benchmark(tokens.count, PROSE, "o200k_base") > len(PROSE) / 6


def test_the_same_in_tiktoken(benchmark):
    ranks = {base64.b64decode(token): int(rank) for token, rank in
             map(bytes.split, tokens.published("o200k_base").splitlines())}
    fetch = openai_public.load_tiktoken_bpe
    openai_public.load_tiktoken_bpe = lambda *_, **__: ranks
    oracle = tiktoken.Encoding(**openai_public.o200k_base())
    openai_public.load_tiktoken_bpe = fetch

    found = benchmark(oracle.encode_ordinary, PROSE)

    assert len(found) == tokens.count(PROSE, "o200k_base")
