"""``fastgw status``, ``drain`` and ``version``."""

import os
import signal
import time
from typing import Any

import click

from fastgw import __version__
from fastgw.cli.failure import ABSENT, Failure
from fastgw.cli.finding import about_instance, find_directory, read_state
from fastgw.process.balance import FILE as BALANCE
from fastgw.process.directory import read_document, running_pid


@click.command()
@about_instance
def status(data_dir: str | None, file: str | None) -> None:
    """What runs: processes, ports, versions. Exit 1 if nothing does."""
    path = find_directory(data_dir, file)
    state = read_state(path)
    if not state["running"]:
        how = "stopped" if state["state"] == "stopped" else "ended without stopping"
        raise Failure(f"nothing runs on {path}: pid {state['pid']} {how}", ABSENT)
    click.echo(f"{state['state']}: pid {state['pid']}, fastgw {state['version']}")
    click.echo(f"  listen {state['listen']}, admin {state['admin'] or 'none'}")
    click.echo(f"  data_dir {path}, policy {state['policy_version']}")
    for worker in state["workers"]:
        click.echo(
            f"  worker {worker['slot']}: {worker['state']}, pid {worker['pid']}, "
            f"generation {worker['generation']}, restarts {worker['restarts']}"
        )
    for name in ("zygote", "recorder", "admin_process"):
        place = state[name]
        label = name.removesuffix("_process")
        click.echo(
            f"  {label}: {place['state']}, pid {place['pid']}, restarts {place['restarts']}"
        )
    click.echo(f"  {_books(read_document(path / BALANCE))}")


def _books(found: dict[str, Any] | None) -> str:
    """Attempts, accounts and counters (fastgw.process.balance)."""
    if not found:
        return "books: not compared yet"
    ago = f"compared {max(0.0, time.time() - found['wall_ns'] / 1e9):.0f} s ago"
    apart = {side: found[side] for side in ("attempts", "rollups", "accounts") if found[side]}
    if not apart:
        return f"books: agree, {ago}"
    said = ", ".join(f"{side} by {number}" for side, number in apart.items())
    return f"books: DIFFER, {said}, {ago}: this is a defect of fastgw, please report it"


@click.command()
@about_instance
def drain(data_dir: str | None, file: str | None) -> None:
    """Accept no more, finish what runs, record it, stop; returns when it has stopped."""
    path = find_directory(data_dir, file)
    pid = running_pid(path)
    if pid is None:
        raise Failure(f"nothing runs on {path}", ABSENT)
    # A pidfd names this very process: the pid may be somebody else's by the time it is signalled.
    process = os.pidfd_open(pid)
    try:
        if running_pid(path) != pid:
            raise Failure(f"nothing runs on {path}", ABSENT)
        signal.pidfd_send_signal(process, signal.SIGTERM)
    finally:
        os.close(process)
    click.echo(f"draining pid {pid}")
    while running_pid(path) == pid:
        time.sleep(0.05)
    click.echo("stopped")


@click.command()
def version() -> None:
    """The version of this program."""
    click.echo(f"fastgw {__version__}")
