from collections.abc import Callable
from typing import final

KNOWN_MAX: int

@final
class Cap:
    identity: bytes
    rule: int
    unit: int
    limit: int
    window_end_ns: int
    used: int
    told: int
    def words(self) -> tuple[int, int]: ...

@final
class Caps:
    def __init__(
        self,
        find: Callable[[bytes], tuple[int, int, int, int] | None],
        progress: frozenset[tuple[int, int]] = ...,
        *,
        some: bool = True,
    ) -> None: ...
    def add(self, records: bytes) -> None: ...
    @property
    def some(self) -> bool: ...
    def changed(self) -> list[Cap]: ...
    def kept(self) -> None: ...
    def held(self) -> dict[bytes, int]: ...
