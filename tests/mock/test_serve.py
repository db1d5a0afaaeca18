"""Goal: the command line means what it says, and a mock that cannot begin says why in one line.

Method: the settings in this process, everything else as a user would: `python -m fastgw.mock`
(mock/__main__) as a child.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastgw.mock.__main__ import settings_of
from fastgw.mock.asked import Asked
from fastgw.mock.runner import Mock
from fastgw.mock.serve import Settings
from tests.mock.raw import connect, request, to_end, until


def test_command_line_becomes_settings() -> None:
    made = settings_of(["--listen", "[::1]:7", "--delay", "5ms", "--pace", "1s", "--events", "4",
                        "--tokens-per-event", "2", "--seed", "9", "--keys", "a,b", "--no-lines"])
    assert made == Settings(
        host="::1", port=7, lines=False, seed=9, keys=frozenset({"a", "b"}),
        defaults=Asked(events=4, tokens_per_event=2, delay=5_000_000, pace=10**9))


@pytest.mark.parametrize("argv", [
    ["--listen", "9001"], ["--listen", "a:b"], ["--delay", "5"], ["--events", "-1"],
    ["--workers", "0"], ["--tokens-per-event", "0"], ["--what"],
])
def test_wrong_command_line_exits_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        settings_of(argv)
    assert caught.value.code == 2 and "usage: fastgw mock" in capsys.readouterr().err


@pytest.mark.parametrize("books", [False, True])
def test_what_cannot_begin_says_why_in_one_line(books: bool, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = 0 if books else taken.getsockname()[1]
        more = ["--books", str(tmp_path / "no" / "such")] if books else []
        ended = subprocess.run(
            [sys.executable, "-m", "fastgw.mock", "--listen", f"127.0.0.1:{port}", *more],
            capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1 and len(ended.stderr.splitlines()) == 1
    assert ("No such file" if books else "in use") in ended.stderr


@pytest.mark.parametrize("workers", ["1", "3"])
def test_who_is_told_to_end_as_it_starts_ends_well(workers: str) -> None:
    """A worker died of the signal (exit code 15) where it did not listen for it yet."""
    for _ in range(4):
        with Mock("--workers", workers) as mock:  # its first line is told before it forks
            assert mock.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_lets_the_call_under_way_end(workers: str, number: int) -> None:
    with Mock("--workers", workers, "--events", "3", "--pace", "30ms") as mock:
        idle, client = connect(mock), connect(mock)
        client.sendall(request(stream=True))
        got = until(client, b"\r\n\r\n")
        os.kill(mock.pid, number)
        got += to_end(client)
        assert got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        try:
            assert idle.recv(1) == b""
        except ConnectionResetError:
            pass  # the worker had not accepted it yet
        begun = time.monotonic()
        assert mock.stop() == 0
        assert time.monotonic() - begun < 9  # at 10 it would be killed
