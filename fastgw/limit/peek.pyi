from typing import NamedTuple

from fastgw.shm.segment import Segment

KINDS: dict[int, str]

class Entry(NamedTuple):
    identity: tuple[int, int]
    kind: str
    unit: int
    raw: int
    place: int
    other: int
    span: int

class Level(NamedTuple):
    used: int
    held: int
    limit: int
    reset_ns: int

def shadow(identity: tuple[int, int]) -> tuple[int, int]: ...
def windowed(identity: tuple[int, int], window_start_ns: int) -> tuple[int, int]: ...
def granted(identity: tuple[int, int]) -> tuple[int, int]: ...
def held(segment: Segment) -> dict[tuple[int, int], int]: ...
def entries(segment: Segment) -> list[Entry]: ...
def count(segment: Segment) -> int: ...
def find(segment: Segment, identity: tuple[int, int]) -> Entry | None: ...
def level(segment: Segment, entry: Entry, capacity: int, period_ns: int,
          now_ns: int, *, wall_ns: int | None = ..., sliding: bool = ...,
          holding: int | None = ...) -> Level | None: ...
