"""Estimates: a ratio and a percentile that follow what providers report, in a table that no one
can fill but providers.

Method: the kernel on streams of answers drawn from known distributions (seeds printed).
"""

import ctypes
import functools
import random
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
U64 = ctypes.c_uint64
SETS, WAYS, ENTRY = 64, 4, 64


@functools.cache
def library():
    folder = tempfile.TemporaryDirectory(prefix="fgw-estimate-")
    target = Path(folder.name) / "estimate.so"
    subprocess.run(
        ["gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror",
         "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-shared", "-fPIC",
         f"-I{ROOT / 'csrc'}", "-o", target, ROOT / "csrc/fgw_estimate.c"],
        check=True)  # fmt: skip
    loaded = ctypes.CDLL(str(target))
    loaded.folder = folder
    for name in ("find", "place"):
        getattr(loaded, f"fgw_estimates_{name}").restype = ctypes.c_void_p
    for name in ("input", "output"):
        getattr(loaded, f"fgw_estimate_{name}").restype = ctypes.c_uint64
    return loaded


class Table:
    def __init__(self):
        self.lib = library()
        self.memory = ctypes.create_string_buffer(SETS * WAYS * ENTRY)

    def known(self, model):
        return self.lib.fgw_estimates_find(self.memory, U64(model))

    def place(self, model):
        return ctypes.c_void_p(self.lib.fgw_estimates_place(self.memory, U64(model)))

    def input(self, model, guess, pictures=0):
        return self.lib.fgw_estimate_input(ctypes.c_void_p(self.known(model)), U64(guess),
                                           U64(pictures))

    def output(self, model):
        return self.lib.fgw_estimate_output(ctypes.c_void_p(self.known(model)))

    def saw_input(self, model, guess, tokens, pictures=0):
        self.lib.fgw_estimate_learn_input(self.place(model), U64(guess), U64(pictures),
                                          U64(tokens))

    def saw_output(self, model, tokens, limit=0):
        self.lib.fgw_estimate_learn_output(self.place(model), U64(tokens), U64(limit))


def test_before_anything_is_learned_the_guess_stands():
    table = Table()

    assert table.input(9, 1000) == 1000 and table.output(9) == 512
    assert table.input(9, 1000, pictures=2) == 2600


def test_a_tokenizer_that_needs_a_third_more_is_learned():
    table, rng = Table(), random.Random(3)
    for _ in range(50):
        guess = rng.randint(100, 5000)
        table.saw_input(7, guess, guess * 4 // 3)

    assert 1310 <= table.input(7, 1000) <= 1350
    assert table.input(8, 1000) == 1000  # of another model nothing is known


def test_what_was_learned_is_forgotten_by_halves():
    table = Table()
    for ratio in (2, 1):
        for _ in range(3000):
            table.saw_input(7, 1000, 1000 * ratio)

    assert 1000 <= table.input(7, 1000) <= 1100


def test_one_absurd_report_moves_little():
    table = Table()
    for tokens in (10**9, 1):
        for _ in range(20):
            table.saw_input(7, 1000, 1000)
        table.saw_input(7, 1000, tokens)
        assert 850 <= table.input(7, 1000) <= 1200
    table.saw_input(5, 0, 30_000)  # a preamble of the provider's own

    assert table.input(5, 1000) < 1400


def test_pictures_are_learned_apart_from_text():
    table = Table()
    for _ in range(100):
        table.saw_input(7, 1000, 1000)
        table.saw_input(7, 1000, 1000 + 3 * 85, pictures=3)

    assert 995 <= table.input(7, 1000) <= 1005
    assert 1080 <= table.input(7, 1000, pictures=1) <= 1110


DRAWS = {
    "exponential": lambda rng: int(rng.expovariate(1 / 300)) + 1,
    "lognormal": lambda rng: int(rng.lognormvariate(6, 1.2)) + 1,
    "uniform": lambda rng: rng.randint(1, 2000),
    "long": lambda rng: rng.randint(20_000, 90_000),
    "two kinds": lambda rng: rng.choice([10] * 8 + [4000] * 2),
}


@pytest.mark.parametrize("name", DRAWS)
def test_one_answer_in_ten_is_longer_than_expected(name):
    table, rng, longer = Table(), random.Random(5), 0
    print("seed 5")
    for number in range(6000):
        tokens = DRAWS[name](rng)
        longer += number >= 1000 and tokens > table.output(7)
        table.saw_output(7, tokens)

    assert 0.07 <= longer / 5000 <= 0.13


def test_a_few_answers_are_enough():
    table = Table()
    for _ in range(16):
        table.saw_output(7, 8000)

    assert table.output(7) > 4000


def test_what_a_limit_cut_off_teaches_nothing_but_that_it_was_longer():
    table = Table()
    for _ in range(200):
        table.saw_output(7, 5, limit=5)
    assert table.output(7) == 512
    for _ in range(200):
        table.saw_output(7, 4000, limit=4000)

    assert table.output(7) >= 4000


def test_only_what_was_learned_of_has_a_place():
    table = Table()
    for model in range(1, 5000):
        table.input(model, 10)
        table.output(model)

    assert not any(table.memory.raw)


def test_the_table_never_grows_and_who_learned_least_gives_way():
    table = Table()
    often = [1 + SETS * k for k in range(3)]  # of one set
    for model in often:
        for _ in range(100):
            table.saw_output(model, 77)
    for k in range(3, 8):
        table.saw_output(1 + SETS * k, 77)

    assert all(table.known(model) for model in often)
    assert sum(bool(table.known(1 + SETS * k)) for k in range(3, 8)) == 1
    assert table.place(0).value is None
