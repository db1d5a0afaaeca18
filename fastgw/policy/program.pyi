from collections.abc import Mapping, Sequence
from typing import Any, Self, final

__pyx_capi__: dict[str, object]  # set_value and others, for other Cython modules

class EvaluationError(Exception):
    """An expression has no value: an absent fact, an overflow, a division by zero.

    ``code``: the name of it in enum fgw_cel_error; ``instruction``: which one made it.
    """

    code: str
    instruction: int
    def __init__(self, message: str, code: str = "", instruction: int = 0) -> None: ...

@final
class Program:
    """A verified program of csrc/fgw_cel.h.

    Raises ValueError for a block that is none, or could leave its bounds.
    """

    block: bytes
    type: str
    reads: int
    sources: int
    def __new__(cls, block: bytes) -> Self: ...
    def evaluate(self, facts: Sequence[object]) -> Any:
        """The value over ``facts`` (None: absent), as Python has it. Raises EvaluationError. For
        tests and tools."""

    def run(
        self,
        facts: Sequence[Mapping[str, Any] | None],
        sources: Mapping[int, Sequence[tuple[str, str]]] | None = None,
        steps: int = 100_000,
        arena: int = 1 << 20,
        seed: int = 0,
        trace: list[tuple[int, dict[str, Any]]] | None = None,
    ) -> dict[str, Any]:
        """The same in typed JSON ({"type": "int", "value": 3}), facts and result.

        ``sources``: entries of the maps of the request, by enum fgw_cel_source_id. ``trace`` gets
        (instruction, value) for each value on the way; an error is {"type": "error", "code": …}.
        Raises EvaluationError; ValueError for facts that are no values.
        """

    def spent(
        self, facts: Sequence[Mapping[str, Any] | None], steps: int = 100_000, arena: int = 1 << 20
    ) -> tuple[int, int]:
        """Steps and bytes of the arena that a run takes, whatever comes out."""

    def timed(
        self, facts: Sequence[Mapping[str, Any] | None], steps: int = 100_000, arena: int = 1 << 20
    ) -> int:
        """Nanoseconds of this thread that a run takes, whatever comes out."""

class PatternError(ValueError):
    """What is wrong with a pattern; ``start`` and ``end`` count its characters."""

    start: int
    end: int
    def __init__(self, message: str, start: int, end: int) -> None: ...

def compile_pattern(pattern: str) -> bytes:
    """A regular expression as `matches` runs it. Raises PatternError."""

def glob_match(pattern: str, text: str) -> bool:
    """Whether ``pattern``, in which * stands for anything, covers all of ``text``."""
