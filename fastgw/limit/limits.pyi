from collections.abc import Mapping, Sequence
from typing import Any, Self, final

from fastgw.shm.segment import Segment

UNITS: dict[str, int]
ALGORITHMS: dict[str, int]
STORE_LOSS: dict[str, int]
LOST: dict[str, int]

@final
class Holds:
    def __new__(cls, segment: Segment, worker: int) -> Self: ...
    @property
    def worker(self) -> int: ...
    @property
    def free(self) -> int: ...
    @property
    def size(self) -> int: ...

@final
class Limits:
    def __new__(cls, specs: Sequence[Mapping[str, Any]], holds: Holds,
                wall_ns: int | None = ...) -> Self: ...
    @property
    def next_roll_ns(self) -> int: ...
    def roll(self, wall_ns: int) -> int: ...
    @property
    def holds(self) -> Holds: ...
    def __len__(self) -> int: ...
