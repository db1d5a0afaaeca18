"""An answer that is kept back as a whole: what it may be, and what ends it.

Method: a worker in this process (tests/worker.py); what the rules make of such answers stands in
tests/detect/test_detector.py.
"""

import gzip

import orjson
import pytest

from fastgw.ledger.records import Close
from tests.worker import Worker, chat, request, response

MAIL = "jo@example.com"


def worker(tmp_path, then="redact"):
    return Worker(tmp_path, policy={"on_http_response": [{"actions": [
        {"type": "detect", "config": {"kinds": ["email"], "then": then}}]}]})


def head(kind, length, *fields):
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", *fields, f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


def test_nothing_goes_out_before_the_answer_is_whole(tmp_path):
    one = worker(tmp_path)
    whole = response(orjson.dumps({"choices": [{"message": {"content": MAIL}}]}))
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(whole[:-1])
    assert client.taken() == b""
    one.upstream.feed(whole[-1:])
    assert b"[REDACTED:email]" in client.answer().body


@pytest.mark.parametrize("kind", ["audio/mpeg", "image/png", "application/octet-stream"])
def test_what_is_no_text_passes_at_once(tmp_path, kind):
    one = worker(tmp_path)
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(head(kind, 2 * len(MAIL)) + MAIL.encode())
    assert client.taken().endswith(MAIL.encode())


def test_plain_text_is_looked_at(tmp_path):
    one = worker(tmp_path)
    _, answer = one.ask(request(chat()), head("text/plain", len(MAIL)) + MAIL.encode())
    assert answer.body == b"[REDACTED:email]"


def test_an_answer_that_breaks_off_is_no_answer(tmp_path):
    one = worker(tmp_path)
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(response()[:-5])
    one.upstream.lose()
    answer = client.answer()
    assert answer.status == 502
    assert answer.code == "FGW-909" and one.one(Close).code == 909


def test_a_compressed_answer_that_breaks_off_is_refused(tmp_path):
    one = worker(tmp_path)
    said = gzip.compress(orjson.dumps({"choices": []}))[:-6]
    _, answer = one.ask(request(chat()), response(said, "Content-Encoding: gzip"))
    assert answer.status in (500, 502)


def test_an_unknown_coding_cannot_be_looked_at(tmp_path):
    one = worker(tmp_path)
    _, answer = one.ask(request(chat()), response(b"xxxx", "Content-Encoding: br"))
    assert (answer.status, answer.code) == (502, "FGW-908")


@pytest.mark.parametrize("kind", [
    "application/vnd.api+json", "APPLICATION/JSON; charset=utf-8", "application/jsonl",
    "application/xml", "application/atom+xml", "application/x-ndjson", "text/csv"])
def test_every_kind_of_text_is_looked_at(tmp_path, kind):
    one = worker(tmp_path)
    _, answer = one.ask(request(chat()), head(kind, len(MAIL)) + MAIL.encode())
    assert answer.body == b"[REDACTED:email]"


def test_an_answer_of_several_compressed_members_is_whole(tmp_path):
    one = worker(tmp_path)
    whole = orjson.dumps({"choices": [{"message": {"content": MAIL}}]})
    coded = gzip.compress(whole[:40]) + gzip.compress(whole[40:])
    _, answer = one.ask(request(chat()), response(coded, "Content-Encoding: gzip"))
    assert answer.body == whole.replace(MAIL.encode(), b"[REDACTED:email]")
