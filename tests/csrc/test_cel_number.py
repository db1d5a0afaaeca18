"""Numbers of CEL: arithmetic, conversions and math.* against Python's own.

Method: doubles are drawn from all bit patterns and from the awkward places (powers of two and ten,
halves, denormals, the ends); the text must have the digits of repr() and read back as the same
double; %f and %e must be what Python's format() writes, which is exact. Integers around every
border of 64 bits go through every operator; Python's unbounded ones say what fits.
"""

import itertools
import math
import random
import struct

import pytest

from fastgw.policy.assemble import FUNCTIONS, Assembly
from tests.csrc.cel_calls import call, d, i, push, run, s

SEED = 20261121


def doubles(count):
    chance = random.Random(SEED)
    print("seed", SEED)
    for _ in range(count):
        how = chance.randrange(5)
        if how == 0:
            real = struct.unpack("<d", struct.pack("<Q", chance.getrandbits(64)))[0]
        elif how == 1:
            real = math.ldexp(1.0, chance.randrange(-1074, 1024))
        elif how == 2:
            real = float(f"{chance.randrange(10**chance.randrange(1, 18))}e"
                         f"{chance.randrange(-330, 300)}")
        elif how == 3:
            real = chance.randrange(10**6) / 8 + chance.choice([0, 0.05, 0.005, 1e-9])
        else:
            real = math.nextafter(10.0 ** chance.randrange(-300, 300),
                                  chance.choice([0, math.inf]))
        yield real


def digits(text):
    """(sign, digits, exponent) of a decimal text, however it is written."""
    sign = text.startswith("-")
    mantissa, _, exponent = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent or 0) - len(fraction)
    number = (whole + fraction).lstrip("0")
    stripped = number.rstrip("0")
    return sign, stripped, power + len(number) - len(stripped) if stripped else 0


def results(name, operands):
    """All results of one function over many operands, by one program."""
    assembly = Assembly(0)
    assembly.emit("LIST", at=len(operands))
    for row in operands:
        for operand in row:
            push(assembly, *operand)
        assembly.emit("CALL", at=FUNCTIONS[name], arg=len(row))
        assembly.emit("APPEND")
    return run(assembly, steps=10**7)


def test_a_double_as_text_is_the_shortest_that_reads_back():
    reals = [x for x in doubles(4000) if math.isfinite(x)]

    texts = [text for _, text in results("STRING", [(d(x),) for x in reals])]
    assert len(texts) == len(reals) > 3000
    for real, text in zip(reals, texts, strict=True):
        assert digits(text) == digits(repr(real)), real.hex()

    back = results("DOUBLE", [(s(text),) for text in texts])
    for real, (_, again) in zip(reals, back, strict=True):
        assert struct.pack("<d", again) == struct.pack("<d", real)


@pytest.mark.parametrize(("real", "text"), [
    (0.0, "0"), (-0.0, "-0"), (1.0, "1"), (-1.5, "-1.5"), (1e20, "100000000000000000000"),
    (1e21, "1e+21"), (0.0001, "0.0001"), (0.00001, "1e-05"), (5e-324, "5e-324"),
    (1.7976931348623157e308, "1.7976931348623157e+308"), (123456789.125, "123456789.125"),
    (math.inf, "Infinity"), (-math.inf, "-Infinity"), (math.nan, "NaN")])
def test_how_a_double_is_written(real, text):
    assert call("STRING", d(real)) == ("string", text)


@pytest.mark.parametrize("text", [
    "1", "-1.25", "+3", "1.", ".5", "1e5", "1E-5", "0.1e1", "00012.500",
    "2.2250738585072011e-308", "2.2250738585072014e-308", "4.9e-324", "2.4703282292062328e-324",
    "2.4703282292062327e-324", "9007199254740993", "9007199254740992.99999999999999999999",
    "1.7976931348623158e308", "179769313486231570000e288", "1" * 400 + "e-200",
    "0." + "0" * 400 + "123e300", "3." + "14159265" * 150, "1e-400",
    "9007199254740993." + "0" * 900 + "1", "9007199254740993." + "0" * 900])
def test_a_text_is_the_nearest_double(text):
    assert call("DOUBLE", s(text)) == ("double", float(text))


@pytest.mark.parametrize("text", [
    "", "-", ".", "e5", "1e", "1e+", "1.2.3", " 1", "1 ", "0x10", "1_0", "infinit", "1e400",
    "-1.8e308", "1" * 100_001])
