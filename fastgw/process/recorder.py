"""The recorder's life: as a process of the tree, or as a thread of an embedded gateway.

As a process it ends when nobody posts any more (the crew's line ends), never by a signal that a
service manager sends to the whole group: what workers post while they drain must be stored.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import threading
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastgw.errors import LedgerError
from fastgw.ledger.committer import Paths
from fastgw.ledger.drawn import CapRule
from fastgw.ledger.journal import name_hash
from fastgw.ledger.recorder import Recorder, drain
from fastgw.ledger.stores import remember
from fastgw.ledger.vocabulary import UNITS
from fastgw.log import Log
from fastgw.process.alerts import webhook_of
from fastgw.process.balance import Books
from fastgw.process.exports import exports_of
from fastgw.process.holders import Desk
from fastgw.process.lines import Lines
from fastgw.process.refusal import StartError
from fastgw.process.shared import Shared, previous_folder
from fastgw.shm.segment import Segment

if TYPE_CHECKING:
    from fastgw.config import Config
    from fastgw.ledger.lost import Costs
    from fastgw.ledger.records import Close
    from fastgw.process.plan import Plan

EVERY_GENERATION = range(1 << 32)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
_KEPT = 1 << 25  # bytes: the most that glibc takes for the second


def paths_of(plan: Plan, data_dir: Path, folder: Path) -> Paths:
    """Where the recorder of this plan works; ``folder``: the rings'."""
    rules = tuple(
        CapRule(
            spec["rule"],
            UNITS.index(spec["unit"]),
            tuple(sorted(spec["alert_at"])),
            spec["on_worker_lost"] == "progress",
        )
        for spec in plan.limit_specs
        if spec["algorithm"] == "cap"
    )
    wanted = plan.config.alerts is not None
    remember(data_dir, plan.config.store)
    return Paths(
        data_dir,
        folder,
        retention=plan.config.retention,
        rules=rules,
        alerts_wanted=wanted,
        store=plan.config.store,
        costs=_costs(plan),
    )


def _costs(plan: Plan) -> Costs:
    lists = {name_hash(provider.id): provider.prices for provider in plan.providers}

    def cost(close: Close, model: str) -> tuple[int, int] | None:
        prices = lists.get(close.dims.provider)
        tokens = astuple(close.tokens)[:8]  # a sweep knows of no pictures
        return prices.cost(model, close.dims.tier, tokens) if prices is not None else None

    return cost


def main(
    paths: Paths, config: Config, segment: Segment, lines: Lines, log: Log, *, first: bool
) -> None:
    """Store what the rings hold until the crew is gone. ``first``: close what was left open."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    keep_memory()
    try:
        if first:
            recover(paths, log)
        books = _books(paths, config, segment, log)
        recorder = _recorder(paths, config, log, books)
    except LedgerError as error:
        lines.report(kind="failed", error=str(error))
        raise SystemExit(1) from None
    desk = Desk(paths.ring_dir, paths.data_dir, config, log)
    lines.report(kind="ready")
    recorder.run(lines["crew_end"].fileno(), books.between)
    desk.close()
    recorder.close()


def keep_memory() -> bool:
    """What a pass has used stays for the next, 50 ms later. Left to itself glibc gives it back
    each time, and its pages are made anew: a tenth of the CPU of a pass. False: no glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, _KEPT) and mallopt(_M_MMAP_THRESHOLD, _KEPT))


def _books(paths: Paths, config: Config, segment: Segment, log: Log) -> Books:
    return Books(paths.data_dir, segment, log, drops=config.on_ledger_full == "drop")


def _recorder(paths: Paths, config: Config, log: Log, books: Books) -> Recorder:
    ledger_log = as_ledger_log(log)
    recorder = Recorder(
        paths,
        ledger_log,
        webhook_of(config, ledger_log),
        books.balance,
        exports_of(config, paths.data_dir, ledger_log),
    )
    books.watch(recorder.taken)
    return recorder


def recover(paths: Paths, log: Log) -> None:
    """Before readiness: old rings and spill into the store; what is still open closed as lost."""
    drained = drain(paths, log=as_ledger_log(log))
    if drained.records or drained.lost:
        log.note("recovered", records=drained.records, lost_attempts=drained.lost)
    if not drained.complete:
        log.warning("the store is down: records of the last run wait in the spill log or rings")


def recover_all(shared: Shared, paths: Paths, log: Log) -> None:
    """Sweep what the last instance left; full rings are drained for it. Raises StartError."""
    elsewhere = previous_folder(paths.data_dir, paths.ring_dir)
    if elsewhere is not None:
        found = drain(replace(paths, ring_dir=elsewhere), EVERY_GENERATION, as_ledger_log(log))
        log.note("records of an earlier place", records=found.records, folder=str(elsewhere))
        if found.complete:
            shutil.rmtree(elsewhere)
    if shared.recover(log):
        return
    # Nothing is closed as lost yet: the sweep, which knows more, has not told all.
    drain(paths, live_generations=EVERY_GENERATION, log=as_ledger_log(log))
    if not shared.recover(log):
        raise StartError(f"{paths.ring_dir}: full of records that {paths.data_dir} cannot take")


class RecorderThread:
    """The recorder of an embedded gateway. SQLite releases the GIL while it syncs."""

    def __init__(self, paths: Paths, config: Config, segment: Segment, log: Log) -> None:
        self._stop_end, self._stop = os.pipe()
        self._books = _books(paths, config, segment, log)
        self._recorder = _recorder(paths, config, log, self._books)
        self._desk = Desk(paths.ring_dir, paths.data_dir, config, log)
        self._thread = threading.Thread(target=self._run, name="fastgw-recorder", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._recorder.run(self._stop_end, self._books.between)
        self._recorder.close()

    def stop(self) -> None:
        """Returns when everything that was posted is stored. Blocks: not for a loop's thread."""
        self._desk.close()
        os.close(self._stop)
        self._thread.join()
        os.close(self._stop_end)


def as_ledger_log(log: Log) -> Any:
    def write(event: str, fields: dict[str, Any]) -> None:
        log.note(event, **fields)

    return write


