"""fastgw beside nginx and haproxy: CPU per request and per event, latency, memory, as ratios.

    python -m benchmarks.compare [--rounds 5] [--seconds 3] [--only json,burst,...] [--gate]

Method: all peers run at once in front of one mock provider, idle but for the one under load, and
take turns in interleaved rounds (A B C, B C A, …), so that what the machine does meets all alike.
Gateway on CPU 0 with one worker, mock and wrk on CPU 1. CPU is user and system time of every
process of a peer, divided by completed requests. Nobody logs, nobody closes connections. A ratio
is taken within a round; shown are the median over rounds and its range. On a noisy machine only
the ratios mean anything.

`--gate` fails where the ratio to nginx passes its budget in *every* round: noise does not do that.
Budgets hold what is reached; `targets` are the promises, and how far off each is gets printed.
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, peers
from benchmarks.measure import ROOT, CannotMeasure
from benchmarks.processes import Peer

EVENTS = 100  # that the mock sends in a stream
BASE = "nginx"
TURNS = 3  # at most, for one that counts


@dataclass(frozen=True)
class Scene:
    """One kind of load."""

    name: str
    what: str          # what CPU is divided by
    connections: int
    streamed: bool = False
    pace_ms: int = 0

    @property
    def events(self) -> int:
        """How many of `what` one counted thing is: wrk counts streams, the paced client events."""
        return EVENTS if self.streamed and not self.pace_ms else 1

    def run(self, port: int, seconds: float) -> load.Load:
        if self.pace_ms:
            return load.paced(port, peers.ACCESS_KEY, streams=self.connections, seconds=seconds,
                              pace_ms=self.pace_ms, cpu=peers.LOAD_CPU)
        return load.wrk(port, peers.ACCESS_KEY, connections=self.connections, seconds=seconds,
                        streamed=self.streamed, cpu=peers.LOAD_CPU)


SCENES = {scene.name: scene for scene in (
    Scene("json", "request", 32),
    Scene("json-c1", "request", 1),
    Scene("burst", "event", 32, streamed=True),
    Scene("burst-c1", "event", 1, streamed=True),
    Scene("paced", "event", 128, streamed=True, pace_ms=10),
)}


def probe(peer: Peer) -> tuple[int, int]:
    """(bytes of a JSON answer, events of a stream) as this peer passes them on."""
    client = load.Client(peer.port, peers.ACCESS_KEY)
    status, body = client.chat(mock="events=15")
    streamed_status, stream = client.chat(streamed=True)
    client.close()
    if (status, streamed_status) != (200, 200):
        raise CannotMeasure(f"{peer.name} answered {status} and {streamed_status}: {body[:200]!r}")
    return len(body), stream.count(b"\n\n")


def one_run(peer: Peer, mock: Peer, scene: Scene, seconds: float) -> dict[str, float]:
    """One turn of one peer: a row of figures."""
    port = peer.stream_port if scene.streamed else peer.port
    began, own, upstream = time.monotonic(), peer.cpu_us(), mock.cpu_us()
    done = scene.run(port, seconds)
    wall = (time.monotonic() - began) * 1e6
    cpu = peer.cpu_us() - own
    memory = peer.memory()
    return {
        "cpu_us": cpu / done.requests / scene.events, "cpu_share": cpu / wall,
        "mock_share": (mock.cpu_us() - upstream) / wall, "rate": done.requests / done.us * 1e6,
        "bytes": done.bytes / done.requests, "p50_us": done.p50_us, "p99_us": done.p99_us,
        "resident_kib": memory.resident, "private_kib": memory.private,
    }


def steady_run(peer: Peer, mock: Peer, scene: Scene, seconds: float) -> dict[str, float]:
    """One turn that counts: again, and said so, where requests failed, as they do when a disk
    stalls for longer than a worker's ring has room. CannotMeasure when it happens every time."""
    for _ in range(TURNS - 1):
        try:
            return one_run(peer, mock, scene, seconds)
        except CannotMeasure as reason:
            print(f"again: {peer.name}, {scene.name}: {reason}", flush=True)
            time.sleep(2)  # what fails for lack of a connection, or of room, has passed
    return one_run(peer, mock, scene, seconds)


def rounds(running: list[Peer], mock: Peer, scenes: list[Scene], count: int,
           seconds: float) -> dict[str, dict[str, list[dict[str, float]]]]:
    """scene -> peer -> one row per round; who begins changes from round to round."""
    rows: dict[str, dict[str, list[dict[str, float]]]] = {
        scene.name: {peer.name: [] for peer in running} for scene in scenes}
    for peer in running:
        for scene in scenes:
            steady_run(peer, mock, scene, 1)  # warm: pools filled, pages touched
    for turn in range(count):
        first = turn % len(running)
        for scene in scenes:
            for peer in running[first:] + running[:first]:
                rows[scene.name][peer.name].append(
                    steady_run(peer, mock, scene, seconds))
    return rows


