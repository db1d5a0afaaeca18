"""All meters: hostile answers read nothing beyond their input, and cost the same at any cut.

Method: meter_fuzz.c shuffles answers from pieces of all dialects, under address and
undefined-behaviour sanitizers, every input in an allocation of its exact size, into each dialect,
operation and framing; whole, byte by byte and at random cuts must say the same.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [source for name in ("json*", "dialect*", "bpe*", "sse", "ndjson", "bedrock_chunk",
                               "event_stream", "crc32", "hash", "tier", "form", "sample",
                               "writing", "quotes")
           for source in sorted(ROOT.glob(f"csrc/fgw_{name}.c"))]  # fmt: skip
SEED = 20261121


def test_hostile_answers_are_read_within_bounds_and_alike_at_any_cut(tmp_path):
    if not shutil.which("gcc"):
        pytest.skip("no gcc here")
    target = tmp_path / "fuzz"
    built = subprocess.run(
        ["gcc", "-std=c11", "-g", "-O1", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all", "-I", ROOT / "csrc", "-o", target,
         Path(__file__).with_name("meter_fuzz.c"), *SOURCES], capture_output=True, text=True)
    if built.returncode and "sanitize" in built.stderr + built.stdout:
        pytest.skip(f"gcc with sanitizers is not at hand: {built.stderr[-200:]}")
    assert not built.returncode, built.stderr
    print("seed", SEED)
    done = subprocess.run([target, "6000", str(SEED)], capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr[-3000:]
