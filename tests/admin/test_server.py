"""The admin process: ends when it is told, and when its supervisor is gone.

Method: `main` in a forked child with a line of its own; killed as a supervisor or a person would.
"""

import http.client
import json
import os
import signal
import socket
import threading
import time

import pytest

from fastgw.admin import server
from fastgw.config.model import Admin, Config
from fastgw.log import Log
from fastgw.process.lines import Lines
from fastgw.process.sockets import listen_alone
from tests.cli.live import Live
from tools.ports import free_port


@pytest.fixture
def admin(tmp_path):
    """(lines, pid, port) of an admin process that serves an instance which never ran."""
    lines, sock = Lines(), listen_alone("127.0.0.1", 0)
    config = Config(file="", providers=(), admin=Admin(), data_dir=str(tmp_path))
    pid = lines.fork(
        lambda: server.main(config, sock, tmp_path, lines, Log(level="error")),
        ("lifeline_end", "reports_end"),
    )
    port = sock.getsockname()[1]
    sock.close()
    deadline = time.monotonic() + 20
    while not (report := lines.read_report()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert report == {"pid": pid, "kind": "ready"}
    yield lines, pid, port
    lines.keep_only()


def test_a_killed_admin_process_is_replaced_on_its_port_and_drain_stops_it_all(tmp_path):
    with Live(tmp_path) as live:
        first = live.state["admin_process"]["pid"]
        os.kill(first, signal.SIGKILL)
        assert live.admin("/healthz")[0] == 200  # it waited in the port's queue
        assert live.state["admin_process"]["pid"] != first

        status, _, body = live.admin("/api/drain", "POST")

        assert (status, json.loads(body)) == (202, {"status": "draining"})
        assert live.process.wait(10) == 0


def test_the_next_instance_waits_for_an_admin_process_that_still_has_its_port(tmp_path):
    with Live(tmp_path, admin_port=free_port()) as live:
        admin = live.state["admin_process"]["pid"]
        os.kill(admin, signal.SIGSTOP)
        live.process.kill()
        live.process.wait()
        threading.Timer(1.0, os.kill, (admin, signal.SIGCONT)).start()

        live.again()

        assert live.state["admin_process"]["pid"] != admin
        assert live.admin("/healthz")[0] == 200


def wait_end(pid: int) -> int:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        reaped, status = os.waitpid(pid, os.WNOHANG)
        if reaped:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("it does not end")


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    return connection.getresponse().status


def test_is_not_ready_where_no_instance_runs_but_answers(admin):
    _, pid, port = admin

    assert (get(port, "/healthz"), get(port, "/readyz"), get(port, "/metrics")) == (200, 503, 200)
    assert (get(port, "/api/usage"), get(port, "/api/limits")) == (503, 503)
    os.kill(pid, signal.SIGTERM)
    assert wait_end(pid) == 0


def test_ends_with_its_supervisor_even_while_a_client_stays(admin):
    lines, pid, port = admin
    with socket.create_connection(("127.0.0.1", port)):
        lines.close("lifeline")

        assert wait_end(pid) == 0
