"""Policy, detect and tokenizers in figures, beside the libraries that do something like it.

    python -m benchmarks.tables [--rules 100000]

Method: each figure is the best of several short runs, so that the whole takes half a minute; the
same expressions, rules and texts for everybody. What is not installed (extra: bench, and
`hyperscan`) is left out. 100,000 rules take a minute to compile: --rules asks for them.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import importlib
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from benchmarks.bench_detect import PROSE
from benchmarks.bench_policy import expressions, nested
from benchmarks.policies import MANY_FACTS, many
from benchmarks.texts import writings
from fastgw.policy import policy as room
from fastgw.policy.bindings import Bindings
from fastgw.policy.compiler import compile_whole
from fastgw.policy.policy import Policy
from fastgw.policy.trial import decide_often
from fastgw.usage import tokens
from tests.csrc.detect_native import Job

COUNTS = (10, 100, 1000, 10_000)
ONE_BY_ONE_MAX, PACKAGES_MAX = 10_000, 1000
SLOW_MAX = 100  # cel-python takes 10 ms to compile one, and 0.2 ms to evaluate it
ROUNDS, ROUND_S = 3, 0.1
CEL = (
    "ai.model == 'gpt-4o'",
    "ai.model.startsWith('gpt-') && ai.n > 1",
    "ai.model in ['a', 'b', 'gpt-4o'] && !(ai.user == 'x')",
    "ai.model.matches('^gpt-[0-9]+o?$')",
    "['a', 'b', 'c', 'd'].exists(x, x == ai.user)",
)
FACTS = {"ai.model": "gpt-4o", "ai.n": 2, "ai.user": "d"}
# What looks like the kinds of `detect`, without their check digits: for RE2 and Hyperscan.
PATTERNS = (
    r"sk-[A-Za-z0-9]{20,64}", r"AKIA[0-9A-Z]{16}", r"gh[pousr]_[A-Za-z0-9]{36}",
    r"xox[baprs]-[0-9A-Za-z-]{10,64}", r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b", r"\b(?:[0-9][ -]?){13,19}\b",
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}", r"\b[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\b",
    r"\+[0-9][0-9 ()-]{7,18}", r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.",
)


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one run of ``work``, the best of some rounds."""
    work()
    best = float("inf")
    for _ in range(ROUNDS):
        times, began = 0, time.process_time()
        while (spent := time.process_time() - began) < ROUND_S or not times:
            work()
            times += 1
        best = min(best, spent / times)
    return best


