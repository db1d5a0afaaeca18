from typing import Any, Self, final

from fastgw.dialect.faces import BY_NUMBER as BY_NUMBER
from fastgw.dialect.faces import FACES as FACES

MODEL_CODES: set[int]
METHODS: dict[int, str]
UNITS: tuple[str, ...]
VERDICTS: tuple[str, ...]

def escaped(text: str) -> bytes: ...
def duration(ns: int) -> str: ...
def change(code: int | str, limits: list[dict[str, Any]], input_estimate: int,
           input_high: int = ..., answers: int = ..., operation: str = ...) -> str: ...
@final
class Explainer:
    def __new__(cls, policy: Any) -> Self: ...
    @property
    def status(self) -> int: ...
    def rule_line(self, rule: int) -> bytes | None: ...
