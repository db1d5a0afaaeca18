"""What a key is for, by where it stands; that every key has a meaning is in test_schema.py.

Method: paths as the schema has them; a schema of two keys.
"""

import pytest

from fastgw.config.meanings import annotate, meaning_of


@pytest.mark.parametrize("path, words", [
    (("limits", "body"), "longest body"),
    (("policy", "on_http_request", "actions", "deny", "config", "message"), "client is told"),
    (("policy", "on_http_request", "actions", "detect", "config", "then"), "what is found"),
    (("policy", "on_http_request", "actions", "on-abort", "config", "then"), "client has gone"),
    (("keys", "limits", "cost"), "Dollars"),
    (("nothing",), ""),
])
def test_the_longest_name_that_fits_says_it(path, words):
    assert words in meaning_of(path) and bool(meaning_of(path)) == bool(words)


def test_the_meaning_stands_before_the_form():
    schema = {"properties": {"port": {"description": "a number"}, "tags": {}, "x": {}}}
    annotate(schema)
    assert schema["properties"]["port"]["description"] == "TCP port; 0 takes a free one: a number"
    assert schema["properties"]["tags"]["description"].startswith("key.tags")
    assert schema["properties"]["x"] == {}
