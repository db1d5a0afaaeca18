"""``fastgw status``, ``drain`` and ``version``.

Method: an instance of its own, because drain ends it.
"""

from fastgw import __version__
from tests.cli.live import Live, run


def test_status_and_drain_of_a_running_instance(tmp_path):
    with Live(tmp_path) as live:
        where = ("--data-dir", str(live.data_dir))
        shown = run("status", *where, cwd=tmp_path)
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.startswith(f"ready: pid {live.process.pid}, fastgw {__version__}\n")
        for part in ("worker 0: ready", "worker 1: ready", "recorder: ready", "admin: ready"):
            assert part in shown.stdout

        drained = run("drain", *where, cwd=tmp_path)

        assert (drained.returncode, drained.stdout) == (
            0, f"draining pid {live.process.pid}\nstopped\n"
        )
        assert live.process.wait(5) == 0
        for command in ("status", "drain"):
            ended = run(command, *where, cwd=tmp_path)
            assert ended.returncode == 1
            assert f"nothing runs on {live.data_dir}" in ended.stderr


def test_version_is_the_packages(tmp_path):
    assert run("version", cwd=tmp_path).stdout == f"fastgw {__version__}\n"
