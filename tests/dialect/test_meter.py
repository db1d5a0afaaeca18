"""A meter for Python: events with their ends, whatever the pieces (its rules: tests/csrc)."""

import pytest

from fastgw.dialect.meter import Meter

STREAM = b': hi\n\ndata: {"choices":[{"delta":{"content":"ab"}}]}\n\ndata: [DONE]\n\n'


def test_events_are_given_with_their_ends_in_the_whole_body():
    whole = Meter("openai", "chat", streaming=True).feed(STREAM)
    assert whole == [
        (6, frozenset(), 0),
        (len(STREAM) - 14, {"dispatch", "text"}, 2),
        (len(STREAM), {"dispatch", "done"}, 0),
    ]
    meter = Meter("openai", "chat", streaming=True)
    assert [one for at in range(len(STREAM)) for one in meter.feed(STREAM[at : at + 1])] == whole


def test_a_body_that_is_no_stream_has_no_events():
    meter = Meter("openai", "chat", streaming=False)
    assert meter.feed(b'{"usage":{"prompt_tokens":3,"completion_tokens":0}}') == []
    meter.end()
    assert (meter.usage()[0]["input"], meter.usage()[1]) == (3, {"provider"})


def test_an_unknown_dialect_is_refused():
    with pytest.raises(ValueError):
        Meter("gopher", "chat", streaming=True)
