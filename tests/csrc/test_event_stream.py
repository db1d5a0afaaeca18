"""AWS's event stream: whole messages with right sums, or a named error, wherever it is cut.

Method: recorded streams of Bedrock (../shared/vectors/streams, where present) and messages made
at random are fed whole, byte by byte, in two and at random cuts; botocore's decoder says what they
hold. Broken ones (a bit turned anywhere, lengths that lie, an end anywhere) must be refused where
it refuses them. Reading too far would hit a page without access.
"""

import random
import struct
import sys
import zlib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from scan_native import EVENT_STREAM, Split, cuts  # noqa: E402

STREAMS = Path(__file__).resolve().parents[3] / "shared/vectors/streams"
SEED = 20261121
OK, PRELUDE_CRC, TOO_SHORT, TOO_LONG, HEADERS, MESSAGE_CRC, TRUNCATED = range(7)
OTHER, EVENT, EXCEPTION, FAILURE = range(4)
KINDS = {"event": EVENT, "exception": EXCEPTION, "error": FAILURE}
NAMES = (":event-type", ":exception-type", ":error-code")


class FrameReader:
    """Messages as (type, name, payload), the offset after each, and the error if one came."""

    def __init__(self):
        self.split = Split(EVENT_STREAM)
        self.messages: list[tuple[int, bytes, bytes]] = []
        self.ends: list[int] = []
        self.faults = self.seen = 0
        self.name = self.payload = b""

    def feed(self, piece: bytes) -> None:
        for kind, fresh, dispatch, end, value in self.split.feed(piece):
            assert not self.faults, "nothing comes after a fault"
            if kind == "name":
                self.name = value if fresh else self.name + value
            elif kind == "data":
                assert fresh == (not self.payload)
                self.payload += value
            elif kind == "fault":
                self.faults += 1
            else:
                assert kind == "end" and dispatch
                self.messages.append((fresh, self.name, self.payload))  # fresh: the type
                self.ends.append(self.seen + end)
                self.name = self.payload = b""
        self.seen += len(piece)

    @property
    def error(self) -> int:
        return self.split.lib.shim_frames_error(self.split.state)

    def end(self) -> int:
        return self.split.lib.shim_frames_end(self.split.state)


def read(*pieces: bytes) -> FrameReader:
    reader = FrameReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


def header(name: bytes, kind: int, value: bytes) -> bytes:
    return bytes([len(name)]) + name + bytes([kind]) + value


def text(name: str, value: str) -> bytes:
    return header(name.encode(), 7, struct.pack("!H", len(value.encode())) + value.encode())


def message(headers: bytes, payload: bytes, *, total: int | None = None,
            headers_length: int | None = None) -> bytes:
    """One message; lengths that are given in place of the true ones have a right CRC."""
    total = 16 + len(headers) + len(payload) if total is None else total
    headers_length = len(headers) if headers_length is None else headers_length
    prelude = struct.pack("!II", total, headers_length)
    raw = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return raw + struct.pack("!I", zlib.crc32(raw))


def event(name: str, payload: bytes) -> bytes:
    return message(text(":event-type", name) + text(":content-type", "application/json")
                   + text(":message-type", "event"), payload)


def oracle(raw: bytes):
    """What botocore makes of it: messages, and whether it refused the rest."""
    eventstream = pytest.importorskip("botocore.eventstream")
    buffer, found = eventstream.EventStreamBuffer(), []
    buffer.add_data(raw)
    try:
        for got in buffer:
            kind = KINDS.get(got.headers.get(":message-type"), OTHER)
            name = next((got.headers[n] for n in got.headers if n in NAMES), "")
            found.append((kind, name.encode(), got.payload))
    except Exception:  # it raises what unpacking raises, besides its own
        return found, True
    return found, False


ONE = event("contentBlockDelta", b'{"delta":{"text":"hi"},"p":"abc"}')
TWO = message(text(":exception-type", "throttlingException") + text(":message-type", "exception"),
              b'{"message":"slow down"}')
THREE = message(text(":message-type", "error") + text(":error-code", "InternalError")
                + text(":error-message", "é"), b"")


def test_messages_come_whole_at_any_cut():
    raw = ONE + message(b"", b"") + TWO + THREE
    expected = [(EVENT, b"contentBlockDelta", b'{"delta":{"text":"hi"},"p":"abc"}'),
                (OTHER, b"", b""),
                (EXCEPTION, b"throttlingException", b'{"message":"slow down"}'),
                (FAILURE, b"InternalError", b"")]
    assert oracle(raw) == (expected, False)
    for pieces in cuts(raw, random.Random(SEED)):
        reader = read(*pieces)
        assert reader.messages == expected, pieces
        assert reader.ends == [len(ONE), len(ONE) + 16, len(ONE + TWO) + 16, len(raw)]
        assert (reader.error, reader.faults, reader.end()) == (OK, 0, OK)


