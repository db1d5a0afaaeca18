"""Limit: two buckets taken together and settled, from Python and with its overhead; and the table
that holds a million of them: bytes a key, and what a look-up costs as it fills (in a table that no
cache holds, so mostly memory).

    python -m benchmarks.bench_limit      one limit in C, beside what others do for it
"""

import ctypes

import pytest

from benchmarks import beside, measure
from fastgw.limit.limits import Holds, Limits
from fastgw.limit.trial import Trial
from fastgw.shm.segment import Segment

NOW = 10**12


@pytest.fixture
def limits(tmp_path):
    segment = Segment.create(tmp_path / "segment", workers=1)
    specs = [{"name": name, "unit": name, "algorithm": "token_bucket", "capacity": 10**6,
              "period_ns": 60 * 10**9, "enforced": True} for name in ("requests", "tokens")]
    return Limits(specs, Holds(segment, 0))


def test_take_and_settle_a_request_and_a_token_bucket(benchmark, limits):
    demands = [(0, (1, 2), True), (1, (3, 4), True)]
    now = NOW

    def one():
        nonlocal now
        now += 10**8
        trial = Trial(limits, wall_ns=now)
        taken = trial.take(demands, {"requests": 1, "tokens": 700}, now)
        trial.settle({"requests": 1, "tokens": 150}, now + 1000)
        trial.release()
        return taken

    assert benchmark(one)


KEYS, LOOKUPS = 1_000_000, 1_000_000


@pytest.fixture(scope="module")
def table():
    kernel = ctypes.CDLL(str(measure.compiled(measure.HERE / "csrc" / "table_load.c")))
    for name in ("make", "fill", "find"):
        getattr(kernel, f"table_load_{name}").restype = ctypes.c_uint64
    return kernel


def number(value):
    return ctypes.c_uint64(value)


@pytest.mark.parametrize("there", [True, False], ids=["there", "not there"])
@pytest.mark.parametrize("percent", [10, 50, 95, 100])
def test_find_in_a_table_for_a_million_keys(benchmark, table, percent, there):
    size, live = table.table_load_make(KEYS), KEYS * percent // 100
    assert table.table_load_fill(number(0), number(live)) == 0
    first = 0 if there else KEYS

    found = benchmark.pedantic(table.table_load_find, rounds=3, warmup_rounds=1,
                               args=(number(LOOKUPS), number(first), number(live)))

    assert found == there * LOOKUPS
    ns = benchmark.stats["min"] * 1e9 / LOOKUPS
    benchmark.extra_info.update(bytes_per_key=size / live, ns_per_look_up=ns)
    print(f"\n{percent} % of {KEYS:,} keys: {size / KEYS:.1f} bytes of room for a key, "
          f"{size / live:.1f} for each that lives; {ns:.0f} ns a look-up")


if __name__ == "__main__":
    beside.main()
