"""A free port: bindable, below 32768, where Linux takes ports for connections from, and nobody
else's until its process ends.

Method: several processes take ports at the same time, all alive until the last has told its own.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

from tools import ports
from tools.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
TAKER = """
import sys
from tools.ports import free_port
print(*(free_port() for _ in range(200)), flush=True)
sys.stdin.read()
"""


def test_it_can_be_bound_and_is_not_among_those_of_connections():
    found = [free_port() for _ in range(20)]
    assert all(20_000 <= port < 30_000 for port in found)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", found[-1]))


def test_no_port_is_given_twice_to_processes_that_live():
    takers = [subprocess.Popen([sys.executable, "-c", TAKER], cwd=ROOT, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."})
              for _ in range(4)]
    found = [int(port) for taker in takers for port in taker.stdout.readline().split()]
    found += [free_port() for _ in range(200)]
    for taker in takers:
        taker.communicate()

    assert len(found) == 5 * 200
    assert len(set(found)) == len(found)


def test_one_in_use_is_passed_over(monkeypatch):
    port = free_port()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))
        monkeypatch.setattr(ports._reserved, "_ring", iter([port, port + 1, port + 2, port + 3]))
        assert free_port() > port


def test_a_fork_takes_other_ports_than_its_parent():
    mine, read_end, write_end = free_port(), *os.pipe()
    if os.fork() == 0:
        os.write(write_end, b"%d" % free_port())
        os._exit(0)
    os.wait()
    os.close(write_end)
    with os.fdopen(read_end, "rb") as told:
        assert int(told.read()) != mine
