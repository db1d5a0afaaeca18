"""The CEL machine never leaves its memory nor its budgets, whatever verify lets through.

Method: tests/csrc/test_cel.c writes random programs of nested expressions and flips their bytes,
over blocks, facts and arenas that are exactly as long as they say, under ASan and UBSan, with a
fixed seed; some of them with every budget of steps and every size of arena. Without verify the
same fuzzer must crash: it has teeth. Then the dearest calls that are known, in a loop that never
ends by itself: the usual budget must end each in about 1 ms (measured 0.1-1.0 ms on the build
machine; asserted is 50 times that, as machines are busy).
"""

import random
import subprocess
from pathlib import Path

import pytest

from fastgw.policy.assemble import FUNCTIONS, OPS, Assembly
from fastgw.policy.program import EvaluationError, Program

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all", f"-I{ROOT / 'csrc'}"]
SOURCES = [ROOT / "tests/csrc/test_cel.c", ROOT / "csrc/fgw_glob.c",
           *sorted((ROOT / "csrc").glob("fgw_cel*.c")),
           *sorted((ROOT / "csrc").glob("fgw_regex*.c"))]
ROUNDS, SEED = 100_000, 20261121


def fuzz(path, *flags, rounds=ROUNDS):
    subprocess.run(["gcc", *FLAGS, *flags, "-o", path, *map(str, SOURCES)], check=True)
    return subprocess.run([path, str(rounds), str(SEED)], capture_output=True, text=True,
                          timeout=300, env={"ASAN_OPTIONS": "detect_leaks=0"})


def test_verified_programs_stay_inside_their_memory(tmp_path):
    done = fuzz(tmp_path / "cel")

    assert done.returncode == 0, f"seed {SEED}: {done.stderr[-3000:]}"
    accepted, mutants, values, short = map(int, done.stdout.split())
    assert accepted > ROUNDS * 0.9 and mutants > ROUNDS // 5
    assert values > accepted // 4 and short > ROUNDS // 4, "the fuzzer makes too little sense"


def test_the_fuzzer_finds_a_machine_without_verify(tmp_path):
    done = fuzz(tmp_path / "blind", "-DBLIND", rounds=5_000)

    assert done.returncode != 0 and ("Sanitizer" in done.stderr or "runtime error" in done.stderr)


def string(text):
    return {"type": "string", "value": text}


NUMBERS = {"type": "list", "value": [{"type": "int", "value": n} for n in range(40_000)]}
STRINGS = {"type": "list", "value": [string("abc")] * 1000}
PAIRS = {"type": "map", "value": [[string(f"k{n}"), string("v")] for n in range(300)]}
REAL = ("double", 1.2345678901234567e300)

# Operation, its constants, and one fact: each round of the loop calls it once.
DEAR = [
    ("CONTAINS", string("a" * 64_000), ("string", "a" * 20 + "b" + "a" * 20)),
    ("CONTAINS", string("ab" * 32_000), ("string", "ab" * 30 + "c")),
    ("LAST_INDEX_OF", string("a" * 64_000), ("string", "a" * 100 + "b")),
    ("INDEX_OF", string("é" * 32_000), ("string", "€")),
    ("SIZE", string("é" * 32_000)), ("REVERSE", string("é" * 500)), ("TRIM", string(" " * 900)),
    ("LOWER_ASCII", string("A" * 900)), ("SPLIT", string("a," * 200), ("string", ",")),
    ("REPLACE", string("a" * 200), ("string", "a"), ("string", "bb")),
    ("GLOB", string("a" * 2000), ("string", "*a*a*a*a*b")),
    ("MATCHES", string("abcdefgh" * 500), ("regex", "(a|b|c|d|e|f|g|h)*[ab].{8}[xy]")),
    ("MATCHES", string("lmnop" * 800), ("regex", "([a-z]|[b-y]|[c-x]|[d-w]){90}[01]")),
    ("MATCHES", string("xyz"), ("string", "(a|b|c|d|e|f|g|h)*[ab].{8}[xy]")),
    ("EQ", STRINGS, STRINGS), ("EQ", PAIRS, PAIRS), ("EQ", string("a" * 60_000), None),
    ("IN", None, NUMBERS), ("DISTINCT", STRINGS), ("SORT", STRINGS), ("FLATTEN", STRINGS),
    ("ADD", STRINGS, None), ("ADD", string("abc"), None), ("JOIN", STRINGS),
    ("STRING", REAL), ("STRING", ("double", 5e-324)),
    ("DOUBLE", ("string", "1." + "2345678901" * 80 + "e-300")),
    ("FORMAT", ("string", "%.1000f"), {"type": "list", "value": [{"type": "double",
                                                                  "value": 5e-324}]}),
    ("FORMAT", ("string", "%s"), {"type": "list", "value": [PAIRS]}),
    ("GET_HOURS", ("timestamp", (1234567890, 0)), ("zone", "Europe/Berlin")),
    ("TIMESTAMP", ("string", "2024-02-29T12:00:00.123+05:30")),
    ("DURATION", ("string", "1ns" * 500)), ("IP_IS_CANONICAL", ("string", "2001:db8:1:2:3:4:5:6")),
    ("SQRT", ("double", 2.0)), ("QUOTE", string('a"' * 400)), ("RANDOM",),
]


