"""The rule index as a file that someone damaged: it is refused, or walked without harm.

Method: a sound index of all kinds of keys is written to a file; a C program under ASan and UBSan
changes bytes of it and walks what its verifier lets pass. (What a walk finds: tests/policy.)
"""

import subprocess
from pathlib import Path

import pytest

from fastgw.policy.index import HAS, NETWORK, NUMBER, PREFIX, RANGE, TEXT, Atom, build

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [ROOT / "csrc/fgw_index.c", *sorted(ROOT.glob("csrc/fgw_cel*.c")),
           *sorted(ROOT.glob("csrc/fgw_regex*.c")), ROOT / "csrc/fgw_glob.c"]


def sound_index() -> bytes:
    rules = []
    for i in range(60):
        rules.append([[frozenset([Atom(TEXT, 0, b"m%d" % i), Atom(NUMBER, 1, i % 2)])],
                      [frozenset([Atom(PREFIX, 2, b"other-%d" % i)])],
                      [frozenset([Atom(RANGE, 3, (i, i + 20))])],
                      [frozenset([Atom(HAS, 4)]), frozenset([Atom(NETWORK, 5, (bytes(16), i))])],
                      None][i % 5])
    return build(rules, 6).block


def test_a_damaged_index_is_refused_or_walked_without_harm(tmp_path):
    (tmp_path / "index").write_bytes(sound_index())
    target = tmp_path / "fuzz"
    built = subprocess.run(
        ["gcc", "-std=c11", "-g", "-O1", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all", "-I", ROOT / "csrc", "-o", target,
         Path(__file__).with_name("index_fuzz.c"), *SOURCES, "-lm"],
        capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"gcc with sanitizers is not at hand: {built.stderr[-200:]}")

    done = subprocess.run([target, tmp_path / "index", "30000"], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr[-3000:]
    print(done.stdout)
