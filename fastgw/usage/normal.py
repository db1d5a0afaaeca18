"""Usage as people see it (INTERFACE section 5), made of the disjoint classes that the ledger
keeps.

As OpenTelemetry's GenAI conventions have it, `input_tokens` includes what was read from a cache
and written to one, `output_tokens` includes reasoning; the others are parts of these two.
"""

from collections.abc import Mapping
from typing import TypedDict

from fastgw.dialect.names import USAGE_CLASSES

INPUT_CLASSES = (
    "input", "cached_input", "cache_write", "cache_write_1h", "audio_input", "image_input",
)  # fmt: skip
OUTPUT_CLASSES = ("output", "reasoning", "audio_output", "image_output")
assert set(INPUT_CLASSES + OUTPUT_CLASSES) == set(USAGE_CLASSES)


class Usage(TypedDict):
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    total_tokens: int


def normalise(classes: Mapping[str, int]) -> Usage:
    """The six numbers of INTERFACE section 5 out of disjoint ``classes`` (absent ones are 0)."""
    input_tokens = sum(classes.get(name, 0) for name in INPUT_CLASSES)
    output_tokens = sum(classes.get(name, 0) for name in OUTPUT_CLASSES)
    return {
        "input_tokens": input_tokens,
        "cached_input_tokens": classes.get("cached_input", 0),
        "cache_write_tokens": classes.get("cache_write", 0) + classes.get("cache_write_1h", 0),
        "output_tokens": output_tokens,
        "reasoning_tokens": classes.get("reasoning", 0),
        "total_tokens": input_tokens + output_tokens,
    }
