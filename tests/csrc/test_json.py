"""JSON scan: accepts and rejects as orjson does, wherever the document is cut, and notes what a
spec names.

Method: every document is fed whole, byte by byte and at cuts; orjson is the oracle for validity
(our depth bound apart) and for values. Each piece is handed over in a block of its own size, so
that an over-read lands outside it.
"""

import json
import random
import sys
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from scan_native import BINARY, KEYS_TEXT, ONCE, REMOTE, STICKY, TEXT, URL, Scan  # noqa: E402

SEED = 20261121
DEPTH_MAX = 128

# {"a": slot 0, "b": {"c": slot 1, "a": slot 4}, "list": [slot 3 each] in slot 2, "s": slot 5}
NODES = {
    1: {"edges": {"a": 2, "b": 3, "list": 5, "s": 8, "text": 9}, "slot": 6},
    2: {"slot": 0},
    3: {"edges": {"c": 4, "a": 7}},
    4: {"slot": 1},
    5: {"slot": 2, "element": 6},
    6: {"slot": 3},
    7: {"slot": 4},
    8: {"slot": 5},
    9: {"text": TEXT, "other": 9, "element": 9},
}
ROOMS = {0: (0, 16), 5: (16, 8)}


@pytest.fixture(scope="module")
def scan():
    return Scan(NODES, ROOMS)


def cut(document: bytes, rng: random.Random) -> list[bytes]:
    marks = sorted(rng.randrange(len(document) + 1) for _ in range(rng.randrange(1, 5)))
    return [document[a:b] for a, b in zip([0, *marks], [*marks, len(document)], strict=True)]


def valid(document: bytes) -> bool:
    try:
        orjson.loads(document)
    except orjson.JSONDecodeError:
        return False
    return True


def every_way(document: bytes, rng: random.Random):
    yield [document]
    yield [document[at : at + 1] for at in range(len(document))]
    yield cut(document, rng)
    yield cut(document, rng)


EDGES = [
    b"", b" ", b"{}", b"[]", b"[[]]", b"{\"a\":}", b"{\"a\"}", b"{,}", b"[,]", b"[1,]",
    b"{\"a\":1,}",
    b"[1 2]", b"{} {}", b"nul", b"nulll", b"true", b"tru e", b"True", b"\xef\xbb\xbf{}", b"{}\0",
    b"0", b"-0", b"01", b"-", b"+1", b"1.", b".5", b"1.5", b"1e5", b"1e", b"1e+", b"1E-5",
    b"-1.5e+3",
    b"1e308", b"1.7976931348623157e308", b"1.7976931348623159e308", b"1e309", b"-1e309", b"1e-400",
    b"1" * 309, b"1" * 310, b"9" * 308, b"9" * 309, b"0." + b"0" * 400 + b"1e400",
    b"1" + b"0" * 400,
    b"1e99999999999", b"0e99999999999", b"123456789012345678901234567890", b"-9223372036854775808",
    b"18446744073709551615", b"18446744073709551616", b"1.0000000000000000000000001", b"0x10",
    b"1_0",
    b"NaN", b"Infinity", b"'a'", b'"\t"', b'"\x00"', b'"\x7f"', b'"\\a"', b'"\\u12"', b'"\\u12G4"',
    b'"\\uD83D\\uDE00"', b'"\\ud83d"', b'"\\ude00"', b'"\\ud83d\\u0041"', b'"\\ud83dx"',
    b'"\\u0000"',
    b'"\\ud83d\\ud83d\\ude00"', b'"\\/\\b\\f\\n\\r\\t\\"\\\\"', b'"\xc3\xa9"', b'"\xc3"',
    b'"\xa9"',
    b'"\xe0\x80\x80"', b'"\xed\xa0\x80"', b'"\xf0\x80\x80\x80"', b'"\xf4\x90\x80\x80"',
    b'"\xc0\x80"',
    b'"\xf0\x9f\x98\x80"', b'"\xf5\x80\x80\x80"', b'"\xe2\x82"', b'"\xe2\x82\xac"',
    b'{"a":1,"a":2}',
    b'{"\xc3":1}', b'{a:1}', b'{"a":1 "b":2}', b'{"a" :\n[ ] }', b'"\xef\xbf\xbf"', b'["a"', b'"a',
    b'"a\\', b"/**/1", b"{1:2}", b'{"":0}', b'["\\u00e9\\u20ac"]', b"\t\r\n 1 \n",
    b"\x0b1", b"\xa01",
]  # fmt: skip


@pytest.mark.parametrize("document", EDGES, ids=lambda document: repr(document[:24]))
def test_accepts_what_orjson_accepts_at_any_cut(scan, document):
    rng = random.Random(SEED)
    expected = valid(document)
    for pieces in every_way(document, rng):
        assert (scan.read(*pieces) == 0) == expected, pieces


