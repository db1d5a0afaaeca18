"""The whole gateway in one process: a worker on the caller's loop, the recorder in a thread.

Nobody sweeps, because no worker can outlive this process; the next start recovers what it left.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fastgw import __version__
from fastgw.clock import now_ns
from fastgw.limit.evict import Evictor
from fastgw.log import Log
from fastgw.process import cluster, continuity, worker
from fastgw.process.directory import Directory
from fastgw.process.grants import Grants
from fastgw.process.holders import Asker
from fastgw.process.orders import Orders
from fastgw.process.plan import Plan
from fastgw.process.recorder import RecorderThread, paths_of, recover, recover_all
from fastgw.process.shared import Shared
from fastgw.process.sockets import bind_slots, format_endpoint

if TYPE_CHECKING:
    from fastgw.config import Config

SLOT = 0
EVICT_EVERY_S = 0.25


class Embedded:
    """One instance without children."""

    def __init__(
        self,
        config: Config,
        *,
        serve: worker.Serve,
        log: Log,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._config = config
        self._serve = serve
        self._loop = loop
        self._log = log.bind(process="embedded")
        self.listen = ""

    async def start(self) -> None:
        """Serve. Raises FastgwError where it cannot; nothing is left open then."""
        config = self._config
        plan = Plan(config)
        if config.cluster:
            cluster.check_client()
        # In a thread: it may have to wait for what is left of another instance.
        home = Path(config.data_dir)
        self._dir = await asyncio.to_thread(Directory.open, home, spread=config.shares_records)
        try:
            sock = bind_slots(config.listen.address, config.listen.port, 1)[0]
            try:
                await self._begin(plan, sock)
            except BaseException:
                sock.close()
                raise
        except BaseException:
            self._dir.close()
            raise

    async def _begin(self, plan: Plan, sock: socket.socket) -> None:
        shared = self._shared = Shared.open(self._config, self._dir.path, 1)
        paths = paths_of(plan, self._dir.path, shared.folder)
        recover_all(shared, paths, self._log)
        await asyncio.to_thread(recover, paths, self._log)
        self._recorder = RecorderThread(
            paths, self._config, shared.segment, self._log)
        self._cluster: cluster.ClusterThread | None = None
        try:
            continuity.restore(shared.segment, shared.folder, self._dir.path, self._log)
            if self._config.cluster:
                self._join(plan)
            generation = self._dir.next_generation()
            journal = shared.claim(SLOT, generation)
            here = worker.Worker(
                plan, SLOT, generation,
                segment=shared.segment, journal=journal, log=self._log, loop=self._loop,
                asker=Asker(shared.folder, self._loop),
            )
            self._life = worker.Life(here, self._serve(here), shared, drain_s=0.0)
            self.listen = format_endpoint(sock)
            self._born_ns = time.time_ns()
            self._generation = generation
            self._dir.write_document("policy.json", plan.describe())
            await self._life.begin(sock)
            self._evictor = Evictor(shared.segment)
            self._evict()
            self._save_limits()
            self._take_orders()
            self._publish("ready")
        except BaseException:
            await asyncio.to_thread(self._recorder.stop)
            await asyncio.to_thread(self._leave)
            raise

    def _join(self, plan: Plan) -> None:
        assert self._config.cluster
        self._bell = cluster.Bell()
        plan.bell = self._bell.fileno()
        self._cluster = cluster.ClusterThread(
            cluster.Membership(
                self._config.cluster, plan.limit_specs, self._shared.segment, self._dir.path,
                self._dir.node_name(), plan.bell, self._log,
            ),
            self._log,
        )

    def _leave(self) -> None:
        if self._cluster is not None:
            self._cluster.stop()
            self._bell.close()

    def _evict(self) -> None:
        self._evictor.step(now_ns())
        self._evicting = self._loop.call_later(EVICT_EVERY_S, self._evict)

    def _save_limits(self) -> None:
        continuity.save(self._shared.segment, self._dir.path, self._log)
        self._saving = self._loop.call_later(continuity.SAVE_EVERY_S, self._save_limits)

    def _take_orders(self) -> None:
        grants = Grants(self._shared, self._log)
        self._orders = Orders(self._dir.path, grants.carry_out)
        self._loop.add_reader(self._orders.sock.fileno(), self._on_order)

    def _on_order(self) -> None:
        connection = self._orders.accept()
        if connection is not None:
            self._loop.add_reader(connection.fileno(), self._answer, connection)

    def _answer(self, connection: socket.socket) -> None:
        self._loop.remove_reader(connection.fileno())
        self._orders.answer(connection)

    async def stop(self, drain_s: float) -> None:
        """Finish what runs (at most ``drain_s`` seconds), store all records, let go of it all."""
        self._life.drain_s = drain_s
        self._life.drain()
        await self._life.ended
        self._evicting.cancel()
        self._saving.cancel()
        self._loop.remove_reader(self._orders.sock.fileno())
        self._orders.withdraw()
        self._shared.release(SLOT)
        self._shared.sweep(SLOT, self._log)
        await asyncio.to_thread(self._leave)
        continuity.save(self._shared.segment, self._dir.path, self._log)
        await asyncio.to_thread(self._recorder.stop)
        self._shared.close()
        self._publish("stopped")
        self._dir.close()

    def _publish(self, state: str) -> None:
        """instance.json, as a supervisor writes it: this process fills every place."""
        here = {"pid": os.getpid(), "restarts": 0, "state": "ready"}
        nobody = {"pid": 0, "restarts": 0, "state": "down"}
        place = here if state == "ready" else nobody
        self._dir.write_document("instance.json", {
            "pid": os.getpid(),
            "state": state,
            "started_ns": self._born_ns,
            "version": __version__,
            "policy_version": self._config.version,
            "config_file": self._config.file,
            "listen": self.listen,
            "admin": None,
            **self._shared.describe(),
            "workers": [{**place, "slot": SLOT, "generation": self._generation}],
            "zygote": nobody,
            "recorder": place,
            "admin_process": nobody,
        })
