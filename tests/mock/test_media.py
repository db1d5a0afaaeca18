"""Goal: the mock's pictures and sound are told as OpenAI tells them, in JSON and out of forms.

Method: the planner called without sockets; a meter reads what it says. (Whole ways, with the SDK
and the books: tests/journey/test_media.py.)
"""

import json

import pytest

from fastgw.dialect.meter import Meter
from fastgw.mock.asked import Asked
from fastgw.mock.books import Books, open_mapping
from fastgw.mock.media import ROUTES, form_of, read
from fastgw.mock.planner import Planner, route
from fastgw.mock.refusal import Refusal

FORM = (b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n--b\r\n'
        b'Content-Disposition: form-data; name="%b"; filename="f"\r\n\r\nbytes\r\n--b--\r\n')


def wire(path: str, body: bytes) -> bytes:
    planner = Planner(Asked(events=3), 0, None, Books(open_mapping(1), 0, 1, -1))
    made = planner(b"POST", path.encode(), b"Bearer k", False, False, None, None, None, body)
    return made.wire


def test_every_path_is_known_by_its_end():
    for path, operation in ROUTES:
        assert route("/v1" + path) == (operation, "") == route("/openai/deployments/d" + path)


def test_a_form_says_what_a_body_says():
    assert form_of(FORM % (b"whisper-1", b"file")) == {"model": "whisper-1", "file": [b"bytes"]}
    call = read("image_edits", (FORM % (b"m", b"image[]")).replace(
        b"--b--", b'--b\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n--b--'))
    assert (call.model, call.stream, call.echoed["files"]) == ("m", True, 1)


@pytest.mark.parametrize("operation, body", [
    ("transcriptions", {"model": "m"}), ("images", {"model": "m"}),
    ("speech", {"input": "a"}), ("image_edits", {"prompt": "a"})])
def test_what_is_missing_is_refused(operation, body):
    with pytest.raises(Refusal) as caught:
        read(operation, json.dumps(body).encode())
    assert caught.value.status == 400


@pytest.mark.parametrize("path, body, told", [
    ("/v1/images/generations", b'{"model":"gpt-image-1","prompt":"a"}', {"image_output": 3}),
    ("/v1/images/generations", b'{"model":"dall-e-3","prompt":"a"}', None),
    ("/v1/images/edits", FORM % (b"gpt-image-1", b"image"), {"image_input": 50}),
    ("/v1/audio/transcriptions", FORM % (b"gpt-4o-transcribe", b"file"), {"audio_input": 7}),
    ("/v1/audio/transcriptions", FORM % (b"whisper-1", b"file"), None)])
def test_some_tell_tokens_and_some_do_not(path, body, told):
    meter = Meter("openai", "images" if "images" in path else "audio", streaming=False)
    meter.feed(wire(path, body).partition(b"\r\n\r\n")[2])
    meter.end()
    classes, flags = meter.usage()

    assert ("provider" in flags) is (told is not None)
    assert told is None or {name: classes[name] for name in told} == told