def random_value(rng: random.Random, depth: int = 0):
    kind = rng.randrange(8 if depth < 4 else 5)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.choice(
            [rng.randrange(-5, 100), rng.randrange(1 << 62), -rng.randrange(1 << 62)]
        )
    if kind == 2:
        return rng.choice([rng.random() * 10 ** rng.randrange(-20, 20), float(rng.randrange(999))])
    if kind in (3, 4):
        letters = [
            "a",
            "b",
            '"',
            "\\",
            "\n",
            "\u00e9",
            "\u20ac",
            "\U0001f600",
            " ",
            "\u0007",
            "x" * 20,
        ]
        return "".join(rng.choices(letters, k=rng.randrange(10)))
    if kind == 5:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    keys = ["a", "b", "c", "list", "s", "text", "A", "", "\u00e9", "a\\", "long" * 20]
    return {rng.choice(keys): random_value(rng, depth + 1) for _ in range(rng.randrange(6))}


def dump(value, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return orjson.dumps(value)
    return json.dumps(
        value, ensure_ascii=rng.random() < 0.7, indent=rng.choice([None, 1])
    ).encode()


def mutate(document: bytes, rng: random.Random) -> bytes:
    raw = bytearray(document)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(raw) + 1)
        what = rng.randrange(4)
        if what == 0:
            raw[at:at] = rng.choice(
                [b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b"\xc3", b"\xed\xa0", b"\\ud83d",
                 b"0",                 b"-", b"e", b".", b" ", b"\n", b"\x80", b"\\u", b"null"]
            )  # fmt: skip
        elif what == 1:
            del raw[at : at + rng.randrange(1, 4)]
        elif what == 2 and at < len(raw):
            raw[at] = rng.randrange(256)
        else:
            other = rng.randrange(len(raw) + 1)
            raw[at:at] = raw[min(at, other) : max(at, other)][:20]
    return bytes(raw)


def check_values(scan: Scan, document: bytes, value) -> None:
    """Top-level members, when the document is an object without the same key twice."""
    if not isinstance(value, dict):
        return
    if len(json.loads(document, object_pairs_hook=list)) != len(value):
        return
    for key, slot in (("a", 0), ("s", 5), ("list", 2)):
        if key not in value:
            assert scan.type(slot) == "absent"
            continue
        check_slot(scan, slot, document, value[key])
    assert scan.slot(6)["count"] == len(value)


def check_slot(scan: Scan, index: int, document: bytes, value) -> None:
    kinds = {type(None): "null", str: "string", int: "number", float: "number", list: "array"}
    kind = (
        {True: "true", False: "false"}[value]
        if isinstance(value, bool)
        else kinds.get(type(value))
    )
    slot = scan.slot(index)
    assert scan.type(index) == (kind or "object")
    assert orjson.loads(document[slot["start"] : slot["end"]]) == value
    if isinstance(value, str):
        encoded = value.encode()
        assert slot["count"] == len(encoded)
        assert scan.text(index) == encoded[: ROOMS.get(index, (0, 0))[1]]
    elif isinstance(value, (list, dict)):
        twice_counted = json.loads(document[slot["start"] : slot["end"]], object_pairs_hook=list)
        assert slot["count"] == len(twice_counted)
    elif kind == "number":
        exact = Decimal(document[slot["start"] : slot["end"]].decode())
        largest = (1 << 63) - 1
        truncated = max(-largest, min(largest, int(exact))) if abs(exact) < 1 << 64 else None
        if truncated is not None:
            assert (slot["number"], slot["inexact"]) == (truncated, truncated != exact)


def test_random_documents_and_mutants_are_judged_and_valued_as_by_orjson(scan):
    print("seed", SEED)
    rng = random.Random(SEED)
    judged = {True: 0, False: 0}
    for _ in range(6_000):
        value = random_value(rng)
        if rng.random() < 0.7:
            value = {"a": random_value(rng), "s": random_value(rng), "list": value}
        document = dump(value, rng)
        if rng.random() < 0.6:
            document = mutate(document, rng)
        expected = valid(document)
        judged[expected] += 1
        for pieces in every_way(document, rng):
            assert (scan.read(*pieces) == 0) == expected, (document, pieces)
            if expected:
                check_values(scan, document, orjson.loads(document))
    assert min(judged.values()) > 1_000, judged


def test_depth_is_bounded(scan):
    assert scan.read(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX) == 0
    assert scan.read(b"[" * (DEPTH_MAX + 1)) == -1
    assert scan.error == 4


