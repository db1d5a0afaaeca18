from collections.abc import Iterable, Sequence

def key(fact: int, kind: int, length: int, content: bytes, number: int) -> int:
    """The key of a constant for one part (fgw_index_key)."""

def slot_hash(keys: Iterable[int]) -> int:
    """The hash of a slot (fgw_index_hash)."""

def verify(block: bytes) -> bool:
    """Whether ``block`` is an index that can be walked."""

def candidates(block: bytes, facts: Sequence[object]) -> list[int]:
    """The rules that may match, in their order; raises ValueError where ``block`` is no index."""
