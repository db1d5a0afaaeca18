"""Chaos with a gateway of its own: workers are killed -9 under load, then the books compared.

    python -m tools.killing --workers 4 --kills 50 --every 0.3

A mock provider, `fastgw serve` in front of it and the clients of tools/chaos.py. Every call in
the mock's books must have one entry in the ledger: equal where the provider's number was read,
else with the books inside its interval; and nothing may be held a second after the load. Exit 0
only then.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from fastgw.mock.runner import Mock
from fastgw.process.directory import read_instance
from fastgw.shm.segment import Segment
from tools.chaos import Plan, compare, mock_lines, run
from tools.ports import free_port
from tools.reconcile import reconciled

KEY = "fgw-chaos-0123456789"
_START_S = 30.0
_STOP_S = 60.0
_SETTLE_S = 3.0         # the ledger has a second; a loaded machine gets some more
CONFIGURATION = """\
listen: {{address: 127.0.0.1, port: {port}, workers: {workers}}}
admin: {{address: 127.0.0.1, port: {admin}}}
data_dir: "{folder}/data"
providers:
  - {{id: openai, dialect: openai, base_url: "{mock}/v1", keys: [{{value: mock-key}}]}}
  - {{id: anthropic, dialect: anthropic, base_url: "{mock}", keys: [{{value: mock-key}}]}}
keys:
  - {{id: chaos, value: {key}}}
policy:
  on_http_request:
    - name: wide limits, so that every call holds something
      actions:
        - type: rate-limit
          config: {{name: pace, unit: requests, capacity: 10000000, per: 24h,
                   bucket_key: ["key.id"]}}
        - type: rate-limit
          config: {{name: tokens, unit: tokens, capacity: 10000000000, per: 24h,
                   bucket_key: ["key.id"]}}
"""


class Gateway:
    """`fastgw serve` as a child, whose workers can be killed."""

    def __init__(self, mock: Mock, folder: Path, workers: int, seed: int,
                 configuration: str = "") -> None:
        """``configuration``: instead of CONFIGURATION, beside what is given as options."""
        self.port = free_port()
        self.folder = folder
        self.killed = 0
        self._draw = random.Random(seed)
        file = folder / "gateway.yaml"
        file.write_text((configuration or CONFIGURATION).format(
            port=self.port, admin=free_port(), workers=workers, folder=folder, mock=mock.url,
            key=KEY))
        self._log = (folder / "gateway.log").open("wb")
        self._command = [sys.executable, "-m", "fastgw", "serve", "-c", str(file)]
        self._process = self._begin()

    def _begin(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stderr=self._log, start_new_session=True)

    @property
    def directory(self) -> Path:
        return self.folder / "data"

    def instance(self) -> dict[str, Any]:
        return read_instance(self.directory) or {}

    def __enter__(self) -> "Gateway":
        deadline = time.monotonic() + _START_S
        while self.instance().get("state") != "ready":
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the gateway did not start:\n{self.log()}")
            time.sleep(0.05)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def held(self) -> int:
        """Holds that are in use, in all workers' slots of the segment."""
        segment = Segment.attach(self.instance()["segment"], readonly=True)
        return sum(segment.live_holds(worker)[0] for worker in range(segment.workers))

    def log(self) -> str:
        return (self.folder / "gateway.log").read_text()

    def kill_recorder(self) -> None:
        """-9; the supervisor makes another one."""
        pid = (self.instance().get("recorder") or {}).get("pid")
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_supervisor(self) -> None:
        """-9, and another instance on the same directory and port, which waits for what is left of
        the first; returns when it serves."""
        self._process.kill()
        self._again()

    def kill_all(self) -> None:
        """-9 to every process at once, as when a container is killed; and another instance."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._again()

    def _again(self) -> None:
        self._process.wait(_STOP_S)
        self._process = self._begin()
        deadline = time.monotonic() + _START_S
        while (found := self.instance()).get("state") != "ready" or (
                found.get("pid") != self._process.pid):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no second instance:\n{self.log()[-3000:]}")
            time.sleep(0.05)

    def kill_one(self) -> None:
        """-9 to a random worker that is ready; none, if none is."""
        pid = self._worker()
        if pid:
            with contextlib.suppress(ProcessLookupError):  # it went by itself meanwhile
                os.kill(pid, signal.SIGKILL)
                self.killed += 1

    def _worker(self) -> int:
        """A random one that is ready; 0: none is."""
        ready = [one["pid"] for one in self.instance().get("workers", ())
                 if one["state"] == "ready" and one["pid"]]
        return self._draw.choice(ready) if ready else 0

    def freeze(self, who: str, seconds: float) -> None:
        """STOP and, so much later, CONT to a worker, the recorder or the supervisor: as when a
        machine is suspended or swaps."""
        pid = {"worker": self._worker(), "supervisor": self._process.pid}.get(who) or (
            self.instance().get(who) or {}).get("pid")
        if not pid:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)

    def stop(self) -> int:
        """TERM, and its exit code; -9 when it does not end."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(_STOP_S)
        self._log.close()
        return self._process.returncode


def trial(folder: Path, *, workers: int = 4, kills: int = 50, every_s: float = 0.3,
          clients: int = 40, seed: int = 1) -> dict[str, Any]:
    """One run to its end; if all is well, `held` is 0, and the contradictions in `ledger` and
    the lists in `books` are empty."""
    with Mock() as mock, Gateway(mock, folder, workers, seed) as gateway:
        plan = Plan(f"http://127.0.0.1:{gateway.port}", KEY, clients=clients,
                    seconds=kills * every_s or 5.0, seed=seed)
        summary, calls = run(plan, gateway.kill_one if kills else None, every_s)
        time.sleep(1.0)
        held = gateway.held()
        lines = mock_lines(mock.url)
        ledger = reconciled(lines, gateway.directory, _SETTLE_S)
        code = gateway.stop()
    return {**summary, "killed": gateway.killed, "held": held, "books": compare(calls, lines),
            "ledger": ledger, "exit_code": code}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Kills workers under load, compares the books.")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--every", type=float, default=0.3, metavar="SECONDS")
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="fastgw-chaos-") as folder:
        told = trial(Path(folder), workers=given.workers, kills=given.kills, every_s=given.every,
                     clients=given.clients, seed=given.seed)
    print(json.dumps(told))
    books = told["books"]
    well = not (told["ledger"]["contradictions"] or books["unbilled"] or books["unasked"]
                or books["unequal"] or told["held"] or told["exit_code"])
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
