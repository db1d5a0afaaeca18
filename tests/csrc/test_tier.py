"""Service tiers: every vendor's words come to the few that prices know, and no other word does.

Method: the kernel by ctypes, from words at the three places in any order and number.
"""

import ctypes
import functools
import itertools
import subprocess
import tempfile
from pathlib import Path

import pytest

from fastgw.ledger.vocabulary import TIERS

ROOT = Path(__file__).resolve().parents[2]
UNTOLD = 255
SERVICE, SPEED, PLACE = range(3)


@functools.cache
def library():
    folder = tempfile.TemporaryDirectory(prefix="fgw-tier-")
    target = Path(folder.name) / "tier.so"
    subprocess.run(
        ["gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror",
         "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-shared", "-fPIC",
         f"-I{ROOT / 'csrc'}", "-o", target, ROOT / "csrc/fgw_tier.c"],
        check=True)  # fmt: skip
    loaded = ctypes.CDLL(str(target))
    loaded.folder = folder
    loaded.fgw_tier_of.restype = ctypes.c_uint8
    return loaded


def tier(*said):
    """The word for what ``said``, pairs of place and word, come to; None: nothing was told."""
    state = (ctypes.c_uint8 * 3)()
    for place, word in said:
        raw = word.encode()
        library().fgw_tier_say(state, place, raw, ctypes.c_size_t(len(raw)))
    found = library().fgw_tier_of(state)
    return None if found == UNTOLD else TIERS[found]


@pytest.mark.parametrize(("word", "expected"), [
    ("auto", None), ("", None), ("default", "standard"), ("standard", "standard"),
    ("standard_only", "standard"), ("on_demand", "standard"), ("ON_DEMAND", "standard"),
    ("flex", "flex"), ("ON_DEMAND_FLEX", "flex"), ("SERVICE_TIER_FLEX", "flex"),
    ("priority", "priority"), ("fast", "priority"), ("ON_DEMAND_PRIORITY", "priority"),
    ("batch", "batch"), ("scale", "reserved"), ("PROVISIONED_THROUGHPUT", "reserved"),
    ("ultrafast", "other"), ("flexx", "other"), ("fle", "other"), ("flex\0", "other"),
    ("x" * 500, "other")])
def test_words_of_the_service(word, expected):
    assert tier((SERVICE, word)) == expected


@pytest.mark.parametrize(("said", "expected"), [
    ([(SPEED, "fast")], "fast"), ([(SPEED, "standard")], "standard"), ([(SPEED, "slow")], "other"),
    ([(PLACE, "us")], "region"), ([(PLACE, "global")], "standard"),
    ([(PLACE, "not_available")], "standard"), ([(PLACE, "<GOOGLE_CLOUD_LOCATION>")], "other")])
def test_words_of_the_other_places(said, expected):
    assert tier(*said) == expected


def test_two_that_are_not_the_standard_have_no_price_together():
    words = {SERVICE: ["auto", "standard", "batch"], SPEED: ["", "standard", "fast"],
             PLACE: ["", "global", "us"]}
    pairs = ([(place, word) for word in of] for place, of in words.items())
    for said in itertools.product(*pairs):
        alone = [tier(one) for one in said]
        special = {one for one in alone if one not in (None, "standard")}
        expected = "other" if len(special) > 1 else special.pop() if special else (
            "standard" if "standard" in alone else None)
        for order in itertools.permutations(said):
            assert tier(*order) == expected


def test_the_last_word_at_a_place_holds_and_one_that_names_none_changes_nothing():
    assert tier((SERVICE, "auto"), (SERVICE, "flex")) == "flex"
    assert tier((SERVICE, "flex"), (SERVICE, "auto")) == "flex"
    assert tier((SERVICE, "priority"), (SERVICE, "default")) == "standard"
