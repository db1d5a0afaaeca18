"""How many steps an expression takes, as far as that is known before it runs.

A step is what csrc/fgw_cel.h counts: an instruction. What a request decides (lengths of texts,
sizes beyond those assumed here) is not in it: there the machine's budget is what stops a run. One
that would spend the budget on a small request is refused at load.
"""

from __future__ import annotations

from fastgw.policy.macros import Fold
from fastgw.policy.typed import Typed

STEPS_MAX = 100_000  # FGW_CEL_STEPS
ENTRIES = 32  # of a map of a request, or of a value whose size nobody knows: not many
TURN = 6  # instructions around the parts of one turn of a loop


def most_steps(node: Typed) -> int:
    """Steps where each loop goes on to its end and unknown sizes are ENTRIES."""
    own = 1 + (len(node.parts) if node.op in ("list", "map") else 2)
    if node.op != "fold":
        return own + sum(map(most_steps, node.parts))
    over, *body = node.parts
    turn = TURN + sum(map(most_steps, body))
    return own + most_steps(over) + entries(over) * turn


def entries(node: Typed) -> int:
    """How many entries a list or map has at most."""
    if node.op == "list":
        return len(node.parts)
    if node.op == "map":
        return len(node.parts) // 2
    if node.op == "fold":
        fold: Fold = node.value[0]  # type: ignore[index]
        return entries(node.parts[0]) if fold.kind != "merge" else ENTRIES
    if node.op == "ternary":
        return max(entries(node.parts[1]), entries(node.parts[2]))
    return ENTRIES
