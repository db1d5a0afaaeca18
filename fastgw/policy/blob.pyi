from collections.abc import Sequence
from typing import final

@final
class Blob:
    """A compiled policy in a sealed memory file, mapped read-only."""

    size: int
    descriptor: int

    @staticmethod
    def seal(version: int, index: bytes, programs: Sequence[bytes]) -> Blob:
        """Writes and seals the file. Raises OSError where the system gives no memory file."""

    @staticmethod
    def attach(descriptor: int) -> Blob:
        """Maps what another process sealed. Raises ValueError where it is not sealed, or is no
        sound policy of this layout."""

    @property
    def version(self) -> int:
        """Of the policy, as ``Policy.version_hash``."""

    @property
    def programs(self) -> int:
        """How many there are."""

    @property
    def index_bytes(self) -> bytes:
        """A copy of the rule index, for tests and tools."""

def whole(version: int, index: bytes, programs: Sequence[bytes]) -> bytearray:
    """The bytes of the file."""
