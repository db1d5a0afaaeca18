"""Regular expressions: RE2's language, one answer, linear time, no memory of its own.

Method: RE2 itself is the oracle, by hand-picked patterns and by random ones, for whether a pattern
compiles and whether it matches. Every match is tried the four ways there are: by table, by set, by
states in a cache that is large, and in one that is full at once. Work is counted by the kernel and
held to (text x program); hostile bytes run under ASan and UBSan in a C program.
"""

import random
import subprocess
from pathlib import Path

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.csrc.regex_native import ROOT, SOURCES, BadPattern, Regex
from tools import regex_classes

OPTIONS = re2.Options()
OPTIONS.log_errors = False

TEXTS = ["", "a", "abc", "aab", "foo", "xfoo", "a foo b", "STRASSE", "stra\u017f\u017fe", "\u017f",
         "K", "\u212a", "é", "Ω", "\n", "a\nx\nb", "\n\n", "9", "\u0663", "😀", "a.b", "a.bbc",
         "a.c", "aaab", "-", "_", "[", "]", "x{", "a{,2}", "z", "Z", "\n8", "8", "\0", "\x0781",
         "ab", "漢字", "Кот", "a" * 200 + "b"]
GOOD = [
    "a", "^abc$", "(a|b)*c", r"\bfoo\b", "(?i)straße", "[^a-c]+$", r"\pL+\d", r"\p{Greek}",
    r"\P{Lu}", "[[:alpha:]-z]", "a{2,3}b", "(?m)^x$", r"\x{1F600}", r"\Qa.b\E*c", "(?P<n>a)",
    "(?<n>a)", r"\12", r"[\12]", "", "()", "a||b", r"\Q", r"(?i)\w", r"(?i)[^\W]", r"[^\PL]",
    "(?i)[[:alpha:]]", r"(?i)\p{Lu}", r"(?i)\P{Lu}", r"(?i)[^\P{Lu}]", r"[\d-z]", "]", "a]", "{",
    "a{", "a{,2}", "a{02}", "(?i-s:a).", "(?)", r"\_", r"\-", "[]a]", "[^]a]", "[[a]]", "[a-]",
    "[a-b-c]", "^*", "$*", "(^a|^b)", "(?s).", ".", r"\pL", r"\p{^L}", r"\p{Any}", "(?U)a*?",
    r"\a\f\t\n\r\v", r"\z", r"\A\z", r"abc\z", r"\b", "a^b", "a$b", "(?m)a$\n^x", "x*", "(?:)*",
    "(a*)*", "(a|b|)+c", "[^a]", r"\081", r"\p{Han}+", r"\p{Cyrillic}{3}", "(?i)[k-m]",
    "^a{3}b", "b$", "^$", "é|Ω", r"\x{e9}", "[é-ü]", "a{200}b", "(?:a{10}){20}b",
]
BAD = ["**", "a**", "a*+", "(?=a)", "(?<=a)", "(?!a)", r"\1", r"[\1]", "x{1001}", "(x{100}){11}",
       "(|*)", "(?i)*", "{2}", "a{2}{3}", "a{3,2}", r"[a-\d]", "[z-a]", "[", "[a", "(?-)", "(?i",
       "(?z)", "(", ")", "a)", r"\é", r"\Z", r"\8", r"\x", r"\xg", r"\x{}", r"\x{110000}",
       "[[:foo:]]", r"\pX", r"\p{", r"\p{Klingon}", "\\", "(?P<>a)", "(?P<a-b>x)", "(?P<a",
       r"[\b]", r"[\Q]"]
ADVERSARIAL = [
    ("(a|a)*b", "a" * 5000), ("(a*)*b", "a" * 5000), ("(?:a?){300}a{300}", "a" * 300),
    ("(a?){1000}a{1000}", "a" * 1000), ("(?:(?:a{0,10}){0,10}){0,10}b", "a" * 2000),
    (r"(\w+\s?)*$x", "word " * 1000), ("(.*)(.*)(.*)(.*)[^a]x", "a" * 3000),
    ("[ab]*a[ab]{13}c", "ab" * 3000), ("(?i)(k|s|[a-z])*\\d", "ks\u212a" * 1000),
]


def answers(pattern: str, texts: list[str]) -> list[list[bool]]:
    quick, slow = Regex(pattern), Regex(pattern, table=False)
    return [[quick.search(text), slow.search(text), slow.search(text, 1536),
             slow.search(text, 65536)] for text in texts]


