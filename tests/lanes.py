"""The suite in several processes side by side (`make test`: pytest-xdist, a file at a time).

A test marked `alone` measures time or processor, so it runs while no other test does: a lock of
readers and a writer over processes, on two files of this folder. Whoever waits as the writer
keeps the turnstile, so that readers who come later cannot starve it. A run in one process has
nobody to wait for. What fails is told briefly, as only the end of a long output is kept.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SECTION_LINES, MESSAGE_LETTERS = 40, 400
TURNSTILE, STAGE = Path(__file__).with_name("conftest.py"), Path(__file__)


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # said, as a fork of the test may still hold a copy
        os.close(lock)


@contextmanager
def stage(*, alone: bool) -> Iterator[None]:
    """Beside others who are not `alone`, or by itself."""
    lock = os.open(STAGE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _locked(TURNSTILE, fcntl.LOCK_EX):
            fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with stage(alone=item.get_closest_marker("alone") is not None):
        return (yield)


def brief(lines: list[str], most: int = SECTION_LINES) -> list[str]:
    """Where it begins and, twice as long, its end: there a log says what went wrong."""
    if len(lines) <= most:
        return lines
    first, last = most // 3, most - most // 3
    return [*lines[:first], f"[... {len(lines) - most} lines ...]", *lines[-last:]]


def brief_line(text: str, most: int = MESSAGE_LETTERS) -> str:
    """The same of one line."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    return f"{line[:most // 3]} [...] {line[most // 3 - most:]}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    report = yield
    report.sections = [
        (name, "\n".join(brief(text.splitlines()))) for name, text in report.sections]
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        crash.message = brief_line(crash.message)  # the line of the summary
        for traceback, *_ in getattr(report.longrepr, "chain", ()):
            for entry in traceback.reprentries:
                entry.lines = brief(entry.lines)
    return report
