from typing import NamedTuple, final

from fastgw.shm.segment import Segment

UNKNOWN: int
HELD: int
LOST: int
WANTED: int
DRY: int
DEGRADED: int
EPOCH_MAX: int

class Seen(NamedTuple):
    key: tuple[int, int]
    unit: int
    granted: int
    spent: int
    spec: int
    window: int
    low: int
    flags: int
    @property
    def left(self) -> int: ...

class Said(NamedTuple):
    state: int
    nodes: int
    until_ns: int
    beat_ns: int

_Turns = list[tuple[int, int] | None]

@final
class Wallets:
    def __new__(cls, segment: Segment) -> Wallets: ...
    @property
    def incarnation(self) -> int: ...
    def read(self, entry: int) -> Seen | None: ...
    def all(self) -> list[int]: ...
    def scan(self, first: int, number: int) -> list[int]: ...
    @property
    def places(self) -> int: ...
    @staticmethod
    def neighbour(key: tuple[int, int], start_ns: int,
                  step_ns: int) -> tuple[int, int]: ...
    def grant(self, entry: int, granted: int, *, spec: int, window: int = ...,
              low: int = ..., flags: int = ...) -> bool: ...
    def release(self, entry: int, flags: int = ...) -> None: ...
    def demands(self) -> list[tuple[int, int]]: ...
    def ask(self, key: tuple[int, int], unit: int, spec: int, need: int,
            window: int = ...) -> bool: ...
    def say(self, *, state: int, nodes: int, until_ns: int) -> None: ...
    def beat(self, now_ns: int) -> None: ...
    def said(self) -> Said: ...
    epoch: str
    def turns(self) -> _Turns: ...
    def went_on(self, before: _Turns) -> bool: ...
