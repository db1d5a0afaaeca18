from typing import NamedTuple

from fastgw.limit.adjust import Adjust
from fastgw.shm.segment import Segment

TRIES: int

class Forgiven(NamedTuple):
    before: int
    after: int

def forgive(segment: Segment, adjust: Adjust, identity: tuple[int, int], amount: int | None, *,
            capacity: int, period_ns: int, sliding: bool, now_ns: int,
            wall_ns: int) -> Forgiven: ...
