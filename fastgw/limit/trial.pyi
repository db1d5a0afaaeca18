from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self, final

from fastgw.limit.limits import UNITS as UNITS
from fastgw.limit.limits import Limits

NO_CAP: int

class Trace(NamedTuple):
    identity: tuple[int, int]
    rule: int
    used: int
    held: int
    limit: int
    taken: int
    wait_ns: int
    reset_ns: int
    unit: int
    verdict: int
    enforced: bool
    flags: int

@final
class Trial:
    def __new__(cls, limits: Limits, id: tuple[int, int, int] = ...,
                 wall_ns: int = ...) -> Self: ...
    @property
    def inserted(self) -> int: ...
    def take(self, demands: Sequence[tuple[int, tuple[int, int], bool]],
             amounts: Mapping[str, int], now_ns: int, *, wall_ns: int = ...,
             ceiling: Mapping[str, int] | None = ...) -> bool: ...
    def room(self, now_ns: int = ..., wall_ns: int = ...) -> dict[str, int]: ...
    def draw(self, more: Mapping[str, int], now_ns: int = ...) -> bool: ...
    @property
    def traces(self) -> list[Trace]: ...
    @property
    def held(self) -> list[int]: ...
    def open(self, attempt: int, *, input_estimate: int = ..., input_high: int = ...,
             output_high: int = ..., provider_key: int = ..., wall_ns: int = ...,
             open_sequence: int = ...) -> None: ...
    def sent(self, bytes_in: int) -> None: ...
    def progress(self, *, input_tokens: int = ..., output_tokens: int = ..., events: int = ...,
                 bytes_out: int = ...) -> None: ...
    def closing(self, close_sequence: int) -> None: ...
    def closed(self) -> None: ...
    def settle(self, amounts: Mapping[str, int], now_ns: int) -> None: ...
    def release(self) -> None: ...
