"""Asks of forms: the model of a transcription is read, refused and renamed as that of a JSON body.

Method: bodies of a client's library; edited ones are read again by Python's MIME parser.
"""

import httpx
import pytest

from fastgw.dialect.request import Ask, Route
from fastgw.usage.prices import kind_of
from tests.csrc.test_form import field, made, oracle

SOUND = Route("POST", "/v1/audio/transcriptions")
PICTURES = Route("POST", "/v1/images/edits")
DEPLOYED = Route("POST", "/openai/deployments/dep/audio/transcriptions")
TYPE = "multipart/form-data; boundary=b0Und"
FILE = field(b"file", b"\x00\r\n\xff" * 400, b'; filename="a.wav"')


def ask(*parts: bytes, route: Route = SOUND) -> Ask:
    return Ask(route, made(*parts), type=TYPE)


def test_a_librarys_form_says_model_stream_user_and_sizes():
    sent = httpx.Request(
        "POST", "http://h", files={"file": ("a.mp3", b"s" * 4000, "audio/mpeg")},
        data={"model": "gpt-4o-transcribe", "stream": True, "user": "u", "prompt": "hello there"})
    one = Ask(SOUND, sent.read(), type=sent.headers["content-type"])

    assert (one.error, one.model, one.stream, one.user) == ("", "gpt-4o-transcribe", True, "u")
    assert (one.sizes["text"], one.sizes["binary"], one.sizes["binaries"]) == (11, 4000, 0)
    assert one.input_estimate > 0 and one.input_bound > 4000 // 64


def test_pictures_are_counted_as_pictures():
    picture = field(b"image[]", b"PNG", b'; filename="a.png"')
    one = ask(picture, picture, field(b"n", b"3"), field(b"prompt", b"blue"), route=PICTURES)
    assert (one.error, one.model, one.n, one.sizes["binaries"]) == ("", "", 3, 2)
    assert one.input_bound > 100_000


@pytest.mark.parametrize("parts, kind", [
    ([], "standard/1024x1024"),
    ([field(b"quality", b"hd"), field(b"size", b"1024x1792")], "hd/1024x1792"),
    ([field(b"size", b"512x512")], "standard/512x512")])
def test_the_kind_of_a_picture_is_what_quality_and_size_say(parts, kind):
    assert ask(*parts, field(b"prompt", b"blue"), route=PICTURES).picture == kind_of(kind)
    assert ask(*parts, field(b"model", b"m")).picture == 0


@pytest.mark.parametrize("parts, error", [
    ([FILE], "you must provide a model"),
    ([field(b"model", b"")], "model must be"), ([field(b"model", b"a\r\nb")], "model must be"),
    ([field(b"model", b"m" * 257)], "model must be"),
    ([field(b"model", b"m", b'; filename="m"')], "model must be"),
    ([field(b"model", b"m"), field(b"model", b"m")], "more than once"),
    ([field(b"model", b"m"), field(b"Model", b"n")], "more than once"),
    ([field(b"MODEL", b"m")], "more than once"),
    ([field(b"model", b"m"), field(b"stream", b"1")], "stream must be"),
    ([field(b"model", b"m"), field(b"n", b"0")], "n must be"),
    ([field(b"model", b"m"), field(b"n", b"99999999999999999999")], "n must be"),
    ([field(b"mo%64el", b"m")], "more than one way"), ([], "more than one way")])
def test_what_is_not_said_plainly_is_refused(parts, error):
    assert error in ask(*parts).error


def test_a_json_body_is_none_and_a_forms_type_makes_none_of_json():
    assert ask(field(b"model", b"m")).error == ""
    assert "more than one way" in Ask(SOUND, b'{"model":"m"}', type=TYPE).error
    assert "more than one way" in Ask(SOUND, made(FILE), type="multipart/mixed").error
    assert Ask(SOUND, b'{"model":"m"}').model == "m"


@pytest.mark.parametrize("parts, name", [
    ([field(b"model", b"m"), FILE], "other"), ([FILE, field(b"model", b"m")], "o" * 256),
    ([FILE, field(b"model", b"m"), field(b"language", b"de")], 'a"b\\c')])
def test_another_model_takes_the_place_of_the_first_as_it_is(parts, name):
    before = oracle(made(*parts))
    after = oracle(ask(*parts).edited(model=name)[0])
    assert after == [(key, name.encode() if key == b"model" else value, file)
                     for key, value, file in before]


def test_a_deployments_model_is_put_in_where_the_body_must_name_it():
    one = ask(FILE, route=DEPLOYED)
    assert (one.error, one.model) == ("", "dep")
    assert one.edited(model="other")[0] == made(FILE)  # Azure has it in the path
    body, _ = one.edited(model="m", model_in_body=True)
    assert oracle(body) == [(b"model", b"m", False), *oracle(made(FILE))]
    both = ask(FILE, field(b"model", b"theirs"), route=DEPLOYED)
    assert oracle(both.edited(model="m", model_in_body=True)[0])[1] == (b"model", b"m", False)
