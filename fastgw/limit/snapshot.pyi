from os import PathLike
from struct import Struct

from fastgw.shm.segment import Segment

MAGIC: bytes
ROW: Struct
WORTH_NS: int
WORTH_SHIFT: int

def save(segment: Segment, path: str | PathLike[str], now_ns: int, wall_ns: int) -> int: ...
def load(segment: Segment, path: str | PathLike[str], now_ns: int, wall_ns: int) -> int: ...