def agrees(pattern: str, texts: list[str]) -> None:
    oracle = re2.compile(pattern, OPTIONS)
    for text, found in zip(texts, answers(pattern, texts), strict=True):
        assert found == [bool(oracle.search(text))] * 4, (pattern, text)


@pytest.mark.parametrize("pattern", GOOD)
def test_matches_as_re2(pattern):
    agrees(pattern, TEXTS)


@pytest.mark.parametrize("pattern", BAD)
def test_refuses_what_re2_refuses_and_points_at_it(pattern):
    with pytest.raises(re2.error):
        re2.compile(pattern, OPTIONS)
    with pytest.raises(BadPattern) as refused:
        Regex(pattern)

    assert "unknown fault" not in refused.value.text
    assert 0 <= refused.value.offset <= len(pattern.encode())
    assert refused.value.offset + refused.value.length <= len(pattern.encode())


def test_names_the_offending_part_of_a_pattern():
    with pytest.raises(BadPattern) as refused:
        Regex("model-(?=x)y")

    assert (refused.value.offset, refused.value.length) == (6, 3)
    assert refused.value.text == "a lookaround, which cannot be matched in linear time"


def test_refuses_what_is_too_deep_too_long_or_no_utf8():
    for pattern, said in [("(" * 201 + ")" * 201, "groups"), ("a" * 16385, "large"),
                          (b"a\xff", "UTF-8"), ("[^a]{500}" * 100, "large")]:
        with pytest.raises(BadPattern, match=said):
            Regex(pattern, room=65536)
    assert Regex("(" * 200 + "a" + ")" * 200).search("a")


ATOMS = ["a", "b", "c", r"\d", r"\w", r"\W", r"\s", ".", "[ab]", "[^a]", r"[^\w]", r"\pL", r"\b",
         "^", "$", "é", "(?i:k)", r"\n", r"\x{1F600}", "[[:upper:]]", r"\A", r"\z", "(?m:^)",
         "(?m:$)", "(?s:.)", "[é-ü]", "ab", r"\B"]
