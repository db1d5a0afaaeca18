from typing import Self, final

from fastgw.shm.segment import Segment

CROWDED: int

@final
class Evictor:
    def __new__(cls, segment: Segment) -> Self: ...
    @property
    def freed(self) -> int: ...
    def step(self, now_ns: int, groups: int = ..., wall_ns: int | None = ...) -> int: ...
