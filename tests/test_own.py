"""Goal: the gateway's own paths are answered by whoever can, and only while somebody waits.

Method: a worker with an asker that the test answers for.
"""

import pytest

from tests.worker import request


class Asked:
    def __init__(self):
        self.questions = []

    def ask(self, what, key, query, told):
        self.questions.append((what, key, query, told))

    def tell(self, status=200, text=b"[]"):
        self.questions.pop(0)[3](status, text)


@pytest.fixture
def one(worker):
    one = worker()
    one.asked = Asked()
    one.journey.ask_by(one.asked)
    return one


def usage(path="/fastgw/usage?by=model", **more):
    return request(path=path, method="GET", **more)


def test_who_asks_is_the_key(one):
    client = one.connect()
    client.feed(usage())
    assert client.taken() == b"" and one.journey.active == 1
    assert one.asked.questions[0][:3] == ("usage", "alice", "by=model")
    one.asked.tell(text=b'[{"requests":1}]')
    answer = client.answer()
    assert (answer.status, answer.body) == (200, b'[{"requests":1}]')
    assert one.journey.active == 0 and one.records() == []
    client.feed(usage("/fastgw/limits"))
    one.asked.tell(503)
    assert client.answer().fields["retry-after"] == "1"


def test_an_answer_for_somebody_who_has_gone_is_nobody_elses(one):
    client = one.connect()
    client.feed(usage())
    client.lose()
    other = one.connect()
    other.feed(usage("/fastgw/limits"))
    one.asked.tell(text=b'["of the first"]')
    assert other.taken() == b"" and one.journey.active == 1
    one.asked.tell(text=b'["of the second"]')
    assert other.answer().body == b'["of the second"]'


def test_a_pipeline_goes_on_behind_it(one):
    client = one.connect()
    client.feed(usage() + usage("/fastgw/health"))
    assert client.taken() == b""
    one.asked.tell()
    sent = client.taken()
    assert sent.count(b"HTTP/1.1 200 OK") == 2 and sent.endswith(b'{"status":"ok"}')


def test_a_shutdown_does_not_wait_for_it(one):
    client = one.connect()
    client.feed(usage())
    one.journey.abort_all()
    assert one.journey.active == 0 and client.answer().status == 503
    one.asked.tell()
    assert client.taken() == b""


@pytest.mark.parametrize("key", ["", "nobody"])
def test_without_a_key_nobody_is_asked(one, key):
    client = one.connect()
    client.feed(usage(key=key))
    assert client.answer().status == 401 and one.asked.questions == []


def test_where_nobody_can_be_asked_it_says_so(worker):
    client = worker().connect()
    client.feed(usage())
    assert client.answer().status == 503
