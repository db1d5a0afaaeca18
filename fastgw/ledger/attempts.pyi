NAMES: tuple[str, ...]
HEADER: bytes
TRAILER: bytes

def attempt_rows(records: bytes, first: int, batch: int) -> bytes:
    """The rows of a batch, without header and trailer. ``first``: added to generations.

    Raises ValueError: not whole records.
    """
