"""Segment: sizes, headers and damage, as the kernels see them.

Method: headers are made in plain memory and spoilt byte by byte; segment_fuzz.c does all that
workers, sweepers and readers do on random bytes, between guard pages, under ASan and UBSan.
"""

import ctypes
import os

import pytest

from tests.csrc.shm_native import library, program, run, u64

SHORT, FOREIGN, LAYOUT, DAMAGED, BOOT, USER = -1, -2, -3, -4, -5, -6
THIS_BOOT, SECRET, SEED = bytes(range(16)), bytes(range(16, 32)), 20261121
CHECKED = 4 * 8 + 8 + 16 + 8 + 16 + 32 + 8  # bytes of the header under its checksum, and that


class Plan(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_uint64),
                ("workers", ctypes.c_uint32), ("holds", ctypes.c_uint32),
                ("groups", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
                ("slots_at", ctypes.c_uint64), ("dones_at", ctypes.c_uint64),
                ("counters_at", ctypes.c_uint64), ("holds_at", ctypes.c_uint64),
                ("table_at", ctypes.c_uint64), ("secret", ctypes.c_uint64 * 2)]


def planned(workers=2, holds=16, groups=64):
    plan = Plan()
    said = library().fgw_segment_plan(ctypes.byref(plan), workers, holds, groups)
    return plan if said == 0 else None


def made(**sizes):
    plan = planned(**sizes)
    memory = ctypes.create_string_buffer(plan.size)
    plan.base = ctypes.addressof(memory)
    library().fgw_segment_make(ctypes.byref(plan), THIS_BOOT, SECRET, os.getuid(), u64(5))
    return memory, plan.size


def check(memory, size, boot=THIS_BOOT, uid=None):
    found = Plan()
    return library().fgw_segment_check(ctypes.byref(found), memory, u64(size), boot,
                                       os.getuid() if uid is None else uid)


@pytest.mark.parametrize("sizes", [
    dict(workers=0), dict(workers=257), dict(holds=0), dict(holds=65537), dict(groups=0),
    dict(groups=1 << 25)])
def test_sizes_out_of_bounds_are_no_plan(sizes):
    assert planned(**sizes) is None


def test_parts_lie_on_pages_one_after_the_other():
    plan = planned(workers=3, holds=100, groups=65)

    starts = [plan.slots_at, plan.dones_at, plan.counters_at, plan.holds_at, plan.table_at]

    assert starts == sorted(starts) and all(at % 4096 == 0 for at in starts)
    assert plan.counters_at + 3 * 8192 == plan.holds_at
    assert plan.holds_at + 300 * 896 <= plan.table_at
    assert plan.table_at + 65 * 512 + 3584 == plan.size, "whole pages"


@pytest.mark.parametrize("entries, groups", [
    (0, 1), (1, 1), (9, 1), (10, 2), (32768, 3641), (1_000_000, 111_112), (2**32 - 1, 1 << 24)])
def test_a_group_has_at_most_nine_entries_on_average(entries, groups):
    assert library().fgw_segment_groups(entries) == groups


def test_a_million_entries_and_two_workers_fit_into_64_mib():
    plan = planned(workers=2, holds=4096, groups=library().fgw_segment_groups(1_000_000))

    assert plan.size - plan.table_at < 57_000_000, "bytes of the table"
    assert plan.size < 64 << 20


def test_a_segment_is_accepted_as_it_was_made():
    memory, size = made()

    assert check(memory, size) == 0
    found = Plan()
    library().fgw_segment_check(ctypes.byref(found), memory, u64(size), THIS_BOOT, os.getuid())
    assert bytes(found.secret) == SECRET
    assert check(memory, size, boot=None) == 0
    assert check(memory, size + 4096) == 0


def test_what_is_wrong_with_it_is_named():
    memory, size = made()

    assert check(memory, 4095) == SHORT
    assert check(memory, size - 1) == SHORT
    assert check(memory, size, boot=bytes(16)) == BOOT
    assert check(memory, size, uid=os.getuid() + 1) == USER
    assert check(ctypes.create_string_buffer(size), size) == FOREIGN
    memory[8] = 99  # the layout version
    assert check(memory, size) == LAYOUT


def test_one_flipped_bit_anywhere_in_the_header_is_found():
    memory, size = made()
    intact = memory.raw[:CHECKED]
    for at in range(CHECKED):
        for bit in range(8):
            memory[at] = intact[at] ^ 1 << bit
            assert check(memory, size) in (FOREIGN, LAYOUT, DAMAGED), (at, bit)
            memory[at] = intact[at]
    assert check(memory, size) == 0


def test_random_bytes_crash_nobody():
    path = program("segment_fuzz.c", "-fsanitize=address,undefined",
                   "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")

    assert run(path, 300, SEED, timeout=50)["rounds"] == 300
