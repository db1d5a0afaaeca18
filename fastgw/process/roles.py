"""What each child of the supervisor is, and which lines it keeps."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastgw.ledger.committer import Paths
from fastgw.log import Log
from fastgw.process import cluster, kernel, recorder, worker, zygote
from fastgw.process.lines import Lines
from fastgw.process.plan import Plan
from fastgw.process.shared import Shared

if TYPE_CHECKING:
    from fastgw.config import Config

# The admin process, given by the layer above: (config, listening socket, data_dir, lines, log).
AdminMain = Callable[["Config", socket.socket, Path, Lines, Log], None]

ZYGOTE_KEEPS = (
    "channel end", "lifeline_end", "crew", "reports_end", "lock", "wakers", "bell",
)
RECORDER_KEEPS = ("crew_end", "reports_end", "lock")
CLUSTER_KEEPS = ("crew_end", "reports_end", "lock", "bell")
# The lock too: who gets it may listen on the admin port.
ADMIN_KEEPS = ("lifeline_end", "reports_end", "admin socket", "lock")


@dataclass(frozen=True)
class Roles:
    """Forks the children of one instance, each with what it needs and nothing else."""

    config: Config
    plan: Plan
    data_dir: Path
    shared: Shared
    lines: Lines
    log: Log
    serve: worker.Serve
    drain_s: float
    admin_main: AdminMain | None
    node: str = ""  # of the cluster

    @property
    def paths(self) -> Paths:
        return recorder.paths_of(self.plan, self.data_dir, self.shared.folder)

    def fork_zygote(self) -> int:
        """The far end of its channel is held as "channel end"."""
        return self.lines.fork(self._be_zygote, ZYGOTE_KEEPS)

    def fork_recorder(self, *, first: bool) -> int:
        return self.lines.fork(lambda: self._be_recorder(first), RECORDER_KEEPS)

    def fork_cluster(self) -> int:
        return self.lines.fork(self._be_cluster, CLUSTER_KEEPS)

    def fork_admin(self) -> int:
        return self.lines.fork(self._be_admin, ADMIN_KEEPS)

    def _be_zygote(self) -> None:
        kernel.name_process("fastgw-zygote")
        zygote.run(self.lines["channel end"], self._be_worker)

    def _be_worker(self, slot: int, generation: int, sock: socket.socket) -> None:
        self.lines.close("channel end")
        kernel.name_process(f"fastgw-worker{slot}")
        worker.main(
            self.plan,
            slot,
            generation,
            sock,
            shared=self.shared,
            lines=self.lines,
            log=self.log,
            serve=self.serve,
            drain_s=self.drain_s,
        )

    def _be_recorder(self, first: bool) -> None:
        log = self._begin("recorder")
        recorder.main(
            self.paths, self.config, self.shared.segment, self.lines, log, first=first
        )

    def _be_cluster(self) -> None:
        log = self._begin("cluster")
        assert self.config.cluster
        cluster.main(
            cluster.Membership(
                self.config.cluster, self.plan.limit_specs, self.shared.segment, self.data_dir,
                self.node, self.lines["bell"].fileno(), log,
            ),
            self.lines, log,
        )

    def _be_admin(self) -> None:
        assert self.admin_main
        log = self._begin("admin")
        self.admin_main(self.config, self.lines["admin socket"], self.data_dir, self.lines, log)

    def _begin(self, name: str) -> Log:
        kernel.name_process(f"fastgw-{name}")
        log = self.log.bind(process=name, pid=os.getpid())
        log.capture()
        return log
