"""Reads callgrind's output: instructions by object file and by function.

Of the format (valgrind manual, "Callgrind Format Specification") this needs the position lines
ob= and fn= with their compressed names "(id) name", cost lines "position cost", and calls=, whose
next line is the callee's cost and not the caller's.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

_NAME = re.compile(r"^(c?ob|c?fn)=(?:\((\d+)\))? ?(.*)$")
_COST = re.compile(r"^(?:[+*-]?\d*|0x[0-9a-f]+) (\d+)$")


@dataclass
class Costs:
    """Instructions that each object and each function executed itself."""

    objects: Counter = field(default_factory=Counter)
    functions: Counter = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(self.objects.values())

    def minus(self, other: "Costs") -> "Costs":
        """What came on top; a cost that shrank counts below zero."""
        left = Costs(Counter(self.objects), Counter(self.functions))
        left.objects.subtract(other.objects)
        left.functions.subtract(other.functions)
        return left


def read(text: str) -> Costs:
    """The self costs of one part. ValueError if their sum is not the part's own total."""
    costs = Costs()
    names: dict[str, dict[str, str]] = {"ob": {}, "fn": {}}
    here = {"ob": "?", "fn": "?"}
    skip = False
    for line in text.splitlines():
        if found := _NAME.match(line):
            kind, number, name = found.groups()
            table = names[kind[-2:]]
            if number and name:
                table[number] = name
            if not kind.startswith("c"):
                here[kind] = table[number] if number else name
        elif line.startswith("calls="):
            skip = True
        elif found := _COST.match(line):
            if not skip:
                costs.objects[here["ob"]] += int(found[1])
                costs.functions[here["fn"]] += int(found[1])
            skip = False
    stated = re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)
    if stated is None or int(stated[1]) != costs.total:
        raise ValueError(f"callgrind says {stated and stated[1]}, its lines sum to {costs.total}")
    return costs