REPEATS = ["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "{0}"]
PATTERNS = st.recursive(st.sampled_from(ATOMS), lambda inner: st.one_of(
    st.tuples(inner, inner).map("".join),
    st.tuples(inner, inner).map("({0[0]}|{0[1]})".format),
    st.tuples(inner, st.sampled_from(REPEATS)).map("(?:{0[0]}){0[1]}".format),
    st.tuples(st.sampled_from(["(?i:", "(?s:", "(?m:", "("]), inner).map("{0[0]}{0[1]})".format),
), max_leaves=12)


@settings(max_examples=600, deadline=None)
@given(PATTERNS, st.lists(st.text("aabbcABkK\u212a9_ \n-éÜ😀", max_size=100), max_size=6))
def test_matches_random_patterns_as_re2(pattern, texts):
    if r"\B" in pattern:  # RE2's C++ looks between the bytes of one character, too
        texts = [text.encode("ascii", "ignore").decode() for text in texts]
    agrees(pattern, texts)


@settings(max_examples=600, deadline=None)
@given(st.text("ab()[]{}*+?|^$\\.-,:1x<>Pi!=dwpLQE", max_size=12))
def test_compiles_what_re2_compiles(pattern):
    try:
        re2.compile(pattern, OPTIONS)
        taken = True
    except re2.error:
        taken = False
    if r"\Q\E" in pattern or "(?P<" in pattern or "(?<" in pattern:
        return  # what an empty quotation leaves to repeat, and names given twice: RE2 is stricter
    try:
        Regex(pattern)
        assert taken, pattern
    except BadPattern:
        assert not taken, pattern


@pytest.mark.parametrize("pattern, text", ADVERSARIAL)
def test_work_is_bounded_by_text_times_program(pattern, text):
    found = re2.compile(pattern, OPTIONS).search(text) is not None
    for table in (True, False):
        for more in (0, 1536, 65536):
            regex = Regex(pattern, table=table)

            assert regex.search(text, more) == found
            assert regex.steps <= (len(text) + 2) * 4 * (regex.instructions + 2)


@pytest.mark.parametrize("pattern, text", ADVERSARIAL)
def test_gives_up_where_the_budget_ends(pattern, text):
    for table in (True, False):
        for more in (0, 65536):
            regex = Regex(pattern, table=table)
            found = regex.search(text, more)
            needed, size = regex.steps, len(text.encode())

            assert regex.search(text, more, needed + size + 1) == found
            assert regex.search(text, more, size // 2) is None
            assert regex.steps <= size // 2 + 4 * (regex.instructions + 2)
            if needed > 4 * size + 16 * regex.instructions:
                assert regex.search(text, more, needed // 2) is None
                assert regex.steps <= needed // 2 + size + 8 * (regex.instructions + 2)


def test_a_table_costs_one_step_a_character():
    regex = Regex("(a|a)*b")

    assert regex.has_table and regex.scratch_min == 0
    assert not regex.search("a" * 5000)
    assert regex.steps <= 2 * 5000 + 2  # the literal is looked for, too


def test_states_that_are_kept_make_long_texts_cheap():
    rng = random.Random(7)
    text = "".join(rng.choice("abcdefgh ") for _ in range(20000))
    regex = Regex(r"(a|b)[a-h]{9}(x|y)|\d{3}", table=False)
    regex.search(text)
    walked = regex.steps

    assert not regex.search(text, 1 << 20)
    assert regex.steps < walked / 3


@pytest.mark.parametrize("category", [*regex_classes.CATEGORIES, "L", "M", "N", "P", "S", "Z", "C",
                                      *regex_classes.SCRIPTS])
def test_knows_every_category_and_script_by_all_code_points(category):
    members = set(regex_classes.members(rf"\p{{{category}}}"))
    inside, outside = Regex(rf"\p{{{category}}}"), Regex(rf"\P{{{category}}}")
    absent = "".join(chr(code) for code in regex_classes.CODES if code not in members)

    assert inside.has_table
    assert not inside.search(absent)
    assert not outside.search("".join(map(chr, members)))
    edges = {code + by for code in members for by in (-1, 0, 1)} & set(regex_classes.CODES)
    for code in random.Random(3).sample(sorted(edges), min(500, len(edges))):
        assert inside.search(chr(code)) == (code in members)


def test_the_unicode_tables_are_those_of_re2():
    assert regex_classes.TARGET.read_text() == regex_classes.source()


def test_folds_every_letter_as_re2():
    fold = regex_classes.next_in_orbit()
    for code in random.Random(5).sample(sorted(fold), 200):
        orbit, other = {code}, code + fold[code]
        while other != code:
            orbit.add(other)
            other += fold[other]
        texts = [chr(near) for member in orbit for near in (member - 1, member, member + 1)]
        agrees(rf"(?i)^\x{{{code:x}}}$", texts)
        agrees(rf"(?i)^[\x{{{code:x}}}-\x{{{code + 3:x}}}]$", texts)


@pytest.mark.parametrize("text", [b"\xff", b"\xc3", b"\xe2\x82", b"\xc0\xaf", b"\xed\xa0\x80",
                                  b"\xf4\x90\x80\x80", b"\xf0\x9f\x98", b"\x80", b"\xe2\x28\xa1"])
def test_a_byte_that_is_no_character_is_matched_by_nothing(text):
    alone = text.replace(b"\x28", b"")
    for pattern in (".", "(?s).", "[^a]", r"\PL", r"\W"):
        assert not Regex(pattern).search(alone)
        assert not Regex(pattern, table=False).search(alone, 4096)
    assert Regex("b").search(text + b"b") and Regex("b").search(b"b" + text)
    assert not Regex("^b").search(text + b"b") and not Regex("^a.b").search(b"a" + text + b"b")


def test_a_program_that_was_changed_is_refused():
    regex = Regex(r"(foo|b[a-z]r)\d{2}")
    rng = random.Random(11)
    size, refused = regex.size, 0
    whole = bytes(regex.program)[:size]
    for _ in range(3000):
        changed = bytearray(whole)
        changed[rng.randrange(size)] = rng.randrange(256)
        program = (type(regex.program)).from_buffer(changed)
        if regex.lib.fgw_regex_verify(program, size) == 0:
            mended = Regex("x")
            mended.program, mended.size = program, size
            mended.scratch_min = mended.lib.fgw_regex_scratch_min(program)
            if mended.scratch_min < 1 << 16:
                mended.search("foo12 bar99 é" * 9, 4096)  # must not read or write outside
        else:
            refused += 1

    assert refused > 300
    assert regex.lib.fgw_regex_verify(regex.program, size - 1) == -1


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_hostile_patterns_and_texts_stay_inside_their_memory(tmp_path, compiler):
    target = tmp_path / "fuzz"
    built = subprocess.run(
        [compiler, "-std=c11", "-g", "-O1", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all", "-I", ROOT / "csrc", "-o", target,
         Path(__file__).with_name("regex_fuzz.c"), *SOURCES], capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"{compiler} with sanitizers is not at hand: {built.stderr[-200:]}")

    done = subprocess.run([target, "3000", "1"], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr[-3000:]
    print(done.stdout)
