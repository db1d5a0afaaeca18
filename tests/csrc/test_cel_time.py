"""Timestamps and durations of CEL against datetime and zoneinfo.

Method: instants spread over the years 1 to 9999, those around every change of some zones, and
random ones; texts are written and read by both. Ranges and malformed texts by hand.
"""

import random
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from tests.csrc.cel_calls import call, i, s

SEED = 20261121
FIRST, LAST = -62135596800, 253402300799
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instants(count, first=FIRST, last=LAST):
    chance = random.Random(SEED)
    print("seed", SEED)
    return [first, last, 0, -1, 951782400, 951868799, 4107542400] + [
        chance.randrange(first, last) for _ in range(count)]


def moment(seconds, zone=UTC):
    return (EPOCH + timedelta(seconds=seconds)).astimezone(zone)


def stamp(seconds, nanos=0):
    return "timestamp", (seconds, nanos)


def test_text_of_a_timestamp_and_back():
    for seconds in instants(300):
        text = moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")

        assert call("STRING", stamp(seconds)) == ("string", text)
        assert call("TIMESTAMP", s(text)) == ("timestamp", seconds, 0)
    assert call("STRING", stamp(0, 1)) == ("string", "1970-01-01T00:00:00.000000001Z")
    assert call("STRING", stamp(0, 500_000_000)) == ("string", "1970-01-01T00:00:00.5Z")


