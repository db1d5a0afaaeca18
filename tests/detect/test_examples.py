"""Precision and recall on what others have published, which the rules were not made from.

Method: tests/detect/examples.py in several sentences each. What is missed and what is found
wrongly is named here, one by one, so that neither can change unseen. google-re2 says independently
which random strings have the shape of the kinds whose format is fixed.
"""

import random
import string

import pytest
import re2

from tests.csrc.detect_native import find
from tests.detect.examples import LOOK_ALIKES, POSITIVES, SENTENCES, numbers

MISSED: dict[str, set[str]] = {"payment_card": {"6331101999990016"}}  # Solo, given up in 2011
WRONG: set[str] = set()
SHAPES = {
    "AWS": (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", "AKIASZ2347 x9-", "AKIA", "api_key"),
    "GitHub": (r"\bghp_[A-Za-z0-9]{36}\b", string.ascii_letters + "01289 _-.", "ghp_", "api_key"),
    "Google": (r"(?:^|[^A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?:[^A-Za-z0-9_-]|$)",
               string.ascii_letters + "0123456789_- .", "AIza", "api_key"),
    "SSN": (r"\b(?:00[1-9]|0[1-9]\d|[1-578]\d\d|6[0-57-9]\d|66[0-57-9])-(?:0[1-9]|[1-9]\d)-"
            r"(?:000[1-9]|00[1-9]\d|0[1-9]\d\d|[1-9]\d{3})\b", "0123456789", "", "us_ssn"),
}
SEED = 20261122


def found_in(text, kind):
    return kind in [one[2] for one in find(text.encode())]


@pytest.mark.parametrize("kind", POSITIVES)
def test_published_examples_are_found_in_any_sentence(kind):
    missed = {value for value in POSITIVES[kind]
              if not all(found_in(sentence.format(value), kind) for sentence in SENTENCES)}
    assert missed == MISSED.get(kind, set())


def test_everyday_look_alikes_are_left_alone():
    wrong = {text for text in LOOK_ALIKES
             if any(find(sentence.format(text).encode()) for sentence in SENTENCES)}
    assert wrong == WRONG


@pytest.mark.parametrize(("digits", "most"), [
    (9, 0), (10, 0), (11, 0), (12, 0.01), (13, 0.02), (14, 0.02), (15, 0.02), (16, 0.05),
    (17, 0.01), (18, 0.01), (19, 0.02), (20, 0)])
def test_random_numbers_that_nobody_calls_anything(digits, most):
    """What remains is what the check digit and the issuers let through."""
    texts = numbers(digits, 2000, SEED)
    wrong = sum(bool(find(text.encode())) for text in texts)
    print("seed", SEED, digits, "digits:", wrong / len(texts))
    assert wrong / len(texts) <= most


@pytest.mark.parametrize("name", SHAPES)
def test_re2_says_the_same_of_fixed_formats(name):
    """Of random strings near the format: with a length off by some, a digit that may not be, a
    neighbour that joins it."""
    shape, letters, prefix, kind = SHAPES[name]
    draw, pattern, seen = random.Random(SEED), re2.compile(shape), {True: 0, False: 0}
    print("seed", SEED)
    for _ in range(4000):
        text = near(draw, name, letters, prefix)
        wanted = bool(pattern.search(text))
        seen[wanted] += 1
        assert found_in(text, kind) == wanted, text
    assert min(seen.values()) > 200


def near(draw, name, letters, prefix):
    before = draw.choice(["", " ", "x", "(", "=", "\n", '"', "7"])
    behind = draw.choice(["", " ", "x", ")", ",", "\n", '"', "7"])
    if name == "SSN":
        sizes = [3, 2, 4] if draw.random() < 0.8 else [draw.randint(2, 4) for _ in range(3)]
        parts = ["".join(draw.choices("0123456789", k=size)) for size in sizes]
        return before + "-".join(parts) + behind
    length = {"AWS": 16, "GitHub": 36, "Google": 35}[name] + draw.choice([0, 0, 0, -1, 1])
    inside = {"AWS": string.ascii_uppercase + string.digits,
              "GitHub": string.ascii_letters + string.digits,
              "Google": string.ascii_letters + string.digits + "_-"}[name]
    tail = list(draw.choices(inside, k=length))
    tail[0] = "7"  # (letters alone are taken for words)
    if draw.random() < 0.2:
        tail[draw.randrange(length)] = draw.choice(letters)
    return before + prefix + "".join(tail) + behind
