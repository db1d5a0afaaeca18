"""A POST to a webhook: signed so that it can be checked, and told apart when it fails.

Method: a real server (that of test_alerts), and one that is not there.
"""

import base64
import hashlib
import hmac
import re

from fastgw.process.webhook import SIGNATURE, Hook, sign
from tests.process.test_alerts import Receiver


def test_what_is_posted_is_signed_and_its_answer_told():
    receiver = Receiver(204, 500, 0)
    hook = Hook(receiver.url, "canary-secret")

    assert hook.post(b'{"a":1}') is None
    assert hook.post(b"{}") == "status 500"
    assert hook.post(b"{}") in ("RemoteDisconnected", "BadStatusLine", "ConnectionResetError")
    path, fields, content = receiver.calls[0]
    assert path == "/hooks/canary-path?x=1" and content == b'{"a":1}'
    found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", {k.lower(): v for k, v in fields.items()}[
        SIGNATURE])
    wanted = hmac.new(b"canary-secret", b"%s." % found[1].encode() + content, hashlib.sha256)
    assert found[2] == wanted.hexdigest()
    assert sign(b"canary-secret", int(found[1]), content).endswith(found[2])
    receiver.server.shutdown()


def test_a_user_in_the_url_is_told_to_the_receiver_and_to_no_log():
    receiver = Receiver(204)
    hook = Hook(receiver.url.replace("//", "//bob:p%40ss@"), None)
    assert hook.post(b"{}") is None and hook.host == "127.0.0.1"
    fields = {name.lower(): value for name, value in receiver.calls[0][1].items()}
    assert fields["authorization"] == "Basic " + base64.b64encode(b"bob:p@ss").decode()
    assert "bob" not in fields["host"]
    receiver.server.shutdown()


def test_nobody_there_is_said_without_the_url():
    hook = Hook("http://127.0.0.1:1/secret-path", None, timeout_s=1)
    assert hook.post(b"{}") == "ConnectionRefusedError"
    assert hook.host == "127.0.0.1"
