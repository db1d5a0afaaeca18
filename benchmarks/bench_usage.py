"""Usage: from a whole answer to tokens by class."""

import orjson

from fastgw.dialect.meter import Meter

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
