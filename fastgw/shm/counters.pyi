from typing import NamedTuple

from fastgw.shm.segment import Segment

COUNTERS: dict[str, int]
GAUGES: dict[str, int]
HISTOGRAMS: dict[str, int]
RATIOS: dict[str, int]
FATES: tuple[str, ...]
TOKENS: tuple[str, ...]
IMAGE_TOKENS: tuple[str, ...]
UNITS: tuple[str, ...]
UNREAD: tuple[str, ...]
BUCKETS_US: tuple[int, ...]
BUCKETS_RATIO: tuple[int, ...]

class Times(NamedTuple):
    counts: tuple[int, ...]
    sum_us: int

class Ratios(NamedTuple):
    counts: tuple[int, ...]
    sum_hundredths: int

class Totals(NamedTuple):
    counters: dict[str, int]
    gauges: dict[str, int]
    fates: dict[str, int]
    tokens: dict[str, int]
    units: dict[str, int]
    totals_unequal: tuple[int, ...]
    unread: dict[str, int]
    codes: dict[int, int]
    times: dict[str, Times]
    ratios: dict[str, Ratios]
    shadows: dict[int, tuple[int, int]]

def total(segment: Segment) -> Totals: ...
def of_worker(segment: Segment, worker: int) -> Totals: ...
def count(segment: Segment, worker: int, name: str, n: int = ...) -> None: ...
def count_fate(segment: Segment, worker: int, fate: str) -> None: ...
def count_code(segment: Segment, worker: int, code: int) -> None: ...
def count_time(segment: Segment, worker: int, name: str, ns: int) -> None: ...
