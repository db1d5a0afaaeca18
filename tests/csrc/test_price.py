"""Prices: what tokens cost, exactly; what they can cost at most; what fits into what is left.

Method: the kernel beside exact fractions, on random prices, tiers and amounts (seed printed).
"""

import ctypes
import functools
import random
import subprocess
import tempfile
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest

from fastgw.usage.prices import (
    CLASSES,
    HEAD,
    PICTURE,
    PICTURES_MAX,
    ROW,
    ROWS_MAX,
    TIERS,
    UNITS,
    Price,
    Row,
    kind_of,
)

ROOT = Path(__file__).resolve().parents[2]
NAMES = (*CLASSES, *UNITS)
ALL = len(NAMES)
INPUTS, OUTPUTS = (0, 1, 2, 3, 6, 8), (4, 5, 7, 9)
PLAIN = (0, 1, 6, 8)  # input classes without cache writes
IMAGES, HOURS, SEARCHES = NAMES.index("images"), NAMES.index("audio_hour"), NAMES.index("searches")
WORST = 2**63 - 1
U64 = ctypes.c_uint64
EVERY = 0xFF  # tiers


@functools.cache
def library():
    folder = tempfile.TemporaryDirectory(prefix="fgw-price-")
    target = Path(folder.name) / "price.so"
    shim = Path(folder.name) / "shim.c"
    shim.write_text('#include "fgw_price.h"\n'
                    "uint64_t kind(const char *a, size_t b, const char *c, size_t d);\n"
                    "uint64_t kind(const char *a, size_t b, const char *c, size_t d)\n"
                    "{ return fgw_price_kind(a, b, c, d); }\n")
    subprocess.run(
        ["gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror",
         "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-shared", "-fPIC",
         f"-I{ROOT / 'csrc'}", "-o", target, shim, ROOT / "csrc/fgw_price.c"],
        check=True)  # fmt: skip
    loaded = ctypes.CDLL(str(target))
    loaded.folder = folder
    loaded.fgw_price_cost.restype = loaded.fgw_price_ceiling.restype = ctypes.c_int64
    loaded.fgw_price_output_within.restype = loaded.kind.restype = ctypes.c_uint64
    return loaded


def cost(price, counts, tier=0, picture=0):
    """``counts``: of all classes, or of the first ones."""
    counts = [*counts, *[0] * (ALL - len(counts))]
    found = library().fgw_price_cost(price and price.pack(), ctypes.c_uint8(tier),
                                     (U64 * 8)(*counts[:8]), (U64 * 6)(*counts[8:]),
                                     U64(picture))
    return None if found == -1 else found


def ceiling(price, input, output, writes=True, tiers=1, searches=0):
    found = library().fgw_price_ceiling(
        price.pack(), ctypes.c_uint(tiers), U64(input), U64(output), U64(searches), int(writes))
    return None if found == -1 else found


def within(price, input, room, writes=True, tiers=1, searches=0):
    return library().fgw_price_output_within(
        price.pack(), ctypes.c_uint(tiers), U64(input), U64(searches), U64(room), int(writes))


def exact(price, counts, tier=0):
    """In fractions of a nano-dollar; None: a class without a price is used."""
    sent = sum(counts[at] for at in INPUTS)
    rows = [row for row in price.rows if row.tier == tier and (row.above == 0 or sent > row.above)]
    if not rows:
        return None
    used = [(at, each, rows[-1].nano_usd[at]) for at, each in enumerate(counts) if each]
    if any(nano is None for _, _, nano in used):
        return None
    return sum((Fraction(each * nano, 3_600_000 if at == HOURS else 10**6)
                for at, each, nano in used), Fraction(0))


def some_price(rng, tiers=(0,)):
    rows = []
    for tier in tiers:
        above = 0
        for _ in range(rng.randint(1, 3)):
            nano = [rng.choice([None, 0, rng.randint(1, 10**6), rng.randint(1, 10**11)])
                    for _ in NAMES]
            rows.append(Row(above, tuple(nano), tier))
            above += rng.randint(1, 300_000)
    return Price(1, tuple(rows))


