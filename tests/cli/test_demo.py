"""``fastgw demo``: everything once, explained, and nothing left behind.

Method: run as a person types it, on a free port; what it prints is read.
"""

import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.cli.live import environment, run


def test_once_shows_calls_spend_and_why_one_was_refused(tmp_path):
    done = run("demo", "--once", "--listen", "127.0.0.1:0", cwd=tmp_path, TMPDIR=str(tmp_path))

    assert done.returncode == 0, done.stdout + done.stderr
    for title in ("chat", "chat, streamed", "messages", "messages, streamed", "first chat"):
        assert re.search(rf"^{title} +200 [0-9a-f]{{8}}-", done.stdout, re.MULTILINE), title
    refused = re.search(r"^third chat +429 (\S+)$", done.stdout, re.MULTILINE)[1]
    assert f"\n{refused}  " in done.stdout  # explain begins with it
    assert "DENIED 429: openai chat for gpt-4o" in done.stdout
    assert re.search(r"^alice +gpt-4o +2 +0 +2 +", done.stdout, re.MULTILINE)
    assert os.listdir(tmp_path) == []
    assert not [path for path in Path("/dev/shm").glob("fastgw-*/owner")
                if owned_below(path, tmp_path)]


def owned_below(path: Path, folder: Path) -> bool:
    try:
        return path.read_text().startswith(str(folder))
    except FileNotFoundError:
        return False  # another test's, which has just ended


def answers(command: str) -> int:
    """The status that a curl command line gets, as curl would send it."""
    _, url, *options = shlex.split(command.replace("\\\n", " "))
    pairs = list(zip(options[::2], options[1::2], strict=True))
    headers = dict(value.split(": ", 1) for name, value in pairs if name == "-H")
    [body] = [value.encode() for name, value in pairs if name == "-d"]
    request = urllib.request.Request(url, body, {
        "content-type": "application/x-www-form-urlencoded"} | headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status


def test_stays_until_it_is_told_to_end(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "fastgw", "demo", "--listen", "127.0.0.1:0",
         "--data-dir", str(tmp_path / "kept")],
        stdout=subprocess.PIPE, text=True, env=environment(),
    )
    try:
        lines = iter(process.stdout.readline, "")
        assert any("your turn" in line for line in lines)
        invited = list(itertools.takewhile(lambda line: "metrics" not in line, lines))
        assert process.poll() is None
        assert answers("".join(invited).partition(" curl ")[2]) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    shown = run("usage", "--data-dir", str(tmp_path / "kept"), "--by", "key", cwd=tmp_path)
    assert [line.split()[:2] for line in shown.stdout.splitlines()[1:]] == [
        ["alice", "5"], ["bob", "3"]
    ]


def test_a_port_in_use_is_one_clear_line(tmp_path):
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        began = time.monotonic()
        done = run("demo", "--once", "--listen", f"127.0.0.1:{port}", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr == (
        f"fastgw: cannot listen on 127.0.0.1:{port}: the port is already in use\n"
    )
    assert time.monotonic() - began < 20


def test_the_demos_known_keys_stay_on_loopback(tmp_path):
    done = run("demo", "--once", "--listen", "0.0.0.0:0", cwd=tmp_path)

    assert done.returncode == 2
    assert "is not loopback" in done.stderr
