"""Goal: the mock's Azure answers where Azure does, and refuses what a version does not know.

Method: the planner called without sockets. (Whole ways, with the SDK and the books:
tests/journey/test_azure.py.)
"""

import json

import pytest

from fastgw.mock.azure import place_of
from tests.mock.test_ollama import answer

TURNS = [{"role": "user", "content": "hello"}]
CHAT = "/openai/deployments/d/chat/completions"
NEW, OLD = "?api-version=2024-10-21", "?api-version=2024-06-01"


def test_places_are_known_by_their_path():
    assert place_of(CHAT) == ("d", True) == place_of("/proxy" + CHAT)
    assert place_of("/openai/deployments/a%2Fb/embeddings") == ("a/b", True)
    assert place_of("/openai/v1/chat/completions") == ("", False)
    assert place_of("/openai/responses") == ("", True)
    assert place_of("/models/chat/completions") == ("", True)
    assert place_of("/v1/models/chat") is None
    assert place_of("/v1/chat/completions") is None


@pytest.mark.parametrize("path, body, status", [
    (CHAT + NEW, {}, 200), (CHAT + OLD, {}, 200), (CHAT, {}, 404),
    (CHAT + NEW, {"stream_options": {}}, 200), (CHAT + OLD, {"stream_options": {}}, 400),
    (CHAT + OLD, {"max_completion_tokens": 5}, 400),
    (CHAT + OLD, {"max_tokens": 5}, 200), ("/openai/chat/completions" + NEW, {}, 404),
    ("/openai/v1/chat/completions", {"stream_options": {}}, 200)])
def test_what_a_version_does_not_know_is_refused(path, body, status):
    assert answer(path, messages=TURNS, **body)[0] == status


def test_the_filter_speaks_first_and_without_choices():
    _, head, body = answer(CHAT + NEW, messages=TURNS, stream=True)
    events = [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: {")]

    assert b"apim-request-id" in head
    assert (events[0]["choices"], events[0]["id"], events[0]["model"]) == ([], "", "")
    assert all("content_filter_results" in choice for one in events for choice in one["choices"])


@pytest.mark.parametrize("asked, status, code", [
    (b"filter=prompt", 400, "content_filter"), (b"status=401", 401, "401"),
    (b"status=404", 404, "404"), (b"status=429", 429, "429")])
def test_errors_are_azures_own(asked, status, code):
    got, _, body = answer(CHAT + NEW, asked, messages=TURNS)
    assert (got, json.loads(body)["error"]["code"]) == (status, code)
