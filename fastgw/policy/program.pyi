from collections.abc import Sequence
from typing import Self, final

__pyx_capi__: dict[str, object]  # set_value, for other Cython modules

class EvaluationError(Exception):
    """An expression has no value: an absent fact, an overflow, a division by zero."""

@final
class Program:
    """Verified instructions of csrc/fgw_rule.h with their constants.

    ``code``: 8 bytes an instruction. Raises ValueError for code that could leave its bounds.
    """

    type: str
    reads: int
    def __new__(
        cls, code: bytes, constants: tuple[object, ...], n_facts: int, type: str
    ) -> Self: ...
    def evaluate(self, facts: Sequence[object]) -> object:
        """The value over ``facts`` (None: absent). Raises EvaluationError. For tests and tools."""

def glob_match(pattern: str, text: str) -> bool:
    """Whether ``pattern``, in which * stands for anything, covers all of ``text``."""
