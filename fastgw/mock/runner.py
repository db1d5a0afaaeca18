"""A mock provider as a child process: for tests, the demo and the load tools."""

import json
import os
import select
import subprocess
import sys
import time
import urllib.request
from types import TracebackType
from typing import Any

_START_S = 15.0
_STOP_S = 10.0


class Mock:
    """`with Mock("--events", "10") as mock:` serves on a free port of 127.0.0.1 until the end.

    `url` is what an Anthropic SDK takes as base_url, `url + "/v1"` what an OpenAI SDK takes.
    """

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.port = 0

    def __enter__(self) -> "Mock":
        command = [sys.executable, "-m", "fastgw.mock", "--listen", "127.0.0.1:0"]
        self._process = subprocess.Popen(
            [*command, *self._arguments], stdout=subprocess.PIPE, start_new_session=True)
        self.url = self._first_line().rpartition(" ")[2]
        self.port = int(self.url.rpartition(":")[2])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def _first_line(self) -> str:
        assert self._process is not None and self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _START_S)
        line = self._process.stdout.readline().decode().strip() if ready else ""
        if not line.startswith("mock provider on http://"):
            self.stop()
            raise RuntimeError(f"the mock did not start: {line!r}")
        return line

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> int:
        """TERM, its exit code; a mock that does not end in time is killed and said so (-9)."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            return self._process.wait(_STOP_S)
        finally:
            if self._process.stdout:
                self._process.stdout.close()
            self._process = None

    def _ask(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(self.url + path, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def books(self) -> dict[str, Any]:
        """The sums: {"calls", "by"}."""
        books: dict[str, Any] = json.loads(self._ask("GET", "/books"))
        return books

    def lines(self) -> list[dict[str, Any]]:
        """A row a call, in the order in which they ended."""
        return [json.loads(line) for line in self._ask("GET", "/books/lines").splitlines()]

    def reset(self) -> None:
        """Empties the books; only while no call is under way."""
        self._ask("DELETE", "/books")

    def settled(self, calls: int, within_s: float = 10.0) -> dict[str, Any]:
        """The books as soon as they have so many calls; AssertionError if they never do."""
        deadline = time.monotonic() + within_s
        books = self.books()
        while books["calls"] != calls and time.monotonic() < deadline:
            time.sleep(0.01)
            books = self.books()
        assert books["calls"] == calls, f"{books['calls']} calls in the books, not {calls}"
        return books