def ratios(rows: dict[str, list[dict[str, float]]], name: str) -> list[float]:
    """CPU of one peer to nginx's in the same round."""
    return [own["cpu_us"] / base["cpu_us"]
            for own, base in zip(rows[name], rows.get(BASE, []), strict=False)]


def table(scene: Scene, rows: dict[str, list[dict[str, float]]]) -> str:
    """One scene's table for people: medians over the rounds."""
    paced = f", one every {scene.pace_ms} ms; p50, p99: gaps" if scene.pace_ms else ""
    lines = [f"\n{scene.name}: {scene.connections} connections, per {scene.what}{paced}",
             f"{'':10}{'CPU us':>9}{'to nginx':>10}{'(range)':>15}{'per s':>10}{'p50 us':>9}"
             f"{'p99 us':>9}{'RSS MB':>8}{'anon':>7}{'CPU':>6}{'mock':>6}{'bytes':>9}"]
    for name, runs in rows.items():
        middle = {key: statistics.median(row[key] for row in runs) for key in runs[0]}
        ratio = ratios(rows, name)
        shown = (f"{statistics.median(ratio):>10.2f}{f'{min(ratio):.2f}-{max(ratio):.2f}':>15}"
                 if ratio else f"{'-':>10}{'':>15}")
        lines.append(
            f"{name:10}{middle['cpu_us']:>9.2f}{shown}{middle['rate'] * scene.events:>10.0f}"
            f"{middle['p50_us']:>9.0f}{middle['p99_us']:>9.0f}"
            f"{middle['resident_kib'] / 1024:>8.0f}{middle['private_kib'] / 1024:>7.0f}"
            f"{middle['cpu_share']:>6.0%}{middle['mock_share']:>6.0%}{middle['bytes']:>9.0f}")
    return "\n".join(lines)


def passed(found: dict[str, list[float]], budgets: dict[str, float]) -> list[str]:
    """Scenes whose ratio was above its budget in every round."""
    return [f"{name}: fastgw / nginx at least {min(found[name]):.2f}, budget {budget}"
            for name, budget in budgets.items() if found.get(name) and min(found[name]) > budget]


def distances(found: dict[str, list[float]], targets: dict[str, float]) -> list[str]:
    """How the median of each scene stands to what is promised."""
    lines = []
    for name, target in targets.items():
        if found.get(name):
            middle = statistics.median(found[name])
            verdict = "reached" if middle <= target else f"missed by {middle / target - 1:.0%}"
            lines.append(f"{name}: fastgw / nginx {middle:.2f}, promised {target}: {verdict}")
    return lines


def compare(scenes: list[Scene], count: int, seconds: float) -> dict:
    """Starts everything, measures, prints; the figures as they go to build/bench.json."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        mock = stack.enter_context(peers.mock(folder))
        running = [stack.enter_context(peers.start(peer, folder, mock.port))
                   for peer in peers.present()]
        print(f"one worker each on CPU {peers.GATEWAY_CPU}; mock and wrk on CPU {peers.LOAD_CPU}; "
              f"{count} interleaved rounds of {seconds} s")
        for peer in running:
            size, events = probe(peer)
            print(f"  {peer.name:10}{peers.version(peer.name):40}"
                  f"answers of {size} bytes, streams of {events} events")
        rows = rounds(running, mock, scenes, count, seconds)
    for scene in scenes:
        print(table(scene, rows[scene.name]))
    return {"machine": platform.platform(), "python": sys.version, "rounds": count,
            "seconds": seconds, "rows": rows,
            "ratios": {scene.name: ratios(rows[scene.name], "fastgw") for scene in scenes}}


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.compare")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", default=",".join(SCENES))
    parser.add_argument("--gate", action="store_true")
    asked = parser.parse_args(words)
    try:
        found = compare([SCENES[name] for name in asked.only.split(",")], asked.rounds,
                        asked.seconds)
    except CannotMeasure as reason:
        print(f"not measured: {reason}")
        return 1
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench.json").write_text(json.dumps(found, indent=1) + "\n")
    held = json.loads((ROOT / "benchmarks" / "budgets.json").read_text())
    above = passed(found["ratios"], held.get("ratios", {}))
    print("\n" + "\n".join(distances(found["ratios"], held.get("targets", {}))))
    print("".join(f"\nABOVE BUDGET {line}" for line in above) or "\nratios: within budget"
          if found["ratios"] and any(found["ratios"].values()) else "\nno nginx to compare with")
    return 1 if above and asked.gate else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
