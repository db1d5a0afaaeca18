"""Which instance a command is about: --data-dir, else -c FILE, else ./fastgw-data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fastgw.cli.failure import ABSENT, Failure
from fastgw.cli.serve import find_config
from fastgw.config import Config
from fastgw.errors import FastgwError
from fastgw.ledger.stores import remember
from fastgw.process.directory import read_document, read_instance, running_pid


def about_instance(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --data-dir and -c to a command."""
    where = click.option("--data-dir", metavar="DIR", help="Of the instance to look at.")
    file = click.option("-c", "--config", "file", metavar="FILE", help="Its configuration.")
    return where(file(command))


def find_directory(data_dir: str | None, file: str | None) -> Path:
    """The data directory meant. Raises Failure if no instance ever ran on it."""
    if data_dir is None and file is not None:
        try:
            config = find_config(file)
            data_dir = config.data_dir
            remember(Path(data_dir), config.store)
        except FastgwError as error:
            raise Failure(str(error)) from None
    path = Path(data_dir if data_dir is not None else Config(file="", providers=()).data_dir)
    if read_instance(path) is None:
        raise Failure(f"no instance ever ran on {path}; name another with --data-dir", ABSENT)
    return path


def read_state(path: Path) -> dict[str, Any]:
    """instance.json, with ``running`` set to whether its supervisor lives."""
    instance = read_instance(path) or {}
    instance["running"] = running_pid(path) == instance.get("pid")
    return instance


def read_labels(path: Path) -> list[str]:
    """Names of ``usage.labels``, as the instance has them."""
    return (read_document(path / "policy.json") or {"labels": []})["labels"]
