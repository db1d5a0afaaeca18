"""Blocks of addresses as ranges that do not overlap, so that one search finds what decides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fastgw.config.model import Block

_MAPPED = 0xFFFF << 32  # ::ffff:0:0/96, where IPv4 addresses stand


class Range(NamedTuple):
    """Addresses ``first`` to ``last`` of IPv6; ``text``: the block that decides for them."""

    first: int
    last: int
    text: str
    denied: bool


def ranges(allow: Iterable[tuple[str, Block]], deny: Iterable[tuple[str, Block]]) -> list[Range]:
    """In order. A denied block wins over an allowed one; else the smallest block decides.

    Two blocks are nested or apart, so a stack holds all that are open at any address.
    """
    blocks = sorted((*_spans(allow, False), *_spans(deny, True)),
                    key=lambda block: (block.first, -block.last, not block.denied))
    done: list[Range] = []
    opened: list[Range] = []
    at = 0

    def close(before: int) -> None:
        """Say who decides for [at, before), while blocks end on the way."""
        nonlocal at
        while opened and at < before:
            last = min(opened[-1].last, before - 1)
            if last >= at:
                decides = next((one for one in reversed(opened) if one.denied), opened[-1])
                _append(done, decides._replace(first=at, last=last))
                at = last + 1
            if opened[-1].last < at:
                opened.pop()
        at = max(at, before)

    for block in blocks:
        close(block.first)
        while opened and opened[-1].last < block.first:
            opened.pop()
        opened.append(block)
    close(1 << 128)
    return done


def _append(done: list[Range], found: Range) -> None:
    if done and done[-1].last + 1 == found.first and done[-1][2:] == found[2:]:
        done[-1] = done[-1]._replace(last=found.last)
    else:
        done.append(found)


def _spans(blocks: Iterable[tuple[str, Block]], denied: bool) -> Iterable[Range]:
    for text, block in blocks:
        base = _MAPPED if block.version == 4 else 0
        yield Range(base + int(block.network_address), base + int(block.broadcast_address),
                    text, denied)
