"""Deterministic text of known length in tokens.

Every word with its leading blank is one token in o200k_base and in cl100k_base, so a tokenizer
counts in the text what the books say was generated.
"""

import random

WORDS = (
    "the of and to in is that it for was on are with as at be this have from or had by not but "
    "what all were when we there can an your which their said if do will each about how up out "
    "them then she many some so these would other into has more her two like him see time could "
    "no make than first been its who now people my made over did down only way find use may "
    "water long little very after words called just where most know"
).split()

_ROUND = 4096


class Words:
    """The words of one seed; token k of choice c is always the same word."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self._round = [" " + draw.choice(WORDS) for _ in range(_ROUND)]
        self._numbers = [round(draw.uniform(-1, 1), 6) for _ in range(_ROUND)]

    def text(self, choice: int, start: int, count: int) -> str:
        """Tokens start .. start+count-1 of a choice's text."""
        first = (start + 997 * choice) % _ROUND
        if first + count <= _ROUND:
            return "".join(self._round[first : first + count])
        return "".join(self._round[(first + at) % _ROUND] for at in range(count))

    def number(self, at: int) -> float:
        """A number in [-1, 1) for vectors."""
        return self._numbers[at % _ROUND]
