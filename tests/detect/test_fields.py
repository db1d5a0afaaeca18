"""Goal: `detect` looks at the words of a form as it does at those of a request in JSON, and leaves
every other byte of it as it was.

Method: a worker in this process; forms written by hand, read by Python's MIME parser as they
arrive at the provider.
"""

from email import message_from_bytes

import orjson
import pytest

from tests.worker import Worker, policy, provider, request, response

MAIL, CARD = "john.doe@example.com", "4111 1111 1111 1111"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b" john.doe@example.com"
EDITS = "/v1/images/edits"


def form(*parts):
    """(name, value) each; a value that is a tuple is a file with that name."""
    lines = []
    for name, value in parts:
        more, raw = "", value
        if isinstance(value, tuple):
            more, raw = f'; filename="{value[0]}"', value[1]
        raw = raw if isinstance(raw, bytes) else raw.encode()
        head = f'--edge\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
        lines.append(head.encode() + raw + b"\r\n")
    return b"".join(lines) + b"--edge--\r\n"


def parts_of(got):
    """[(name, filename, value)] of what the provider got."""
    head, _, body = got.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert int(fields[b"content-length"]) == len(body)
    told = message_from_bytes(b"Content-Type: " + fields[b"content-type"] + b"\r\n\r\n" + body)
    return [(part.get_param("name", header="content-disposition"), part.get_filename(),
             part.get_payload(decode=True)) for part in told.get_payload()]


def asked(tmp_path, then, body, *, path=EDITS, refused=False):
    detect = {"type": "detect", "config": {"kinds": ["email"], "then": then}}
    one = Worker(tmp_path, policy=policy({"name": "words", "actions": [detect]}))
    raw = request(body, "Content-Type: multipart/form-data; boundary=edge", path=path)
    return one, *one.ask(raw, *([] if refused else [response(b'{"created": 1, "data": []}')]))


def test_deny_refuses_a_form_for_what_its_words_say(tmp_path):
    body = form(("model", "gpt-image-1"), ("image", ("a.png", PICTURE)),
                ("prompt", f"a letter to {MAIL}"))
    _, got, answer = asked(tmp_path, "deny", body, refused=True)

    assert (got, answer.status, answer.code) == (b"", 403, "FGW-608")
    assert "email in prompt" in orjson.loads(answer.body)["error"]["message"]
    assert MAIL.encode() not in answer.body


def test_redact_puts_labels_into_words_and_leaves_the_rest_as_it_is(tmp_path):
    before = [("model", "gpt-image-1"), ("image", ("a.png", PICTURE)), ("n", "2"),
              ("prompt", f"caf\u00e9 for {MAIL}, \"twice\"\n"), ("user", MAIL)]
    _, got, answer = asked(tmp_path, "redact", form(*before))
    now = parts_of(got)

    assert answer.status == 200
    assert [part[0] for part in now] == [name for name, _ in before]
    assert now[1] == ("image", "a.png", PICTURE), "a file is nobody's to look into"
    text = now[3][2].decode()
    assert text.startswith("caf\u00e9 for [") and MAIL not in text
    assert text.endswith('], "twice"\n')
    assert now[4][2].decode() == MAIL, "a setting, as in JSON"


def test_several_fields_of_one_name_and_bytes_that_are_no_text(tmp_path):
    body = form(("prompt", f"one {MAIL}"), ("prompt", b"\xff\xfe " + MAIL.encode() + b" \xe9"),
                ("prompt", "three"), ("model", "gpt-image-1"))
    _, got, _ = asked(tmp_path, "redact", body)
    values = [value for name, _, value in parts_of(got) if name == "prompt"]

    assert MAIL.encode() not in b"".join(values) and values[2] == b"three"
    assert values[1].startswith(b"\xff\xfe [") and values[1].endswith(b"] \xe9")


@pytest.mark.parametrize("then", ["log", "redact", "deny"])
def test_nothing_found_changes_nothing(tmp_path, then):
    body = form(("model", "whisper-1"), ("file", ("a.wav", PICTURE)), ("prompt", "names: Ann"))
    _, got, answer = asked(tmp_path, then, body, path="/v1/audio/transcriptions")
    assert answer.status == 200 and got.endswith(body)


def test_a_form_whose_words_were_changed_still_gets_its_candidates_name(tmp_path):
    detect = {"type": "detect", "config": {"kinds": ["email"], "then": "redact"}}
    one = Worker(tmp_path, policy=policy({"actions": [detect]}), models=[
        {"id": "draws", "candidates": [{"provider": "openai", "model": "gpt-image-1.5"}]}])
    body = form(("prompt", f"{MAIL} " * 3), ("model", "draws"), ("size", "auto"))
    got, _ = one.ask(request(body, "Content-Type: multipart/form-data; boundary=edge", path=EDITS),
                     response(b'{"created": 1, "data": []}'))
    now = {name: value for name, _, value in parts_of(got)}

    assert now["model"] == b"gpt-image-1.5" and now["size"] == b"auto"
    assert MAIL.encode() not in now["prompt"]


def test_a_model_of_the_path_survives_a_body_that_was_changed(tmp_path):
    """What is read again of the body has no model: the path still names it."""
    detect = {"type": "detect", "config": {"kinds": ["payment_card"], "then": "redact"}}
    one = Worker(tmp_path, policy=policy({"actions": [detect]}), providers=[
        provider("openai"), provider("google", "gemini", path="")])
    body = orjson.dumps({"contents": [{"parts": [{"text": CARD}]}]})
    got, _ = one.ask(
        request(body, "x-goog-api-key: fgw-alice", key="",
                path="/v1beta/models/gemini-2.5-flash:generateContent"), response(b"{}"))
    assert got.startswith(b"POST /v1beta/models/gemini-2.5-flash:generateContent ")
    assert CARD.encode() not in got
    body = orjson.dumps({"messages": [{"role": "user", "content": CARD}]})
    got, _ = one.ask(
        request(body, "api-key: fgw-alice", key="",
                path="/openai/deployments/gpt-4o/chat/completions?api-version=1"), response())
    assert orjson.loads(got.partition(b"\r\n\r\n")[2])["model"] == "gpt-4o"