@pytest.mark.parametrize("text", [
    "2024-02-29T12:00:00+05:30", "2000-02-29T00:00:00.123456-11:59", "1999-12-31T23:59:59.9Z",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_offsets_and_fractions(text):
    wanted = datetime.fromisoformat(text)
    ahead = wanted - EPOCH
    seconds = ahead // timedelta(seconds=1)

    assert call("TIMESTAMP", s(text)) == ("timestamp", seconds, ahead.microseconds * 1000)


@pytest.mark.parametrize("text", [
    "", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
    "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-01-00T00:00:00Z",
    "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01 00:00:00Z",
    "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00z", "24-01-01T00:00:00Z",
    "2024-1-01T00:00:000Z", "2024-01-01T00:00:00+2:00", "2024-01-01T00:00:00+02:00x",
    "10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "+024-01-01T00:00:00Z",
    "2024-01-01T00:00:00+24:00"])
def test_what_is_no_timestamp(text):
    assert call("TIMESTAMP", s(text)) == ("error", "PARSE")


def fields(at):
    return {"GET_FULL_YEAR": at.year, "GET_MONTH": at.month - 1, "GET_DATE": at.day,
            "GET_DAY_OF_MONTH": at.day - 1, "GET_DAY_OF_WEEK": at.isoweekday() % 7,
            "GET_DAY_OF_YEAR": at.timetuple().tm_yday - 1, "GET_HOURS": at.hour,
            "GET_MINUTES": at.minute, "GET_SECONDS": at.second}


def test_fields_in_utc():
    for seconds in instants(120):
        for name, wanted in fields(moment(seconds)).items():
            assert call(name, stamp(seconds, 987654321)) == ("int", wanted), (name, seconds)
    assert call("GET_MILLISECONDS", stamp(0, 987654321)) == ("int", 987)


@pytest.mark.parametrize("name", ["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns",
                                  "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Apia"])
def test_fields_in_a_zone(name):
    zone = ZoneInfo(name)
    early, late = -3_000_000_000, 5_000_000_000
    for seconds in instants(60, early, late):
        at = moment(seconds, zone)
        for kind in ("zone", "string"):  # at load, and looked up at run time
            for getter in ("GET_HOURS", "GET_MINUTES", "GET_DATE"):
                got = call(getter, stamp(seconds), (kind, name))
                assert got == ("int", fields(at)[getter]), (kind, getter, seconds)


def test_fixed_offsets():
    for text, minutes in (("+05:45", 345), ("-02:30", -150), ("02:00", 120), ("UTC", 0), ("", 0)):
        at = moment(1234567890, timezone(timedelta(minutes=minutes)))
        for name in ("GET_HOURS", "GET_MINUTES", "GET_DAY_OF_YEAR"):
            assert call(name, stamp(1234567890), s(text)) == ("int", fields(at)[name])
    for wrong in ("Mars/Olympus", "+25:00", "+2:00", "../etc/passwd", "é"):
        assert call("GET_HOURS", stamp(0), s(wrong)) == ("error", "ZONE")
    assert call("GET_HOURS", stamp(0), i(2)) == ("error", "TYPE")


HOUR = 3600 * 10**9


@pytest.mark.parametrize(("text", "nanoseconds"), [
    ("0", 0), ("1h", HOUR), ("1h30m", HOUR * 3 // 2), ("-1.5h", -HOUR * 3 // 2),
    ("2h45m30.5s", 9930_500_000_000), ("+5ms", 5_000_000), ("1us1µs1\u03bcs", 3000),
    (".5s", 500_000_000),
    ("1.s", 10**9), ("1ns", 1), ("9223372036854775807ns", 2**63 - 1),
    ("-9223372036854775808ns", -(2**63)), ("0.0000000001s", 0), ("1m1h", HOUR + 60 * 10**9)])
def test_durations(text, nanoseconds):
    sign = -1 if nanoseconds < 0 else 1
    seconds, rest = divmod(abs(nanoseconds), 10**9)
    assert call("DURATION", s(text)) == ("duration", sign * seconds, sign * rest)


@pytest.mark.parametrize(("text", "code"), [
    ("", "PARSE"), ("-", "PARSE"), ("1", "PARSE"), ("h", "PARSE"), (".s", "PARSE"),
    ("1d", "PARSE"),
    ("1h ", "PARSE"), ("1 h", "PARSE"), ("1h-5m", "PARSE"), ("9223372036854775808ns", "OVERFLOW"),
    ("2562048h", "OVERFLOW"), ("99999999999999999999h", "PARSE")])
def test_what_is_no_duration(text, code):
    assert call("DURATION", s(text)) == ("error", code)


def test_text_of_a_duration():
    for nanoseconds, text in ((0, "0s"), (10**15, "1000000s"), (1, "0.000000001s"),
                              (-1_500_000_000, "-1.5s"), (-(2**63), "-9223372036.854775808s")):
        assert call("STRING", ("duration", nanoseconds)) == ("string", text)


def test_fields_of_a_duration():
    long = ("duration", 10_000 * 10**9 + 321_456_789)
    assert call("GET_HOURS", long) == ("int", 2)
    assert call("GET_MINUTES", long) == ("int", 166)
    assert call("GET_SECONDS", long) == ("int", 10_000)
    assert call("GET_MILLISECONDS", long) == ("int", 321)
    assert call("GET_FULL_YEAR", long) == call("GET_HOURS", long, s("UTC")) == ("error", "TYPE")


def test_sums():
    second = ("duration", 10**9)
    nano = ("duration", 1)
    assert call("ADD", stamp(-1, 999_999_999), nano) == ("timestamp", 0, 0)
    assert call("SUB", stamp(0), nano) == ("timestamp", -1, 999_999_999)
    assert call("ADD", second, stamp(5, 7)) == ("timestamp", 6, 7)
    assert call("SUB", stamp(5), stamp(7, 1)) == ("duration", -2, -1)
    assert call("SUB", second, nano) == ("duration", 0, 999_999_999)
    assert call("ADD", stamp(LAST), second) == ("error", "OVERFLOW")
    assert call("SUB", stamp(FIRST), nano) == ("error", "OVERFLOW")
    assert call("SUB", stamp(LAST), stamp(FIRST)) == ("error", "OVERFLOW")
    assert call("SUB", ("duration", -(2**63)), nano) == ("error", "OVERFLOW")
    for name, a, b in (("ADD", stamp(0), stamp(0)), ("SUB", second, stamp(0)),
                       ("MUL", second, second), ("ADD", second, i(1)), ("SUB", stamp(0), i(1))):
        assert call(name, a, b) == ("error", "TYPE")


def test_order():
    assert call("LT", stamp(0, 1), stamp(0, 2)) == call("LT", stamp(-1, 9), stamp(0)) == (
        "bool", True)
    assert call("GE", ("duration", -1), ("duration", 0)) == ("bool", False)
    assert call("LT", stamp(0), ("duration", 0)) == ("error", "TYPE")
    assert call("EQ", stamp(0), ("duration", 0)) == ("bool", False)


def test_numbers_as_timestamps():
    assert call("TIMESTAMP", i(FIRST)) == ("timestamp", FIRST, 0)
    assert call("TIMESTAMP", i(LAST + 1)) == ("error", "OVERFLOW")
    assert call("INT", stamp(-5, 999)) == ("int", -5)
