"""Ports for servers that end by themselves: tests, benchmarks, load tools."""

import os
import socket


def free_port() -> int:
    """A port that was free a moment ago, below the range that connections use."""
    for _ in range(200):
        with socket.socket() as probe:
            port = 20000 + int.from_bytes(os.urandom(2)) % 10000
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port between 20000 and 30000")
