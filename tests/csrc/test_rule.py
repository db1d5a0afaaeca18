"""The rule machine never leaves its memory, whatever program verify lets through.

Method: tests/csrc/test_rule.c makes random programs over arrays that are exactly as long as they
say, under ASan and UBSan, with a fixed seed. The same fuzzer without verify must crash: it has
teeth. The glob is compared with fnmatch.
"""

import fnmatch
import re
import subprocess
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as some

from fastgw.policy.program import glob_match

ROOT = Path(__file__).resolve().parents[2]
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
ROUNDS, SEED = 400_000, 20261121


def run(path, *flags, rounds=ROUNDS):
    subprocess.run(
        [
            "gcc",
            *FLAGS,
            *flags,
            "-o",
            path,
            str(ROOT / "tests/csrc/test_rule.c"),
            str(ROOT / "csrc/fgw_rule.c"),
        ],
        check=True,
    )
    return subprocess.run(
        [path, str(rounds), str(SEED)],
        capture_output=True,
        text=True,
        timeout=120,
        env={"ASAN_OPTIONS": "detect_leaks=0"},
    )


def test_verified_programs_stay_inside_their_memory(tmp_path):
    done = run(tmp_path / "rule")

    assert done.returncode == 0, f"seed {SEED}: {done.stderr[-3000:]}"
    accepted, decided = map(int, done.stdout.split())
    assert accepted > ROUNDS // 20 and decided > accepted // 20, (
        "the fuzzer makes too little sense"
    )


def test_the_fuzzer_finds_a_machine_without_verify(tmp_path):
    done = run(tmp_path / "blind", "-DBLIND", rounds=20_000)

    assert done.returncode != 0 and "Sanitizer" in done.stderr


@given(some.text("ab*é", max_size=8), some.text("abé", max_size=12))
@settings(deadline=None)
def test_glob_agrees_with_fnmatch(pattern, text):
    expected = re.match(fnmatch.translate(pattern), text) is not None

    assert glob_match(pattern, text) == expected


def test_glob_knows_no_wildcard_but_the_star():
    assert glob_match("gpt-4o", "gpt-4o") and not glob_match("gpt-4o", "gpt-4o-mini")
    assert glob_match("*", "") and not glob_match("", "x")
    assert not glob_match("a?c", "abc") and not glob_match("[ab]", "a")


def test_glob_of_many_stars_is_not_exponential():
    started = time.process_time()

    assert not glob_match("a*" * 120 + "b", "a" * 256)

    assert time.process_time() - started < 0.2
