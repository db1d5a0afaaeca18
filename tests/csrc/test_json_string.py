"""Strings of the JSON scan: what is kept is the decoded text, whole characters counted, wherever
the cut falls.

Method: random texts in random encodings (raw, escaped, surrogate pairs), every two-way cut.
"""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from scan_native import TEXT, Scan  # noqa: E402

SEED = 7


def encode(text: str, rng: random.Random) -> bytes:
    out = b""
    for character in text:
        if character in '"\\' or rng.random() < 0.3:
            units = character.encode("utf-16-be")
            for at in range(0, len(units), 2):
                digits = units[at : at + 2].hex()
                out += b"\\u" + (digits.upper() if rng.random() < 0.5 else digits).encode()
        else:
            out += character.encode()
    return b'["' + out + b'"]'


def test_every_cut_gives_the_same_text():
    print("seed", SEED)
    rng = random.Random(SEED)
    scan = Scan({1: {"element": 2}, 2: {"slot": 0, "text": TEXT}}, {0: (3, 12)})
    for _ in range(60):
        text = "".join(rng.choices('ab"\\\u00e9\u07ff\u0800\uffff\U00010000\U0010ffff~', k=8))
        document = encode(text, rng)
        for at in range(len(document) + 1):
            assert scan.read(document[:at], document[at:]) == 0
            assert scan.slot(0)["count"] == scan.sums()["text_bytes"] == len(text.encode())
            assert scan.text(0) == text.encode()[:12]


def test_every_byte_pair_after_a_lead_byte_is_judged_as_by_python():
    scan = Scan({1: {}})
    for lead in range(0x80, 0x100):
        for second in range(0x70, 0xD0, 3):
            for tail in (b"", b"\x80", b"\x80\x80"):
                raw = bytes([lead, second]) + tail
                try:
                    raw.decode()
                    expected = 0
                except UnicodeDecodeError:
                    expected = -1
                assert scan.read(b'"' + raw + b'"') == expected, raw
                assert scan.read(b'"' + raw[:1], raw[1:] + b'"') == expected, raw
