from collections.abc import Mapping, Sequence
from typing import Any, Self, final

from fastgw.shm.segment import Segment

UNITS: dict[str, int]
ALGORITHMS: dict[str, int]

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
    def __new__(cls, specs: Sequence[Mapping[str, Any]], holds: Holds) -> Self: ...
    @property
    def holds(self) -> Holds: ...
    def __len__(self) -> int: ...
