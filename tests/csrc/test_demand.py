"""Which bucket a request draws from: identities that never collide by layout, texts that are JSON.

Method: the kernel is built with UBSan trapping and called through ctypes; SipHash comes from the
C of fgw_hash (its own tests hold it to the reference), texts are judged by json, addresses by
ipaddress. Buffers have a canary behind their capacity.
"""

import ctypes
import functools
import ipaddress
import json
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ["fgw_demand.c", "fgw_hash.c"]
ABSENT, BOOL, INT, STRING, ERROR = 0, 1, 2, 3, 17
CANARY = 0xA7


class Value(ctypes.Structure):
    _fields_ = [
        ("bytes", ctypes.c_char_p),
        ("length", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("number", ctypes.c_int64),
    ]


@functools.cache
def library():
    folder = tempfile.TemporaryDirectory(prefix="fgw-demand-")
    target = Path(folder.name) / "demand.so"
    subprocess.run(
        [
            "gcc",
            "-std=c11",
            "-O2",
            "-fsanitize=undefined",
            "-fsanitize-undefined-trap-on-error",
            "-shared",
            "-fPIC",
            "-I",
            ROOT / "csrc",
            "-o",
            target,
            *(ROOT / "csrc" / name for name in SOURCES),
        ],
        check=True,
    )
    loaded = ctypes.CDLL(str(target))
    loaded.folder = folder
    loaded.fgw_name_hash.restype = ctypes.c_uint64
    return loaded


def value(content):
    if content is None:
        return Value(None, 0, ABSENT, 0)
    if isinstance(content, bool):
        return Value(None, 0, BOOL, int(content))
    if isinstance(content, int):
        return Value(None, 0, INT, content)
    encoded = content if isinstance(content, bytes) else content.encode()
    return Value(encoded, len(encoded), STRING, 0)


def key(*contents, prefix=b"p", addresses=0, capacity=1024):
    """(identity, text) of a bucket."""
    values = (Value * max(len(contents), 1))(*map(value, contents))
    identity = (ctypes.c_uint64 * 2)()
    text = ctypes.create_string_buffer(bytes([CANARY]) * (capacity + 8), capacity + 8)
    length = library().fgw_demand_key(
        prefix,
        ctypes.c_size_t(len(prefix)),
        values,
        len(contents),
        addresses,
        identity,
        text,
        ctypes.c_size_t(capacity),
    )
    assert text.raw[capacity:] == bytes([CANARY]) * 8
    assert 0 <= length <= capacity
    return tuple(identity), text.raw[:length]


CONTENT = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-(2**63), 2**63 - 1),
    some.text(max_size=200),
    some.binary(max_size=200),
)


@given(some.lists(CONTENT, max_size=8))
@settings(max_examples=300, deadline=None)
def test_the_text_is_a_json_array_of_the_values(contents):
    shown = json.loads(key(*contents, capacity=9000)[1])

    assert len(shown) == len(contents)
    for one, content in zip(shown, contents, strict=True):
        if isinstance(content, str) and len(content.encode()) <= 96:
            assert one == content
        elif isinstance(content, (str, bytes)):
            assert isinstance(one, str)
        else:
            assert one == content and type(one) is type(content)


@given(some.lists(CONTENT, max_size=4), some.integers(0, 64))
@settings(deadline=None)
def test_the_text_never_passes_its_capacity_and_stays_json(contents, capacity):
    text = key(*contents, capacity=capacity)[1]

    assert text == b"" if capacity < 2 else text == b"" or isinstance(json.loads(text), list)
    if text == '["…"]'.encode():
        assert len(key(*contents)[1]) > capacity


def test_a_long_value_is_cut_at_a_character_and_marked():
    text = key("é" * 100)[1].decode()

    assert text == '["' + "é" * 48 + '…"]'


@given(some.lists(CONTENT, max_size=3), some.lists(CONTENT, max_size=3))
@settings(deadline=None)
def test_identities_differ_where_the_values_do(left, right):
    encoded = [
        [
            (
                type(one).__name__.replace("bytes", "str"),
                one.encode() if isinstance(one, str) else one,
            )
            for one in side
        ]
        for side in (left, right)
    ]

    assert (key(*left)[0] == key(*right)[0]) == (encoded[0] == encoded[1])


@pytest.mark.parametrize(
    "left, right",
    [
        (("ab", "c"), ("a", "bc")),
        (("a",), ("a", "")),
        ((None,), ("",)),
        ((1,), ("1",)),
        ((True,), (1,)),
        ((True,), ("true",)),
        (("x" * 128,), ("x" * 129,)),
        ((), (None,)),
    ],
)
def test_neighbouring_layouts_have_other_identities(left, right):
    assert key(*left)[0] != key(*right)[0]


def test_a_long_value_counts_to_its_last_byte():
    assert key("x" * 5000 + "a")[0] != key("x" * 5000 + "b")[0]


def test_the_prefix_is_part_of_the_identity():
    assert key("a", prefix=b"p")[0] != key("a", prefix=b"q")[0]


def test_more_than_the_room_is_refused():
    values, identity = (Value * 9)(), (ctypes.c_uint64 * 2)()
    call = library().fgw_demand_key

    assert call(b"p", ctypes.c_size_t(1), values, 9, 0, identity, None, ctypes.c_size_t(0)) == -1
    assert (
        call(b"p" * 513, ctypes.c_size_t(513), values, 0, 0, identity, None, ctypes.c_size_t(0))
        == -1
    )


