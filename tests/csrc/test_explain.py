"""Explain: a refusal is written inside its room, whatever it says and however small that is.

Method: explain_fuzz.c makes random refusals, extremes often, under ASan and UBSan; what the
answers say is compared with a plain renderer in tests/explain.
"""

import subprocess

import pytest

from tests.csrc.shm_native import ROOT, STRICT, run

SEED = 20261121
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all",
              "-fno-omit-frame-pointer"]
SOURCES = [ROOT / "csrc/fgw_explain.c", *ROOT.glob("csrc/fgw_http1*.c"),
           *ROOT.glob("csrc/fgw_ascii*.c")]


def built(folder, *flags):
    target = folder / "explain_fuzz"
    subprocess.run(["gcc", *STRICT, *SANITIZERS, *flags, "-o", target,
                    ROOT / "tests/csrc/explain_fuzz.c", *SOURCES], check=True)
    return target


def test_random_refusals_stay_in_their_room(tmp_path):
    print("seed", SEED)
    said = run(built(tmp_path), 3000, SEED)

    assert said["rounds"] == 3000
    assert 10_000 < said["fitted"] < 20_000, "rooms that are too small, and such that are not"


def test_a_byte_too_many_is_caught(tmp_path):
    """The mutant: rooms are one byte smaller than the kernel is told."""
    path = built(tmp_path, "-DTOO_MANY=1")
    with pytest.raises(AssertionError, match="heap-buffer-overflow"):
        run(path, 3000, SEED)
