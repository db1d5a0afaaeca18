"""The gate holds: the same work passes, doubled work fails, and counts repeat exactly.

Method: made-up benches are recorded, then run again as they were and with their work doubled,
through the gate's own command. Judging is also tested as arithmetic, at its edges.
"""

import json
import shutil
import subprocess

import pytest

from benchmarks import callgrind, gate, measure

NEEDS = pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is missing")
WORK = """
import hashlib, os
N = 50
def setup():
    global block
    block = bytes(4096)
def once():
    hashlib.sha256(block).digest()
    os.getppid()
def run(n):
    for _ in range(n):
        once()
"""
DOUBLED = WORK.replace("        once()", "        once()\n        once()")


def run(folder, *words):
    return gate.main([*words, "--no-live", "--folder", str(folder)])


@NEEDS
def test_the_gate_passes_the_same_work_and_fails_doubled_work(tmp_path, capsys):
    bench = tmp_path / "instr_work.py"
    bench.write_text(WORK)

    assert run(tmp_path, "--update") == 0
    assert run(tmp_path) == 0
    capsys.readouterr()
    bench.write_text(DOUBLED)
    assert run(tmp_path) == 1

    said = capsys.readouterr().out
    for what in ("instructions", "allocations", "syscalls"):
        assert any(what in line and line.startswith("FAILED") for line in said.splitlines()), said


@NEEDS
def test_counts_repeat_exactly_and_know_their_operation(tmp_path):
    bench = tmp_path / "instr_work.py"
    bench.write_text(WORK)

    first, second = measure.measure(bench), measure.measure(bench)

    assert first == second
    assert first.syscalls == 1.0
    assert 1 <= first.allocations <= 10
    assert first.instructions > 4096  # SHA-256 needs more than one instruction a byte


@NEEDS
def test_a_bench_without_a_budget_and_a_budget_without_a_bench_fail(tmp_path, capsys):
    (tmp_path / "instr_work.py").write_text(WORK)

    assert run(tmp_path) == 1
    assert "has no budget" in capsys.readouterr().out
    assert run(tmp_path, "--update") == 0
    (tmp_path / "instr_work.py").rename(tmp_path / "instr_other.py")
    assert run(tmp_path) == 1
    assert "a budget without its bench" in capsys.readouterr().out


def test_a_broken_bench_is_named_and_fails_in_ci(tmp_path, capsys, monkeypatch):
    (tmp_path / "instr_broken.py").write_text("def setup(): raise OSError('no such thing')\n")
    monkeypatch.setenv("CI", "true")

    assert run(tmp_path) == 1
    assert "instr_broken" in capsys.readouterr().out


@pytest.mark.parametrize("measured, passes", [(1000, True), (1031, True), (1033, False),
                                              (900, True), (2000, False)])
def test_instructions_may_exceed_their_budget_by_three_percent(measured, passes):
    [verdict] = gate.judge("x", {"instructions": measured}, {"instructions": 1000})

    assert verdict.passed is passes


def test_one_allocation_more_fails_and_a_lower_figure_asks_to_tighten():
    [more] = gate.judge("x", {"allocations": 4.0}, {"allocations": 3.0})
    [less] = gate.judge("x", {"allocations": 2.0}, {"allocations": 3.0})

    assert not more.passed and less.passed
    assert "tighten" in str(less)


def test_another_interpreter_moves_only_the_bound_on_all_instructions():
    figures, budget = {"instructions": 1100, "ours": 110}, {"instructions": 1000, "ours": 100}

    everything, ours = gate.judge("x", figures, budget, same_interpreter=False)

    assert everything.passed and not ours.passed


@NEEDS
def test_each_interpreter_has_budgets_of_its_own_and_a_new_one_the_largest(
        tmp_path, capsys, monkeypatch):
    (tmp_path / "instr_work.py").write_text(WORK)
    path = tmp_path / "budgets.json"
    monkeypatch.setattr(gate, "interpreter", lambda: "leaner")
    assert run(tmp_path, "--update") == 0
    monkeypatch.setattr(gate, "interpreter", lambda: "richer")
    assert run(tmp_path, "--update") == 0
    budgets = json.loads(path.read_text())
    assert set(budgets["benches"]) == {"leaner", "richer"}
    budgets["benches"]["leaner"]["work"]["instructions"] /= 1.1
    path.write_text(json.dumps(budgets))
    capsys.readouterr()

    judged = {}
    for name in ("leaner", "richer", "never seen"):
        monkeypatch.setattr(gate, "interpreter", lambda name=name: name)
        judged[name] = run(tmp_path)

    assert judged == {"leaner": 1, "richer": 0, "never seen": 0}
    [failed] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILED")]
    assert " instructions " in failed


def test_callgrind_costs_are_the_callers_own():
    text = """version: 1
events: Ir
ob=(1) /lib/a.so
fl=(1) a.c
fn=(1) outer
10 5
+2 7
cob=(2) /lib/b.so
cfn=(2) inner
calls=1 0
* 100
-1 1
ob=(2)
fn=(2)
0x4f 100

totals: 113
"""
    costs = callgrind.read(text)

    assert costs.objects == {"/lib/a.so": 13, "/lib/b.so": 100}
    assert costs.functions == {"outer": 13, "inner": 100}
    with pytest.raises(ValueError):
        callgrind.read(text.replace("113", "114"))


def test_the_recorded_budgets_are_whole():
    budgets = json.loads((measure.HERE / "budgets.json").read_text())

    assert len({frozenset(table) for table in budgets["benches"].values()}) == 1
    for table in budgets["benches"].values():
        for name, figures in table.items():
            assert set(figures) == {"instructions", "ours", "allocations", "syscalls"}, name
            assert figures["instructions"] >= figures["ours"] >= 0, name


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is missing")
def test_the_counters_see_each_process_apart(tmp_path):
    code = ("import os\nif os.fork() == 0:\n    for _ in range(500): os.getppid()\n"
            "    os._exit(0)\nos.wait()")
    counts = tmp_path / "counts"
    counts.mkdir()

    subprocess.run([measure.sys.executable, "-S", "-c", code], check=True,
                   env=measure.environment(LD_PRELOAD=str(measure.library("count")),
                                           BENCH_COUNT_DIR=str(counts)))

    from benchmarks import live
    calls = sorted(page[1] for page in live.pages(counts).values())
    assert len(calls) == 2
    assert any(500 <= n < 520 for n in calls)