def some_tokens(rng):
    most = rng.choice([3, 1000, 10**6, 10**9])
    return [rng.choice([0, rng.randint(0, most)]) for _ in NAMES]


def plain(input, output, **more):
    """A row by the names of its classes, in nano-dollars."""
    known = {"input": input, "output": output, **more}
    return tuple(known.get(name) for name in NAMES)


def test_the_struct_is_packed_as_c_has_it():
    size = HEAD.size + ROWS_MAX * ROW.size + PICTURES_MAX * PICTURE.size

    assert size == 24 + 12 * 128 + 8 * 16 == len(some_price(random.Random(1)).pack())
    assert ALL == 14 and len(TIERS) == 7


def test_a_known_bill():
    """1,000 of input, 9,000 from the cache and 500 out at $2.50, $1.25 and $10 a million."""
    price = Price(1, (Row(0, plain(2_500_000_000, 10_000_000_000, cached_input=1_250_000_000,
                                   reasoning=10_000_000_000)),))

    assert cost(price, [1000, 9000, 0, 0, 400, 100]) == 2_500_000 + 11_250_000 + 5_000_000
    assert cost(price, [1]) == 2500
    assert cost(price, [0, 0, 0, 0, 0, 0, 0, 1]) is None  # sound has no price here
    assert cost(Price(7), [1] * 8) is None and cost(None, [1] * 8) is None


def test_all_of_a_long_prompt_is_paid_at_its_rows_price():
    price = Price(1, (Row(0, plain(3 * 10**9, 0, cached_input=3 * 10**9)),
                      Row(200_000, plain(6 * 10**9, 0, cached_input=6 * 10**9))))

    assert cost(price, [200_000]) == 600_000_000
    assert cost(price, [100_000, 100_001]) == 200_001 * 6000


def test_each_tier_has_a_bill_of_its_own():
    """gpt-5: $1.25 in, $10 out; flex half of it; priority twice as much; scale has no price."""
    price = Price(1, (Row(0, plain(1_250_000_000, 10**10)),
                      Row(0, plain(625_000_000, 5 * 10**9), 1),
                      Row(0, plain(2_500_000_000, 2 * 10**10), 2)))
    counts = [4321, 0, 0, 0, 777]

    assert cost(price, counts) == 4321 * 1250 + 777 * 10_000 == 13_171_250
    assert cost(price, counts, TIERS.index("flex")) == 4321 * 625 + 777 * 5000 == 6_585_625
    assert cost(price, counts, TIERS.index("priority")) == 2 * 13_171_250
    assert cost(price, counts, TIERS.index("reserved")) is None
    assert ceiling(price, 4321, 777, tiers=0b001) == 13_171_250
    assert ceiling(price, 4321, 777, tiers=0b111) == ceiling(price, 4321, 777, tiers=EVERY)
    assert ceiling(price, 4321, 777, tiers=0b111) == 2 * 13_171_250
    assert ceiling(price, 4321, 777, tiers=0b1000000) is None
    assert within(price, 4321, 2 * 13_171_250, tiers=0b111) == 777
    assert within(price, 4321, 13_171_250, tiers=0b111) == (13_171_250 - 4321 * 2500) // 20_000


def test_what_is_no_token_is_paid_by_its_own_measure():
    """Rerank: $2 for 1,000 search units; whisper: $0.006 a minute; tts: $15 for a million
    characters; a picture: $0.04."""
    price = Price(1, (Row(0, plain(0, 0, searches=2 * 10**12, audio_hour=360_000_000,
                                   characters=15 * 10**9, images=40 * 10**12)),))

    def of(**counts):
        return cost(price, [counts.get(name, 0) for name in NAMES])

    assert of(searches=3) == 6_000_000
    assert of(audio_hour=60_000) == 6_000_000 and of(audio_hour=1) == 100
    assert of(characters=123) == 123 * 15_000
    assert of(images=2) == 80_000_000
    third = Price(1, (Row(0, plain(0, 0, audio_hour=111_000_000)),))  # 30.83 a millisecond
    assert cost(third, [0] * HOURS + [1]) == 31 and cost(third, [0] * HOURS + [1200]) == 37_000