def test_a_text_that_is_no_double(text):
    assert call("DOUBLE", s(text)) == ("error", "PARSE")


def test_fixed_and_scientific_digits_are_exact():
    chance = random.Random(SEED)
    rows, wanted = [], []
    for real in doubles(1500):
        if not math.isfinite(real):
            continue
        places = chance.choice([0, 1, 2, 3, 6, 17, 40])
        verb = chance.choice("fe")
        rows.append((s(f"%.{places}{verb}"), ("list", [d(real)])))
        wanted.append(format(real, f".{places}{verb}"))

    got = results("FORMAT", rows)

    assert [text for _, text in got] == wanted


EDGES = [0, 1, -1, 2, 3, 7, 10, 63, 2**31, -(2**31), 2**32, 2**53, 2**62, 2**63 - 1, -(2**63),
         -(2**63) + 1]
UNSIGNED = [0, 1, 2, 3, 7, 63, 2**31, 2**32, 2**53 + 1, 2**63, 2**64 - 1]


def expected(name, a, b):
    if name in ("DIV", "MOD"):
        if b == 0:
            return None
        size = abs(a) // abs(b) if name == "DIV" else abs(a) % abs(b)
        negative = (a < 0) != (b < 0) if name == "DIV" else a < 0
        return -size if negative else size
    return {"ADD": a + b, "SUB": a - b, "MUL": a * b}[name]


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "DIV", "MOD"])
def test_integers_are_exact_or_an_error(name):
    kinds = ("int", EDGES, -(2**63), 2**63), ("uint", UNSIGNED, 0, 2**64)
    for kind, numbers, low, high in kinds:
        for a, b in itertools.product(numbers, numbers):
            number = expected(name, a, b)
            wanted = ("error", "DIVIDE") if number is None else (kind, number)
            overflows = name == "MOD" and (a, b) == (-(2**63), -1)
            if number is not None and (overflows or not low <= number < high):
                wanted = ("error", "OVERFLOW")

            assert call(name, (kind, a), (kind, b)) == wanted, (kind, a, b)


def test_numbers_of_different_types_are_compared_by_value():
    reals = [-1e300, -(2.0**63), -1.5, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0**53, 2.0**63, 2.0**64, 1e300]
    mixed = ([("int", n) for n in EDGES] + [("uint", n) for n in UNSIGNED]
             + [("double", x) for x in reals])
    for (kind, a), (other, b) in itertools.product(mixed, mixed):
        x, y = (float(a), float(b)) if "double" in (kind, other) else (a, b)

        assert call("LT", (kind, a), (other, b)) == ("bool", x < y), (kind, a, other, b)
        assert call("EQ", (kind, a), (other, b)) == ("bool", x == y), (kind, a, other, b)


def test_no_number_equals_nothing_and_is_in_no_order():
    nan = d(math.nan)
    for name in ("EQ", "LT", "LE", "GT", "GE"):
        assert call(name, nan, nan) == call(name, nan, i(1)) == ("bool", False)
    assert call("NE", nan, nan) == ("bool", True)


