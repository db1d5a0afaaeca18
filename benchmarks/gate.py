"""The gate: what an operation may cost, in counts that do not depend on the machine's mood.

    python -m benchmarks.gate                all budgets; exits 1 when one is passed
    python -m benchmarks.gate NAME...        only these benches, with their dearest functions
    python -m benchmarks.gate --update ...   records what is measured as the new budget

A bench is a file benchmarks/instr_<name>.py with `setup()` and `run(n)`, or instr_<name>.c with
`bench_setup(void)` and `bench_run(size_t n)` for a kernel, or instr_<name>.pyx as the .py for what
only Cython can call. Measured are instructions (all, and those in our own compiled code),
allocations and system calls of one operation; then, on a running gateway, the system calls and
allocations of its worker per request and per event.

An interpreter brings its own instructions and its own flags for the compiler, so each has budgets
of its own (Debian's is hardened: our code is 1 to 4 % longer with it, while CPython's is shorter).
With one that was never recorded a bench is held to the largest budget that it has with any, what
lies in CPython within 20 %. Never judged: wall-clock time.
"""

import argparse
import json
import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import live, measure

HERE = Path(__file__).resolve().parent
# What may be measured above the budget: a share of it, and so much besides.
TOLERANCE = {
    "instructions": (0.03, 2.0), "ours": (0.03, 2.0), "allocations": (0.0, 0.05),
    "syscalls": (0.0, 0.05), "live syscalls": (0.03, 0.1), "live allocations": (0.05, 0.5),
}
OTHER_INTERPRETER = 0.20
ANY = "any interpreter"
LOWER = 0.95  # below this share of the budget the gate asks to tighten it


@dataclass(frozen=True)
class Verdict:
    """One figure against its budget."""

    name: str
    what: str
    measured: float
    budget: float | None
    tolerance: tuple[float, float]

    @property
    def passed(self) -> bool:
        if self.budget is None:
            return False
        share, besides = self.tolerance
        return self.measured <= self.budget * (1 + share) + besides

    def __str__(self) -> str:
        if self.budget is None:
            return f"FAILED {self.name}: {self.what} {self.measured:,} has no budget; --update it"
        change = self.measured / self.budget - 1 if self.budget else 0.0
        line = (f"{'ok    ' if self.passed else 'FAILED'} {self.name:22} {self.what:12}"
                f" {self.measured:>12,} of {self.budget:>12,} {change:+8.2%}")
        lower = self.measured < self.budget * LOWER - self.tolerance[1]
        return line + ("  lower: tighten the budget" if lower else "")


def interpreter() -> str:
    """What CPython's share of the instructions depends on, and the flags ours is compiled with."""
    return f"{platform.python_implementation()} {sys.version}"


def largest(tables: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure the largest that any of the tables has."""
    return {what: max(table[what] for table in tables if what in table)
            for what in {what: None for table in tables for what in table}}


def judge(name: str, figures: dict[str, float], budget: dict[str, float],
          same_interpreter: bool = True, prefix: str = "") -> list[Verdict]:
    """Each figure of one bench against its budget."""
    verdicts = []
    for what, measured in figures.items():
        tolerance = TOLERANCE[prefix + what]
        if what == "instructions" and not same_interpreter:
            tolerance = (OTHER_INTERPRETER, tolerance[1])
        verdicts.append(Verdict(name, what, measured, budget.get(what), tolerance))
    return verdicts


def benches(folder: Path, names: list[str]) -> dict[str, Path]:
    """The benches of a folder by name; all when no names are given."""
    found = {path.stem.removeprefix("instr_"): path for path in sorted(folder.glob("instr_*"))
             if path.suffix in (".py", ".c", ".pyx")}
    unknown = [name for name in names if name not in found]
    if unknown:
        raise SystemExit(f"no bench {', '.join(unknown)}; there are {', '.join(found)}")
    return {name: found[name] for name in names} if names else found


def figures_of(measured: measure.Measured) -> dict[str, float]:
    return {"instructions": measured.instructions, "ours": measured.ours,
            "allocations": measured.allocations, "syscalls": measured.syscalls}


class Gate:
    """One run: measures, judges, prints, and knows whether all was well."""

    def __init__(self, folder: Path, update: bool, verbose: bool):
        self.folder, self.update, self.verbose = folder, update, verbose
        self.path = folder / "budgets.json"
        self.budgets = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.failures: list[str] = []
        self.unmeasured: list[str] = []

    def judge(self, section: str, name: str, figures: dict[str, float], prefix: str = "") -> None:
        budgets = self.budgets.setdefault(section, {})
        with_this = ANY if section == "live" else interpreter()
        if self.update:
            budgets.setdefault(with_this, {})[name] = figures
        same = name in budgets.get(with_this, {})
        tables = [budgets[with_this]] if same else budgets.values()
        budget = largest([table[name] for table in tables if name in table])
        for verdict in judge(name, figures, budget, same, prefix):
            if verdict.measured or verdict.budget or not verdict.passed:
                print(verdict, flush=True)
            self.failures += [] if verdict.passed else [f"{name} {verdict.what}"]

    def run_benches(self, names: list[str]) -> None:
        chosen = benches(self.folder, names)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            running = {name: pool.submit(measure.measure, path) for name, path in chosen.items()}
        for name, future in running.items():
            try:
                measured = future.result()
            except measure.CannotMeasure as reason:
                self.unmeasured.append(str(reason))
                continue
            self.judge("benches", name, figures_of(measured))
            for function, cost in measured.functions.items() if self.verbose else ():
                print(f"         {cost:>12,.1f}  {function}")
        if not names:
            known = {name for table in self.budgets.get("benches", {}).values() for name in table}
            gone = known - set(chosen)
            self.failures += [f"{name}: a budget without its bench" for name in sorted(gone)]

    def run_live(self) -> None:
        try:
            measured = live.measure()
        except measure.CannotMeasure as reason:
            self.unmeasured.append(str(reason))
            return
        for name, figures in measured.items():
            self.judge("live", name, figures, "live ")

    def close(self) -> int:
        if self.update:
            self.path.write_text(json.dumps(self.budgets, indent=1, sort_keys=True) + "\n")
        for reason in dict.fromkeys(self.unmeasured):
            print(f"not measured: {reason}")
        if self.failures:
            print(f"gate: FAILED: {', '.join(self.failures)}")
            return 1
        if self.unmeasured and os.environ.get("CI") == "true":
            print("gate: FAILED: in CI everything is measured")
            return 1
        print("gate: ok" + (", as far as measured" if self.unmeasured else ""))
        return 0


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.gate", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--no-live", action="store_true", help="benches only")
    parser.add_argument("--folder", type=Path, default=HERE)
    asked = parser.parse_args(words)
    gate = Gate(asked.folder, asked.update, bool(asked.names))
    gate.run_benches(asked.names)
    if not asked.no_live and not asked.names:
        gate.run_live()
    return gate.close()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
