"""Packing: records come back bit for bit; damaged bytes give an error, never a read too far.

Method: random records of all kinds and arbitrary words; every cut and a flip of every byte of a
packed batch, against a page that cannot be read.
"""

import ctypes
import struct

from fastgw.ledger.records import Name, RequestId
from tests.csrc.ledger_native import Guarded, library, seeded
from tests.ledger.fabricate import Traffic, names


def pack(records: bytes) -> bytes:
    source = Guarded(records, align=8)  # as records are in any buffer of their own
    room = len(records) + len(records) // 4 + 64
    out = ctypes.create_string_buffer(room)
    written = library().fgw_pack(source.address, source.length, out)
    assert written <= room
    return out.raw[:written] if written >= 0 else b"refused"


def unpack(packed: bytes, room: int | None = None) -> bytes | None:
    source = Guarded(packed)
    size = library().fgw_unpacked_size(source.address, source.length)
    if size < 0:
        return None
    room = size if room is None else room
    target = Guarded(bytes(room))
    written = library().fgw_unpack(source.address, source.length, target.address, target.length)
    return ctypes.string_at(target.address, written) if written >= 0 else None


def random_record(draw) -> bytes:
    size = 8 * draw.randrange(5, 513)
    words = [
        draw.choice([0, 0, 0, draw.getrandbits(8), draw.getrandbits(64)]) for _ in range(size // 8)
    ]
    raw = bytearray(struct.pack(f"<{size // 8}Q", *words))
    struct.pack_into("<IBBH", raw, 0, size, draw.randrange(1, 8), 1, 0)
    return bytes(raw)


def test_traffic_comes_back_and_is_a_fifth_or_less():
    traffic = Traffic(1)
    records = b"".join(names()) + b"".join(raw for _ in range(300) for raw in traffic.one())

    packed = pack(records)
    assert unpack(packed) == records
    assert len(packed) * 5 < len(records)


def test_any_words_come_back_within_the_room_promised():
    draw = seeded("pack")
    for _ in range(300):
        records = b"".join(random_record(draw) for _ in range(draw.randrange(1, 8)))

        assert unpack(pack(records)) == records


def test_nothing_packs_to_nothing():
    assert pack(b"") == b"" and unpack(b"") == b""


def test_bytes_that_are_no_records_are_refused():
    good = Name(2, 1, 0, "gpt-4o", RequestId(1, 0, 1)).pack()

    for wrong in (good[:-8], good[:20], b"\0" * 40, good + b"\1", b"\x49" + good[1:]):
        assert pack(wrong) == b"refused"


def test_every_cut_of_a_batch_is_refused_or_gives_a_prefix():
    traffic = Traffic(2)
    records = b"".join(raw for _ in range(4) for raw in traffic.one())
    packed = pack(records)

    for cut in range(len(packed)):
        got = unpack(packed[:cut])
        assert got is None or (len(got) < len(records) and records.startswith(got))


def test_every_flipped_byte_stays_within_bounds():
    draw = seeded("flips")
    traffic = Traffic(3)
    packed = pack(b"".join(raw for _ in range(3) for raw in traffic.one()))

    for at in range(len(packed)):
        damaged = bytearray(packed)
        damaged[at] ^= draw.randrange(1, 256)
        unpack(bytes(damaged))
        unpack(bytes(damaged), room=100)
