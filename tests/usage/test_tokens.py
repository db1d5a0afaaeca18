"""Tokens: our count is tiktoken's on every text, whole and in slices, at any cut.

Method: tiktoken's own encodings, built by hand from the vocabularies that ship with fastgw
(nothing is fetched), beside ours: over all planes of Unicode, over sequences of the characters
that the patterns treat apart, and over repeats in which naive merging or backtracking is
quadratic. In slices the lower bound never falls and never exceeds the final count, and "now" is
the count of what was fed.
"""

import base64
import functools
import hashlib
import random
import time

import pytest
import tiktoken
import tiktoken_ext.openai_public as published
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw.usage import tokens

ENCODINGS = sorted(tokens.ENCODINGS)
# What the patterns tell apart: contractions, letters of each kind, marks, numbers, signs, spaces.
PARTS = ["'", "'s", "'ſ", "'LL", "'re", "'v", "l", "L", "a", "B", "É", "é", "中", "文", "ー",
         "\u0301", "\u0903", "ǅ", "ʰ", "1", "²", "Ⅷ", "!", "/", "\n", "\r", " ", "  ", "\t",
         "\u00a0", "\u3000", "\x85", "\x1c", "😀", "\u200d", "\U000e0101", "the", " and", "\ud800"]
# Scripts whose characters are 1 to 4 bytes, cut by the vocabularies in their own ways.
SCRIPTS = [range(0x4E00, 0x5300), range(0x400, 0x460), range(0x900, 0x980), range(0xAC00, 0xAD00),
           range(0x3040, 0x30FF), range(0x600, 0x700), range(0xE00, 0xE80), range(0x80, 0x3000),
           range(0x1F300, 0x1F700), range(0x61, 0x7B), range(0x20, 0x7F), [0x20, 0xA]]
WRITINGS = st.lists(st.sampled_from(SCRIPTS), min_size=1, max_size=3).flatmap(
    lambda scripts: st.lists(st.sampled_from(
        [chr(code) for script in scripts for code in script] + [" "]), max_size=120)
).map("".join)
TEXTS = st.one_of(
    WRITINGS, st.tuples(WRITINGS, st.sampled_from([1, 7, 40])).map(lambda two: two[0] * two[1]),
    st.lists(st.sampled_from(PARTS), max_size=40).map("".join),
    st.text(st.characters(), max_size=40),
    st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from([1, 2, 3, 90, 400])), max_size=6)
    .map(lambda runs: "".join(part * times for part, times in runs)))


@functools.cache
def oracle(name: str) -> tiktoken.Encoding:
    """tiktoken's encoding, with our file in place of its download."""
    lines = tokens.published(name).splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
    fetch, published.load_tiktoken_bpe = published.load_tiktoken_bpe, lambda *_, **__: ranks
    try:
        return tiktoken.Encoding(**getattr(published, name)())
    finally:
        published.load_tiktoken_bpe = fetch


def expected(text: str, name: str) -> int:
    return len(oracle(name).encode_ordinary(text))


