"""Usage as shown: the parts are inside their wholes, and nothing is counted twice."""

import random

from fastgw.dialect.names import USAGE_CLASSES
from fastgw.usage.normal import normalise


def test_a_cached_reasoning_answer():
    assert normalise({"input": 10, "cached_input": 90, "cache_write": 5, "cache_write_1h": 7,
                      "output": 3, "reasoning": 40}) == {
        "input_tokens": 112, "cached_input_tokens": 90, "cache_write_tokens": 12,
        "output_tokens": 43, "reasoning_tokens": 40, "total_tokens": 155,
    }  # fmt: skip


def test_the_total_is_the_sum_of_all_classes():
    rng = random.Random(1)
    for _ in range(100):
        classes = {name: rng.randrange(1 << 40) for name in USAGE_CLASSES}
        shown = normalise(classes)
        assert shown["total_tokens"] == sum(classes.values())
        assert shown["total_tokens"] == shown["input_tokens"] + shown["output_tokens"]
        assert shown["cached_input_tokens"] + shown["cache_write_tokens"] <= shown["input_tokens"]
        assert shown["reasoning_tokens"] <= shown["output_tokens"]


def test_no_usage_is_all_zeros():
    assert set(normalise({}).values()) == {0}
