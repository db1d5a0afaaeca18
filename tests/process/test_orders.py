"""Orders: one question, one answer, by this user only; a peer that misbehaves stops nobody.

Method: both ends in this process, the supervisor's side in a thread.
"""

import os
import select
import socket
import stat
import struct
import threading

import pytest

from fastgw.errors import FastgwError
from fastgw.process import orders as module
from fastgw.process.orders import OrderError, Orders, ask


def take(order, who):
    if order["do"] == "fail":
        raise FastgwError("that cannot be done")
    if order["do"] == "overflow":
        struct.pack("<Q", 1 << 64)
    return {"did": order["do"], "who": who, "more": order.get("more")}


@pytest.fixture
def folder(tmp_path):
    """So deep that no socket's address has room for it."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    return deep


@pytest.fixture
def serve(folder):
    made = Orders(folder, take)
    stop, stopper = os.pipe()

    def run() -> None:
        open_now = {}
        while True:
            ready, _, _ = select.select([made.sock, stop, *open_now.values()], [], [])
            if stop in ready:
                return
            for one in ready:
                if one is made.sock:
                    connection = made.accept()
                    if connection:
                        open_now[connection.fileno()] = connection
                else:
                    del open_now[one.fileno()]
                    made.answer(one)

    thread = threading.Thread(target=run)
    thread.start()
    yield made
    os.close(stopper)
    thread.join(5)
    os.close(stop)
    made.withdraw()


def test_an_order_is_carried_out_and_answered(serve, folder):
    answer = ask(folder, {"do": "grant", "more": "x" * 5000})

    assert answer["did"] == "grant" and answer["more"] == "x" * 5000
    assert answer["who"].startswith("user ")


def test_what_cannot_be_done_is_an_error_with_its_reason(serve, folder):
    with pytest.raises(OrderError, match="that cannot be done"):
        ask(folder, {"do": "fail"})
    with pytest.raises(OrderError, match="'do'"):
        ask(folder, {})
    with pytest.raises(OrderError):
        ask(folder, {"do": "overflow"})
    assert ask(folder, {"do": "grant"})["did"] == "grant"


def test_the_socket_is_this_user_s_alone(serve, folder):
    assert stat.S_IMODE((folder / module.NAME).stat().st_mode) == 0o600


def test_peers_that_hang_up_or_send_rubbish_stop_nobody(serve, folder):
    for sent in (b"", b"{", b"[]", b"\xff"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            with module.reachable(folder / module.NAME) as address:
                connection.connect(address)
            if sent:
                connection.send(sent)

    assert ask(folder, {"do": "grant"})["did"] == "grant"


def test_an_instance_that_does_not_answer_is_told_of(folder):
    silent = Orders(folder, take)
    with pytest.raises(OrderError, match="does not answer"):
        ask(folder, {"do": "grant"}, patience_s=0.05)
    silent.withdraw()

    with pytest.raises(OrderError, match="nothing runs"):
        ask(folder, {"do": "grant"})


def test_the_socket_of_a_killed_instance_is_replaced(folder):
    Orders(folder, take).close()
    with pytest.raises(OrderError, match="nothing runs"):
        ask(folder, {"do": "grant"})

    again = Orders(folder, take)
    with pytest.raises(OrderError, match="does not answer"):
        ask(folder, {"do": "grant"}, patience_s=0.05)
    again.withdraw()
