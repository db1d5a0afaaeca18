"""Batches of builds before the format of today: read to the byte; damaged ones give an error,
never a read too far.

Method: the batches of a ledger that such a build wrote (tests/ledger/test_schema.py), every cut of
one and a flip of every byte of another, against a page that cannot be read.
"""

import gzip
import hashlib
import sqlite3
from pathlib import Path

from tests.csrc.ledger_native import seeded
from tests.csrc.test_pack import pack, unpack

LEDGER = Path(__file__).parents[1] / "ledger" / "ledger-4.sql.gz"
# Of all records, as the build that packed them unpacked them.
SHA256 = "ff47a005de9db2289adad380f45e44d1258fe4e599650ba61cbd5c960e02b1be"


def batches() -> list[bytes]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(gzip.decompress(LEDGER.read_bytes()).decode())
    return [packed for (packed,) in connection.execute("SELECT packed FROM batch ORDER BY id")]


def test_they_are_read_to_the_byte_and_come_back_in_half_the_room():
    records = [unpack(packed) for packed in batches()]

    assert hashlib.sha256(b"".join(records)).hexdigest() == SHA256
    for packed, raw in zip(batches(), records, strict=True):
        assert unpack(pack(raw)) == raw and len(pack(raw)) < len(packed)


def test_every_cut_is_refused_or_gives_a_prefix():
    packed = batches()[1][:1200]
    whole = unpack(batches()[1])
    for cut in range(len(packed)):
        got = unpack(packed[:cut])
        assert got is None or whole.startswith(got)


def test_every_flipped_byte_stays_within_bounds():
    draw = seeded("flips")
    packed = batches()[-1]
    for at in range(len(packed)):
        damaged = bytearray(packed)
        damaged[at] ^= draw.randrange(1, 256)
        unpack(bytes(damaged))
        unpack(bytes(damaged), room=100)
