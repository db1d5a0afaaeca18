"""``fastgw serve``: from the command line to a running process tree."""

from __future__ import annotations

import dataclasses
import os
import sys

import click

from fastgw.cli.failure import Failure
from fastgw.config import Config, from_environment, load
from fastgw.config.load import with_version
from fastgw.errors import FastgwError
from fastgw.log import Log
from fastgw.process.sockets import is_loopback

DEFAULT_FILE = "fastgw.yaml"


@click.command()
@click.option("-c", "--config", "file", metavar="FILE", help="Default: ./fastgw.yaml, if there.")
@click.option("--listen", metavar="A:P", help="Data port, e.g. 127.0.0.1:8080.")
@click.option("--admin", metavar="A:P", help="Admin port, e.g. 127.0.0.1:9090.")
@click.option("--workers", metavar="N|auto", help="Worker processes; auto: one per core.")
@click.option("--data-dir", metavar="DIR", help="Where the ledger lives.")
@click.option("--log-format", type=click.Choice(["json", "text"]), default="json")
def serve(
    file: str | None,
    listen: str | None,
    admin: str | None,
    workers: str | None,
    data_dir: str | None,
    log_format: str,
) -> None:
    """Run the gateway until TERM (drains) or INT (at once)."""
    try:
        config = override(
            find_config(file), listen=listen, admin=admin, workers=workers, data_dir=data_dir
        )
        sys.exit(run_config(config, log_format))
    except FastgwError as error:
        raise Failure(str(error)) from None


def find_config(file: str | None) -> Config:
    """The configuration named, or ./fastgw.yaml, or what the environment's keys allow."""
    if file is None and os.path.exists(DEFAULT_FILE):
        file = DEFAULT_FILE
    return load(file) if file else from_environment()


def override(
    config: Config,
    *,
    listen: str | None = None,
    admin: str | None = None,
    workers: str | None = None,
    data_dir: str | None = None,
) -> Config:
    """``config`` with what the command line says instead. The same rules hold as in the file."""
    if listen is not None:
        address, port = parse_endpoint("--listen", listen)
        if config.open and not is_loopback(address) and is_loopback(config.listen.address):
            raise Failure(
                f"without keys the gateway is open, and {address} is not loopback; add keys, "
                "or say auth: none beside that listen.address in the file"
            )
        config = dataclasses.replace(
            config, listen=dataclasses.replace(config.listen, address=address, port=port)
        )
    if admin is not None:
        address, port = parse_endpoint("--admin", admin)
        if config.admin.token is None and not is_loopback(address):
            raise Failure(f"an admin port without token on {address}: add admin.token")
        config = dataclasses.replace(
            config, admin=dataclasses.replace(config.admin, address=address, port=port)
        )
    if workers is not None:
        config = dataclasses.replace(
            config, listen=dataclasses.replace(config.listen, workers=parse_workers(workers))
        )
    if data_dir is not None:
        config = dataclasses.replace(config, data_dir=data_dir)
    return with_version(config)


def parse_endpoint(option: str, text: str) -> tuple[str, int]:
    """``127.0.0.1:8080``, ``[::1]:8080`` or ``:8080`` (loopback)."""
    address, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise Failure(f"{option} wants ADDRESS:PORT, not {text!r}")
    return address.strip("[]") or "127.0.0.1", int(port)


def parse_workers(text: str) -> int | None:
    """A number, or None for ``auto``."""
    if text == "auto":
        return None
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise Failure(f"--workers wants 1 to 256, or auto, not {text!r}")
    return int(text)


def run_config(config: Config, log_format: str) -> int:
    """The whole life of an instance; its exit code. Raises FastgwError if it cannot start."""
    from fastgw.admin.server import main as admin_main
    from fastgw.process.supervisor import Supervisor

    supervisor = Supervisor(config, admin_main=admin_main, log=Log(form=log_format))
    supervisor.start()
    return supervisor.run()
