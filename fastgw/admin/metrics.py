"""/metrics: the segment's counters summed over workers, and how the tree and the ledger are.

Nothing is kept here: every scrape reads the words that the processes write anyway.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from fastgw import __version__
from fastgw.admin.gauges import limit_gauges
from fastgw.clock import now_ns
from fastgw.cluster.wallets import HELD, Wallets
from fastgw.dialect.names import DIALECTS
from fastgw.errors import Code, FastgwError
from fastgw.ledger.drawn import GIVEN_UP, SENT, UNSENT, UNWANTED
from fastgw.ledger.journal import name_hash
from fastgw.ledger.query import Ledger
from fastgw.ledger.recorder import STATUS
from fastgw.ledger.ring import Ring
from fastgw.ledger.tails import PREFIX
from fastgw.limit import peek
from fastgw.process.balance import FILE as BALANCE
from fastgw.process.directory import read_document, read_instance
from fastgw.process.levels import live_limits
from fastgw.shm import counters
from fastgw.shm.segment import Segment

# What is told apart by a label elsewhere, or is no counter of its own.
_LABELLED = {f"status_{digit}xx" for digit in range(1, 6)} | {"cost_nano_usd", "overrun_nano_usd"}
_BOTH_SIDES = ("requests", "denied", "attempts")  # of the ledger's invariant
_TOLD = {UNSENT: "not yet", SENT: "yes", GIVEN_UP: "given up", UNWANTED: "nobody"}
LedgerSums = tuple[dict[str, int], list[tuple[str, float, int, int]]]
_HELP = {
    "overhead": "In the gateway before the upstream is asked.",
    "connect": "Connecting to a provider, name and TLS included.",
    "first_byte": "From the request sent until the provider's first byte.",
    "total": "From the head read until the last byte sent.",
    "refusal": "From the head read until a refusal is sent.",
    "loop": "How late a worker's timer of 100 ms is: what kept its event loop.",
}


class Metrics:
    """A collector over one instance; it attaches to the segment of whoever runs now."""

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir
        self._segment: Segment | None = None
        self._sums = Rarely(lambda: _read_ledger(data_dir))
        self._levels = Rarely(lambda: live_limits(data_dir))
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def exposition(self) -> bytes:
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        return []  # so that registering reads nothing

    def collect(self) -> Iterator[Metric]:
        state = read_instance(self._home)
        if state is None:
            return
        segment = self._attach(state["segment"])
        total = counters.total(segment)
        yield from _traffic(total)
        yield from _shadows(self._home, total.shadows)
        yield from _tree(state, segment)
        yield from _limits(segment)
        if "cluster" in state:
            yield from _cluster(self._home, segment)
        yield from limit_gauges(self._levels.read() or [])
        yield from _rings(Path(state["rings"]))
        yield from _recorder(Path(state["rings"]))
        yield from _ledger(self._sums.read())
        yield from _balance(self._home)

    def _attach(self, path: str) -> Segment:
        if self._segment is None or self._segment.path != path:
            self._segment = Segment.attach(path, readonly=True)
        return self._segment


def _traffic(total: counters.Totals) -> Iterator[Metric]:
    for name, value in total.counters.items():
        if name not in _LABELLED:
            yield _counter(name, name.replace("_", " ").capitalize() + ".", value)
    cost = total.counters["cost_nano_usd"] / 1e9
    yield _counter("cost_usd", "Cost of attempts whose price is known.", cost)
    overrun = total.counters["overrun_nano_usd"] / 1e9
    yield _counter("overrun_cost_usd", "Cost of tokens billed beyond their ceiling.", overrun)
    yield _counters(
        "responses", "Answers by class.", "class",
        {f"{digit}xx": total.counters[f"status_{digit}xx"] for digit in range(1, 6)},
    )
    fates = {fate: number for fate, number in total.fates.items() if fate != "open"}
    yield _counters("attempts_ended", "Attempts by fate.", "fate", fates)
    yield _counters("tokens", "Tokens by disjoint class.", "class", total.tokens)
    yield _counters(
        "usage_totals_unequal",
        "Attempts whose provider told a total that is not the sum of its input and output.",
        "dialect", dict(zip(DIALECTS[1:], total.totals_unequal[1:], strict=True)))
    yield _counters(
        "answers_unread",
        "Attempts whose compressed answer could not be read, so that their numbers are intervals; "
        "by its content coding.",
        "coding", total.unread)
    yield _counters("units", "What is billed and is no token.", "unit", total.units)
    yield _refusals(total.codes)
    for name, value in total.gauges.items():
        help = name.replace("_", " ").capitalize() + " at this moment."
        yield _gauge(f"{name}_now", help, value)
    for name, times in total.times.items():
        yield _histogram(name, times)
    yield _ratios(total.ratios)


def _shadows(data_dir: Path, found: dict[int, tuple[int, int]]) -> Iterator[Metric]:
    """What rules and actions that are not enforced would have done: to look at before they are."""
    names = (read_document(data_dir / "policy.json") or {}).get("shadows", ())
    known = {name_hash(name): name for name in names}
    actions = CounterMetricFamily(
        "fastgw_rule_shadows", "Actions not enforced that would have acted.", labels=["rule"])
    limits = CounterMetricFamily(
        "fastgw_rule_shadow_limits", "Limits not enforced that would have refused.",
        labels=["rule"])
    for rule, (acted, refused) in found.items():
        if rule in known:  # (else of an older policy)
            actions.add_metric([known[rule]], acted)
            limits.add_metric([known[rule]], refused)
    yield actions
    yield limits


def _refusals(codes: dict[int, int]) -> Metric:
    """By code, with its name, which says more on a dashboard; '' for one of a newer worker."""
    family = CounterMetricFamily(
        "fastgw_refusals", "Refusals by code.", labels=["code", "name"]
    )
    names = {code.value: code.name.lower() for code in Code}
    for code, number in sorted(codes.items()):
        family.add_metric([f"FGW-{code:03d}", names.get(code, "")], number)
    return family


def _tree(state: dict[str, Any], segment: Segment) -> Iterator[Metric]:
    alive = sum(worker["state"] == "ready" for worker in state["workers"])
    yield _gauge("workers_alive", "Workers that serve.", alive)
    yield _gauge("workers_wanted", "Worker slots.", len(state["workers"]))
    places = {f"worker {worker['slot']}": worker for worker in state["workers"]}
    places |= {
        "zygote": state["zygote"], "recorder": state["recorder"], "admin": state["admin_process"],
    }
    if "cluster" in state:
        places["cluster"] = state["cluster"]
    restarts = {name: place["restarts"] for name, place in places.items()}
    yield _counters("restarts", "Processes that were replaced.", "process", restarts)
    up = GaugeMetricFamily("fastgw_process_up", "1: the place is filled.", labels=["process"])
    for name, place in places.items():
        up.add_metric([name], float(place["state"] == "ready"))
    yield up
    age = GaugeMetricFamily(
        "fastgw_heartbeat_age_seconds", "Since a worker's last turn.", labels=["worker"]
    )
    now = now_ns()
    for slot in range(segment.workers):
        beat = segment.worker(slot).heartbeat_ns
        if beat:
            age.add_metric([str(slot)], max(0, now - beat) / 1e9)
    yield age
    build = GaugeMetricFamily("fastgw_build", "Always 1.", labels=["version", "policy"])
    build.add_metric([__version__, state["policy_version"]], 1)
    yield build


def _limits(segment: Segment) -> Iterator[Metric]:
    live = [segment.live_holds(slot) for slot in range(segment.workers)]
    yield _gauge("holds_live", "Requests that hold amounts.", sum(held for held, _ in live))
    yield _gauge("attempts_open", "Attempts under way.", sum(opened for _, opened in live))
    yield _gauge("table_entries", "Buckets in use.", peek.count(segment))
    yield _gauge("table_places", "Places for buckets.", segment.groups * 14)


def _cluster(data_dir: Path, segment: Segment) -> Iterator[Metric]:
    """What this node has of the fleet's limits. Summed over nodes: what is outstanding is what the
    fleet may lack of its limits at this moment; what is at risk, by how much dead nodes could at
    most make it pass them (windows; a token bucket is never passed)."""
    limits = (read_document(data_dir / "policy.json") or {"limits": []})["limits"]
    wallets = Wallets(segment)
    held: dict[tuple[str, str], int] = {}
    for entry in wallets.all():
        seen = wallets.read(entry)
        if seen is not None and seen.spec < len(limits):
            limit = limits[seen.spec]
            name = (limit["name"], limit["unit"])
            held[name] = held.get(name, 0) + max(0, seen.left)
    slices = GaugeMetricFamily(
        "fastgw_cluster_outstanding",
        "Leased from the cluster and not spent (cost: micro-dollars).", labels=["limit", "unit"],
    )
    for (limit_name, unit), units in held.items():
        slices.add_metric([limit_name, unit], units)
    yield slices
    status, said = read_document(data_dir / "cluster.json") or {}, wallets.said()
    risk = GaugeMetricFamily(
        "fastgw_cluster_at_risk", "Leased and not told as spent.", labels=["limit", "unit"])
    for limit_name, unit, units in status.get("at_risk", ()):
        risk.add_metric([limit_name, unit], units)
    yield risk
    yield _gauge("cluster_store_held", "1: the store answers.", float(said.state == HELD))
    yield _gauge("cluster_nodes", "Nodes of the cluster, as last seen.", said.nodes)
    lease_s = (said.until_ns - now_ns()) / 1e9 if said.until_ns else 0.0
    yield _gauge("cluster_lease_seconds", "How long slices are still good.", max(0.0, lease_s))
    yield _gauge("cluster_round_trip_seconds", "Of the store, lately.",
                 status.get("round_trip_ms", 0) / 1000)
    yield _gauge("cluster_reissued", "Units of dead nodes' slices that the store gave out again, "
                 "in windows that are on: what limits may have been passed by.",
                 status.get("reissued", 0))
    events = {name: status.get(name, 0)
              for name in ("calls", "losses", "lapses", "degraded_grants")}
    yield _counters("cluster_events", "Of the lessee since it started.", "event", events)


def _rings(folder: Path) -> Iterator[Metric]:
    fill = GaugeMetricFamily(
        "fastgw_ring_fill_ratio", "Part of a ring that waits to be stored.", labels=["ring"]
    )
    waiting = GaugeMetricFamily(
        "fastgw_ring_waiting_bytes", "Bytes that wait to be stored.", labels=["ring"]
    )
    counted: dict[str, int] = {}
    for path in sorted(folder.glob(f"{PREFIX}*")):
        ring = Ring.attach(path, producer=False)
        used, name = ring.head - ring.tail, path.name.removeprefix(PREFIX)
        fill.add_metric([name], used / ring.size)
        waiting.add_metric([name], used)
        for what, number in ring.counters().items():
            counted[what] = counted.get(what, 0) + number
        ring.close()
    yield fill
    yield waiting
    yield _counters("ring_events", "What rings had to turn away or merge.", "event", counted)


_EXPORTS = {
    "delivered": "Attempts that an export has delivered since the start.",
    "skipped": "Batches that retention took before an export had them.",
    "failures": "Tries of an export that failed.",
    "failing": "1: the export cannot deliver.",
}


def _recorder(folder: Path) -> Iterator[Metric]:
    status = read_document(folder / STATUS) or {}
    spilled = status.get("spill_bytes", 0)
    yield _gauge("spill_bytes", "Records that wait outside the store.", spilled)
    yield _gauge("ledger_failing", "1: the store or the spill fails.", bool(status.get("failing")))
    exports = status.get("exports") or {}
    for name, text in _EXPORTS.items():
        family = _counters if name != "failing" else _gauges
        values = {export: int(bool(said[name]) if name == "failing" else said[name])
                  for export, said in exports.items()}
        if values:
            yield family(f"export_{name}", text, "export", values)


def _ledger(sums: LedgerSums | None) -> Iterator[Metric]:
    if sums is None:
        return  # nothing stored yet, or not readable: the gauges above say so
    totals, alerts = sums
    for name in _BOTH_SIDES:
        yield _counter(f"ledger_{name}", f"Stored {name}.", totals[name])
    yield _gauge("ledger_open_attempts", "Stored attempts without their close.", totals["open"])
    apart = sum(abs(totals[name] - totals[f"rollup_{name}"]) for name in _BOTH_SIDES)
    yield _gauge("ledger_difference", "Records against roll-ups; 0, or it is a defect.", apart)
    yield from _alerts(alerts)


def _balance(data_dir: Path) -> Iterator[Metric]:
    """The invariant, as the recorder finds it (fastgw.process.balance)."""
    found = read_document(data_dir / BALANCE)
    if not found:
        return
    apart = GaugeMetricFamily(
        "fastgw_books_difference", "Between attempts, accounts and counters: 0, or a defect.",
        labels=["of"],
    )
    for side in ("attempts", "rollups", "accounts"):
        apart.add_metric([side], found[side])
    yield apart
    age = max(0.0, time.time() - found["wall_ns"] / 1e9)
    yield _gauge("books_age_seconds", "Since attempts, accounts and counters were compared.", age)
    yield _counter("books_cuts", "Cuts of workers' counters compared to their records.",
                   found["cuts"])


def _alerts(alerts: list[tuple[str, float, int, int]]) -> Iterator[Metric]:
    reached = CounterMetricFamily(
        "fastgw_cap_alerts", "Fractions of caps that keys have reached, once a window.",
        labels=["limit", "fraction", "told"],
    )
    for limit, fraction, state, number in alerts:
        reached.add_metric([limit, f"{fraction:g}", _TOLD[state]], number)
    yield reached


class Rarely:
    """What takes the longer to read the more there is, is read the more rarely the longer it
    takes: at most a twentieth of the time goes into it."""

    def __init__(
        self, read: Callable[[], Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._last: Any = None
        self._due_s = 0.0

    def read(self) -> Any:
        """As of a moment ago; None where there is nothing to read yet."""
        began = self._clock()
        if began < self._due_s:
            return self._last
        try:
            self._last = self._read()
        except FastgwError:
            self._last = None
        self._due_s = began + 20 * (self._clock() - began)
        return self._last


def _read_ledger(data_dir: Path) -> LedgerSums:
    with Ledger(data_dir) as ledger:
        return ledger.totals(), ledger.alerts()


def _counter(name: str, help: str, value: float) -> Metric:
    return CounterMetricFamily(f"fastgw_{name}", help, value=value)


def _counters(name: str, help: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"fastgw_{name}", help, labels=[label])
    for part, value in values.items():
        family.add_metric([part], value)
    return family


def _gauges(name: str, help: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"fastgw_{name}", help, labels=[label])
    for part, value in values.items():
        family.add_metric([part], value)
    return family


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"fastgw_{name}", help, value=value)


def _histogram(name: str, times: counters.Times) -> Metric:
    """Cumulative, in seconds, as Prometheus wants it."""
    buckets, below = [], 0
    for bound_us, number in zip(counters.BUCKETS_US, times.counts, strict=False):
        below += number
        buckets.append((repr(bound_us / 1e6), below))
    buckets.append(("+Inf", sum(times.counts)))
    family = HistogramMetricFamily(f"fastgw_{name}_seconds", _HELP.get(name, name))
    family.add_metric([], buckets, sum_value=times.sum_us / 1e6)
    return family


def _ratios(ratios: dict[str, counters.Ratios]) -> Metric:
    family = HistogramMetricFamily(
        "fastgw_estimate_ratio", "Tokens that providers reported by those that were estimated.",
        labels=["of"],
    )
    for name, ratio in ratios.items():
        buckets, below = [], 0
        for bound, number in zip(counters.BUCKETS_RATIO, ratio.counts, strict=False):
            below += number
            buckets.append((repr(bound / 100), below))
        buckets.append(("+Inf", sum(ratio.counts)))
        family.add_metric([name], buckets, sum_value=ratio.sum_hundredths / 100)
    return family
