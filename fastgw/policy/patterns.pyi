from collections.abc import Iterable, Iterator

from fastgw.config.model import Expression

WHOLE: bytes

class PatternError(ValueError):
    """Why a pattern cannot be looked for, and what would do."""

    hint: str
    def __init__(self, message: str, hint: str = "") -> None: ...

def parts_of(text: str) -> Iterator[str]: ...
def bare(text: str) -> tuple[str, int]: ...
def compile_pattern(text: str) -> tuple[bytes, int]: ...

class Patterns:
    """The named patterns of one policy. ``rows``: (name, program, flags), by kind."""

    rows: list[tuple[str, bytes, int]]
    def __init__(self) -> None: ...
    def take(self, patterns: Iterable[tuple[str, Expression]]) -> list[str]:
        """The names of an action's (name, pattern) pairs. Raises ConfigError at its place."""
