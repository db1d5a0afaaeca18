from os import PathLike
from typing import final

MAIN: int
REFUSALS: int
SUPERVISOR: int

@final
class Ring:
    """A ring file, mapped. Made by `create` and `attach`, not by calling the class."""

    path: str
    producer: bool

    @staticmethod
    def create(path: str | PathLike[str], size: int, *, slot: int, lane: int = 0) -> Ring:
        """A new ring (0600, posix_fallocate, appears whole under its name), opened as producer.

        ``size`` is a power of two >= 16 KiB. Raises ShmError: a full tmpfs, a size that is none.
        """
    @staticmethod
    def attach(path: str | PathLike[str] | int, *, producer: bool) -> Ring:
        """Map an existing ring by path or descriptor (duplicated). Raises ShmError: no ring,
        damaged."""
    @staticmethod
    def open(path: str | PathLike[str], size: int, *, slot: int, lane: int = 0) -> Ring:
        """Attach as producer if it is there with this size, else create it."""
    @property
    def ring_id(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def slot(self) -> int: ...
    @property
    def lane(self) -> int: ...
    @property
    def boot(self) -> bytes: ...
    @property
    def head(self) -> int: ...
    @property
    def tail(self) -> int: ...
    @property
    def reserved(self) -> int: ...
    def counters(self) -> dict[str, int]: ...
    def post_bytes(self, record: bytes) -> bool:
        """Producer: post one record as built by `fastgw.ledger.records`; False: no room."""
    def reserve(self, size: int) -> bool: ...
    def look(self) -> int:
        """Consumer: bytes waiting. Raises ShmError when the producer's numbers are impossible."""
    def read(self, start: int, limit: int = ...) -> tuple[bytes, int]:
        """Consumer: whole records from position ``start``, and the position after them.

        Raises ShmError when the very first record there is damaged.
        """
    def release(self, position: int) -> None: ...
    def close(self) -> None: ...
