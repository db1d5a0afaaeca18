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

from fastgw.usage.prices import CLASSES, HEAD, TIER, Price, Tier

ROOT = Path(__file__).resolve().parents[2]
INPUTS, OUTPUTS = (0, 1, 2, 3, 6), (4, 5, 7)
PLAIN = (0, 1, 6)  # input classes without cache writes
WORST = 2**63 - 1
U64 = ctypes.c_uint64


@functools.cache
def library():
    folder = tempfile.TemporaryDirectory(prefix="fgw-price-")
    target = Path(folder.name) / "price.so"
    subprocess.run(
        ["gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror",
         "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-shared", "-fPIC",
         f"-I{ROOT / 'csrc'}", "-o", target, ROOT / "csrc/fgw_price.c"], check=True)  # fmt: skip
    loaded = ctypes.CDLL(str(target))
    loaded.folder = folder
    loaded.fgw_price_cost.restype = loaded.fgw_price_ceiling.restype = ctypes.c_int64
    loaded.fgw_price_output_within.restype = ctypes.c_uint64
    return loaded


def cost(price, tokens):
    found = library().fgw_price_cost(price and price.pack(), (U64 * 8)(*tokens))
    return None if found == -1 else found


def ceiling(price, input, output, writes=True):
    return library().fgw_price_ceiling(price.pack(), U64(input), U64(output), int(writes))


def within(price, input, room, writes=True):
    return library().fgw_price_output_within(price.pack(), U64(input), U64(room), int(writes))


def exact(price, tokens):
    """In fractions of a nano-dollar; None: a class without a price is used."""
    sent = sum(tokens[at] for at in INPUTS)
    tier = [tier for tier in price.tiers if tier.above == 0 or sent > tier.above][-1]
    used = [(each, tier.nano_usd[at]) for at, each in enumerate(tokens) if each]
    if any(nano is None for _, nano in used):
        return None
    return sum((Fraction(each * nano, 10**6) for each, nano in used), Fraction(0))


def some_price(rng):
    tiers, above = [], 0
    for _ in range(rng.randint(1, 3)):
        nano = [rng.choice([None, 0, rng.randint(1, 10**6), rng.randint(1, 10**11)])
                for _ in CLASSES]
        tiers.append(Tier(above, tuple(nano)))
        above += rng.randint(1, 300_000)
    return Price(1, tuple(tiers))


def some_tokens(rng):
    most = rng.choice([3, 1000, 10**6, 10**9])
    return [rng.choice([0, rng.randint(0, most)]) for _ in CLASSES]


def test_the_struct_is_packed_as_c_has_it():
    assert HEAD.size + 3 * TIER.size == 240 == len(some_price(random.Random(1)).pack())


def test_a_known_bill():
    """1,000 of input, 9,000 from the cache and 500 out at $2.50, $1.25 and $10 a million."""
    nano = (2_500_000_000, 1_250_000_000, None, None, 10_000_000_000, 10_000_000_000, None, None)
    price = Price(1, (Tier(0, nano),))

    assert cost(price, [1000, 9000, 0, 0, 400, 100, 0, 0]) == 2_500_000 + 11_250_000 + 5_000_000
    assert cost(price, [1, 0, 0, 0, 0, 0, 0, 0]) == 2500
    assert cost(price, [0, 0, 0, 0, 0, 0, 0, 1]) is None  # sound has no price here
    assert cost(Price(7), [1] * 8) is None and cost(None, [1] * 8) is None


def test_all_of_a_long_prompt_is_paid_at_its_tiers_price():
    plain, long = (3_000_000_000,) * 4, (6_000_000_000,) * 4
    price = Price(1, (Tier(0, (*plain, 0, 0, 0, 0)), Tier(200_000, (*long, 0, 0, 0, 0))))

    assert cost(price, [200_000, 0, 0, 0, 0, 0, 0, 0]) == 600_000_000
    assert cost(price, [100_000, 100_001, 0, 0, 0, 0, 0, 0]) == 200_001 * 6000


@pytest.mark.parametrize("seed", range(20))
def test_costs_are_exact_and_rounded_up_once(seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(300):
        price, tokens = some_price(rng), some_tokens(rng)
        want = exact(price, tokens)

        assert cost(price, tokens) == (None if want is None else min(ceil(want), WORST))


def test_what_passes_64_bits_is_the_most_there_is_and_no_small_bill():
    price = Price(1, (Tier(0, (10**15,) * 8),))

    assert cost(price, [2**64 - 1] * 8) == WORST == ceiling(price, 2**64 - 1, 2**64 - 1)
    assert within(price, 2**64 - 1, 2**64 - 1) == 0


@pytest.mark.parametrize("seed", range(20))
def test_no_bill_within_the_bounds_passes_the_ceiling_and_one_reaches_it(seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(60):
        price = some_price(rng)
        input, output, writes = rng.randint(0, 400_000), rng.randint(0, 10**6), rng.random() < 0.5
        most, reached = ceiling(price, input, output, writes), 0
        classes = INPUTS if writes else PLAIN
        for sent in {input, *(t.above for t in price.tiers if t.above <= input), input // 2}:
            for one in classes:
                for other in OUTPUTS:
                    tokens = [0] * 8
                    tokens[one], tokens[other] = sent, output
                    spent = cost(price, tokens)
                    assert spent is None or spent <= most
                    reached = max(reached, spent or 0)
        known = [t.nano_usd[at] for t in price.tiers for at in (*classes, *OUTPUTS)]
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