@given(some.ip_addresses(v=6))
@settings(max_examples=300, deadline=None)
def test_an_ipv6_address_counts_as_its_64(address):
    for text in (str(address), address.exploded):
        shown = json.loads(key(text, addresses=1)[1])[0]
        if address.ipv4_mapped and "." in text:
            assert shown == str(address.ipv4_mapped)
        else:
            assert ipaddress.ip_network(shown) == ipaddress.ip_network(
                (int(address) >> 64 << 64, 64)
            )


def test_addresses_of_one_64_share_a_bucket_and_others_do_not():
    one, same, other = "2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"

    assert key(one, addresses=1)[0] == key(same, addresses=1)[0] != key(other, addresses=1)[0]
    assert key(one)[0] != key(same)[0]


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.1",
        "",
        ":",
        "::g",
        "1:2:3",
        "1::2::3",
        "unix:",
        "a" * 60,
        "1:2:3:4:5:6:7:8:9",
        "12345::",
        "::1:",
        "fe80::1%eth0",
    ],
)
def test_what_is_no_ipv6_address_stays_as_it_is(text):
    assert json.loads(key(text, addresses=1)[1]) == [text]


def test_ipv4_mapped_is_the_ipv4_address():
    assert key("::ffff:192.0.2.1", addresses=1) == key("192.0.2.1", addresses=1)


@given(
    some.one_of(some.booleans(), some.integers(-(2**63), 2**63 - 1), some.text(max_size=40)),
    some.integers(0, 24),
)
@settings(deadline=None)
def test_a_value_as_text_fits_and_is_cut_at_a_character(content, capacity):
    out = ctypes.create_string_buffer(bytes([CANARY]) * 64, 64)
    length = library().fgw_value_text(ctypes.byref(value(content)), out, capacity)
    full = content if isinstance(content, str) else json.dumps(content)

    assert out.raw[length:] == bytes([CANARY]) * (64 - length)
    if len(full.encode()) <= capacity:
        assert out.raw[:length].decode() == full
    elif isinstance(content, str):
        assert full.startswith(out.raw[:length].decode()) and length > capacity - 4
    else:
        assert length == 0


def test_no_text_has_no_hash():
    assert library().fgw_name_hash(b"", ctypes.c_size_t(0)) == 0
    assert library().fgw_name_hash(b"a", ctypes.c_size_t(1)) != 0


KEYS_BYTES, NAMES_BYTES = 64 * 112, 64 * 48
KNOWN_KEYS = ctypes.create_string_buffer(KEYS_BYTES)
KNOWN_NAMES = ctypes.create_string_buffer(NAMES_BYTES)
SHORT = some.one_of(CONTENT, some.sampled_from(["", "a", "b", "abcd", "alice", "alice-key", "\n"]))


def recalled(limit, content, capacity=1024):
    """(identity, text) as remembered, or None."""
    identity, text = (ctypes.c_uint64 * 2)(), ctypes.create_string_buffer(capacity + 1)
    length = library().fgw_demand_recall(
        KNOWN_KEYS, ctypes.c_void_p(limit), ctypes.byref(value(content)), identity, text,
        ctypes.c_size_t(capacity))
    return None if length < 0 else (tuple(identity), text.raw[:length])


def keep(limit, content, told, capacity=1024):
    identity, text = told
    library().fgw_demand_keep(
        KNOWN_KEYS, ctypes.c_void_p(limit), ctypes.byref(value(content)),
        (ctypes.c_uint64 * 2)(*identity), text, len(text), ctypes.c_size_t(capacity))


@given(some.sampled_from([4096, 8192, 12345]), SHORT, some.sampled_from([3, 20, 300, 1024]))
@settings(max_examples=600, deadline=None)
def test_what_is_remembered_of_a_key_is_what_would_be_told(limit, content, capacity):
    """The memory is that of all examples: other keys and limits are in it, and pushed out."""
    told = key(content, prefix=str(limit).encode(), capacity=capacity)
    whole = key(content, prefix=str(limit).encode())
    found = recalled(limit, content, capacity)

    assert found in (None, told)
    keep(limit, content, told, capacity)
    assert recalled(limit, content) in (None, whole)


def test_a_short_text_is_remembered_by_limit_and_nothing_else_is():
    ctypes.memset(KNOWN_KEYS, 0, KEYS_BYTES)
    for content in ("alice", "", "x" * 40):
        keep(4096, content, key(content, prefix=b"4096"))
        assert recalled(4096, content) == key(content, prefix=b"4096")
        assert recalled(8192, content) is None
    for content in (7, True, None, "x" * 41, "\x01" * 40):
        keep(4096, content, key(content, prefix=b"4096"))
        assert recalled(4096, content) is None
    assert recalled(4096, "alice", 8) is None  # no room for the text


@given(some.one_of(some.binary(max_size=60), some.sampled_from([b"gpt-4o", b"gpt-4o-mini"])))
@settings(max_examples=400, deadline=None)
def test_a_remembered_name_has_its_hash(text):
    recall = library().fgw_name_recall
    recall.restype = ctypes.c_uint64

    for _ in range(2):
        assert recall(KNOWN_NAMES, text, ctypes.c_size_t(len(text))) == library().fgw_name_hash(
            text, ctypes.c_size_t(len(text)))
