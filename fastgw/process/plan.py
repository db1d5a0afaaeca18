"""The plan: everything compiled from the configuration, once, before any fork.

The supervisor builds it, so that a bad configuration stops the start; the zygote inherits it and
freezes it, so that all workers share its pages. It must own nothing that a fork breaks: no loop,
no thread, no socket, no TLS context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastgw.config import Config


class Plan:
    """What a worker needs to serve, compiled."""

    def __init__(self, config: Config) -> None:
        self.config = config
