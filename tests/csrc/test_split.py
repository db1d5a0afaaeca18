"""All splitters: hostile streams read nothing beyond their input, and give the same at any cut.

Method: split_fuzz.c shuffles streams from pieces of each framing, messages with lengths that lie
among them, under address and undefined-behaviour sanitizers, every input in an allocation of its
exact size; whole, byte by byte and at random cuts must give the same pieces, joined.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [ROOT / f"csrc/fgw_{name}.c"
           for name in ("sse", "ndjson", "json_array", "event_stream", "crc32")]
SEED = 20261121


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_hostile_streams_are_read_within_bounds_and_alike_at_any_cut(compiler, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    target = tmp_path / "fuzz"
    built = subprocess.run(
        [compiler, "-std=c11", "-g", "-O1", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all", "-I", ROOT / "csrc", "-o", target,
         Path(__file__).with_name("split_fuzz.c"), *SOURCES], capture_output=True, text=True)
    if built.returncode and "sanitize" in built.stderr + built.stdout:
        pytest.skip(f"{compiler} with sanitizers is not at hand: {built.stderr[-200:]}")
    assert not built.returncode, built.stderr
    print("seed", SEED)
    done = subprocess.run([target, "8000", str(SEED)], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr[-3000:]
