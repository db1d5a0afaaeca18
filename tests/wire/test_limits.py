"""Limits of a head: they hold on what has come so far, and give the same answer at any cut.

Method: each limit is met exactly, then passed by one; the message that passes it is fed whole,
byte by byte and unfinished. That no byte of an unfinished line is looked at twice,
tests/csrc/test_http1.c shows.
"""

import pytest

from fastgw.wire.head import Head

HOST = b"Host: a\r\n"


def verdict(raw, step=None, **limits):
    head = Head(**limits)
    view = memoryview(raw)
    got = -2
    for end in range(step or len(raw), len(raw) + 1, step or 1):
        got = head.request(view[:end])
        if got != -2:
            break
    return got, head.error, head.status


def padded(size):
    """A valid head of exactly this many bytes."""
    frame = b"GET / HTTP/1.1\r\n" + HOST + b"A: \r\n\r\n"
    return frame.replace(b"A: ", b"A: " + b"x" * (size - len(frame)))


@pytest.mark.parametrize("step", [None, 1])
def test_a_head_may_fill_its_limit_and_no_more(step):
    assert verdict(padded(500), step, head_max=500) == (500, None, 0)
    assert verdict(padded(501), step, head_max=500) == (-1, "head too large", 431)


@pytest.mark.parametrize("step", [None, 1, 7])
def test_an_unfinished_head_is_refused_when_it_passes_the_limit(step):
    unfinished = b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"x" * 1000

    assert verdict(unfinished[:500], step, head_max=500) == (-2, None, 0)
    assert verdict(unfinished, step, head_max=500) == (-1, "head too large", 431)


@pytest.mark.parametrize("step", [None, 1])
def test_a_body_does_not_count_towards_the_head(step):
    assert verdict(padded(500) + b"x" * 1000, step, head_max=500) == (500, None, 0)


@pytest.mark.parametrize("step", [None, 1])
def test_a_target_may_fill_its_limit_and_no_more(step):
    def raw(size):
        return b"GET /" + b"a" * (size - 1) + b" HTTP/1.1\r\n" + HOST + b"\r\n"

    assert verdict(raw(100), step, target_max=100)[0] > 0
    assert verdict(raw(101), step, target_max=100) == (-1, "request target too long", 414)
    assert verdict(raw(9000)[:8000], step, target_max=100) == (-1, "request target too long", 414)
    assert verdict(raw(8192), step)[0] > 0
    assert verdict(raw(8193), step) == (-1, "request target too long", 414)


@pytest.mark.parametrize("step", [None, 1])
def test_fields_may_fill_their_limit_and_no_more(step):
    def raw(count):
        return b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * (count - 1) + b"\r\n"

    assert verdict(raw(100), step)[0] > 0
    assert verdict(raw(101), step) == (-1, "too many fields", 431)
    assert verdict(raw(101)[:-2], step) == (-1, "too many fields", 431)
    assert verdict(raw(6), step, headers_max=5) == (-1, "too many fields", 431)
    assert verdict(raw(101), step, headers_max=1000) == (-1, "too many fields", 431)


def test_a_fault_within_the_limit_comes_before_the_limit_at_any_cut():
    raw = b"GET / HTTP/1.1\r\n" + HOST + b"A: \x01" + b"x" * 1000 + b"\r\n\r\n"
    for step in (None, 1, 13):
        assert verdict(raw, step, head_max=500) == (-1, "control character in field value", 400)


def test_a_name_longer_than_eight_bits_is_one_name():
    """CVE-2021-40346: a length that wraps cuts one field in two."""
    name = b"Content-Length0" + b"a" * 255
    raw = b"POST / HTTP/1.1\r\n" + HOST + name + b":\r\nContent-Length: 3\r\n\r\nabc"
    head = Head()

    assert head.request(raw) == len(raw) - 3
    assert head.fields()[1] == (name, b"")
    assert head.content_length == 3


def test_a_name_may_fill_the_largest_head():
    name = b"a" * 65000
    raw = b"GET / HTTP/1.1\r\n" + HOST + name + b": b\r\n\r\n"
    head = Head(head_max=1 << 31)

    assert head.request(raw) == len(raw)
    assert head.fields()[1] == (name, b"b")
    assert Head(head_max=1 << 31).request(padded(65535)) == 65535
    assert Head(head_max=1 << 31).request(padded(65536)) == -1