DEEP = [
    b"[" * 200 + b"]" * 200, b'{"b":' * 300 + b'"]}\\"[{\\\\"' + b"}" * 300,
    b"[" * 127 + b'[{"a":[1,{"x":"}"}]},2],3' + b"]" * 127,
    b'{"n":' * 127 + b'{"o":[[[{"p":"\\""}]]]}' + b"}" * 127,
    b"[" * 128 + b'[],{},[[]],"]"' + b"]" * 128, b"[" * 100_000 + b"]" * 100_000,
]


@pytest.mark.parametrize("deep", DEEP)
def test_what_lies_too_deep_in_an_answer_is_stepped_over(deep):
    """The members beside it are read as ever."""
    lenient = Scan(NODES, ROOMS, lenient=True)
    document = b'{"x":' + deep + b', "a":7, "list":[' + deep + b'], "s":"end"}'
    rng = random.Random(SEED)
    ways = [[document], cut(document, rng), cut(document, rng)]
    if len(document) < 10_000:
        ways.append([document[at : at + 1] for at in range(len(document))])
        ways += [[document[:at], document[at:]] for at in range(0, len(document), 7)]
    for pieces in ways:
        assert lenient.read(*pieces) == 0, lenient.error
        assert lenient.slot(0)["number"] == 7 and lenient.text(5) == b"end"
    assert lenient.read(document[:-1]) == -2
    assert lenient.read(document[:len(deep) // 2]) == -2


def test_an_unfinished_document_is_incomplete_not_invalid(scan):
    document = b'{"a": [1, -2.5e3, "\\u00e9\xe2\x82\xac\\ud83d\\ude00", true, null]}'
    for at in range(len(document)):
        assert scan.read(document[:at]) == -2, document[:at]


def test_a_key_written_with_escapes_is_the_same_key(scan):
    for pieces in every_way(b'{"\\u0061": 7, "lis\\u0074": []}', random.Random(SEED)):
        assert scan.read(*pieces) == 0
        assert scan.slot(0)["number"] == 7
        assert scan.type(2) == "array"


def test_members_are_found_only_where_the_spec_has_them(scan):
    document = b'{"x": {"a": 1}, "b": {"a": 2, "c": 3}, "y": [{"a": 4}], "text": {"a": "5"}}'
    assert scan.read(document) == 0
    assert scan.type(0) == "absent"
    assert (scan.slot(1)["number"], scan.slot(4)["number"]) == (3, 2)


def test_a_member_that_comes_twice_is_told_where_the_spec_asks():
    scan = Scan({1: {"edges": {"a": 2, "b": 3}}, 2: {"slot": 0, "flags": ONCE}, 3: {"slot": 1}})

    assert scan.read(b'{"a":1,"b":1,"b":2}') == 0 and scan.sums()["twice"] == 0
    assert scan.slot(1)["number"] == 2
    assert scan.read(b'{"a":1,"\\u0061":2}') == 0 and scan.sums()["twice"] == 1


def test_a_null_does_not_overwrite_where_the_spec_says_so():
    scan = Scan({1: {"element": 2}, 2: {"slot": 0, "flags": STICKY}})

    assert scan.read(b"[7,null]") == 0
    assert (scan.type(0), scan.slot(0)["number"]) == ("number", 7)


@pytest.mark.parametrize("pieces", [[b'["ab",null]'], [b'["ab",nu', b"ll]"]])
def test_a_null_that_does_not_overwrite_leaves_the_end_too(pieces):
    scan = Scan({1: {"element": 2}, 2: {"slot": 0, "flags": STICKY}})

    assert scan.read(*pieces) == 0
    assert (scan.slot(0)["start"], scan.slot(0)["end"]) == (1, 5)


def test_text_binary_and_references_are_counted_apart():
    scan = Scan({
        1: {"edges": {"t": 2, "u": 3, "b": 4, "r": 5}, "other": 6},
        2: {"text": TEXT}, 3: {"text": URL}, 4: {"text": BINARY}, 5: {"text": REMOTE},
        6: {"text": TEXT, "other": 6, "element": 6, "flags": KEYS_TEXT},
    })  # fmt: skip
    document = (
        b'{"t":"\\u00e9\xc3\xa9\\n","u":"data:image/png;base64,AAAA","b":"AAA","r":"file-1",'
        b'"deep":[{"key":"value","n":12}]}'
    )
    for pieces in every_way(document, random.Random(SEED)):
        assert scan.read(*pieces) == 0
        assert scan.sums() == {
            "text_bytes": 5 + len("key" "value" "n"), "binary_bytes": 26 + 3, "binaries": 2,
            "remotes": 1, "twice": 0,
        }  # fmt: skip
    assert scan.read(b'{"u":"https://x/y.png"}') == 0
    assert (scan.sums()["remotes"], scan.sums()["binaries"]) == (1, 0)
