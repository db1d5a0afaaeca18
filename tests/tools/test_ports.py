"""A free port: bindable, and below the range that outgoing connections use."""

import socket
from pathlib import Path

from tools.ports import free_port


def test_it_can_be_bound_and_no_connection_takes_it():
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [free_port() for _ in range(20)]
    assert all(20_000 <= port < min(30_000, low) for port in ports)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", ports[-1]))
