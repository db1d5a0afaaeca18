"""ratios: pieces drawn by a seed and told apart; a ratio of one half, its errors of another.

Method: a counter made here that makes a known multiple of o200k_base's tokens.
"""

import random

import yaml

from fastgw.usage import families, tokens
from tools import ratios


def test_a_ratio_is_found_and_so_are_its_errors():
    choice = random.Random(5)
    words = ["gateway", "counts", "every", "answer", "ledger", "Schluessel", "x", "1,000"]
    some = [" ".join(choice.choices(words, k=40)) for _ in range(200)]

    line = ratios.of_class(some, some[:50], lambda text: 2 * tokens.count(text, "o200k_base"))

    assert yaml.safe_load(line) == {
        "ratio": 2.0, "long": [1.0, 1.0], "short": [1.0, 1.0], "pieces": [200, 50]}


def test_errors_are_quantiles_of_what_the_ratio_was_not_made_from():
    some = ["a b c d e f g h"] * 100
    seen = iter([8] * 50 + [16] * 50 + [4] * 10)

    line = yaml.safe_load(ratios.of_class(some, some[:10], lambda text: next(seen)))

    assert line["long"][0] == line["long"][1] == 2.0 and line["short"] == [0.5, 0.5]
    assert line["ratio"] == 8 / tokens.count(some[0], "o200k_base")


def test_pieces_are_of_one_class_and_size():
    whole = ["The gateway counts what every answer has cost. " * 100, "网关记录每一次请求。" * 300]

    found = ratios.pieces(whole, 200, 10)

    assert {name: len(some) for name, some in found.items() if some} == {"prose": 10, "cjk": 10}
    assert all(len(piece) == 200 for some in found.values() for piece in some)
    assert found == ratios.pieces(whole, 200, 10)


def test_the_shipped_file_begins_as_the_tool_writes_it():
    text = ratios.files("fastgw.usage").joinpath("families.yaml").read_text()

    assert text.startswith(ratios.HEAD.partition("{")[0])
    assert families.families()