def endless(name, operands):
    """`numbers.map(_, numbers.map(_, f(operands)))`, without its list; and the facts."""
    facts = [NUMBERS]
    assembly = Assembly(1 + len(operands))
    loops = []
    for _ in range(2):
        slot = assembly.slots(3)
        assembly.emit("FACT", at=0)
        iterate = assembly.emit("ITERATE", at=slot)
        assembly.emit("CONSTANT", at=assembly.constant("bool", True))
        loops.append((iterate, assembly.emit("NEXT", at=slot, arg=1)))
    for operand in operands:
        if isinstance(operand, tuple):
            assembly.emit("CONSTANT", at=assembly.constant(*operand))
        else:
            facts.append(operand or operands[0] or {"type": "double", "value": 0.5})
            assembly.emit("FACT", at=len(facts) - 1)
    if name in FUNCTIONS:
        assembly.emit("CALL", at=FUNCTIONS[name], arg=len(operands))
    else:
        assembly.emit(name)
    assembly.emit("CALL", at=FUNCTIONS["TYPE"], arg=1)
    assembly.emit("CONSTANT", at=assembly.constant("null", None))
    assembly.emit("NE")
    assembly.emit("AND")
    for iterate, following in reversed(loops):
        if (iterate, following) != loops[-1]:
            assembly.emit("AND")
        assembly.emit("LOOP", to=following)
        assembly.land(following)
        assembly.land(iterate)
    facts += [None] * (1 + len(operands) - len(facts))
    return Program(assembly.block()), facts


@pytest.mark.parametrize("case", DEAR, ids=lambda case: case[0].lower())
def test_the_usual_budget_ends_the_dearest_loop_soon(case):
    program, facts = endless(case[0], case[1:])
    arena = 1 << 26  # so that it is the steps that end it

    best = min(program.timed(facts, 100_000, arena) for _ in range(3))

    with pytest.raises(EvaluationError) as error:
        program.run(facts, arena=arena)
    assert error.value.code == "STEPS"
    assert best < 50_000_000, f"{best / 1e6:.1f} ms"


def test_every_instruction_costs_a_step():
    assembly = Assembly(0)
    for _ in range(20):
        assembly.emit("CONSTANT", at=assembly.constant("int", 1))
    for _ in range(19):
        assembly.emit("ADD")

    assert Program(assembly.block()).spent([]) == (39, 0)


def test_a_budget_that_is_spent_exactly_ends_a_pattern():
    """A client that knows the rules can make a match begin with no step left."""
    assembly = Assembly(1)
    assembly.emit("FACT", at=0)
    assembly.emit("CONSTANT", at=assembly.constant("regex", "[ab]*a[ab]{400}[cd]"))
    assembly.emit("CALL", at=FUNCTIONS["MATCHES"], arg=2)
    program = Program(assembly.block())
    chance = random.Random(7)
    facts = [string("".join(chance.choices("ab", k=20_000)))]  # ever new sets of 200 instructions

    whole = program.timed(facts, 2**32 - 1, 1 << 20)
    for steps in (7, 8):  # 3 of the instructions, 4 of the call
        assert program.timed(facts, steps, 1 << 20) < whole / 10
        with pytest.raises(EvaluationError) as error:
            program.run(facts, steps=steps)
        assert error.value.code == "STEPS"