@pytest.mark.parametrize(("name", "operand", "wanted"), [
    ("INT", d(9.2233720368547748e18), ("int", 9223372036854774784)),
    ("INT", d(-7.9), ("int", -7)), ("INT", d(2.0**63), ("error", "RANGE")),
    ("INT", d(math.nan), ("error", "RANGE")), ("INT", s("-9223372036854775808"), ("int", -2**63)),
    ("INT", s("9223372036854775808"), ("error", "PARSE")), ("INT", s("+5"), ("int", 5)),
    ("INT", s("5 "), ("error", "PARSE")), ("INT", ("bool", True), ("error", "TYPE")),
    ("INT", ("uint", 2**63), ("error", "RANGE")),
    ("INT", ("timestamp", (-1, 5)), ("int", -1)),
    ("UINT", d(1.8446744073709550e19), ("uint", 18446744073709549568)),
    ("UINT", d(-0.5), ("error", "RANGE")), ("UINT", d(2.0**64), ("error", "RANGE")),
    ("UINT", s("18446744073709551615"), ("uint", 2**64 - 1)), ("UINT", i(-1), ("error", "RANGE")),
    ("UINT", s("18446744073709551616"), ("error", "PARSE")), ("UINT", s("-1"), ("error", "PARSE")),
    ("DOUBLE", i(2**53 + 1), ("double", 2.0**53)), ("DOUBLE", s("-Inf"), ("double", "-Infinity")),
    ("DOUBLE", ("uint", 2**64 - 1), ("double", 2.0**64)), ("DOUBLE", s("nan"), ("double", "NaN")),
    ("BOOL", s("t"), ("bool", True)), ("BOOL", s("tRUE"), ("error", "PARSE")),
    ("BOOL", i(1), ("error", "TYPE")), ("STRING", ("uint", 2**64 - 1), ("string", str(2**64 - 1))),
    ("STRING", i(-(2**63)), ("string", str(-(2**63)))),
    ("STRING", ("null", None), ("error", "TYPE")),
    ("STRING", ("bytes", b"\xc3\xa9"), ("string", "é")),
    ("STRING", ("bytes", b"\xc3"), ("error", "UTF8")),
    ("STRING", ("bytes", b"\xed\xa0\x80"), ("error", "UTF8")),
    ("STRING", ("bytes", b"\xc0\x80"), ("error", "UTF8")),
    ("NEGATE", i(-(2**63)), ("error", "OVERFLOW")), ("NEGATE", d(0.0), ("double", -0.0)),
    ("NEGATE", ("uint", 1), ("error", "TYPE"))])
def test_conversions(name, operand, wanted):
    assert call(name, operand) == wanted


def test_whole_numbers_of_math():
    almost = 0.49999999999999994
    for real in (-2.5, -1.5, -0.5, -0.2, 0.0, almost, 0.5, 1.5, 2.5, 1e15 + 0.5, 1e300):
        size = 0 if real == almost else math.floor(abs(real) + 0.5)
        away = math.copysign(size, real)
        for name, wanted in (("CEIL", math.ceil(real)), ("FLOOR", math.floor(real)),
                             ("TRUNC", math.trunc(real)), ("ROUND", away)):
            assert call(name, d(real)) == ("double", float(wanted)), (name, real)


def test_square_roots_are_rounded_like_the_processor_does():
    for real in doubles(2000):
        if not math.isfinite(real) or real < 0:
            continue
        assert call("SQRT", d(real)) == ("double", math.sqrt(real)), real.hex()
    assert call("SQRT", d(-1.0)) == ("double", "NaN")
    assert call("SQRT", d(math.inf)) == ("double", "Infinity")
    assert call("SQRT", i(16)) == ("double", 4.0)


def test_bits():
    chance = random.Random(SEED)
    signed = [chance.getrandbits(64) - 2**63 for _ in range(20)]
    for a, b in itertools.pairwise(signed):
        assert call("BIT_AND", i(a), i(b)) == ("int", a & b)
        assert call("BIT_OR", i(a), i(b)) == ("int", a | b)
        assert call("BIT_XOR", i(a), i(b)) == ("int", a ^ b)
        assert call("BIT_NOT", i(a)) == ("int", ~a)
        for by in (0, 1, 13, 63, 64, 1000):
            left = (a % 2**64 << by) % 2**64
            assert call("BIT_SHIFT_LEFT", i(a), i(by)) == ("int", (left + 2**63) % 2**64 - 2**63)
            right = a % 2**64 >> by
            assert call("BIT_SHIFT_RIGHT", ("uint", a % 2**64), i(by)) == ("uint", right)
    assert call("BIT_SHIFT_LEFT", i(1), i(-1)) == ("error", "ARGUMENT")
    assert call("BIT_AND", i(1), ("uint", 1)) == ("error", "TYPE")


def test_random_is_reproducible_and_even():
    assembly = Assembly(0)
    assembly.emit("LIST", at=4096)
    for _ in range(4096):
        assembly.emit("CALL", at=FUNCTIONS["RANDOM"])
        assembly.emit("APPEND")

    drawn = [real for _, real in run(assembly, seed=SEED)]
    assert drawn == [real for _, real in run(assembly, seed=SEED)]
    assert drawn != [real for _, real in run(assembly, seed=SEED + 1)]
    assert all(0 <= real < 1 for real in drawn) and len(set(drawn)) == 4096
    buckets = [sum(1 for real in drawn if int(real * 16) == n) for n in range(16)]
    assert min(buckets) > 180 and max(buckets) < 340, "256 each, on average"
