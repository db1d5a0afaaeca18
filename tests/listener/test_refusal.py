"""Goal: what the gateway says beside refusals: its own paths, the end of a stream, which code a
malformed head has.

Method: each rendered alone and read back.
"""

import orjson
import pytest

from fastgw.errors import Code
from fastgw.explain.catalogue import entry
from fastgw.listener.refusal import HEAD_CODES, Refusals
from tests.worker import Answer, Worker

OPENAI, ANTHROPIC = 1, 2


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    return Refusals(Worker(tmp_path_factory.mktemp("worker")).plan.policy)


def read(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    assert len(fields) == len(lines), "a field twice"
    return Answer(int(first.split()[1]), fields, body)


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize("code", [Code.UPSTREAM_CUT, Code.UPSTREAM_TIMEOUT_IDLE, Code.INTERNAL])
def test_a_stream_is_told_in_one_event(refusals, dialect, code):
    told = refusals.stream_error(dialect, 1, code, "id-1")

    assert told.endswith(b"\n\n") and told.count(b"\n\n") == 1
    line = told.rstrip(b"\n").split(b"\n")[-1]
    document = orjson.loads(line.removeprefix(b"data: "))
    assert document["error"]["fastgw"]["code"] == code.text
    assert told.startswith(b"event: error\n" if dialect == ANTHROPIC else b"data: {")


@pytest.mark.parametrize("error, code", [*HEAD_CODES.items(), (1, Code.HEAD_MALFORMED),
                                         (99, Code.HEAD_MALFORMED)])
def test_every_fault_of_a_head_has_a_code_with_an_entry(refusals, error, code):
    assert refusals.head_code(error, 400) == code and entry(code).status >= 400


@pytest.mark.parametrize("path, method, status", [
    (b"/fastgw/health", b"GET", 200), (b"/fastgw/health", b"HEAD", 200),
    (b"/fastgw/health", b"POST", 405), (b"/fastgw/other", b"GET", 404)])
def test_our_own_paths_answer_without_a_key(refusals, path, method, status):
    answer = read(refusals.own(path, method, b"id-1", False))

    assert answer.status == status and answer.fields["x-fastgw-request-id"] == "id-1"
    assert (answer.body == b"") == (method == b"HEAD")


def test_a_place_is_a_file_and_a_line(refusals):
    try:
        raise ValueError("secret")
    except ValueError as exception:
        where = refusals.where(exception)

    assert where.startswith(__file__) and "secret" not in where
    assert refusals.where(ValueError("never raised")) == ""
