"""The cluster's life: as a process of the tree, or as a thread of an embedded gateway.

It runs only where the configuration names a store. It ends as the recorder does, when nobody
spends any more (the crew's line ends), and then gives back what is left of its slices.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from fastgw.clock import now_ns, wall_ns
from fastgw.cluster.lessee import Lessee
from fastgw.cluster.store import Store, StoreLost
from fastgw.cluster.terms import terms_of
from fastgw.cluster.wallets import Wallets
from fastgw.limit.windows import bounds
from fastgw.log import Log
from fastgw.process.refusal import StartError

if TYPE_CHECKING:
    from fastgw.config.model import Cluster
    from fastgw.process.lines import Lines
    from fastgw.shm.segment import Segment

DRAIN_S = 3.0  # for giving back; what is not given back comes back when the lease is over
STATUS_S = 1.0


class Bell:
    """How a worker wakes the lessee: an eventfd, held by all of the tree."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self.fd

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Membership:
    """All that one node's part in its fleet needs to run."""

    def __init__(
        self, config: Cluster, specs: list[dict[str, Any]], segment: Segment, data_dir: Path,
        node: str, bell: int, log: Log,
    ) -> None:
        """``specs``: the plan's. ``node``: the name that this data directory has for ever."""
        self._config, self._specs, self._segment = config, specs, segment
        self._data_dir, self._node, self._bell, self._log = data_dir, node, bell, log

    async def live(self, stop_end: int, ready: Callable[[], None]) -> None:
        """Until ``stop_end`` reads as ended; then gives everything back."""
        loop = asyncio.get_running_loop()
        wallets = Wallets(self._segment)
        store = Store(self._config.redis.reveal(), node=self._node,
                      incarnation=wallets.incarnation, prefix=self._config.prefix)
        lessee = Lessee(wallets, store, terms_of(self._specs), bounds, self._log,
                        now_ns=now_ns, wall_ns=wall_ns)
        loop.add_reader(self._bell, self._on_bell, lessee)
        loop.add_reader(stop_end, lessee.stop)
        status = asyncio.create_task(self._keep_status(lessee))
        ready()
        try:
            await lessee.run()
            loop.remove_reader(stop_end)
            await self._drain(lessee)
        finally:
            status.cancel()
            self._write_status(lessee)
            await store.close()

    def _on_bell(self, lessee: Lessee) -> None:
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            pass
        lessee.ring()

    async def _drain(self, lessee: Lessee) -> None:
        try:
            async with asyncio.timeout(DRAIN_S):
                self._log.note("slices given back", units=await lessee.drain())
        except (StoreLost, TimeoutError) as error:
            self._log.warning("slices not given back: they end with the lease", reason=str(error))

    async def _keep_status(self, lessee: Lessee) -> None:
        while True:
            self._write_status(lessee)
            await asyncio.sleep(STATUS_S)

    def _write_status(self, lessee: Lessee) -> None:
        """cluster.json, for metrics and people; best effort, it may be the disk that fails."""
        path = self._data_dir / "cluster.json"
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            fresh.write_bytes(orjson.dumps({"node": self._node, **lessee.describe()}))
            os.replace(fresh, path)
        except OSError:
            pass


def check_client() -> None:
    """Raises StartError where the client library is not installed."""
    try:
        import redis.asyncio  # noqa: F401
    except ImportError:
        raise StartError("`cluster` needs the redis client: pip install 'fastgw[redis]'") from None


def main(membership: Membership, lines: Lines, log: Log) -> None:
    """A process of the tree. TERM and INT may come to the whole group: the crew's end counts."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    asyncio.run(
        membership.live(lines["crew_end"].fileno(), lambda: lines.report(kind="ready"))
    )


class ClusterThread:
    """The same, beside the loop of an embedded gateway."""

    def __init__(self, membership: Membership, log: Log) -> None:
        self._membership, self._log = membership, log
        self._stop_end, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, name="fastgw-cluster", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            asyncio.run(self._membership.live(self._stop_end, lambda: None))
        except Exception:
            # Workers find the lessee silent, and do what on_store_loss says.
            self._log.error("cluster failed", error=traceback.format_exc())

    def stop(self) -> None:
        """Returns when the slices are given back. Blocks: not for a loop's thread."""
        os.close(self._stop)
        self._thread.join()
        os.close(self._stop_end)
