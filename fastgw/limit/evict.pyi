from typing import Self, final

from fastgw.shm.segment import Segment

CROWDED: int
GROUPS_MIN: int
ROUND: int

def share(groups: int) -> int: ...

@final
class Evictor:
    def __new__(cls, segment: Segment) -> Self: ...
    @property
    def freed(self) -> int: ...
    def step(self, now_ns: int, groups: int | None = ..., wall_ns: int | None = ...) -> int: ...
