"""Hashes to texts, at read time: a name may be recorded after the record that uses it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from fastgw.ledger.database import Database
from fastgw.ledger.records import NAME_ACCOUNT, NAME_BUCKET
from fastgw.ledger.schema import signed

# What a bucket's name says of its limit beside name, unit, key and limit, and what an older
# writer's means. A cap has a window and its time zone, a pace a period.
BUCKET_PARTS: dict[str, Any] = {
    "algorithm": "token_bucket",
    "period_ns": 0,
    "window": "",
    "time_zone": "",
}


class Names:
    """Looks names up in a ledger, each once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[int, int, int], str] = {}
        self._accounts: dict[int, dict[str, Any]] = {}
        self._has_grants: bool | None = None  # an older version wrote none

    @property
    def database(self) -> Database:
        return self._database

    def text(self, space: int, hash0: int, hash1: int = 0, *, or_space: int = 0) -> str:
        """'' for 0; the hash itself in hexadecimal where its name was lost.

        ``or_space``: a second place to look, since a text has one hash wherever it stands.
        """
        if hash0 == 0 and hash1 == 0:
            return ""
        key = (space, hash0, hash1)
        known = self._known.get(key)
        if known is None:
            row = self._database.row(
                "SELECT text FROM name WHERE space IN (?, ?) AND (hash0, hash1) = (?, ?) "
                "ORDER BY space <> ?",
                space, or_space, signed(hash0), signed(hash1), space,
            )
            known = row[0].decode(errors="replace") if row else f"?{hash0:016x}"
            self._known[key] = known
        return known

    def account(self, hash0: int) -> dict[str, Any]:
        """{"id", "owner", "tags"}: the key as it was then."""
        known = self._accounts.get(hash0)
        if known is None:
            known = _account(self.text(NAME_ACCOUNT, hash0))
            self._accounts[hash0] = known
        return known

    def accounts(self, hashes: Collection[int] | None = None) -> list[dict[str, Any]]:
        """As `account`, of these alone (signed hashes) or of all that the ledger knows."""
        return [account for hash0, account in self._all_accounts()
                if hashes is None or hash0 in hashes]

    def accounts_of(self, key: str) -> list[int]:
        """Signed hashes of all that this key's account ever was: owner and tags are edited."""
        return [hash0 for hash0, account in self._all_accounts() if account["id"] == key]

    def _all_accounts(self) -> list[tuple[int, dict[str, Any]]]:
        rows = self._database.rows("SELECT hash0, text FROM name WHERE space = ?", NAME_ACCOUNT)
        return [(hash0, _account(raw.decode(errors="replace"))) for hash0, raw in rows]

    def granted(self, identity: tuple[int, int], until_ns: int) -> int:
        """How much of what a bucket had used was forgiven from outside, up to an instant."""
        if self._has_grants is None:
            self._has_grants = self._database.has_table("given")
        if not self._has_grants:
            return 0
        row = self._database.row(
            "SELECT sum(before - after) FROM given WHERE identity = ? AND wall_ns <= ?",
            self._database.own(b"".join(word.to_bytes(8, "little") for word in identity)),
            until_ns,
        )
        return int(row[0] or 0) if row is not None else 0

    def bucket(self, identity: tuple[int, int]) -> dict[str, Any]:
        """{"name", "unit", "key", "limit", …BUCKET_PARTS} of a limit's word; empty where its name
        was lost."""
        return _object(self.text(NAME_BUCKET, *identity)) or {}


def _account(text: str) -> dict[str, Any]:
    return {"id": text, "owner": {}, "tags": {}} | (_object(text) or {})


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
