"""Wire kernels under ASan and UBSan, against a guard page, with SSE2 and without.

Method: tests/csrc/test_http1.c does the work (its first comment says what); here it is built twice
and run with a fixed seed over its own samples and, where they are, the vectors.
"""

import struct
import subprocess
from pathlib import Path

import pytest

from tests.wire.series import vectors

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    ROOT / "tests/csrc/test_http1.c",
    *sorted((ROOT / "csrc").glob("fgw_http1*.c")),
    ROOT / "csrc/fgw_chunk.c",
]
FLAGS = [
    "-std=c11",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    f"-I{ROOT / 'csrc'}",
]
ROUNDS, SEED = 60_000, 20260901


def build(path, *flags):
    subprocess.run(["gcc", *FLAGS, *flags, "-o", path, *map(str, SOURCES)], check=True)
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    rows = vectors("requests.jsonl") + vectors("responses.jsonl")
    path = tmp_path_factory.mktemp("http1") / "corpus"
    path.write_bytes(b"".join(struct.pack("<I", len(row["raw"])) + row["raw"] for row in rows))
    return path


def test_kernels_read_nothing_behind_their_input_and_agree_without_simd(tmp_path, corpus):
    said = {}
    for name, flags in (("simd", []), ("scalar", ["-DFGW_NO_SIMD"])):
        program = build(tmp_path / name, *flags)
        run = subprocess.run(
            [program, str(ROUNDS), str(SEED), corpus], capture_output=True, text=True, timeout=120
        )
        assert run.returncode == 0, f"{name}, seed {SEED}: {run.stderr[-3000:]}"
        said[name] = run.stdout
    assert said["simd"] == said["scalar"] != ""
