"""System calls and allocations of a serving worker, per request and per event.

Method: the gateway runs with count.so preloaded, so each process counts for itself in a page that
is read from here. One connection, one request after another: n requests, then 2n; the difference
over n is exact but for timers, which a median over rounds drops. Events come paced, one at a time,
so that none shares its system calls with another.
"""

import statistics
import struct
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import peers
from benchmarks.inside import PAGE
from benchmarks.load import Client
from benchmarks.measure import CannotMeasure, library
from benchmarks.processes import DidNotStart, Peer

REQUESTS, EVENTS, ROUNDS = 200, 150, 3


def pages(folder: Path) -> dict[str, tuple[int, ...]]:
    """What each process has counted so far, by its id."""
    size = 8 * len(PAGE)
    return {path.name: struct.unpack(f"{len(PAGE)}Q", path.read_bytes()[:size])
            for path in folder.iterdir() if path.stat().st_size >= size}


def grown(before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]]) -> list[int]:
    """What the busiest process (the worker) counted between two looks."""
    zero = (0,) * len(PAGE)
    deltas = [[b - a for a, b in zip(before.get(pid, zero), page, strict=True)]
              for pid, page in after.items()]
    return max(deltas, key=lambda delta: delta[PAGE.index("reads")])


def per_operation(counts: Path, n: int, operate) -> dict[str, float]:
    """The median over rounds of (2n operations - n operations) / n."""
    rounds = []
    for _ in range(ROUNDS):
        looks = [pages(counts)]
        for repeat in (n, 2 * n):
            operate(repeat)
            looks.append(pages(counts))
        once, twice = grown(looks[0], looks[1]), grown(looks[1], looks[2])
        rounds.append([(b - a) / n for a, b in zip(once, twice, strict=True)])
    middle = [statistics.median(column) for column in zip(*rounds, strict=True)]
    figures = dict(zip(PAGE, middle, strict=True))
    return {"syscalls": round(figures["syscalls"], 2),
            "allocations": round(figures["allocations"], 2)}


def expect_200(answer: tuple[int, bytes]) -> bytes:
    if answer[0] != 200:
        raise CannotMeasure(f"the gateway answered {answer[0]}: {answer[1][:200]!r}")
    return answer[1]


def measure_peer(peer: Peer, counts: Path, key: str) -> dict[str, dict[str, float]]:
    """Figures of one running peer whose processes count into `counts`."""
    client = Client(peer.port, key)

    def requests(n: int) -> None:
        for _ in range(n):
            expect_200(client.chat())

    def events(n: int) -> None:
        body = expect_200(client.chat(streamed=True, mock=f"events={n},pace=4ms"))
        came = body.count(b"\n\n")
        if came < n:
            raise CannotMeasure(f"{n} events were asked for, {came} came")

    requests(REQUESTS)
    figures = {"request": per_operation(counts, REQUESTS, requests),
               "event": per_operation(counts, EVENTS, events)}
    client.close()
    return figures


def measure() -> dict[str, dict[str, float]]:
    """Figures of fastgw as benchmarks/fastgw.yaml sets it up. CannotMeasure if it cannot serve."""
    counter = library("count")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, counts = Path(name), Path(name) / "counts"
        counts.mkdir()
        try:
            mock = stack.enter_context(peers.mock(folder, cpu=None))
            gateway = stack.enter_context(peers.fastgw(
                folder, mock.port, cpu=None, LD_PRELOAD=str(counter), PYTHONMALLOC="malloc",
                BENCH_COUNT_DIR=str(counts)))
        except DidNotStart as reason:
            raise CannotMeasure(str(reason)) from None
        return measure_peer(gateway, counts, peers.ACCESS_KEY)
