"""Listening sockets: one port for all slots, shared with nobody else.

Method: real sockets on loopback; what binds and what does not is the kernel's own answer.
"""

import select
import socket

import pytest

from fastgw.process.refusal import StartError
from fastgw.process.sockets import bind_slots, format_endpoint, is_loopback, listen_alone


@pytest.fixture
def slots():
    bound = bind_slots("127.0.0.1", 0, 3)
    yield bound
    for sock in bound:
        sock.close()


def test_all_slots_share_the_port_that_was_chosen_and_all_get_connections(slots):
    assert len({sock.getsockname() for sock in slots}) == 1

    reached = set()
    for _ in range(100):
        with socket.create_connection(slots[0].getsockname()):
            for sock in select.select(slots, [], [], 5)[0]:
                reached.add(sock)
                sock.accept()[0].close()

    assert reached == set(slots)


def test_refuses_a_port_on_which_another_gateway_listens(slots):
    port = slots[0].getsockname()[1]

    with pytest.raises(StartError, match=f"127.0.0.1:{port}: the port is already in use"):
        bind_slots("127.0.0.1", port, 2)


def test_refuses_a_port_that_another_program_shares_willingly():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()

        with pytest.raises(StartError, match="already in use"):
            bind_slots("127.0.0.1", other.getsockname()[1], 1)
        with pytest.raises(StartError, match="already in use"):
            listen_alone("127.0.0.1", other.getsockname()[1])


def test_the_port_can_be_bound_again_at_once_after_connections_were_closed():
    first = bind_slots("127.0.0.1", 0, 1)[0]
    address = first.getsockname()
    with socket.create_connection(address):
        first.accept()[0].close()  # we close first: our side goes into TIME_WAIT
    first.close()

    bind_slots(*address, 1)[0].close()


def test_refuses_an_address_that_is_not_ours():
    with pytest.raises(StartError, match="cannot listen on 203.0.113.7:0"):
        bind_slots("203.0.113.7", 0, 1)
    with pytest.raises(StartError, match="cannot listen on no.such.name.invalid:0"):
        bind_slots("no.such.name.invalid", 0, 1)


def test_writes_endpoints_as_people_do():
    with listen_alone("::1", 0) as six, listen_alone("127.0.0.1", 0) as four:
        assert format_endpoint(six) == f"[::1]:{six.getsockname()[1]}"
        assert format_endpoint(four) == f"127.0.0.1:{four.getsockname()[1]}"


def test_knows_loopback():
    assert [is_loopback(a) for a in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [True] * 4
    assert [is_loopback(a) for a in ("0.0.0.0", "::", "10.0.0.1", "example.org")] == [False] * 4
