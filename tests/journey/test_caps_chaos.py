"""The ledger's table of caps and the shared words agree, whoever is killed.

Method: four clients, some of which leave without reading, of a provider that goes on beyond its
limit, so that more is drawn; workers and the recorder are killed with
-9 at random instants, seeded. When all is settled every word is what the ledger would rebuild, for
caps that charge a lost request its ceiling and for those that charge its progress; and after the
segment is lost the next instance says the same.
"""

import json
import os
import random
import shutil
import threading
import time
import urllib.request

from fastgw.ledger.query import Ledger
from tests.csrc.ledger_native import seeded
from tests.journey.harness import Gateway, Mock, chat, configuration, post, read_answer, wait_until

UNITS = ("requests", "tokens", "input_tokens", "output_tokens")
LOAD_S = 4.0


def cap(unit: str, lost: str) -> dict:
    return {"type": "usage-cap", "config": {
        "name": f"{unit} {lost}", "unit": unit, "limit": 10**9, "window": "total",
        "bucket_key": ["key.id"], "on_worker_lost": lost}}


def rows(gateway: Gateway) -> dict[str, dict]:
    url = f"http://127.0.0.1:{gateway.admin}/api/limits"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return {row["id"]: row for row in json.load(answer)}


def rebuilt(gateway: Gateway) -> dict[str, int]:
    with Ledger(gateway.data_dir) as ledger:
        assert ledger.verify() == []
        return {f"{low:016x}{high:016x}": used for (low, high), _, used, *_ in ledger.caps(0)}


def requests(gateway: Gateway) -> int:
    with Ledger(gateway.data_dir) as ledger:
        return ledger.totals()["requests"]


def load(gateway: Gateway, stop: threading.Event, draw: random.Random) -> None:
    while not stop.is_set():
        try:
            with gateway.connect(3) as sock:
                for _ in range(draw.randrange(1, 8)):
                    asked = f"events={draw.randrange(1, 30)},pace={draw.randrange(5)}ms"
                    most = draw.choice((5, 50))  # who goes on beyond it draws
                    body = chat(max_tokens=most, stream=draw.random() < 0.7)
                    asked += ",ignore_max=1"
                    sock.sendall(post("/v1/chat/completions", body,
                                      f"x-mock: prompt_tokens=30,{asked}"))
                    if draw.random() < 0.1:
                        break
                    read_answer(sock)
        except (OSError, TypeError):
            continue  # its worker was killed


def kill_at_random(gateway: Gateway, draw: random.Random) -> int:
    killed, until = 0, time.monotonic() + LOAD_S
    while time.monotonic() < until:
        time.sleep(draw.random() * 0.3)
        living = gateway.pids(draw.choice(("worker", "worker", "recorder")))
        try:
            os.kill(draw.choice(living), 9)
            killed += 1
        except (IndexError, ProcessLookupError):
            continue
    return killed


def test_words_and_ledger_agree_whoever_is_killed(tmp_path):
    draw = seeded("caps under kills")
    (tmp_path / "shm").mkdir()
    actions = [cap(unit, lost) for unit in UNITS for lost in ("ceiling", "progress")]
    policy = {"on_http_request": [{"name": "budget", "actions": actions}]}
    mock = Mock()
    config = configuration(mock.port, policy=policy, shm_dir=str(tmp_path / "shm"))
    gateway = Gateway(config, workers=2, data_dir=tmp_path / "data")
    stop = threading.Event()
    clients = [threading.Thread(target=load, args=(gateway, stop, random.Random(draw.random())))
               for _ in range(4)]
    for client in clients:
        client.start()
    killed = kill_at_random(gateway, draw)
    stop.set()
    for client in clients:
        client.join()

    def settled() -> tuple[dict[str, int], int, set[str]] | None:
        counted, live = requests(gateway), rows(gateway)
        words = {id: row["used"] for id, row in live.items() if row["used"]}
        still = any(row["held"] for row in live.values())
        if still or words != rebuilt(gateway) or counted != requests(gateway):
            return None
        return words, counted, {id for id, row in live.items() if row["unit"] == "requests"}

    try:
        words, counted, per_request = wait_until(settled, 20)
        assert killed >= 5 and len(words) == len(actions) and len(per_request) == 2
        with gateway.connect(3) as sock:  # one that has left when it is heard
            sock.sendall(post("/v1/chat/completions", chat(max_tokens=5, stream=True),
                              "x-mock: prompt_tokens=30"))
        assert gateway.stop() == 0
        last, late = rebuilt(gateway), requests(gateway) - counted
        assert last.keys() == words.keys()
        # Nothing came behind the last look but what requests brought that were heard since, each
        # of which has its record: who left before may be heard late on a busy machine as well.
        for id in words:
            more = last[id] - words[id]
            assert more == late if id in per_request else 0 <= more <= late * 10_000, id
        for folder in (tmp_path / "shm").iterdir():
            shutil.rmtree(folder)
        again = Gateway(config, workers=2, data_dir=tmp_path / "data")
        try:
            assert {id: row["used"] for id, row in rows(again).items()} == last
        finally:
            again.remove()
    finally:
        print(rows(gateway) if gateway.process.poll() is None else "", rebuilt(gateway))
        gateway.remove()
        mock.stop()
