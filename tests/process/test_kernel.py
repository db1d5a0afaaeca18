"""What Linux is asked for.

Method: a grandchild whose parent has gone tells who its parent is now; the name is read in /proc.
"""

import os
import resource
from pathlib import Path

from fastgw.process import kernel
from tests.process.apart import apart


def test_orphans_become_our_children():
    def check():
        kernel.adopt_orphans()
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            if os.fork() == 0:
                os.read(read_end, 1)
                os._exit(os.getppid() % 200)
            os._exit(0)
        os.waitpid(child, 0)
        os.write(write_end, b"x")

        _, status = os.waitpid(-1, 0)

        assert os.waitstatus_to_exitcode(status) == os.getpid() % 200

    apart(check)


def test_names_are_shown_and_cut():
    before = Path("/proc/self/comm").read_text().strip()
    try:
        kernel.name_process("fastgw-worker-number-7")
        assert Path("/proc/self/comm").read_text() == "fastgw-worker-n\n"
    finally:
        kernel.name_process(before)


def test_the_soft_limit_of_descriptors_becomes_the_hard_one():
    child = os.fork()
    if child == 0:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        kernel.raise_descriptor_limit()
        os._exit(resource.getrlimit(resource.RLIMIT_NOFILE) != (hard, hard))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