def feed_in_slices(text: bytes, name: str, sizes) -> tuple[list[int], tokens.Counter]:
    """The lower bounds after each slice; the sizes repeat."""
    counter, bounds, at, turn = tokens.Counter(name), [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        counter.feed(text[at:at + size])
        bounds.append(counter.tokens)
        at, turn = at + size, turn + 1
    return bounds, counter


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_shipped_vocabulary_is_the_one_that_tiktoken_pins(name):
    assert hashlib.sha256(tokens.published(name)).hexdigest() == tokens.ENCODINGS[name][1]
    assert tokens.ENCODINGS[name][1] in open(published.__file__).read()


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_token_by_itself_is_one(name):
    for token, rank in oracle(name)._mergeable_ranks.items():
        text = token.decode(errors="replace")
        if "\ufffd" not in text and oracle(name).encode_ordinary(text) == [rank]:
            assert tokens.count(token, name) == 1, token


@pytest.mark.parametrize("name", ENCODINGS)
@given(TEXTS)
@settings(max_examples=400, deadline=None)
def test_counts_as_tiktoken(name, text):
    assert tokens.count(text, name) == expected(text, name)


@pytest.mark.parametrize("name", ENCODINGS)
@given(TEXTS, st.lists(st.sampled_from([1, 2, 3, 5, 70, 700]), min_size=1, max_size=5))
@settings(max_examples=400, deadline=None)
def test_counts_alike_in_slices_and_never_too_much_before_the_end(name, text, sizes):
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    want = expected(text, name)

    bounds, counter = feed_in_slices(text.encode(), name, sizes)

    assert bounds == sorted(bounds) and all(bound <= want for bound in bounds)
    assert counter.now == want
    assert counter.finish() == want
    assert counter.tokens == 0


@pytest.mark.parametrize("name", ENCODINGS)
@given(st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode()[1:-1]),
       st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_bytes_that_are_no_text_count_as_python_replaces_them(name, raw, sizes):
    want = expected(raw.decode("utf-8", "replace"), name)

    assert tokens.count(raw, name) == want
    assert feed_in_slices(raw, name, sizes)[1].finish() == want


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_character_counts_as_in_tiktoken(name):
    for start in range(0, 0x110000, 0x800):
        for form in ("{}", "a{}B ", "!{}"):
            text = "".join(form.format(chr(code)) for code in range(start, start + 0x800)
                           if not 0xD800 <= code < 0xE000)
            assert tokens.count(text, name) == expected(text, name), (hex(start), form)


@pytest.mark.parametrize("text", [
    "a" * 3000, "aA" * 2000, "中" + "A" * 3000, "中A" * 1500 + "a", "A" * 3000 + "'ll" * 400,
    "!" * 3000 + "\n" * 2000 + "/" * 100, "'" * 3000, "1" * 3000, "\u0301" * 2000, "😀" * 1000,
    "é'" * 1500, "中" * 400 + "'l" * 3, "x" * 700 + "'r", " " * 999 + "x", "\t" * 999 + "!",
    " \n" * 300 + " " * 300 + "a", "\n" * 999, " \n" * 500 + "\t" * 300, "\u3000" * 400 + "中",
    "qzxj" * 900, "ab" * 1500 + "B" * 999 + "!", "z\u0301" * 999 + "'S",
], ids=ascii)
@pytest.mark.parametrize("name", ENCODINGS)
def test_pieces_of_any_length_are_exact(name, text):
    want = expected(text, name)

    assert tokens.count(text, name) == want
    for sizes in ((1,), (7,), (255, 2, 300), (100_000,)):
        bounds, counter = feed_in_slices(text.encode(), name, sizes)
        assert all(bound <= want for bound in bounds) and counter.now == want, sizes
        assert counter.finish() == want, sizes


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("script", [*SCRIPTS[:5], SCRIPTS[8], SCRIPTS[9]], ids=repr)
def test_long_words_of_any_script_are_exact(name, script):
    """Windows that must fit together, and what a text's end leaves open."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    choice = random.Random(seed)
    for length in (90, 300, 1100, 4000):
        text = "".join(map(chr, choice.choices(script, k=length)))
        want = expected(text, name)
        assert tokens.count(text, name) == want
        counter = tokens.Counter(name)
        raw, at = text.encode(), 0
        while at < len(raw):
            size = choice.choice((1, 5, 400, 3000))
            counter.feed(raw[at:at + size])
            at += size
            assert counter.tokens <= want
        assert counter.finish() == want


@pytest.mark.parametrize("name", ENCODINGS)
def test_words_of_a_megabyte_are_exact(name):
    """One piece each; tiktoken's regular expressions give up on some of them, its merging not."""
    choice = random.Random(11)
    letters = "".join(choice.choices("abcdefghijklmnopqrstuvwxyz", k=250_000))
    mixed = "".join(choice.choices("abcxyz中文éи", k=250_000))
    for text in ("x" * 1_000_000, letters, mixed, " " * 1_000_000, "=-" * 300_000,
                 "的" * 300_000, "A" * 1_000_000, "\n" * 1_000_000):
        want = len(oracle(name)._encode_single_piece(text))
        assert tokens.count(text, name) == want, text[:20]


@pytest.mark.parametrize("unit", ["a", " ", "ab", "中", "\n ", "Aé", "!", "\xff"])
def test_time_is_linear_in_the_text(unit):
    def took(times):
        text, best = (unit * times).encode("latin-1" if unit == "\xff" else "utf-8"), 60.0
        for _ in range(3):
            start = time.thread_time()  # what others on this machine do does not count
            tokens.count(text, "o200k_base")
            best = min(best, time.thread_time() - start)
        return best

    took(1000)
    # Four times the text: 16 times where it is quadratic; the rest is for a busy machine.
    assert took(40_000) < 9 * took(10_000) + 0.05


@pytest.mark.parametrize("model, encoding", [
    ("gpt-4o", "o200k_base"), ("gpt-4o-mini-2024-07-18", "o200k_base"), ("gpt-4.1", "o200k_base"),
    ("gpt-5", "o200k_base"), ("gpt-5-nano", "o200k_base"), ("gpt-5.1", "o200k_base"),
    ("o1", "o200k_base"), ("o3-mini", "o200k_base"), ("o4-mini", "o200k_base"),
    ("chatgpt-4o-latest", "o200k_base"), ("gpt-4", "cl100k_base"), ("gpt-4-turbo", "cl100k_base"),
    ("gpt-4-32k", "cl100k_base"), ("gpt-3.5-turbo-16k", "cl100k_base"),
    ("gpt-35-turbo", "cl100k_base"), ("text-embedding-3-large", "cl100k_base"),
    ("text-embedding-ada-002", "cl100k_base"), ("openai/gpt-4o", "o200k_base"),
    ("ft:gpt-4o:acme::x", "o200k_base"), ("claude-sonnet-4-5", None), ("gemini-2.5-pro", None),
    ("gpt-2", None), ("o10", None), ("gpt-4x", None), ("", None)])
def test_models_have_their_encoding(model, encoding):
    assert tokens.encoding_of(model) == encoding


def test_a_model_of_unknown_encoding_is_an_error_not_a_guess():
    assert tokens.vocabulary_of("claude-sonnet-4-5") is None
    with pytest.raises(LookupError):
        tokens.count("text", "claude-sonnet-4-5")


def test_special_tokens_are_text():
    assert tokens.count("<|endoftext|>", "gpt-4o") == expected("<|endoftext|>", "o200k_base") > 1


def test_a_vocabulary_takes_what_is_said_of_it():
    assert tokens.vocabulary_of("gpt-4o").size < 11_900_000
    assert tokens.vocabulary_of("gpt-4").size < 6_100_000
    assert tokens.vocabulary_of("gpt-4o") is tokens.vocabulary_of("o200k_base")
