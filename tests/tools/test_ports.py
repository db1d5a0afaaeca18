"""A free port: bindable, and below 32768, where Linux takes ports for connections from."""

import socket

from tools.ports import free_port


def test_it_can_be_bound_and_is_not_among_those_of_connections():
    ports = [free_port() for _ in range(20)]
    assert all(20_000 <= port < 30_000 for port in ports)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", ports[-1]))