def test_recorded_streams_give_the_messages_that_botocore_sees():
    found = sorted(STREAMS.glob("bedrock.*-stream.stream.*.bin"))
    if not found:
        pytest.skip("no ../shared/vectors here")
    for path in found:
        raw = path.read_bytes()
        expected, refused = oracle(raw)
        assert expected and not refused
        ways = [[raw], [raw[i : i + 1] for i in range(len(raw))]]
        ways += [[raw[i : i + size] for i in range(0, len(raw), size)] for size in (7, 100, 4093)]
        for pieces in ways:
            reader = read(*pieces)
            assert reader.messages == expected, path.name
            assert reader.end() == OK


def made_headers(rng: random.Random) -> bytes:
    """Headers of every type, with names around the longest that is known."""
    sizes = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    found, names = b"", set()
    for _ in range(rng.randrange(6)):
        kind = rng.randrange(10)
        name = rng.choice([b":event-type", b":message-type", b":exception-type", b":exception-typ",
                           b":exception-types", b"x", rng.randbytes(40).hex().encode()])
        if name in names or (names & set(map(str.encode, NAMES))
                             and name.decode() in NAMES):
            continue
        names.add(name)
        value = rng.randbytes(sizes.get(kind, 0))
        if kind in (6, 7):
            value = rng.choice([b"event", b"exception", b"eventevent", b"error", b"", b"q" * 300])
            value = struct.pack("!H", len(value)) + value
        if name.decode() in (*NAMES, ":message-type") and kind != 7:
            continue  # botocore gives a number or bytes there, which are no name
        found += header(name, kind, value)
    return found


def test_made_messages_are_what_botocore_sees():
    print("seed", SEED)
    rng = random.Random(SEED)
    for _ in range(200):
        raw = b"".join(message(made_headers(rng), rng.randbytes(rng.choice([0, 1, 50, 3000])))
                       for _ in range(rng.randrange(1, 5)))
        expected = oracle(raw)
        assert not expected[1]
        for pieces in list(cuts(raw, rng))[:: rng.randrange(1, 60)]:
            reader = read(*pieces)
            assert (reader.messages, reader.end()) == (expected[0], OK), pieces


@pytest.mark.parametrize("raw, error", [
    (ONE[:8] + b"\0\0\0\0" + ONE[12:], PRELUDE_CRC),
    (message(b"", b"", total=15), TOO_SHORT),
    (message(b"", b"", total=0), TOO_SHORT),
    (message(b"", b"x" * 10, headers_length=11), TOO_SHORT),
    (message(b"", b"", headers_length=0xFFFFFFFF), TOO_SHORT),
    (message(b"", b"", total=17 + (24 << 20)), TOO_LONG),
    (message(b"", b"", total=0xFFFFFFFF), TOO_LONG),
    (message(b"", b"", total=200_000, headers_length=(128 << 10) + 1), TOO_LONG),
    (ONE[:-1] + bytes([ONE[-1] ^ 1]), MESSAGE_CRC),
    (message(header(b"", 0, b""), b""), HEADERS),
    (message(header(b"a", 10, b""), b""), HEADERS),
    (message(header(b"a", 9, b"short"), b"payload enough for all of it"), HEADERS),
    (message(b"\x05name", b"payload"), HEADERS),
    (message(header(b"a", 7, b"\0"), b"payload"), HEADERS),
    (message(header(b"a", 7, b"\0\x09abc"), b"payload"), HEADERS),
    (message(header(b"a", 6, b"\xff\xff"), b"payload"), HEADERS),
])
def test_what_is_broken_is_named_and_nothing_is_read_behind_it(raw, error):
    for pieces in cuts(ONE + raw + ONE, random.Random(SEED)):
        reader = read(*pieces)
        assert (reader.error, reader.faults) == (error, 1), pieces
        assert reader.messages == [(EVENT, b"contentBlockDelta",
                                    b'{"delta":{"text":"hi"},"p":"abc"}')]
        assert reader.end() == error


def test_every_bound_itself_is_accepted():
    headers = b"".join(header(b"x%04d" % i, 6, struct.pack("!H", 65000) + bytes(65000))
                       for i in range(2))
    headers += header(b"y", 6, struct.pack("!H", (128 << 10) - len(headers) - 5)
                      + bytes((128 << 10) - len(headers) - 5))
    raw = message(headers, bytes(24 << 20))
    pieces = [raw[at : at + (1 << 20)] for at in range(0, len(raw), 1 << 20)]
    reader = read(*pieces)

    assert len(headers) == 128 << 10
    assert [len(payload) for _, _, payload in reader.messages] == [24 << 20]
    assert reader.end() == OK


def test_an_end_inside_a_message_is_a_truncation_and_nothing_of_it_counts():
    for at in range(len(ONE + TWO) + 1):
        reader = read((ONE + TWO)[:at])
        assert reader.end() == (OK if at in (0, len(ONE), len(ONE + TWO)) else TRUNCATED)
        assert len(reader.messages) == (at >= len(ONE)) + (at >= len(ONE + TWO))


def test_a_bit_turned_anywhere_is_seen():
    for bit in range(8 * len(ONE)):
        raw = bytearray(ONE)
        raw[bit // 8] ^= 1 << bit % 8
        reader = read(bytes(raw))
        assert reader.messages == []
        assert reader.error in (PRELUDE_CRC, MESSAGE_CRC, HEADERS), bit
