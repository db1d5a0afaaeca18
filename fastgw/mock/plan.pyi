from collections.abc import Mapping, Sequence
from typing import final

MARK: bytes
DATE: bytes
FINISHES: tuple[str, ...]

@final
class Plan:
    """One answer, ready to leave; `steps` are pairs (end in wire, output tokens by then).

    Options: status, finish ("keep", "close", "stall", "reset"), delay and pace (ns), batch, drip,
    bill_all, billed, booked, cacheable, tail, input_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, book_key, id_prefix, line.
    """

    wire: bytes
    status: int
    output_tokens: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    billed: bool
    cacheable: bool
    def __init__(
        self, wire: bytes, steps: Sequence[tuple[int, int]], options: Mapping[str, object]
    ) -> None: ...
    def steps_made(self) -> list[tuple[int, int]]: ...
    def part(self, start: int, end: int, id: bytes, date: bytes) -> bytes:
        """wire[start:end] as the call named `id` (24 bytes) gets it."""
