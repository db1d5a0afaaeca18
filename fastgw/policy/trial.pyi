from collections.abc import Mapping, Sequence
from typing import Any

from fastgw.policy.policy import Policy

def decide_often(policy: Policy, facts: Mapping[str, Any], times: int) -> int:
    """Decides one request, by its facts as of ``Policy.decide``, ``times`` times; how many rules
    had an effect."""

def walk_often(block: bytes, facts: Sequence[Any], times: int) -> int:
    """Walks a sound rule index ``times`` times for one request; how many rules may match."""
