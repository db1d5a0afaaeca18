"""csrc/fgw_detect.c: secrets in text as it comes, the same in any cut of it.

Method: through ctypes, with undefined behaviour trapping. What is found in a whole text is the
oracle for every cut of it; what is to be found is written out. csrc/fgw_detect_key.c and
csrc/fgw_detect_number.c are the rules of single kinds.
"""

import random
import subprocess
from pathlib import Path

import pytest

from tests.csrc.detect_native import ALL, ROOT, find

SEED = 20261121
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n" * 12
AWS = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
GITHUB = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"

# Text with what is to be found in {braces} and of which kind.
CASES = [
    ("a {AKIAIOSFODNN7EXAMPLE}.", "api_key"),
    ("aws_secret_access_key = {" + AWS + "} #", "api_key"),
    ("use {" + GITHUB + "}, please", "api_key"),
    ("{sk-proj-abcDEF1234567890abcDEF1234567890abcd}", "api_key"),
    ("key={sk-ant-api03-abc123DEF456-abc123_DEF456abc123DEF456}\n", "api_key"),
    ("{AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY}", "api_key"),
    ("{xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx}", "api_key"),
    ("{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} x", "api_key"),
    ("{" + "SK" + "0123456789abcdef" * 2 + "}", "api_key"),
    ("AccountKey={" + "aB3/" * 21 + "aB==};End", "api_key"),
    ("\\n{AKIAIOSFODNN7EXAMPLE}\\n", "api_key"),
    ("{-----BEGIN RSA PRIVATE KEY-----\n" + BODY + "-----END RSA PRIVATE KEY-----} bye",
     "private_key"),
    ("{-----BEGIN OPENSSH PRIVATE KEY-----\\n" + BODY.replace("\n", "\\n")
     + "-----END OPENSSH PRIVATE KEY-----}\\n", "private_key"),
    ("card {4111 1111 1111 1111} 12/27", "payment_card"),
    ("{3782-822463-10005}, ok", "payment_card"),
    ("{5555555555554444}", "payment_card"),
    ("{2223003122003222};", "payment_card"),
    ("is {123-45-6789}.", "us_ssn"),
    ("SSN: {123456789}", "us_ssn"),
    ("<{john.o_doe+tag@mail.example.co.uk}>", "email"),
    ("mailto:{a@b.io}?x", "email"),
    ("call {(415) 555-2671} now", "phone"),
    ("{+44 20 7946 0958}", "phone"),
    ("{+14155552671}x"[:-1], "phone"),
    ("tel {415 555 2671};", "phone"),
    ("{GB82 WEST 1234 5698 7654 32}", "iban"),
    ("to {DE89370400440532013000} at", "iban"),
    ("Bearer {eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc-_def} x", "jwt"),
]


def split(marked):
    """The text without braces, and where they stood."""
    before, _, rest = marked.partition("{")
    inside, _, after = rest.partition("}")
    return (before + inside + after).encode(), len(before), len(before) + len(inside)


@pytest.mark.parametrize(("marked", "kind"), CASES, ids=lambda value: str(value)[:30])
def test_finds_what_is_there_with_its_bounds(marked, kind):
    text, start, end = split(marked)

    assert find(text) == [(start, end, kind)]
    assert find(text, kind) == [(start, end, kind)]


@pytest.mark.parametrize("text", [
    b"666-12-1234 000-12-1234 900-12-1234 123-00-1234 123-45-0000 12-345-6789",
    b"4111 1111 1111 1112, 4111-1111 1111-1111, 41111111111111111111, 1234567890123452",
    b"550e8400-e29b-41d4-a716-446655440000 and 4111111111111111-abc",
    b"logo@2x.png react@18.2.0 git@github.com:org/repo.git foo@bar @decorator a@b.c",
    b"AKIA AKIAXXXXXXXXXXXXXXXX sk-your-api-key-goes-right-here-please xAKIAIOSFODNN7EXAMPLE",
    b"sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DtIq6H2IpYHiE9bV5XNkCdQ==",
    b"GB82 WEST 1234 5698 7654 33, DE00370400440532013000",
    b"2024-11-21T15:04:05.123456Z 3.14159265358979 192.168.100.200 1.2.3-4.5.6",
    b"-----BEGIN PUBLIC KEY-----\n" + BODY.encode(),
    b"-----BEGIN PRIVATE KEY----- is how such a file begins, she said, and left.",
    b"911-411-0000 (011) 411-1111 5551234 415-555-26711",
])
def test_finds_nothing_in_what_only_looks_like_it(text):
    assert find(text) == []


