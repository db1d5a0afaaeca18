"""What the provider said of its usage is kept byte for byte, however it came.

Method: every recorded answer beside a plain reading of it (tests/dialect/naive.py): the object
that is kept is the last one of the answer, of Anthropic's the first as well; that it is the same
at any cut is asked of all meters by `recorded.state`. Own cases for what recordings have not:
objects longer than what is kept, nulls, twins, numbers that Python would write otherwise.
"""

import json
import sys
from pathlib import Path

import pytest

from fastgw.dialect.meter import Meter

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "dialect")]
from naive import documents, inside  # noqa: E402
from recorded import body_of, read, ways  # noqa: E402
from test_naive import found, wire  # noqa: E402

MOST = 1536


def objects(dialect: str, document) -> list[dict]:
    """The usage objects of one document, by WIRE.md's places."""
    if not isinstance(document, dict):
        return []
    top, response = document.get("usage"), inside(document, "response")
    places = {
        "openai": [top, response.get("usage"), inside(document, "x_groq").get("usage")],
        "anthropic": [inside(document, "message").get("usage"), top],
        "gemini": [document.get("usageMetadata")],
        "cohere": [top, inside(document, "delta").get("usage"), document.get("meta"),
                   response.get("meta")],
    }[dialect]  # fmt: skip
    return [place for place in places if isinstance(place, dict)]


@pytest.mark.parametrize(
    "row", [row for row in found() if wire(row)[0] != "ollama"], ids=lambda row: row["name"])
def test_recorded_usage_is_kept_as_it_came(row):
    (dialect, operation, kind), body = wire(row), body_of(row)
    said = [one for document in documents(body, kind) for one in objects(dialect, document)]
    kept = read(Meter(dialect, operation, streaming=kind), [body]).quotes

    assert all(quote in body for quote, _ in kept)
    if not said:
        assert not kept
    else:
        shown = [said[0], said[-1]] if dialect == "anthropic" and said[1:] else [said[-1]]
        assert [(json.loads(quote), cut) for quote, cut in kept] == [(one, False) for one in shown]


def quotes(*events: bytes, dialect="openai", operation="chat") -> list[tuple[bytes, bool]]:
    body = b"".join(b"data: " + event + b"\n\n" for event in events)
    told = [read(Meter(dialect, operation, streaming="sse"), pieces).quotes
            for pieces in ways(body)]  # fmt: skip
    assert all(one == told[0] for one in told)
    return told[0]


def test_the_latest_object_is_kept_letter_by_letter():
    said = b'{ "prompt_tokens" : 3.0e0,\t"completion_tokens":2, "cost": 0.00010 , "n":{"x":[1]} }'
    assert quotes(b'{"usage":{"prompt_tokens":1}}', b'{"usage": ' + said + b',"id":"a"}',
                  b'{"usage":null,"choices":[]}') == [(said, False)]


def test_the_place_of_a_twin_is_read_where_the_other_is_empty():
    said = b'{"prompt_tokens":3,"completion_tokens":2}'
    assert quotes(b'{"x_groq":{"usage":' + said + b'}}') == [(said, False)]


def test_anthropics_answer_has_two_that_count():
    first, last = b'{"input_tokens":9,"output_tokens":1}', b'{"output_tokens":7}'
    assert quotes(b'{"type":"message_start","message":{"usage":' + first + b'}}',
                  b'{"type":"message_delta","usage":{"output_tokens":3}}',
                  b'{"type":"message_delta","usage":' + last + b'}',
                  dialect="anthropic", operation="messages") == [(first, False), (last, False)]


@pytest.mark.parametrize("size", [MOST - 1, MOST, MOST + 1, 9 * MOST])
def test_a_longer_object_is_kept_without_its_end_and_says_so(size):
    said = b'{"prompt_tokens":3,"note":"' + b"n" * (size - 29) + b'"}'
    assert len(said) == size
    assert quotes(b'{"usage":' + said + b'}') == [(said[:MOST], size > MOST)]


def test_nothing_is_kept_of_what_is_no_object_or_never_began():
    assert quotes(b'{"usage":null}', b'{"usage":[1]}', b'{"choices":[]}', b"[DONE]") == []


@pytest.mark.parametrize("broken", [
    b'{"usage":{"prompt_tokens":1,,}}', b'{"usage":{"prompt_tokens":1}]', b'{"usage":{"prompt_t}'])
def test_nothing_is_kept_of_a_document_that_is_broken(broken):
    """Its numbers count for nothing; nor does what it took the place of come back."""
    said = b'{"prompt_tokens":3}'
    assert quotes(b'{"usage":' + said + b'}', b"{]", b"[DONE]") == [(said, False)]
    kept = quotes(broken)
    assert kept == [] or broken.endswith(b"_t}")  # (that one has no end: it is kept as it came)
    kept = quotes(b'{"message":{"usage":' + said + b'}}', broken, dialect="anthropic",
                  operation="messages")
    assert kept[0] == (said, False)


def test_an_object_that_breaks_off_is_kept_as_far_as_it_came():
    body = b'data: {"usage":{"prompt_tokens":3,"comp'
    assert read(Meter("openai", "chat", streaming="sse"), [body]).quotes == [
        (b'{"prompt_tokens":3,"comp', False)]
