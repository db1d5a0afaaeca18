"""Grants and resets: the supervisor changes a limit's word and records who wanted it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastgw.clock import now_ns, wall_ns
from fastgw.ledger.journal import name_hash
from fastgw.ledger.records import (
    GRANT_ALL,
    NAME_ADMIN,
    NAME_LIMIT,
    Grant,
    Name,
)
from fastgw.ledger.vocabulary import UNITS
from fastgw.limit.adjust import Adjust
from fastgw.limit.forgive import forgive
from fastgw.limit.limits import ALGORITHMS
from fastgw.log import Log
from fastgw.process.orders import OrderError

if TYPE_CHECKING:
    from fastgw.process.shared import Shared

RECORDS_MAX = 16 << 10  # what one order posts at most: two names and the grant


class Grants:
    """Carries orders out, one at a time."""

    def __init__(self, shared: Shared, log: Log) -> None:
        self._shared = shared
        self._adjust = Adjust(shared.segment)
        self._log = log

    def carry_out(self, order: dict[str, Any], who: str) -> dict[str, Any]:
        """``order``: see fastgw.admin.giving. Returns {"before", "after"}: what was used, in the
        limit's unit. Raises OrderError, ShmError."""
        by = f"{who}, {order['by']}"
        amount = order["amount"]
        identity = (int(order["id"][:16], 16), int(order["id"][16:], 16))
        if self._shared.ring_room < RECORDS_MAX:
            raise OrderError("the ledger has no room to record it: try again")
        given = forgive(
            self._shared.segment,
            self._adjust,
            identity,
            amount,
            capacity=order["limit"],
            period_ns=order["period_ns"],
            sliding=order["algorithm"] == "sliding_window",
            now_ns=now_ns(),
            wall_ns=wall_ns(),
        )
        grant = Grant(
            wall_ns(),
            identity,
            name_hash(order["name"]),
            name_hash(by),
            GRANT_ALL if amount is None else amount,
            given.before,
            given.after,
            UNITS.index(order["unit"]),
            ALGORITHMS[order["algorithm"]],
        )
        for space, text in ((NAME_ADMIN, by), (NAME_LIMIT, order["name"])):
            self._shared.post(Name(space, name_hash(text), 0, text).pack())
        self._shared.post(grant.pack())
        self._log.note(
            "limit changed", limit=order["name"], key=order["key"], unit=order["unit"],
            before=given.before, after=given.after, by=by,
        )
        return {"before": given.before, "after": given.after}