def beside(work: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds of one run of each, the best of rounds by turns: what else the machine does
    meets both."""
    best = [float("inf"), float("inf")]
    for _ in range(4 * ROUNDS):
        for i, each in enumerate((work, other)):
            times, began = 0, time.process_time()
            while (spent := time.process_time() - began) < ROUND_S / 4 or times < 2:
                each()
                times += 1
            best[i] = min(best[i], spent / times)
    return best[0], best[1]


def package(name: str) -> Any:
    """The module, None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def cel_programs(texts: list[str], facts: dict[str, Any]) -> dict[str, list[Callable[[], object]]]:
    """By package: a function for each text that evaluates it over ``facts``."""
    found: dict[str, list[Callable[[], object]]] = {}
    if (cel := package("cel")) is not None:
        known = cel.Context(variables=nested(facts))
        found["common-expression-language"] = [
            partial(cel.compile(text).execute, known) for text in texts]
    if len(texts) <= SLOW_MAX and (celpy := package("celpy")) is not None:
        environment = celpy.Environment()
        values = {name: celpy.json_to_cel(value) for name, value in nested(facts).items()}
        found["cel-python"] = [
            partial(environment.program(environment.compile(text)).evaluate, values)
            for text in texts]
    return found


def cel_table() -> str:
    """Nanoseconds of one evaluation; ours less what reading the clock takes."""
    others = cel_programs(list(CEL), FACTS)
    lines = ["\nCEL, ns an evaluation",
             f"{'':58}{'fastgw':>8}" + "".join(f"{name:>28}" for name in others)]
    nothing = timed("true")
    for i, text in enumerate(CEL):
        lines.append(f"{text:58}{max(1, timed(text) - nothing):>8}" + "".join(
            f"{seconds(programs[i]) * 1e9:>28.0f}" for programs in others.values()))
    return "\n".join(lines)


def timed(text: str) -> int:
    bindings = Bindings(FACTS)
    program = compile_whole(text, bindings.scope).program
    return min(program.timed(bindings.facts) for _ in range(500))


def index_table(counts: tuple[int, ...]) -> str:
    """Microseconds of one request, by number of rules."""
    others = [name for name in ("cel", "celpy") if package(name)]
    lines = ["\nrules, us a request",
             f"{'rules':>8}{'indexed':>10}{'one by one':>12}"
             + "".join(f"{'common-expression-language' if name == 'cel' else 'cel-python':>28}"
                       for name in others)]
    for count in counts:
        indexed = Policy(many(count))
        row = f"{count:>8}{_decides(indexed, 100):>10.2f}"
        if count <= ONE_BY_ONE_MAX:
            kept, room.INDEXED_RULES = room.INDEXED_RULES, count + 1
            try:
                row += f"{_decides(Policy(many(count)), 10):>12.2f}"
            finally:
                room.INDEXED_RULES = kept
        if count <= PACKAGES_MAX:
            programs = cel_programs(expressions(count), MANY_FACTS)
            row += "".join(f"{seconds(partial(_each, each)) * 1e6:>28.0f}"
                           for each in programs.values())
        lines.append(row)
    return "\n".join(lines)


def _each(programs: list[Callable[[], object]]) -> None:
    for program in programs:
        program()


def _decides(policy: Policy, often: int) -> float:
    return seconds(lambda: decide_often(policy, MANY_FACTS, often)) / often * 1e6


def detect_table() -> str:
    """MB/s over prose, and microseconds over an event of 260 bytes."""
    text = (PROSE * 6500).encode()
    body = orjson.dumps({"messages": [{"role": "user", "content": PROSE * 6500}]})
    event = text[:260]
    job, out = Job(), ctypes.create_string_buffer(len(body) + 100)

    def look() -> object:
        return job.lib.shim_document(job.shim, 0, body, ctypes.c_size_t(len(body)), out,
                                     ctypes.c_size_t(len(out)))

    rows: list[tuple[str, float, float | None]] = [
        ("fastgw: kinds, check digits, JSON", len(body) / seconds(look) / 1e6, None)]
    for name, scan in scanners().items():
        rows.append((name, len(text) / seconds(partial(scan, text)) / 1e6,
                     seconds(partial(scan, event)) * 1e6))
    lines = ["\ndetect over prose", f"{'':44}{'MB/s':>8}{'us an event':>14}"]
    for name, speed, each in rows:
        lines.append(f"{name:44}{speed:>8.0f}" + (f"{each:>14.2f}" if each else f"{'-':>14}"))
    return "\n".join(lines)


def scanners() -> dict[str, Callable[[bytes], object]]:
    """Libraries that look for PATTERNS: which match, no positions; Hyperscan as a stream too."""
    found: dict[str, Callable[[bytes], object]] = {
        "re: one alternation": re.compile("|".join(PATTERNS).encode()).findall}
    if (re2 := package("re2")) is not None:
        patterns = re2.Set.SearchSet()
        for pattern in PATTERNS:
            patterns.Add(pattern)
        patterns.Compile()
        found["google-re2: a set, no positions"] = patterns.Match
    if (hyperscan := package("hyperscan")) is not None:
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        database.compile(expressions=[pattern.encode() for pattern in PATTERNS],
                         ids=list(range(len(PATTERNS))),
                         flags=[hyperscan.HS_FLAG_SINGLEMATCH] * len(PATTERNS))
        found["hyperscan: block, no starts"] = lambda text: database.scan(
            text, match_event_handler=lambda *match: None)
    return found


def oracle(name: str) -> Any:
    """tiktoken's encoding out of our file, so that nothing is fetched; None: not installed."""
    tiktoken, published = package("tiktoken"), package("tiktoken_ext.openai_public")
    if tiktoken is None or published is None:
        return None
    ranks = {base64.b64decode(token): int(rank) for token, rank in
             map(bytes.split, tokens.published(name).splitlines())}
    fetch, published.load_tiktoken_bpe = published.load_tiktoken_bpe, lambda *_, **__: ranks
    try:
        return tiktoken.Encoding(**getattr(published, name)())
    finally:
        published.load_tiktoken_bpe = fetch


def token_table() -> str:
    """MB/s of counting, and how many times tiktoken's on the same text in the same run."""
    names = ("o200k_base", "cl100k_base")
    oracles = [oracle(name) for name in names]
    lines = ["\ntokens counted: MB/s, and that by tiktoken's encode_ordinary",
             f"{'':28}" + "".join(f"{name:>22}" for name in names)]
    for title, text in writings().items():
        raw, line = text.encode(), f"{title:28}"
        for name, theirs in zip(names, oracles, strict=True):
            count = partial(tokens.count, raw, name)
            if theirs is None:
                line += f"{len(raw) / seconds(count) / 1e6:>14.1f}{'-':>8}"
                continue
            if len(theirs.encode_ordinary(text)) != count():
                raise AssertionError(f"{title}: another count than tiktoken's")
            ours, other = beside(count, partial(theirs.encode_ordinary, text))
            line += f"{len(raw) / ours / 1e6:>14.1f}{other / ours:>7.1f}x"
        lines.append(line)
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.tables")
    parser.add_argument("--rules", type=int, default=0, help="one more number of rules")
    asked = parser.parse_args(words)
    print(cel_table(), flush=True)
    print(index_table((*COUNTS, asked.rules) if asked.rules else COUNTS), flush=True)
    print(detect_table(), flush=True)
    print(token_table(), flush=True)


if __name__ == "__main__":
    main()
