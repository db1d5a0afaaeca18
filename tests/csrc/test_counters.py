"""Counters: one writer each, summed on read.

Method: the kernel on plain memory; the Python side, with its names, is in tests/shm.
"""

import ctypes
import itertools

import pytest

from tests.csrc.shm_native import library, u64

SIZE, CODES_AT, CODES, TIMES_AT, LOST = 8192, 1024, 64, 2048, 56
SHADOWS_AT, SHADOW_RULES, SHADOWS = 4096, 128, 67


class Block:
    def __init__(self):
        self.lib = library()
        self._memory = ctypes.create_string_buffer(SIZE + 64)
        self.at = ctypes.c_void_p(-(-ctypes.addressof(self._memory) // 64) * 64)
        self.words = (ctypes.c_uint64 * (SIZE // 8)).from_address(self.at.value)

    def code(self, code, times=1):
        for _ in range(times):
            self.lib.fgw_count_code(self.at, code)

    def codes(self):
        at = CODES_AT // 8
        return {self.words[at + 2 * i]: self.words[at + 2 * i + 1]
                for i in range(CODES) if self.words[at + 2 * i]}

    def shadows(self):
        at = SHADOWS_AT // 8
        return {self.words[at + 3 * i]: tuple(self.words[at + 3 * i + 1:at + 3 * i + 3])
                for i in range(SHADOW_RULES) if self.words[at + 3 * i]}

    def times(self, histogram):
        at = TIMES_AT // 8 + 32 * histogram
        return list(self.words[at:at + 31]), self.words[at + 31]


def test_codes_are_counted_each_in_its_place_and_none_is_lost_unseen():
    block = Block()
    for code in range(1, CODES + 4):
        block.code(code, times=code % 3 + 1)
    block.code(0)

    assert block.codes() == {code: code % 3 + 1 for code in range(1, CODES + 1)}
    assert block.words[LOST] == sum(code % 3 + 1 for code in range(CODES + 1, CODES + 4))


@pytest.mark.parametrize("ns, bucket", [
    (0, 0), (999, 0), (1000, 1), (1999, 1), (2000, 2), (4_000_000, 12), (2**63, 30)])
def test_a_time_falls_below_its_buckets_bound(ns, bucket):
    block = Block()

    block.lib.fgw_count_time(block.at, 3, u64(ns))

    counts, total = block.times(3)
    assert counts.index(1) == bucket and sum(counts) == 1
    assert bucket == 30 or ns // 1000 < 1 << bucket
    assert total == ns // 1000


def test_a_histogram_that_does_not_exist_is_not_counted():
    block = Block()

    block.lib.fgw_count_time(block.at, 6, u64(5000))

    assert bytes(block.words) == bytes(SIZE)


def test_a_sum_adds_up_values_codes_and_times():
    first, second, total = Block(), Block(), Block()
    for block, n in ((first, 3), (second, 4)):
        block.words[5] = n
        block.words[113] = n - 5
        block.code(801 + n)
        block.code(900)
        block.lib.fgw_count_time(block.at, 0, u64(7000))
        block.lib.fgw_counters_sum(total.at, block.at)

    assert total.words[5] == 7
    assert ctypes.c_int64(total.words[113]).value == -3
    assert total.codes() == {804: 1, 900: 2, 805: 1}
    assert total.times(0) == ([0, 0, 0, 2] + [0] * 27, 14)


def test_gauges_are_reset_and_counters_stay():
    block = Block()
    block.words[:] = [9] * (SIZE // 8)

    block.lib.fgw_counters_reset_gauges(block.at)

    assert list(block.words[:128]) == [9] * 112 + [0] * 16


def test_shadows_are_counted_by_rule_and_summed():
    one, other, total = Block(), Block(), Block()
    for rule in range(1, SHADOW_RULES + 2):  # the last has no place of its own
        one.lib.fgw_count_shadow(one.at, u64(rule), 0)
    other.lib.fgw_count_shadow(other.at, u64(7), 1)
    other.lib.fgw_count_shadow(other.at, u64(0), 0)  # nobody's
    for block in (one, other):
        block.lib.fgw_counters_sum(total.at, block.at)

    assert total.shadows() == {
        rule: (1, int(rule == 7)) for rule in range(1, SHADOW_RULES + 1)}
    assert (total.words[SHADOWS], total.words[SHADOWS + 1]) == (SHADOW_RULES + 2, 1)


class Drain(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("tokens", "ns", "concurrent", "number")]


class Blocks:
    """The counters of several workers, side by side."""

    def __init__(self, workers):
        self.lib, self.workers = library(), workers
        self._memory = ctypes.create_string_buffer(SIZE * workers + 64)
        self.at = -(-ctypes.addressof(self._memory) // 64) * 64

    def block(self, worker):
        return ctypes.c_void_p(self.at + worker * SIZE)

    def begin(self, worker, drain):
        return self.lib.fgw_drain_begin(
            ctypes.c_void_p(self.at), self.workers, worker, ctypes.byref(drain))

    def end(self, worker, drain):
        self.lib.fgw_drain_end(self.block(worker), ctypes.byref(drain))


def test_drains_are_bounded_over_all_workers_and_by_number():
    blocks, one, other = Blocks(3), Drain(0, 0, 2, 0), Drain(0, 0, 1, 31)

    assert [blocks.begin(worker, one) for worker in (0, 1, 2, 0)] == [1, 1, 0, 0]
    assert [blocks.begin(worker, other) for worker in (2, 2)] == [1, 0]
    blocks.end(1, one)
    blocks.end(1, one)  # once too often: nothing goes below 0
    assert [blocks.begin(worker, one) for worker in (2, 1)] == [1, 0]
    blocks.lib.fgw_counters_reset_gauges(blocks.block(2))
    assert blocks.begin(1, one) == blocks.begin(1, other) == 1
    assert not blocks.begin(3, one) and not blocks.begin(0, Drain(0, 0, 9, 32))


def test_drains_stay_below_their_bound_whatever_two_workers_do_at_once():
    """All interleavings of two workers that show themselves, then look: by steps in plain words,
    as fgw_drain_begin does them. The mutant that looks first passes the bound."""
    def most(steps):
        worst = 0
        for order in set(itertools.permutations([0] * 2 + [1] * 2)):
            shown, seen, runs, at = [0, 0], [0, 0], [0, 0], [0, 0]
            for worker in order:
                if steps[at[worker]] == "show":
                    shown[worker] = 1
                else:
                    seen[worker] = sum(shown) - shown[worker] + 1
                at[worker] += 1
                if at[worker] == 2:
                    runs[worker] = seen[worker] <= 1
            worst = max(worst, sum(runs))
        return worst

    assert most(("show", "look")) <= 1
    assert most(("look", "show")) == 2
