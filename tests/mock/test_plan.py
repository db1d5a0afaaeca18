"""Goal: a plan's bytes leave with the call's own id and date, however they are cut.

Method: every cut of a small wire into two and three parts, against a plain replacement.
"""

import pytest

from fastgw.mock.asked import Asked
from fastgw.mock.framing import Answer, Frame, streamed, whole
from fastgw.mock.plan import DATE, MARK, Plan

ID = b"0123456789abcdef01234567"
NOW = b"Fri, 02 Feb 2024 11:22:33 GMT"
HEADERS = (("content-type", "text/event-stream"), ("x-request-id", "req_" + MARK.decode()))
FRAMES = (
    Frame("", b'{"id":"%b","n":0}' % MARK, 3, False),
    Frame("", b'{"id":"%b","n":1}' % MARK, 5, True),
    Frame("", b'{"id":"%b","n":2}' % MARK, 7, True),
    Frame("", b"[DONE]", 7, False),
)
STREAM = Answer(200, HEADERS, b"", FRAMES, Frame("error", b'{"error":{}}', 0, False), 7, 3)


def test_marks_and_date_are_put_in_at_every_cut() -> None:
    wire = b"date: " + DATE + b"|" + MARK + b"|x|" + MARK + MARK
    plan = Plan(wire, [(len(wire), 1)], {})
    told = wire.replace(MARK, ID).replace(DATE, NOW)
    for first in range(len(wire) + 1):
        assert plan.part(0, first, ID, NOW) + plan.part(first, len(wire), ID, NOW) == told
        if first < len(wire):
            # One byte alone: an object that the interpreter shares must not be written to.
            assert plan.part(first, first + 1, ID, NOW) == told[first : first + 1]
    assert bytes([65]) == b"A"
    with pytest.raises(ValueError):
        plan.part(0, len(wire) + 1, ID, NOW)


def test_streamed_answer_has_a_step_for_each_content_event() -> None:
    plan = streamed(STREAM, Asked(), False, {})
    ends = [end for end, _ in plan.steps_made()]
    assert [output for _, output in plan.steps_made()] == [3, 5, 7, 7]
    assert ends == sorted(ends) and ends[-1] == len(plan.wire)
    parts = [plan.wire[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert parts[0].endswith(b'"n":0}\n\n\r\n') and b'"n":1' in parts[1] and b'"n":2' in parts[2]
    # The end of the body goes with the last event: a client may leave after it.
    assert parts[3] == b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


@pytest.mark.parametrize(("asked", "outputs", "last"), [
    (Asked(cut_after=0), [3], b'"n":0}\n\n\r\n'),
    (Asked(cut_after=1), [3, 5], b'"n":1}\n\n\r\n'),
    (Asked(cut_after=9), [3, 5, 7, 7], b"0\r\n\r\n"),
    (Asked(error_after=1), [3, 5, 5], b'event: error\ndata: {"error":{}}\n\n\r\n0\r\n\r\n'),
    (Asked(stall_after=2), [3, 5, 7], b'"n":2}\n\n\r\n'),
])
def test_faults_end_the_stream_where_they_are_asked(
    asked: Asked, outputs: list[int], last: bytes
) -> None:
    plan = streamed(STREAM, asked, False, {})
    assert [output for _, output in plan.steps_made()] == outputs
    assert plan.wire.replace(MARK, b"").endswith(last)
    assert plan.output_tokens == outputs[-1]


def test_answer_that_is_not_streamed_is_one_step() -> None:
    answer = Answer(200, HEADERS[1:], b"0123456789", None, Frame("", b"", 0, False), 9, 0)
    plan = whole(answer, Asked(), False, {})
    assert plan.steps_made() == [(len(plan.wire), 9)]
    assert b"\r\ncontent-length: 10\r\n" in plan.wire and plan.wire.endswith(b"\r\n\r\n0123456789")
    short = whole(answer, Asked(cut_after=3), False, {})
    assert short.wire.endswith(b"content-length: 10\r\n\r\n012")
