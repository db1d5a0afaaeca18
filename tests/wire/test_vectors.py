"""Framing cases that we did not write: 789 requests, 87 responses from a dozen test suites.

Method: each is read whole, byte by byte, and cut in two at every offset; what is said must be the
same. Then it is held against the row's expectation. A 501, 405, 414, 417 or 431 is an answer to a
message that is well-formed ("policy"), where the row allows one; a `reject` row is refused by
either.
"""

import base64

import pytest

from tests.wire.series import needs_vectors, read_bytewise, read_cut, read_whole, vectors

REQUESTS = vectors("requests.jsonl")
RESPONSES = vectors("responses.jsonl")

# The one `accept` row that we refuse: a body in a transfer coding that nobody here can take off
# would reach the client as if it were plain (RFC 9112 6.1: a recipient has to decode it).
REFUSED_RESPONSES = {"resp-110"}

# Long rows are cut at fewer places: what matters happens near the ends of lines.
CUTS_MAX = 1200


def cuts_of(raw):
    step = -(-len(raw) // CUTS_MAX)
    return range(1, len(raw), step)


def name_of(row):
    return row["id"]


@needs_vectors(REQUESTS)
@pytest.mark.parametrize("category", sorted({row["category"] for row in REQUESTS}))
def test_verdict_on_a_request_does_not_depend_on_the_cut(category):
    for row in REQUESTS:
        if row["category"] != category:
            continue
        whole = read_whole(row["raw"]).said()
        assert read_bytewise(row["raw"]).said() == whole, row["id"]
        for cut in cuts_of(row["raw"]):
            assert read_cut(row["raw"], [cut]).said() == whole, (row["id"], cut)


@needs_vectors(RESPONSES)
def test_verdict_on_a_response_does_not_depend_on_the_cut():
    for row in RESPONSES:
        method = row["request_method"]
        whole = read_whole(row["raw"], method).said()
        assert read_bytewise(row["raw"], method).said() == whole, row["id"]
        for cut in cuts_of(row["raw"]):
            assert read_cut(row["raw"], [cut], method).said() == whole, (row["id"], cut)


@needs_vectors(REQUESTS)
@pytest.mark.parametrize("row", REQUESTS, ids=name_of)
def test_request_is_read_as_its_row_expects(row):
    series = read_whole(row["raw"])

    assert len(series.messages) <= row["max_messages"]
    if row["expectation"] == "reject":
        assert series.verdict in ("reject", "policy")
    elif row["expectation"] == "accept":
        assert series.verdict != "reject", series.error
        if series.verdict != "policy":
            assert series.verdict == "more" if row["needs_more"] else series.verdict != "more"
    if series.messages and row.get("messages"):
        assert_reads_like(series.messages, row["messages"])


def assert_reads_like(messages, expected):
    for message, row in zip(messages, expected, strict=False):
        method, target, *_ = message.line
        assert (method, target.decode("latin-1")) == (row["method"], row["target"])
        assert message.body == base64.b64decode(row["body_base64"])
        fields = [[n.decode("latin-1"), v.decode("latin-1")] for n, v in message.fields]
        assert fields == row["headers"]


@needs_vectors(RESPONSES)
@pytest.mark.parametrize("row", RESPONSES, ids=name_of)
def test_response_is_read_as_its_row_expects(row):
    series = read_whole(row["raw"], row["request_method"])

    if row["expectation"] == "accept" and row["id"] not in REFUSED_RESPONSES:
        assert series.verdict != "reject", series.error
        if row.get("truncated_at_eof"):
            assert series.verdict == "more"
    elif row["expectation"] == "reject":
        assert series.verdict in ("reject", "more")  # "more" at the end of input is an abort
    assert sum(1 for m in series.messages if m.line[1] >= 200 or m.line[1] == 101) <= 1
