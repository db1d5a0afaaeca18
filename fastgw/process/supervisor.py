"""The supervisor: owns sockets, shared memory and the lock; fills every place of the tree.

::

    supervisor ──┬── zygote ──(forks)──┐
                 ├── worker 0 … n-1 <──┘   adopted at birth
                 ├── recorder              drains the rings until nobody posts any more
                 ├── cluster               leases slices of shared limits; only with a `cluster`
                 └── admin                 reads; owns nothing

It has one thread and no event loop, so that what it forks starts clean. It never touches a
request: when it dies, workers see the end of the lifeline, finish and go.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastgw import __version__
from fastgw.clock import now_ns
from fastgw.limit.evict import Evictor
from fastgw.log import Log
from fastgw.process import cluster, continuity, kernel, recorder, worker, zygote
from fastgw.process.directory import Directory
from fastgw.process.grants import Grants
from fastgw.process.lines import Lines
from fastgw.process.orders import Orders
from fastgw.process.places import Place, kill_strangers
from fastgw.process.plan import Plan
from fastgw.process.refusal import StartError
from fastgw.process.roles import AdminMain, Roles
from fastgw.process.shared import Shared
from fastgw.process.sockets import bind_slots, format_endpoint, listen_alone
from fastgw.process.timers import Timers
from fastgw.process.wakers import Wakers

if TYPE_CHECKING:
    from fastgw.config import Config

DRAIN_S = 30.0
WORKERS_MAX = 256
STOP_GRACE_S = 2.0  # from the deadline to INT, and from INT to KILL
SWEEP_AGAIN_S = 0.1
HOUSEKEEPING_S = 0.25
HANG_S = 10.0  # a loop that turns 10 times a second has not turned once
RECORDER_START_S = 60.0
RECORDER_STOP_S = 30.0
CLUSTER_STOP_S = 5.0
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Supervisor:
    """One instance of the gateway, from start to exit code."""

    def __init__(
        self,
        config: Config,
        *,
        admin_main: AdminMain | None,
        log: Log,
        serve: worker.Serve = worker.serve,
        drain_s: float = DRAIN_S,
    ) -> None:
        self.config = config
        self.log = log.bind(process="supervisor", pid=os.getpid())
        self._bare_log = log
        self._admin_main = admin_main
        self._serve = serve
        self._drain_s = drain_s
        self._workers = config.listen.workers or count_cores()
        self._zygote = Place("zygote")
        self._recorder = Place("recorder")
        self._admin = Place("admin")
        self._cluster = Place("cluster")
        self._slots = [Place(f"worker {slot}", slot) for slot in range(self._workers)]
        self._timers = Timers()
        self._early_exits: dict[int, int] = {}  # pid -> status: died before its birth was told
        self._started_ns = time.time_ns()
        self._stopping = False
        self._recorder_done = False
        self._was_ready = False
        self._finished = False

    # --- start -----------------------------------------------------------------------------

    def start(self) -> None:
        """Everything that can fail for a reason the operator can mend. Raises StartError."""
        config = self.config
        plan = Plan(config)
        if config.cluster:
            cluster.check_client()
        self._dir = Directory.open(Path(config.data_dir), spread=config.shares_records)
        self.listen = bind_slots(config.listen.address, config.listen.port, self._workers)
        self._admin_socket = None
        if self._admin_main:
            self._admin_socket = listen_alone(config.admin.address, config.admin.port)
        self._listen_text = format_endpoint(self.listen[0])
        self._admin_text = self._admin_socket and format_endpoint(self._admin_socket)
        self._shared = Shared.open(config, self._dir.path, self._workers)
        self._open_lines()
        if config.cluster:
            self._lines.hold("bell", cluster.Bell())
            plan.bell = self._lines["bell"].fileno()
        self._roles = Roles(
            config, plan, self._dir.path, self._shared, self._lines, self._bare_log,
            self._serve, self._drain_s, self._admin_main,
            self._dir.node_name() if config.cluster else "",
        )
        kernel.adopt_orphans()
        kernel.raise_descriptor_limit()
        recorder.recover_all(self._shared, self._roles.paths, self.log)
        self._start_recorder()
        continuity.restore(self._shared.segment, self._shared.folder, self._dir.path, self.log)
        self._shared.forget_old_rings()
        if config.cluster:
            self._fill(self._cluster)
        self._fill(self._zygote)
        for place in self._slots:
            self._fill(place)
        if self._admin_main:
            self._fill(self._admin)
        self._dir.write_document("policy.json", plan.describe())
        self._evictor = Evictor(self._shared.segment)
        self._take_orders()
        self._keep_house()
        self._timers.after(continuity.SAVE_EVERY_S, self._save_limits)
        self._publish()

    def _open_lines(self) -> None:
        self._lines = Lines()
        self._selector = selectors.DefaultSelector()
        self._lines.hold("selector", self._selector)
        woken, waker = socket.socketpair()
        woken.setblocking(False)
        waker.setblocking(False)
        self._lines.hold("woken", woken)
        self._lines.hold("waker", waker)
        for slot, sock in enumerate(self.listen):
            self._lines.hold(f"listen {slot}", sock)
        if self._admin_socket:
            self._lines.hold("admin socket", self._admin_socket)
        self._lines.hold("lock", self._dir)
        self._lines.hold("wakers", Wakers(self._workers))
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        self._selector.register(woken, selectors.EVENT_READ, self._on_signals)
        self._selector.register(self._lines["reports"], selectors.EVENT_READ, self._on_reports)

    def _start_recorder(self) -> None:
        """Workers may post only when somebody reads; and old records come before new ones."""
        self._fill(self._recorder)
        deadline = time.monotonic() + RECORDER_START_S
        while self._recorder.state != "ready":
            report = self._lines.read_report()
            if report and report["kind"] == "failed":
                raise StartError(report["error"])
            if report:
                self._on_report(report)
            elif os.waitpid(self._recorder.pid, os.WNOHANG)[0]:
                raise StartError(f"the recorder of {self._dir.path} died; see the log")
            elif time.monotonic() > deadline:
                self._recorder.kill(signal.SIGKILL)
                raise StartError("the recorder did not start")
            else:
                time.sleep(0.002)

    # --- run -------------------------------------------------------------------------------

    def run(self) -> int:
        """Until told to stop. The exit code of the command."""
        try:
            while not self._finished:
                for key, _ in self._selector.select(self._timers.wait_s()):
                    key.data()
                self._timers.run_due()
        except Exception:
            # The children see the end of the lifeline; the next start recovers what they leave.
            self.log.error("supervisor failed", error=traceback.format_exc())
            return 1
        self.log.note("stopped")
        return 0

    def _on_signals(self) -> None:
        numbers = self._lines["woken"].recv(4096)
        if signal.SIGHUP in numbers:
            self.log.warning("reload is not supported yet: restart to change the configuration")
        if signal.SIGINT in numbers:
            self._stop(at_once=True)
        elif signal.SIGTERM in numbers:
            self._stop(at_once=self._stopping or numbers.count(signal.SIGTERM) > 1)
        # Last: where the whole group was told to end, who has ended already is no surprise.
        if signal.SIGCHLD in numbers:
            self._reap()

    def _on_reports(self) -> None:
        while report := self._lines.read_report():
            self._on_report(report)

    def _on_report(self, report: dict[str, Any]) -> None:
        for place in (self._recorder, self._admin, self._cluster, *self._slots):
            # A worker may report before the zygote has told its pid: the generation names it too.
            expected = place.is_worker and place.generation == report.get("generation")
            if (expected or place.pid == report["pid"]) and place.state == "starting":
                place.state = report["kind"]
        self._publish()
        self._announce()

    def _announce(self) -> None:
        """Once, when all workers serve; their pids stand in instance.json by then."""
        if self._was_ready or any(p.state != "ready" or not p.pid for p in self._slots):
            return
        self._was_ready = True
        self._publish()
        self.log.note(
            "ready",
            listen=self._listen_text,
            admin=self._admin_text,
            workers=self._workers,
            policy=self.config.version,
            data_dir=str(self._dir.path),
        )
        if self.config.open:
            self.log.warning("open: no access key is asked for", listen=self._listen_text)

    # --- filling places --------------------------------------------------------------------

    def _fill(self, place: Place) -> None:
        if self._finished or place.pid or place.state != "down":
            return
        if place is self._recorder and self._recorder_done:
            return
        if place is self._cluster and "crew" not in self._lines:
            return  # it has given back what it had
        if place.is_worker:
            self._ask_for_worker(place)
        elif place is self._zygote:
            self._fork_zygote()
        elif place is self._recorder:
            place.asked(0)
            place.born(self._roles.fork_recorder(first=place.births == 0))
        elif place is self._cluster:
            place.asked(0)
            place.born(self._roles.fork_cluster())
        else:
            place.asked(0)
            place.born(self._roles.fork_admin())

    def _fork_zygote(self) -> None:
        channel, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        channel.setblocking(False)  # a zygote that hangs must not hang us
        self._lines.hold("channel", channel)
        self._lines.hold("channel end", far_end)
        self._zygote.asked(0)
        self._zygote.born(self._roles.fork_zygote())
        self._zygote.state = "ready"
        self._lines.close("channel end")
        self._selector.register(channel, selectors.EVENT_READ, self._on_births)

    def _ask_for_worker(self, place: Place) -> None:
        if self._stopping or not self._zygote.pid:
            return  # who fills the zygote's place asks again
        place.asked(self._dir.next_generation())
        sock = self._lines[f"listen {place.slot}"]
        try:
            zygote.request_worker(self._lines["channel"], place.slot, place.generation, sock)
        except OSError:
            place.state = "down"  # the zygote has just died: its successor is asked again

    def _on_births(self) -> bool:
        """Takes one birth note; False: none waits, or none will come."""
        if "channel" not in self._lines:
            return False  # closed by an event of the same round
        try:
            birth = zygote.read_birth(self._lines["channel"])
        except BlockingIOError:
            return False
        except OSError:
            birth = None
        if birth is None:
            self._close_channel()
            return False
        place = self._slots[birth["slot"]]
        if "pid" not in birth:
            self.log.error("worker not born", slot=place.slot, error=birth["error"])
            self._vacate(place, place.died())
            return True
        place.born(birth["pid"])
        self._publish()
        self._announce()
        if place.pid in self._early_exits:
            self._bury(place, self._early_exits.pop(place.pid))
        elif self._stopping:
            place.kill(signal.SIGTERM)
        return True

    def _close_channel(self) -> None:
        if "channel" in self._lines:
            self._selector.unregister(self._lines["channel"])
            self._lines.close("channel")

    # --- death -----------------------------------------------------------------------------

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            places = (self._zygote, self._recorder, self._admin, self._cluster, *self._slots)
            place = next((place for place in places if place.pid == pid), None)
            if place:
                self._bury(place, status)
            else:
                self._early_exits[pid] = status

    def _bury(self, place: Place, status: int) -> None:
        expected = self._stopping and status == 0
        tell = self.log.note if expected else self.log.warning
        tell("process ended", of=place.name, ended_pid=place.pid, **describe_exit(status))
        if place is self._zygote:
            self._lose_zygote()
        elif place is self._recorder:
            self._recorder_done = status == 0 and "crew" not in self._lines
        delay_s = place.died()
        if place.is_worker:
            self._sweep(place, delay_s)
        else:
            self._vacate(place, delay_s)

    def _sweep(self, place: Place, delay_s: float) -> None:
        """A slot is given away only when its last worker's amounts are settled."""
        place.state = "down"
        if not self._shared.sweep(place.slot, self.log):
            place.state = "sweeping"
            self._timers.after(SWEEP_AGAIN_S, lambda: self._sweep(place, delay_s))
            return
        self._lines["wakers"].wake_all()
        self._vacate(place, delay_s)

    def _vacate(self, place: Place, delay_s: float) -> None:
        self._publish()
        if not self._stopping or (place is self._recorder and not self._recorder_done):
            self._timers.after(delay_s, lambda: self._refill(place))
        if self._stopping:
            self._go_on_stopping()

    def _refill(self, place: Place) -> None:
        self._fill(place)
        if place is self._zygote and place.pid:
            for slot in self._slots:
                self._fill(slot)
        self._publish()

    def _lose_zygote(self) -> None:
        """Births that were asked for and not told are undone; told ones live on."""
        while "channel" in self._lines and self._on_births():
            pass
        self._close_channel()
        self._early_exits.clear()  # no birth is awaited now: these were other people's
        known = (self._recorder, self._admin, self._cluster, *self._slots)
        kill_strangers({place.pid for place in known})
        for place in self._slots:
            # (Also one that had said it was ready before its birth was told, and is killed now.)
            if place.state in ("starting", "ready") and not place.pid:
                self._sweep(place, 0.0)

    def _keep_house(self) -> None:
        """Makes room in the limit table; replaces workers whose loop hangs."""
        self._evictor.step(now_ns())
        for place in self._slots:
            turns = self._shared.segment.worker(place.slot).turns
            if place.state == "ready" and place.hangs(turns, HANG_S):
                self.log.error("worker hangs: killed", slot=place.slot, of_pid=place.pid)
                place.kill(signal.SIGKILL)
        self._timers.after(HOUSEKEEPING_S, self._keep_house)

    def _save_limits(self) -> None:
        if "crew" in self._lines:
            continuity.save(self._shared.segment, self._dir.path, self.log)
            self._timers.after(continuity.SAVE_EVERY_S, self._save_limits)

    # --- orders ----------------------------------------------------------------------------

    def _take_orders(self) -> None:
        self._grants = Grants(self._shared, self.log)
        self._orders = Orders(self._dir.path, self._carry_out)
        self._lines.hold("orders", self._orders)
        self._selector.register(self._orders.sock, selectors.EVENT_READ, self._on_order)

    def _on_order(self) -> None:
        connection = self._orders.accept()
        if connection is not None:
            self._selector.register(
                connection, selectors.EVENT_READ, lambda: self._answer(connection)
            )

    def _answer(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        self._orders.answer(connection)

    def _carry_out(self, order: dict[str, Any], who: str) -> dict[str, Any]:
        answer = self._grants.carry_out(order, who)
        continuity.save(self._shared.segment, self._dir.path, self.log)
        return answer

    # --- stop ------------------------------------------------------------------------------

    def _stop(self, *, at_once: bool) -> None:
        """Workers first, the recorder when nobody posts any more, the admin port last."""
        if not self._stopping:
            self._stopping = True
            self.log.note("stopping", at_once=at_once)
            for slot in range(self._workers):
                self._lines.close(f"listen {slot}")
            self._timers.after(self._drain_s + STOP_GRACE_S, lambda: self._stop(at_once=True))
            for place in self._slots:
                place.kill(signal.SIGTERM)
            self._publish()
        if at_once:
            for place in self._slots:
                place.kill(signal.SIGINT)
            self._timers.after(STOP_GRACE_S, self._kill_workers)
        self._go_on_stopping()

    def _kill_workers(self) -> None:
        for place in self._slots:
            if place.pid:
                self.log.error("worker does not end: killed", slot=place.slot)
            place.kill(signal.SIGKILL)

    def _go_on_stopping(self) -> None:
        if any(place.pid or place.state != "down" for place in self._slots):
            return
        self._close_channel()  # the zygote ends
        if self._zygote.pid:
            return
        if "crew" in self._lines:
            self._selector.unregister(self._orders.sock)
            self._orders.withdraw()
            self._lines.close("orders")
            continuity.save(self._shared.segment, self._dir.path, self.log)
            self._shared.close()
            self._lines.close("crew")  # the recorder stores what is left, and ends
            self._timers.after(RECORDER_STOP_S, self._give_up_recorder)
            self._timers.after(CLUSTER_STOP_S, lambda: self._cluster.kill(signal.SIGKILL))
        if not self._recorder_done or self._cluster.pid:
            return
        if self._admin.pid:
            self._admin.kill(signal.SIGTERM)
            self._timers.after(STOP_GRACE_S, lambda: self._admin.kill(signal.SIGKILL))
            return
        self._finish()

    def _give_up_recorder(self) -> None:
        if not self._recorder_done:
            self.log.error("the recorder does not end: records stay in the rings until next start")
            self._recorder_done = True
            self._recorder.kill(signal.SIGKILL)
            self._go_on_stopping()

    def _finish(self) -> None:
        self._finished = True
        self._publish()
        self._dir.close()

    def _publish(self) -> None:
        """instance.json: for the CLI, the admin port and the next start."""
        state = "starting"
        if self._finished:
            state = "stopped"
        elif self._stopping:
            state = "draining"
        elif self._was_ready:
            state = "ready"
        instance = {
            "pid": os.getpid(),
            "state": state,
            "started_ns": self._started_ns,
            "version": __version__,
            "policy_version": self.config.version,
            "config_file": self.config.file,
            "listen": self._listen_text,
            "admin": self._admin_text,
            **self._shared.describe(),
            "workers": [place.describe() for place in self._slots],
            "zygote": self._zygote.describe(),
            "recorder": self._recorder.describe(),
            "admin_process": self._admin.describe(),
        }
        if self.config.cluster:
            instance["cluster"] = self._cluster.describe()
        try:
            self._dir.write_document("instance.json", instance)
        except OSError as error:
            self.log.error("instance.json cannot be written", error=error.strerror)


def count_cores() -> int:
    """Cores that this process may run on: a container may have been given fewer than there are."""
    return min(len(os.sched_getaffinity(0)), WORKERS_MAX)


def describe_exit(status: int) -> dict[str, object]:
    """{"exit": 0} or {"signal": "SIGKILL"}."""
    code = os.waitstatus_to_exitcode(status)
    return {"exit": code} if code >= 0 else {"signal": signal.Signals(-code).name}
