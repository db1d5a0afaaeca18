"""Goal: tools that go over every dialect call those that gateway and mock know, and no others.

Method: the mock answers each kind that is said to be spoken, streamed and not, as the kind says.
"""

import json
import random
import urllib.request
from dataclasses import replace

import pytest

from fastgw.mock.runner import Mock
from tools.calls import KINDS, OPENAI_CHAT, output_of, spoken, words


@pytest.fixture(scope="module")
def mock():
    with Mock("--events", "3") as mock:
        yield mock


def ask(mock, kind, stream):
    name, _, value = f"{kind.credential}mock-key".partition(": ")
    request = urllib.request.Request(
        mock.url + kind.paths[stream],
        json.dumps(kind.body(words(random.Random(1)), kind.model, stream)).encode(),
        {name: value, "content-type": "application/json", "anthropic-version": "2023-06-01"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def test_what_is_spoken_answers_as_its_kind_says(mock):
    kinds = spoken(mock.url)
    assert OPENAI_CHAT in kinds and set(kinds) <= set(KINDS)
    for kind in kinds:
        told = output_of(kind, ask(mock, kind, False))
        assert told == (3 if kind.output else None), kind.name
        if kind.streams:
            text = ask(mock, kind, True)
            assert not kind.ends or any(mark in text for mark in kind.ends), kind.name


def test_what_nobody_answers_is_not_spoken(mock):
    nowhere = replace(OPENAI_CHAT, paths=("/v1/nowhere", "/v1/nowhere"))
    unknown = replace(OPENAI_CHAT, dialect="no such")
    assert spoken(mock.url, (nowhere, unknown)) == ()
