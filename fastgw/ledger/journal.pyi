from typing import Self, final

from fastgw.ledger.ring import Ring

__pyx_capi__: dict[str, object]  # hash_of, for other Cython modules

@final
class Journal:
    """A worker's two rings. Hot methods are for Cython: see `journal.pxd`."""

    main: Ring
    refusals: Ring
    generation: int
    worker: int
    requests: int

    def __new__(
        cls, main: Ring, refusals: Ring, *, generation: int, worker: int, on_full: str = "reject"
    ) -> Self:
        """``on_full``: "reject" or "drop", as `on_ledger_full` in the configuration."""
    def post_name(self, space: int, text: str, hash0: int = 0) -> int:
        """Post a NAME at start (rules, providers, policies); returns its hash."""
    def post(self, record: bytes, room: int = 0, now_ns: int = 0) -> int:
        """`request`, `refuse`, `open` or `close`, for a record built by
        `fastgw.ledger.records`."""
    def give_up(self, room: int) -> None:
        """`abandon`."""
    def flush_now(self, now_ns: int) -> None: ...
    def counters(self) -> dict[str, int]:
        """Both rings' counters summed, and `requests`."""

def name_hash(text: str | bytes) -> int:
    """The 64-bit hash that stands for a text in every record; 0 for an empty one."""
