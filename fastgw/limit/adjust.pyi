from typing import Self, final

from fastgw.limit.peek import Entry
from fastgw.shm.segment import SUPERVISOR as SUPERVISOR
from fastgw.shm.segment import Segment

KINDS: dict[str, int]
TRIES: int

@final
class Adjust:
    def __new__(cls, segment: Segment, owner: int = ...) -> Self: ...
    def read(self, key: tuple[int, int]) -> Entry | None: ...
    def set(self, key: tuple[int, int], kind: str, value: int | tuple[int, int], *,
            unit: int = ..., window_end_ns: int = ..., wall_ns: int | None = ...) -> None: ...
    def add(self, key: tuple[int, int], delta: int) -> int | None: ...
