"""Goal: a credential finds its own principal, and only its own.

Method: tables of made-up keys, digests that collide on purpose; expiry through a whole worker.
"""

import hashlib
import time

import orjson
import pytest
from fastgw.identity.keys import KeyTable, Principal

from tests.worker import KEY, chat, request, response


def digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def test_each_of_a_thousand_keys_finds_its_own_principal():
    keys = {b"key-%d" % number: Principal(str(number)) for number in range(1000)}
    table = KeyTable([(digest(key), principal) for key, principal in keys.items()])

    assert all(table.principal(key) is principal for key, principal in keys.items())
    assert table.principal(b"key-1000") is table.principal(b"") is None


def test_digests_that_begin_alike_are_told_apart():
    ours = digest(b"ours")
    others = [(ours[:31] + bytes([ours[31] ^ bit]), Principal(str(bit))) for bit in (1, 2, 128)]
    mine = Principal("mine")

    assert KeyTable([*others, (ours, mine)]).principal(b"ours") is mine
    assert KeyTable(others).principal(b"ours") is None


def test_a_digest_of_another_size_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        KeyTable([(b"short", Principal("a"))])


def test_an_account_is_the_same_text_whatever_the_order_of_tags():
    one = Principal("a", owner={"team": "x", "app": "y"}, tags={"b": "1", "a": "2"})
    other = Principal("a", owner={"app": "y", "team": "x"}, tags={"a": "2", "b": "1"})

    assert one.account == other.account
    assert orjson.loads(one.account) == {
        "id": "a", "owner": {"team": "x", "app": "y"}, "tags": {"b": "1", "a": "2"}}


@pytest.mark.parametrize("seconds, code", [(-5, "FGW-303"), (3600, "")])
def test_an_expired_key_is_refused(worker, seconds, code):
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    one = worker(keys=[{"id": "alice", "value": KEY, "expires": at}])

    _, answer = one.ask(request(chat()), *([] if code else [response()]))

    assert (answer.status, answer.code) == ((401, code) if code else (200, ""))
