"""Hashes: SHA-256 against hashlib, SipHash-2-4 against a plain reading of the paper.

Method: every length up to several blocks and random longer ones; the reference for SipHash below
is checked itself against the vector that the paper prints.
"""

import ctypes
import hashlib
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from scan_native import library  # noqa: E402

SEED = 3
MASK = (1 << 64) - 1
PAPER_KEY = bytes(range(16))


def siphash(key: bytes, message: bytes, wide: bool) -> bytes:
    def rounds(count):
        def rotate(word, by):
            return (word << by | word >> (64 - by)) & MASK

        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    text = b"somepseudorandomlygeneratedbytes"
    v = [int.from_bytes(text[at : at + 8], "big") for at in (0, 8, 16, 24)]
    v = [v[0] ^ k0, v[1] ^ k1 ^ (0xEE if wide else 0), v[2] ^ k0, v[3] ^ k1]
    padded = message + bytes(-(len(message) + 1) % 8) + bytes([len(message) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xEE if wide else 0xFF
    rounds(4)
    digest = (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")
    if wide:
        v[1] ^= 0xDD
        rounds(4)
        digest += (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")
    return digest


def messages():
    rng = random.Random(SEED)
    yield from (rng.randbytes(length) for length in range(300))
    yield from (rng.randbytes(rng.randrange(300, 20_000)) for _ in range(20))


def test_sha256_is_that_of_hashlib():
    out = ctypes.create_string_buffer(32)
    for message in messages():
        library().fgw_sha256(message, ctypes.c_size_t(len(message)), out)
        assert out.raw == hashlib.sha256(message).digest(), len(message)


def test_siphash_gives_the_value_printed_in_the_paper():
    """Aumasson, Bernstein, SipHash, appendix A: key 00..0f, message 00..0e."""
    message = bytes(range(15))
    got = library().fgw_siphash64(PAPER_KEY, message, ctypes.c_size_t(15))

    assert got == 0xA129CA6149BE45E5
    assert siphash(PAPER_KEY, message, wide=False) == got.to_bytes(8, "little")


def test_siphash_gives_the_published_128_bit_value_of_the_empty_message():
    """First row of vectors_sip128 of the reference implementation."""
    expected = bytes.fromhex("a3817f04ba25a8e66df67214c7550293")
    out = (ctypes.c_uint64 * 2)()

    library().fgw_siphash128(PAPER_KEY, b"", ctypes.c_size_t(0), out)

    assert bytes(out) == expected == siphash(PAPER_KEY, b"", wide=True)


def test_siphash_is_that_of_the_reference_at_every_length():
    rng, out = random.Random(SEED), (ctypes.c_uint64 * 2)()
    for message in messages():
        key = rng.randbytes(16)
        size = ctypes.c_size_t(len(message))
        narrow = library().fgw_siphash64(key, message, size).to_bytes(8, "little")
        library().fgw_siphash128(key, message, size, out)
        if len(message) < 300:
            assert narrow == siphash(key, message, wide=False), len(message)
            assert bytes(out) == siphash(key, message, wide=True), len(message)


def test_comparison_sees_a_difference_in_any_byte():
    equal = library().fgw_equal_constant_time
    left = bytes(range(32))

    assert equal(left, left, ctypes.c_size_t(32)) == 1
    for at in range(32):
        right = bytearray(left)
        right[at] ^= 0x80
        assert equal(left, bytes(right), ctypes.c_size_t(32)) == 0
