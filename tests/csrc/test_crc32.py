"""CRC-32: the sum that zlib has, however the bytes are cut.

Method: random bytes of every short length and some long ones, at any alignment, against zlib's.
"""

import ctypes
import random
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from scan_native import library  # noqa: E402

SEED = 20261121


def crc32(raw: bytes, crc: int = 0) -> int:
    return library().fgw_crc32(ctypes.c_uint32(crc), raw, ctypes.c_size_t(len(raw)))


def test_the_sum_is_zlibs_at_any_length_and_cut():
    print("seed", SEED)
    rng = random.Random(SEED)
    assert crc32(b"") == 0
    assert crc32(b"123456789") == 0xCBF43926
    for length in [*range(70), 1000, 4097, 100_003]:
        raw = rng.randbytes(length)
        at = rng.randrange(length + 1)
        assert crc32(raw) == zlib.crc32(raw)
        assert crc32(raw[at:], crc32(raw[:at])) == zlib.crc32(raw)
