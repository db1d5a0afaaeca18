"""What `detect` leaves for later rules under `actions.detect.*`.

Method: a whole worker without a network (tests/worker.py); rules of the answer write the results
into a field, a log has them at the end.
"""

import orjson
import pytest

from fastgw.ledger.journal import name_hash
from fastgw.shm import counters
from tests import test_sayings
from tests.test_sayings import act
from tests.worker import DONE, chat, chunked, delta, request, response, stream_head

start = test_sayings.start  # a fixture
SEEN = {"x-seen": "${actions.detect.found} ${actions.detect.kinds.join('+')} "
                  "${actions.detect.count} ${actions.detect.redacted} ${actions.detect.enforced}"}
MAIL = "jo@example.com and 123-45-6789"


@pytest.mark.parametrize(("then", "enforce", "text", "seen"), [
    ("redact", True, MAIL, "true us_ssn+email 2 true true"),
    ("log", True, MAIL + " a@example.org", "true us_ssn+email 3 false true"),
    ("redact", False, MAIL, "true us_ssn+email 2 false false"),
    ("redact", True, "nothing", "false  0 false false"),
])
def test_rules_of_the_answer_read_what_detect_found(start, then, enforce, text, seen):
    look = act("detect", _enforce=enforce, kinds=["email", "us_ssn"], then=then)
    worker = start(look, answer=[act("add-headers", headers=SEEN)])
    _, answer = worker.ask(
        request(chat(messages=[{"role": "user", "content": text}])), response())

    assert answer.fields["x-seen"] == seen
    shadows = counters.total(worker.segment).shadows
    assert shadows == ({name_hash("on_http_request[0]"): (1, 0)} if not enforce else {})


@pytest.mark.parametrize("stream", [False, True])
def test_a_log_reads_what_detect_found_in_request_and_answer(start, stream):
    look = [act("detect", _name=phase, kinds=["email"], then="redact") for phase in ("a", "b")]
    worker = start(look[0], act("log", metadata={"n": "${actions.detect.count}"}),
                   answer=[] if stream else look[1:], events=look[1:] if stream else [])
    _, answer = worker.ask(
        request(chat(stream=stream, messages=[{"role": "user", "content": MAIL}])),
        stream_head() + chunked(delta(MAIL), DONE, b"") if stream else
        response(orjson.dumps({"choices": [{"message": {"content": MAIL}}]})))

    assert b"[REDACTED:email]" in answer.body
    assert [fields["metadata"] for _, fields in worker.said.lines] == [{"n": "2"}]


def test_a_log_of_a_denied_request_says_what_was_found(start):
    worker = start(act("detect", kinds=["email"], then="deny"),
                   act("log", metadata={"kinds": "${actions.detect.kinds.join(' ')}",
                                        "acted": "${actions.detect.enforced}"}))
    _, answer = worker.ask(request(chat(messages=[{"role": "user", "content": MAIL}])))

    assert answer.status == 403
    assert worker.said.lines[0][1]["metadata"] == {"kinds": "email", "acted": "true"}
