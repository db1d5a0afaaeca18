"""A function in a process of its own, for what concerns all children of whoever calls it."""

import os
import traceback
from collections.abc import Callable


def apart(what: Callable[[], None]) -> None:
    """Runs ``what`` in a fork, whose children are its own; AssertionError if it raises there.

    In the test's own process other tests have children: providers that a whole session shares.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            what()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "see its traceback above"
