"""Building what stays, without the cycle collector, which would walk all of it again and again.

Trees and programs are made by the hundred thousand and hold no cycles. With the collector on, a
policy of 100,000 rules took most of its time to load in walks that found nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """The collector is off within, and as it was behind."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