def test_a_zone_that_only_the_request_names_costs_what_it_costs():
    """An unknown one is a search of files: a loop over such names ends the run soon."""
    assembly = Assembly(1)
    assembly.emit("CONSTANT", at=assembly.constant("timestamp", (0, 0)))
    assembly.emit("FACT", at=0)
    assembly.emit("CALL", at=FUNCTIONS["GET_HOURS"], arg=2)
    program = Program(assembly.block())

    assert program.spent([string("Europe/Berlin")])[0] == 507
    assert program.spent([string("Mars/Olympus")])[0] == 25_507
    assert program.spent([string("+02:00")])[0] == 7
    for steps, code in ((25_507, "ZONE"), (25_506, "STEPS"), (506, "STEPS")):
        with pytest.raises(EvaluationError) as error:
            program.run([string("Mars/Olympus")], steps=steps)
        assert error.value.code == code


def test_running_out_is_absorbed_by_nothing():
    assembly = Assembly(1)
    assembly.emit("FACT", at=0)
    assembly.emit("FACT", at=0)
    assembly.emit("ADD")
    assembly.emit("CALL", at=FUNCTIONS["SIZE"], arg=1)
    assembly.emit("CONSTANT", at=assembly.constant("int", 0))
    assembly.emit("EQ")
    assembly.emit("CONSTANT", at=assembly.constant("bool", True))
    assembly.emit("OR")
    program = Program(assembly.block())
    text = string("x" * 1000)

    assert program.run([text]) == {"type": "bool", "value": True}
    with pytest.raises(EvaluationError) as error:
        program.run([text], arena=1992)
    assert (error.value.code, error.value.instruction) == ("MEMORY", 2)
    assert program.run([text], arena=2000) == {"type": "bool", "value": True}
    with pytest.raises(EvaluationError) as error:
        program.run([text], steps=20)
    assert error.value.code == "STEPS"


def test_a_comprehension_that_appends_does_not_copy_its_list_again_and_again():
    assembly = Assembly(1)
    slot = assembly.slots(3)
    assembly.emit("FACT", at=0)
    iterate = assembly.emit("ITERATE", at=slot)
    assembly.emit("LIST")
    following = assembly.emit("NEXT", at=slot, arg=1)
    assembly.emit("LOAD", at=slot + 2)
    assembly.emit("APPEND")
    assembly.emit("LOOP", to=following)
    assembly.land(following)
    assembly.land(iterate)

    steps, used = Program(assembly.block()).spent([NUMBERS], 10**7, 1 << 26)

    assert steps <= 4 * 40_000 + 10 and used < 2 * 24 * 40_000


def test_bad_blocks_are_refused():
    assembly = Assembly(1)
    assembly.emit("FACT", at=0)
    good = assembly.block()
    Program(good)

    def refused(block):
        with pytest.raises(ValueError, match="could leave"):
            Program(block)

    refused(b"")
    refused(good[:31])
    refused(good[:-8])
    refused(b"CEL2" + good[4:])
    for build in (
            lambda a: a.emit("ADD"), lambda a: a.emit("FACT", at=1),
            lambda a: a.emit("CONSTANT", at=0), lambda a: a.emit("JUMP", to=9),
            lambda a: a.emit("LOAD", at=0), lambda a: a.emit("ITERATE", to=1),
            lambda a: a.emit("CALL", at=len(FUNCTIONS)), lambda a: a.emit("CALL", at=0, arg=0),
            lambda a: [a.emit("FACT"), a.emit("FACT")],
            lambda a: [a.emit("FACT") for _ in range(80)],
            lambda a: [a.emit("FACT"), a.emit("LOOP", to=0)],
            lambda a: [a.emit("JUMP", to=2), a.emit("FACT"), a.emit("FACT")]):
        wrong = Assembly(1)
        build(wrong)
        refused(wrong.block())
    sources = Assembly(0)
    sources.emit("SOURCE", at=15)
    block = bytearray(sources.block())
    Program(bytes(block))
    block[34] = 16
    refused(bytes(block))
    for op in range(len(OPS), 256):
        block = bytearray(good)
        block[32] = op
        refused(bytes(block))
