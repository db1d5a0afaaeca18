"""Requests for Python: what the C kernels read, as attributes (their own cases: tests/csrc)."""

import pytest

from fastgw.dialect.request import Ask, Route

CHAT = Route("POST", "/v1/chat/completions")


def test_a_route_tells_its_path():
    route = Route("GET", "/v1/models/org%2Fm", told="anthropic")
    assert (route.dialect, route.operation, route.name) == ("anthropic", "models", "org%2Fm")


def test_a_fault_is_told_in_words():
    assert Ask(CHAT, b"{").error == "the body is not valid JSON"
    assert Ask(CHAT, b'{"model":"m"}').error == ""


def test_a_model_name_that_is_too_long_is_refused():
    asked = Ask(CHAT, b'{"model":"m"}')
    with pytest.raises(ValueError):
        asked.edited(model="x" * 257)


def test_pieces_are_one_body():
    asked = Ask(CHAT, b'{"mod', b'el":"', b'm"}')
    assert asked.model == "m"
    assert asked.edited(model="n")[0] == b'{"model":"n"}'
