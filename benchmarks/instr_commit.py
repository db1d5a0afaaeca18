"""The recorder, per commit of 300 records: what each pays whatever it holds, 20 times a second.

An operation is one batch of 100 requests through a ring into the store: posted, packed, summed,
committed. Divided by 300 it is what a record costs where commits are small.
"""

import tempfile
from pathlib import Path

from fastgw.ledger.committer import Paths
from fastgw.ledger.recorder import Recorder
from tests.ledger.fabricate import Traffic, names, post_all, rings

N = 12  # commits; all of them before SQLite's first checkpoint
RECORDS = 300


def setup():
    global folder, ring, recorder, traffic
    folder = tempfile.TemporaryDirectory(dir="/dev/shm")
    root = Path(folder.name)
    (root / "data").mkdir()
    ring = rings(root / "rings", size=1 << 20)
    recorder = Recorder(Paths(root / "data", root / "rings"), lambda event, fields: None)
    post_all(ring, names())
    recorder.step()
    made = Traffic(seed=1)
    records = [record for _ in range(6 * N * RECORDS // 2) for record in made.one()]
    traffic = [records[at : at + RECORDS] for at in range(0, 6 * N * RECORDS, RECORDS)]


def run(n):
    before = recorder.counts.commits
    for _ in range(n):
        for record in traffic.pop(0):
            ring.post_bytes(record)
        recorder.step()
    assert recorder.counts.commits - before == n
