"""Webhook: signed, tried again, bounded; the recorder never waits for it.

Method: a real HTTP server on a free port whose answers the test chooses; delays are short.
"""

import hashlib
import hmac
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fastgw.ledger.drawn import GIVEN_UP, SENT, Alert
from fastgw.process import alerts as module
from fastgw.process.alerts import Webhook, body
from fastgw.process.webhook import sign

SECRET = "whsec-canary"


def alert(number: int = 0, fraction: float = 0.5) -> Alert:
    return Alert(number.to_bytes(16, "little"), fraction, 1, 4, 125_000_000, 250_000_000,
                 1_800_003_600 * 10**9, 1_800_000_000 * 10**9, "team month", ["a"])


class Receiver:
    """Answers each call with the next of ``statuses``, then with the last of them."""

    def __init__(self, *statuses: int) -> None:
        calls = self.calls = []
        waiting = list(statuses)
        self.hold = threading.Event()
        self.hold.set()
        hold = self.hold

        class Call(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                calls.append((self.path, dict(self.headers), content))
                hold.wait(10)
                status = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                if status == 0:
                    return  # closed without an answer
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Call)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/canary-path?x=1"


@pytest.fixture
def receiver():
    made = []

    def make(*statuses: int) -> Receiver:
        made.append(Receiver(*statuses))
        return made[-1]

    yield make
    for one in made:
        one.hold.set()
        one.server.shutdown()
        one.server.server_close()


@pytest.fixture
def lines():
    return []


def webhook(url: str, lines: list, **more) -> Webhook:
    more.setdefault("delays_s", (0.01, 0.01, 0.01))
    return Webhook(url, SECRET, lambda event, fields: lines.append((event, fields)), **more)


def ended(hook: Webhook, number: int = 1) -> list[tuple[Alert, int]]:
    found, until = [], time.monotonic() + 10
    while len(found) < number and time.monotonic() < until:
        found += hook.done()
        time.sleep(0.005)
    return found


def test_an_alert_arrives_signed(receiver, lines):
    one = receiver(204)
    hook = webhook(one.url, lines)
    assert hook.put(alert())

    assert ended(hook) == [(alert(), SENT)]
    ((path, headers, content),) = one.calls
    assert path == "/hooks/canary-path?x=1"
    stamp, signature = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})",
                                    headers["x-fastgw-signature"]).groups()
    expected = hmac.new(SECRET.encode(), f"{stamp}.".encode() + content, hashlib.sha256)
    assert signature == expected.hexdigest() and abs(int(stamp) - time.time()) < 60
    assert json.loads(content) == {
        "type": "usage_cap.alert", "id": json.loads(content)["id"],
        "time": "2027-01-15T08:00:00.000Z", "limit": "team month", "key": ["a"], "unit": "cost",
        "fraction": 0.5, "used": 125_000_000, "of": 250_000_000,
        "window_end": "2027-01-15T09:00:00.000Z",
    }


def test_without_a_secret_nothing_is_signed(receiver, lines):
    one = receiver(200)
    hook = Webhook(one.url, None, lambda event, fields: None)
    hook.put(alert())

    assert ended(hook)[0][1] == SENT and "x-fastgw-signature" not in one.calls[0][1]


def test_a_receiver_that_fails_first_is_asked_again_with_the_same_id(receiver, lines):
    one = receiver(500, 0, 302, 200)
    hook = webhook(one.url, lines)
    hook.put(alert())

    assert ended(hook) == [(alert(), SENT)]
    assert len(one.calls) == 4 and len({content for *_, content in one.calls}) == 1
    assert [fields["problem"] for _, fields in lines] == [
        "status 500", "RemoteDisconnected", "status 302"]
    assert "canary" not in repr(lines)


def test_an_alert_is_given_up_at_last_and_the_next_goes_out(receiver, lines):
    one = receiver(503, 503, 503, 503, 200)
    hook = webhook(one.url, lines)
    hook.put(alert(1))
    hook.put(alert(2))

    assert [(gone.identity[0], state) for gone, state in ended(hook, 2)] == [
        (1, GIVEN_UP), (2, SENT)]


def test_nobody_listens(lines):
    hook = webhook("http://127.0.0.1:9/", lines, delays_s=())
    hook.put(alert())

    assert ended(hook) == [(alert(), GIVEN_UP)]
    assert lines[0][1]["problem"] == "ConnectionRefusedError"


def test_the_queue_is_bounded_and_what_is_on_its_way_goes_once(receiver, lines, monkeypatch):
    monkeypatch.setattr(module, "QUEUE_MAX", 3)
    one = receiver(200)
    one.hold.clear()  # a receiver that takes its time
    hook = webhook(one.url, lines)
    began = time.monotonic()

    assert [hook.put(alert(number)) for number in (1, 1, 2, 3, 4)] == [
        True, True, True, True, False]
    assert time.monotonic() - began < 5
    one.hold.set()
    assert len(ended(hook, 3)) == 3 and len(one.calls) == 3
    assert hook.put(alert(4)) and ended(hook)[0][1] == SENT


def test_an_id_names_key_window_and_fraction():
    ids = {json.loads(body(each))["id"]
           for each in (alert(1), alert(1), alert(2), alert(1, 0.8))}

    assert len(ids) == 3
    assert sign(b"k", 5, b"x").startswith("t=5,v1=")
