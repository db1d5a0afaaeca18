import asyncio
from collections.abc import Callable
from typing import final

from fastgw.mock.books import Books
from fastgw.mock.plan import Plan

@final
class House:
    """What the connections of one worker share."""

    loop: asyncio.AbstractEventLoop
    open: set[Connection]
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        books: Books,
        planner: Callable[..., Plan],
        worker: int,
    ) -> None:
        """`planner` gets method, target, credential, anthropic, old, x_mock, tag, encoding and
        body (None: the answer is not to wait for it), all bytes or None or bool.
        """

@final
class Connection(asyncio.Protocol):
    def __init__(self, house: House) -> None: ...
    def data_received(self, arrived: bytes) -> None: ...
    def leave(self) -> None:
        """Closes when idle, else after the answer under way."""
