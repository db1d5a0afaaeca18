"""Packing: records come back bit for bit; damaged bytes give an error, never a read too far.

Method: random records of all kinds and arbitrary words; every cut and a flip of every byte of a
packed batch, against a page that cannot be read.
"""

import ctypes
import struct

from fastgw.ledger.records import NAME_QUOTE, Name, RequestId
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


def placed(records: list[bytes], position: int = 4096) -> bytes:
    """As they come out of a ring: each sequence is where the record before it ends."""
    out = b""
    for raw in records:
        out += raw[:8] + struct.pack("<Q", position + len(out)) + raw[16:]
    return out


def random_record(draw) -> bytes:
    size = 8 * draw.randrange(5, 513)
    words = [
        draw.choice([0, 0, 0, draw.getrandbits(8), draw.getrandbits(64)]) for _ in range(size // 8)
    ]
    raw = bytearray(struct.pack(f"<{size // 8}Q", *words))
    struct.pack_into("<IBBH", raw, 0, size, draw.randrange(1, 8), 1, 0)
    return bytes(raw)


def test_traffic_comes_back_and_is_a_ninth_or_less():
    traffic = Traffic(1)
    records = b"".join(names()) + b"".join(raw for _ in range(300) for raw in traffic.one())

    packed = pack(records)
    assert unpack(packed) == records
    assert len(packed) * 9 < len(records)


def test_what_is_expected_takes_two_bytes_a_record():
    """Heads are foretold: where a record stands, whose it is, what it follows."""
    traffic = Traffic(5)
    request, opened, closed = next(
        raws for raws in (traffic.one() for _ in range(50)) if len(raws) == 3
    )
    one = RequestId(1, 0, traffic.sequence)
    quote = Name(NAME_QUOTE, 1, 0, "{}", one, wall_ns=struct.unpack_from("<Q", closed, 32)[0])

    def again(raw: bytes, number: int) -> bytes:
        return raw[:24] + struct.pack("<Q", traffic.sequence + number) + raw[32:]

    run = [request, opened, quote.pack(), closed]
    once = placed(run)
    rounds = placed(run + [again(raw, n) for n in range(1, 11) for raw in run])

    assert unpack(pack(rounds)) == rounds
    assert len(pack(rounds)) == len(pack(once)) + 10 * len(run) * 2


def test_records_that_change_their_length_and_order_come_back():
    draw = seeded("order")
    traffic = Traffic(6)
    records = names() + [raw for _ in range(30) for raw in traffic.one()]
    records += [random_record(draw) for _ in range(30)]
    for _ in range(50):
        draw.shuffle(records)
        run = placed(records, 8 * draw.randrange(1 << 60))

        assert unpack(pack(run)) == run


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


def test_anything_at_all_stays_within_bounds():
    draw = seeded("anything")
    for _ in range(3000):
        noise = draw.randbytes(draw.randrange(1, 200))
        for marked in (noise, b"\2\0" + noise):
            size = unpack(marked)
            assert size is None or len(size) % 8 == 0