@pytest.mark.parametrize(("marked", "kind"), CASES, ids=lambda value: str(value)[:30])
def test_every_single_cut_finds_the_same(marked, kind):
    text, start, end = split(marked)
    for at in range(1, min(len(text), 700)):
        assert find(text, cuts=[at]) == [(start, end, kind)], at


def test_random_cuts_of_random_mixtures_find_the_same():
    draw = random.Random(SEED)
    print("seed", SEED)
    words = [split(marked)[0].decode() for marked, _ in CASES]
    words += ["the", "2024", "x-1", "(", "+", "-----", "4111 ", "john", "@", ".", "\\", "sk-", "é",
              "GB", "12", "-", "eyJ", "0" * 30, "a" * 80]
    for _ in range(400):
        text = "".join(draw.choice(words) + draw.choice(["", " ", "\n", ".", ","])
                       for _ in range(draw.randint(1, 12))).encode()
        whole = find(text)
        for _ in range(3):
            count = min(len(text) - 1, draw.randint(1, 40))
            cuts = sorted(draw.sample(range(1, len(text)), count)) if count > 0 else []
            assert find(text, cuts=cuts) == whole, (text, cuts)


def test_random_bytes_are_survived_and_cut_alike():
    draw = random.Random(SEED)
    alphabet = b"sk-AIaeyJ._@+-()0123456789 GBDE\\n/=\xc3\xa9\n"
    for _ in range(400):
        text = bytes(draw.choice(alphabet) for _ in range(draw.randint(1, 900)))
        cuts = sorted(draw.sample(range(1, len(text) + 1), min(len(text), 9)))
        assert find(text, cuts=[cut for cut in cuts if cut < len(text)]) == find(text)


def test_each_kind_alone_finds_what_all_find_of_it():
    text = " ; ".join(split(marked)[0].decode() for marked, _ in CASES).encode()
    whole = find(text)
    assert len(whole) >= len(CASES) - 1 and ALL == 255
    for kind in {kind for _, kind in CASES}:
        assert [one for one in find(text, kind) if one in whole] \
            == [one for one in whole if one[2] == kind]


@pytest.mark.parametrize("text", [
    b"mail -john.doe@example.com please",
    b"(+a.b@example.org)", b"see ...john@example.com.",
    b"ssn 078051120 12 Main Street", b"ssn: 078051120 1",
    b"call +1 415 555 2671 (mobile)", b"9+1 415 555 2671 (x", b"415 555 2671 (2nd floor)",
])
def test_what_stands_before_or_behind_is_the_same_in_any_two_cuts(text):
    """Found by the fuzzer: each was missed where the stream was cut at the wrong place."""
    whole = find(text)
    for first in range(1, len(text)):
        assert find(text, cuts=[first]) == whole, first
        for second in range(first + 1, len(text)):
            assert find(text, cuts=[first, second]) == whole, (first, second)


def test_random_documents_and_streams_under_sanitizers_before_a_guard_page(tmp_path):
    """A stream is found to say the same in any cut; see detect_fuzz.c."""
    target = tmp_path / "fuzz"
    built = subprocess.run(
        ["gcc", "-std=c11", "-D_DEFAULT_SOURCE", "-g", "-O1", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all", "-I", ROOT / "csrc", "-o", target,
         Path(__file__).with_name("detect_fuzz.c"), *ROOT.glob("csrc/fgw_detect*.c"),
         *ROOT.glob("csrc/fgw_regex*.c")], capture_output=True, text=True)
    if built.returncode and "cannot find" in built.stderr:
        pytest.skip(f"gcc with sanitizers is not at hand: {built.stderr[-200:]}")
    assert built.returncode == 0, built.stderr
    print("seed", SEED)
    done = subprocess.run([target, str(SEED), "100"], capture_output=True)
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
