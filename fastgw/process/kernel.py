"""What the process tree asks of Linux that Python has no name for."""

import ctypes
import os
import resource

PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
NAME_MAX = 15  # bytes that the kernel keeps


def adopt_orphans() -> None:
    """Make this process the parent of all descendants whose own parent ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "PR_SET_CHILD_SUBREAPER")


def raise_descriptor_limit() -> None:
    """As many descriptors as the hard limit grants: the soft one is often 1,024, for select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def name_process(name: str) -> None:
    """What ``ps -o comm`` and ``top`` show for this process."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:NAME_MAX], 0, 0, 0)