def test_a_picture_is_paid_by_its_kind():
    kinds = ((kind_of("standard/1024x1024"), 40 * 10**12), (kind_of("hd/1024x1792"), 12 * 10**13))
    price = Price(1, (Row(0, plain(0, 0, images=12 * 10**13)),), pictures=kinds)
    two = [0] * IMAGES + [2]

    assert cost(price, two, picture=kinds[0][0]) == 80_000_000
    assert cost(price, two, picture=kinds[1][0]) == 240_000_000
    assert cost(price, two) is None  # not told: unknown, and never 0
    assert library().kind(b"hd", ctypes.c_size_t(2), b"1024x1792", ctypes.c_size_t(9)) == \
        kind_of("hd/1024x1792")


def test_searches_may_be_paid_by_the_answer():
    row = Row(0, plain(0, 0, searches=35 * 10**12))
    searched = [0] * SEARCHES + [7]

    assert cost(Price(1, (row,)), searched) == 7 * 35_000_000
    assert cost(Price(1, (row,), searched_once=True), searched) == 35_000_000
    assert cost(Price(1, (row,), searched_once=True), [0]) == 0
    assert ceiling(Price(1, (row,)), 0, 0, searches=7) == 7 * 35_000_000
    assert within(Price(1, (row,)), 0, 7 * 35_000_000, searches=8) == 0


@pytest.mark.parametrize("seed", range(20))
def test_costs_are_exact_and_rounded_up_once(seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(300):
        price, counts, tier = some_price(rng, (0, 1, 2, 3)), some_tokens(rng), rng.randrange(5)
        want = exact(price, counts, tier)

        assert cost(price, counts, tier) == (None if want is None else min(ceil(want), WORST))


def test_what_passes_64_bits_is_the_most_there_is_and_no_small_bill():
    price = Price(1, (Row(0, (10**15,) * ALL),))

    assert cost(price, [2**64 - 1] * ALL) == WORST == ceiling(price, 2**64 - 1, 2**64 - 1)
    assert within(price, 2**64 - 1, 2**64 - 1) == 0


@pytest.mark.parametrize("seed", range(20))
def test_no_bill_within_the_bounds_passes_the_ceiling_and_one_reaches_it(seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(60):
        price = some_price(rng, (0, 1))
        tiers = rng.choice([0b1, 0b10, 0b11])
        input, output, writes = rng.randint(0, 400_000), rng.randint(0, 10**6), rng.random() < 0.5
        most, reached = ceiling(price, input, output, writes, tiers), 0
        classes = INPUTS if writes else PLAIN
        rows = [row for row in price.rows if tiers >> row.tier & 1]
        for sent in {input, *(row.above for row in rows if row.above <= input), input // 2}:
            for one in classes:
                for other in OUTPUTS:
                    counts = [0] * ALL
                    counts[one], counts[other] = sent, output
                    for tier in {row.tier for row in rows}:
                        spent = cost(price, counts, tier)
                        assert spent is None or spent <= most
                        reached = max(reached, spent or 0)
        known = [row.nano_usd[at] for row in rows for at in (*classes, *OUTPUTS)]
        assert reached == most or None in known



@pytest.mark.parametrize("seed", range(20))
def test_the_largest_output_that_fits_fits_and_no_larger_one_does(seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(100):
        price, input = some_price(rng), rng.randint(0, 400_000)
        room, writes = rng.randint(0, 10**rng.randint(1, 15)), rng.random() < 0.5
        most = within(price, input, room, writes)
        if most == 2**64 - 1:
            assert ceiling(price, input, 10**6, writes) <= room
        elif most == 0:
            assert ceiling(price, input, 1, writes) > room
        else:
            assert ceiling(price, input, most, writes) <= room
            assert ceiling(price, input, most + 1, writes) >= room
