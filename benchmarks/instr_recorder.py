"""The recorder, per request: its three records out of the ring into one committed batch.

A run is one batch of n requests, so that the commit's own cost, paid once every 50 ms whatever n
is, falls out of the difference.
"""

import tempfile
from pathlib import Path

from fastgw.ledger.committer import Paths
from fastgw.ledger.recorder import Recorder
from tests.ledger.fabricate import Traffic, names, post_all, rings

N = 400  # requests of one batch


def setup():
    global folder, ring, recorder, traffic
    folder = tempfile.TemporaryDirectory(dir="/dev/shm")
    root = Path(folder.name)
    (root / "data").mkdir()
    ring = rings(root / "rings", size=1 << 22)
    recorder = Recorder(Paths(root / "data", root / "rings"), lambda event, fields: None)
    post_all(ring, names())
    recorder.step()
    made = Traffic(seed=1)
    traffic = [[record for _ in range(count) for record in made.one()]
               for count in (N, N, N, 2 * N)]


def run(n):
    before = recorder.counts.requests
    for record in traffic.pop(0):
        ring.post_bytes(record)
    recorder.step()
    assert recorder.counts.requests - before == n
