"""Chaos with everything in it: calls of every dialect, every fault, and everything killed.

    python -m tools.storm --calls 200000 --seconds 300        (`make chaos`)

Clients read, leave, reset, rush and stall; half of those that leave are drained. The provider
stalls, breaks off, answers 5xx and malformed streams. Beside that workers, recorder and supervisor
are killed -9 or frozen, the store is locked, and the disk of the data directory is filled (a
small tmpfs, where one may be mounted). Then the mock's books are laid beside the ledger, call by
call: one CLOSE each, equal to the token where the provider's number was read, else inside the
interval, whose widths are told; nothing is held, and the gateway's own invariant is 0. Exit 0 only
then.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from fastgw.ledger.query import Ledger
from fastgw.ledger.records import CLOSE, PROVENANCE_PROVIDER, Close
from fastgw.ledger.vocabulary import FATES, word
from fastgw.mock.runner import Mock
from fastgw.process.balance import SEEN_APART
from fastgw.process.directory import read_document
from tools.calls import Kind, provider, spoken
from tools.chaos import FAULTS, Plan, mock_lines, run
from tools.killing import KEY, Gateway

_SETTLE_S = 15.0
_DISK_BYTES = 512 << 20
_OUTAGE_S = 0.8
_FREEZE_S = 1.2
Key = tuple[str, int]


def configuration(kinds: tuple[Kind, ...]) -> str:
    """YAML with the places that tools.killing.Gateway fills in."""
    providers = {kind.dialect: provider(kind, "{mock}") for kind in kinds}
    for one in providers.values():
        one["timeouts"] = {"first_byte": "3s", "idle": "2s", "total": "20s"}
    pace = {"type": "rate-limit", "config": {
        "name": "tokens", "unit": "tokens", "capacity": 10**11, "per": "24h",
        "bucket_key": ["key.id"]}}
    cap = {"type": "usage-cap", "config": {
        "name": "month", "unit": "tokens", "limit": 10**12, "window": "month",
        "bucket_key": ["key.id"]}}
    drain = {"expressions": ["'x-drain' in req.headers"], "actions": [{
        "type": "on-abort", "config": {
            "then": "drain", "max_tokens": 500, "max_seconds": 5, "max_concurrent": 50}}]}
    made = {
        "listen": {"address": "127.0.0.1", "port": "PORT", "workers": "WORKERS"},
        "admin": {"address": "127.0.0.1", "port": "ADMIN"},
        "data_dir": "{folder}/data", "providers": list(providers.values()),
        "keys": [{"id": "chaos", "value": "{key}"}],
        "policy": {"on_http_request": [{"actions": [pace, cap]}, drain]},
    }
    text = json.dumps(made).replace("{", "{{").replace("}", "}}")
    for name in ("mock", "folder", "key"):
        text = text.replace("{{" + name + "}}", "{" + name + "}")
    for place in ("PORT", "ADMIN", "WORKERS"):
        text = text.replace(f'"{place}"', "{" + place.lower() + "}")
    return text


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[bool]:
    """A tmpfs at ``place``; False where none may be mounted: the disk is then never full."""
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "fastgw-storm", place],
        capture_output=True)
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", place], check=False)


class Weather:
    """What happens beside the calls, one thing at a time, drawn by the seed."""

    def __init__(self, gateway: Gateway, seed: int, fills: bool, gentle: bool,
                 only: str = "") -> None:
        self._gateway, self._draw = gateway, random.Random(seed)
        self.happened: Counter[str] = Counter()
        sorts: list[tuple[str, int, Callable[[], None]]] = [
            ("worker killed", 70, gateway.kill_one),
            ("recorder killed", 12, gateway.kill_recorder),
            ("store locked", 8, self._lock_store),
            ("supervisor killed", 2 if gentle else 4, gateway.kill_supervisor),
            ("all killed", 1 if gentle else 2, gateway.kill_all),
            *((f"{who} frozen", 3, partial(gateway.freeze, who, _FREEZE_S))
              for who in ("worker", "recorder", "supervisor")),
        ]
        if fills:
            sorts.append(("disk full", 5, self._fill_disk))
        self._sorts = sorts = [sort for sort in sorts if only in sort[0]]
        # Each at least once, however short it is.
        self._first = [name for name, _, _ in sorts]

    def __call__(self) -> None:
        name = self._first.pop(0) if self._first else self._draw.choices(
            [name for name, _, _ in self._sorts], [weight for _, weight, _ in self._sorts])[0]
        self.happened[name] += 1
        next(act for known, _, act in self._sorts if known == name)()

    def _lock_store(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            store = sqlite3.connect(self._gateway.directory / "ledger.db", timeout=2)
            store.execute("BEGIN IMMEDIATE")
            time.sleep(_OUTAGE_S)
            store.rollback()
            store.close()

    def _fill_disk(self) -> None:
        filler = self._gateway.directory / "filler"
        piece = bytes(1 << 20)
        try:
            with filler.open("wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(piece)
                    file.flush()
            time.sleep(_OUTAGE_S)
        finally:
            filler.unlink(missing_ok=True)


def closes(data_dir: Path) -> tuple[dict[Key, Close], list[Key]]:
    """(every CLOSE by request and attempt, those that were closed twice)."""
    found: dict[Key, Close] = {}
    doubled = []
    with Ledger(data_dir) as ledger:
        for raw in ledger.records():
            if raw[4] != CLOSE:
                continue
            close = Close.unpack(raw)
            key = (str(close.id), close.attempt)
            if key in found:
                doubled.append(key)
            found[key] = close
    return found, doubled


def judge(lines: list[dict[str, Any]], data_dir: Path) -> dict[str, Any]:
    """The mock's books beside the ledger."""
    found, doubled = closes(data_dir)
    verdicts: Counter[str] = Counter()
    widths: dict[str, list[int]] = {}
    wrong: list[dict[str, Any]] = []
    for line in lines:
        if not line["billed"]:
            continue
        close = found.get((line["request_id"] or "", int(line["attempt"] or 0)))
        verdict, width = verdict_of(line, close)
        verdicts[verdict] += 1
        if close is not None and verdict == "inside":
            widths.setdefault(word(FATES, close.fate), []).append(width)
        if verdict not in ("equal", "inside") and len(wrong) < 20:
            wrong.append({"verdict": verdict, "line": line, "close": repr(close)})
    with Ledger(data_dir) as ledger:
        open_now, verified = len(ledger.open_attempts()), ledger.verify()
    return {
        "billed": sum(verdicts.values()), "verdicts": dict(verdicts), "doubled": doubled[:20],
        "wrong": wrong, "open": open_now, "verify": verified[:5],
        "attempts": len(found),
        "fates": dict(Counter(word(FATES, one.fate) for one in found.values())),
        "drained": sum(one.code == 956 for one in found.values()),
        "widths": {fate: {"n": len(all_), "median": sorted(all_)[len(all_) // 2],
                          "largest": max(all_)} for fate, all_ in widths.items()},
    }


def verdict_of(line: dict[str, Any], close: Close | None) -> tuple[str, int]:
    if close is None:
        return "missing", 0
    tokens = close.tokens
    booked = (tokens.input + tokens.cached_input + tokens.cache_write + tokens.cache_write_1h
              + tokens.audio_input, tokens.output + tokens.reasoning + tokens.audio_output)
    truth = (line["input_tokens"], line["output_tokens"])
    if close.provenance == PROVENANCE_PROVIDER:
        return ("equal" if booked == truth else "unequal"), 0
    inside = (close.input_low <= truth[0] <= close.input_high
              and close.output_low <= truth[1] <= close.output_high)
    width = close.input_high - close.input_low + close.output_high - close.output_low
    return ("inside" if inside else "outside"), width


def trial(folder: Path, *, calls: int, seconds: float, clients: int = 48, seed: int = 1,
          every_s: float = 0.4, gentle: bool = False, only: str = "") -> dict[str, Any]:
    """One storm to its end; `well` says whether nothing contradicts."""
    with small_disk(folder / "data") as fills, Mock("--events", "20") as mock:
        kinds = spoken(mock.url)
        _forget(mock.url)
        with Gateway(mock, folder, 2, seed, configuration(kinds)) as gateway:
            weather = Weather(gateway, seed, fills, gentle, only)
            plan = Plan(
                f"http://127.0.0.1:{gateway.port}", KEY, kinds=kinds, clients=clients,
                seconds=seconds, calls_max=calls, seed=seed, events=20, pace_ms=1, faults=0.25,
                drained=0.5)
            summary, _ = run(plan, weather, every_s)
            told = _settled(gateway, mock)
            told["exit_code"] = gateway.stop()
    told |= {"calls": summary["calls"], "outcomes": summary["outcomes"],
             "kinds": summary["kinds"], "happened": dict(weather.happened), "seed": seed,
             "disk_was_filled": fills, "faults": len(FAULTS)}
    told["well"] = not (
        told["wrong"] or told["doubled"] or told["open"] or told["verify"] or told["held"]
        or told["difference"] or told["exit_code"])
    return told


def _forget(url: str) -> None:
    """The probes are no calls of this run."""
    urllib.request.urlopen(
        urllib.request.Request(f"{url}/books", method="DELETE"), timeout=10).close()


def _settled(gateway: Gateway, mock: Mock) -> dict[str, Any]:
    """What there is to say once nothing runs any more, or time is up."""
    deadline = time.monotonic() + _SETTLE_S
    while gateway.held() and time.monotonic() < deadline:
        time.sleep(0.1)
    lines = mock_lines(mock.url)
    _looked_again(gateway)
    while True:
        told = judge(lines, gateway.directory)
        found = read_document(gateway.directory / "balance.json") or {}
        told["held"] = gateway.held()
        told["difference"] = sum(found.get(side, 0)
                                 for side in ("attempts", "rollups", "accounts"))
        told["cuts"] = found.get("cuts", 0)
        told["apart"] = {side: found.get(side) for side in ("attempts", "rollups", "accounts")}
        bad = told["wrong"] or told["open"] or told["held"] or told["verify"]
        if not bad or time.monotonic() > deadline:
            return told
        time.sleep(0.5)


def _looked_again(gateway: Gateway) -> None:
    """The gateway's own accounts were looked at often enough since all is quiet to be judged."""
    def looks() -> int:
        return (read_document(gateway.directory / "balance.json") or {}).get("looks", 0)

    enough, deadline = looks() + SEEN_APART + 1, time.monotonic() + 2 * _SETTLE_S
    while looks() < enough and time.monotonic() < deadline:
        time.sleep(0.2)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Everything at once, then the books compared.")
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--every", type=float, default=0.5, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--only", default="", metavar="SORT", help="of weather")
    parser.add_argument("--keep", metavar="DIR", help="leave the gateway's log there")
    given = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with it
    with tempfile.TemporaryDirectory(prefix="fastgw-storm-") as folder:
        told = trial(Path(folder), calls=given.calls, seconds=given.seconds,
                     clients=given.clients, seed=given.seed, every_s=given.every,
                     only=given.only)
        if given.keep:
            os.makedirs(given.keep, exist_ok=True)
            log = Path(folder, "gateway.log").read_bytes()
            Path(given.keep, "gateway.log").write_bytes(log)
    print(json.dumps(told, default=str))
    return 0 if told["well"] else 1


if __name__ == "__main__":
    sys.exit(main())
