"""The model is what it says: frozen, and silent about secrets.

Method: a canary in a Secret goes through everything that prints.
"""

import copy
import json
import pickle

import pytest

from fastgw.config.model import Access, AccessKey, ProviderKey, Secret

CANARY = "sk-canary-0ddba11"


def test_a_secret_is_shown_by_reveal_alone():
    secret = Secret(CANARY)
    key = ProviderKey("a", secret)

    assert secret.reveal() == CANARY
    for text in (
        repr(secret),
        str(secret),
        f"{secret}",
        format(secret),
        repr(key),
        repr([secret]),
    ):
        assert CANARY not in text
    for dump in (pickle.dumps, json.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            dump(secret)
    assert not hasattr(secret, "__dict__")


def test_secrets_compare_by_value():
    assert Secret("a") == Secret("a") != Secret("b") and Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), "a"}) == 2


def test_a_key_has_no_limits_and_all_access_by_default():
    key = AccessKey("a", b"0" * 32)

    assert key.access == Access(None, None, None) and key.limits == () and dict(key.tags) == {}
    with pytest.raises(TypeError):
        key.tags["a"] = "b"
