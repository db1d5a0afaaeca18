"""Wakers: an eventfd a slot, that every process which inherited it may write to.

Method: written here and in a fork, read here.
"""

import os

import pytest

from fastgw.process.wakers import Wakers


def test_all_are_woken_and_reading_puts_them_to_sleep():
    wakers = Wakers(3)
    for fd in wakers.fds:
        with pytest.raises(BlockingIOError):
            os.eventfd_read(fd)

    wakers.wake_all()
    wakers.wake_all()

    assert [os.eventfd_read(fd) for fd in wakers.fds] == [2, 2, 2]
    wakers.close()


def test_who_is_never_read_does_not_hang_the_supervisor():
    wakers = Wakers(1)
    os.eventfd_write(wakers.fds[0], 2**64 - 2)

    wakers.wake_all()

    assert os.eventfd_read(wakers.fds[0]) == 2**64 - 2
    wakers.close()


def test_a_fork_wakes_the_same_one():
    wakers = Wakers(2)
    child = os.fork()
    if child == 0:
        os.eventfd_write(wakers.fds[1], 1)
        wakers.close()
        os._exit(0)
    os.waitpid(child, 0)

    assert os.eventfd_read(wakers.fds[1]) == 1
    wakers.close()
    assert wakers.fds == ()
