"""Roles: each child is named, keeps its own lines only, and ends as its role says.

Method: the admin role with a main of the test, which tells what it was given; the other roles
are shown by every test of the tree.
"""

import os
from pathlib import Path

from fastgw.log import Log
from fastgw.process.lines import Lines
from fastgw.process.roles import ADMIN_KEEPS, RECORDER_KEEPS, ZYGOTE_KEEPS, Roles
from fastgw.process.sockets import listen_alone


def test_the_admin_is_given_its_socket_and_nothing_of_the_data_path(tmp_path):
    lines = Lines()
    lines.hold("admin socket", listen_alone("127.0.0.1", 0))
    lines.hold("listen 0", listen_alone("127.0.0.1", 0))

    def main(config, sock, data_dir, lines, log):
        lines.report(
            kind="ready", config=config, port=sock.getsockname()[1], data_dir=str(data_dir),
            name=Path("/proc/self/comm").read_text().strip(), process=log.fields["process"],
            holds=[name for name in ("lock", "listen 0", "crew", "lifeline") if name in lines],
        )

    roles = Roles("config", None, tmp_path, None, lines, Log(), None, 0.0, main)
    pid = roles.fork_admin()

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert lines.read_report() == {
        "pid": pid, "kind": "ready", "config": "config", "data_dir": str(tmp_path), "holds": [],
        "port": lines["admin socket"].getsockname()[1], "name": "fastgw-admin",
        "process": "admin",
    }
    lines.keep_only()


def test_nobody_but_the_supervisor_keeps_its_end_of_the_lifeline():
    for kept in (ADMIN_KEEPS, RECORDER_KEEPS, ZYGOTE_KEEPS):
        assert "lifeline" not in kept and "reports" not in kept
    assert "crew" not in RECORDER_KEEPS  # it would wait for itself


def test_each_that_an_instance_may_not_meet_keeps_the_lock():
    """The recorder and workers write to the same files; the admin process has the same port."""
    for kept in (ADMIN_KEEPS, RECORDER_KEEPS, ZYGOTE_KEEPS):
        assert "lock" in kept
