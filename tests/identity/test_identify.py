"""Goal: what a request is, whose it is and what it may cost is read as DESIGN section 5 says.

Method: whole requests through a worker; what was read shows in the refusal or in the records.
"""

import pytest

from fastgw.ledger.records import Open, Request
from tests.worker import chat, provider, request, response

MESSAGES = b'{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'


@pytest.mark.parametrize("path, provider_id", [
    ("/v1/chat/completions", "openai"), ("/v1/messages", "anthropic"),
    ("/providers/spare/v1/chat/completions", "spare")])
def test_path_and_pin_name_the_api_and_the_provider(worker, path, provider_id):
    one = worker(providers=[provider("openai"), provider("spare"),
                            provider("anthropic", "anthropic", path="")])
    body = MESSAGES if "messages" in path else chat()

    got, answer = one.ask(request(body, path=path), response())

    assert answer.fields["x-fastgw-provider"] == provider_id
    target = path.removeprefix(f"/providers/{provider_id}")
    assert got.startswith(f"POST {target} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize("method, path, status, code", [
    ("POST", "/v1/nothing", 404, "FGW-201"), ("PUT", "/v1/chat/completions", 405, "FGW-202"),
    ("POST", "/providers/none/v1/chat/completions", 404, "FGW-203"),
    ("POST", "/providers/openai", 404, "FGW-203"),
    ("POST", "/providers//v1/chat/completions", 404, "FGW-203")])
def test_what_leads_nowhere_is_refused(worker, method, path, status, code):
    _, answer = worker().ask(request(chat(), method=method, path=path))

    assert (answer.status, answer.code) == (status, code)
    assert answer.fields.get("allow") == ("POST" if status == 405 else None)


@pytest.mark.parametrize("path, fields, code", [
    ("/v1/chat/completions", ["Authorization: Bearer fgw-alice"], ""),
    ("/v1/chat/completions", ["aUthorization: bEARER   fgw-alice"], ""),
    ("/v1/messages", ["x-api-key: fgw-alice"], ""),
    ("/v1/messages", ["Authorization: Bearer fgw-alice"], ""),
    ("/v1/chat/completions", [], "FGW-301"),
    ("/v1/chat/completions", ["Authorization: Basic fgw-alice"], "FGW-301"),
    ("/v1/chat/completions", ["Authorization: Bearer "], "FGW-301"),
    ("/v1/chat/completions", ["Authorization: Bearer fgw-alice2"], "FGW-302"),
    ("/v1/chat/completions", ["Authorization: Bearer fgw-alic"], "FGW-302"),
    ("/v1/messages", ["x-api-key: wrong", "Authorization: Bearer fgw-alice"], "FGW-302"),
    ("/v1/chat/completions", ["Authorization: Bearer fgw-alice"] * 2, "FGW-305")])
def test_a_credential_is_looked_for_where_the_dialect_has_it(worker, path, fields, code):
    body = MESSAGES if "messages" in path else chat()
    _, answer = worker().ask(request(body, *fields, path=path, key=""),
                             *([] if code else [response()]))

    assert (answer.status, answer.code) == ((401, code) if code else (200, ""))
    assert answer.fields.get("www-authenticate") == ("Bearer" if code else None)


GENERATE = "/v1beta/models/g:generateContent"


@pytest.mark.parametrize("query, fields, code, sent", [
    ("", ["x-goog-api-key: fgw-alice"], "", ""), ("?key=fgw-alice", [], "", ""),
    ("", ["Authorization: Bearer fgw-alice"], "", ""),
    ("?alt=sse&key=fgw-alice&a=b", [], "", "?alt=sse&a=b"),
    ("?key=other", ["x-goog-api-key: fgw-alice"], "", ""),
    ("?monkey=fgw-alice", [], "FGW-301", ""), ("?key=", [], "FGW-301", ""),
    ("?key=wrong", [], "FGW-302", ""), ("", ["x-api-key: fgw-alice"], "FGW-301", ""),
    ("?key=fgw-alice&key=fgw-alice", [], "FGW-305", ""),
    ("?%6bey=fgw-alice", [], "FGW-305", ""), ("?k%65%79=other&key=fgw-alice", [], "FGW-305", ""),
    ("?%6Bey=other", ["x-goog-api-key: fgw-alice"], "FGW-305", ""),
    ("?%6bex=1&key=fgw-alice", [], "", "?%6bex=1"),
    ("", ["x-goog-api-key: fgw-alice"] * 2, "FGW-305", "")])
def test_google_has_a_credential_in_a_field_or_the_query(worker, query, fields, code, sent):
    one = worker(providers=[provider("google", "gemini", path="")])
    got, answer = one.ask(request(b'{"contents":[]}', *fields, path=GENERATE + query, key=""),
                          *([] if code else [response()]))

    assert (answer.status, answer.code) == ((401, code) if code else (200, ""))
    if not code:
        assert got.startswith(f"POST {GENERATE}{sent} HTTP/1.1\r\n".encode())
        assert b"fgw-alice" not in got and b"other" not in got


def test_an_open_gateway_serves_whoever_asks(worker):
    one = worker(keys=None)

    for fields in ([], ["Authorization: Bearer anything"]):
        assert one.ask(request(chat(), *fields, key=""), response())[1].status == 200
    one.records()
    assert '"id":"anonymous"' in " ".join(one.names.values())


@pytest.mark.parametrize("body, code", [
    (b"{", 501), (b"", 501), (b"[]", 502), (b'{"model":"a","model":"b"}', 503),
    (b'{"messages":[]}', 504), (b'{"model":7}', 505), (b'{"model":"a","stream":1}', 506),
    (b'{"model":"a","n":-1}', 507), (b'{"model":"a","max_tokens":"9"}', 508)])
def test_a_body_that_cannot_be_read_is_refused(worker, body, code):
    _, answer = worker().ask(request(body))

    assert (answer.status, answer.code) == (400, f"FGW-{code}")


def test_what_is_compressed_cannot_be_governed(worker):
    _, answer = worker().ask(request(chat(), "Content-Encoding: gzip"))

    assert (answer.status, answer.code) == (415, "FGW-407")


@pytest.mark.parametrize("more, bound", [
    ({"max_tokens": 40}, 40), ({"max_completion_tokens": 40, "n": 3}, 120),
    ({}, 16384), ({"n": 2}, 32768), ({"model": "unheard-of"}, 131072),
    ({"model": "unheard-of", "n": 2}, 262144), ({"max_tokens": 10**15}, 1 << 40)])
def test_output_is_bounded_by_what_was_asked_for_or_the_model_can_write(worker, more, bound):
    one = worker()
    one.ask(request(chat(**more)), response())

    assert one.one(Open).output_high == bound


def test_input_is_estimated_from_text_and_bounded_by_bytes(worker):
    one = worker()
    for letters in (4000, 40000):
        body = chat(model=f"of-{letters}",
                    messages=[{"role": "user", "content": "word " * (letters // 5)}])
        one.ask(request(body), response())
        asked, opened, _ = one.records()

        assert isinstance(asked, Request)
        assert letters / 5 <= asked.input_estimate <= letters / 2
        assert len(body) <= opened.input_high <= len(body) + 8192


def test_each_request_of_a_connection_is_judged_by_its_own_credential(worker):
    one = worker(keys=[{"id": name, "value": f"fgw-{name}"} for name in ("alice", "clive")])
    client = one.connect()

    def asks(key: str) -> tuple[int, list[str]]:
        client.feed(request(chat(), key=key))
        if one.loop.opened and one.upstream.taken():
            one.upstream.feed(response())
        status = client.answer().status
        return status, [one.names[found.dims.account] for found in one.records()
                        if isinstance(found, Request) and status == 200]

    for key, status, account in [("fgw-alice", 200, "alice"), ("fgw-alicf", 401, ""),
                                 ("fgw-clive", 200, "clive"), ("fgw-alice", 200, "alice"),
                                 ("fgw-alice", 200, "alice"), ("fgw-alic", 401, "")]:
        found, accounts = asks(key)
        assert found == status
        assert [f'"id":"{account}"' in text for text in accounts] == [True] * (status == 200)


FORM = "Content-Type: multipart/form-data; boundary=b0"


def form(model: str = "whisper-1") -> bytes:
    return (f'--b0\r\nContent-Disposition: form-data; name="model"\r\n\r\n{model}\r\n--b0\r\n'
            'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--b0--'
            "\r\n").encode()


@pytest.mark.parametrize("path, deployed", [
    ("/v1/audio/transcriptions", False), ("/v1/audio/translations", False),
    ("/v1/images/edits", False), ("/openai/v1/audio/transcriptions", False),
    ("/openai/deployments/whisper-1/audio/transcriptions", True)])
def test_a_forms_model_is_scoped_routed_and_renamed(worker, path, deployed):
    keys = [{"id": "alice", "value": "fgw-alice", "access": {"models": ["whisper-*"]}}]
    models = [{"id": "whisper-1", "candidates": [{"provider": "openai", "model": "scribe"}]}]
    one = worker(keys=keys, models=models)

    got, answer = one.ask(request(form("ignored" if deployed else "whisper-1"), FORM, path=path),
                          response(b'{"text":"hi"}'))
    assert answer.status == 200 and got.endswith(form("scribe"))
    assert f"Content-Length: {len(form('scribe'))}".encode().lower() in got.lower()

    asked = path.replace("whisper-1", "gpt-4o-transcribe")
    _, refused = one.ask(request(form("gpt-4o-transcribe"), FORM, path=asked))
    assert (refused.status, refused.code) == (403, "FGW-602")


@pytest.mark.parametrize("path, fields, body, code", [
    ("/v1/audio/transcriptions", [FORM], form()[:-6], "FGW-510"),
    ("/v1/audio/transcriptions", [FORM], form().replace(b'"model"', b'"Model"'), "FGW-503"),
    ("/v1/audio/transcriptions", [FORM], form().replace(b'"model"', b'"other"'), "FGW-504"),
    ("/v1/audio/transcriptions", [FORM, FORM.replace("b0", "b1")], form(), "FGW-403"),
    ("/v1/audio/transcriptions", ["Content-Type: application/x-www-form-urlencoded"], b"model=a",
     "FGW-403"),
    ("/v1/audio/transcriptions", [FORM, "Content-Encoding: gzip"], form(), "FGW-407"),
    ("/v1/audio/transcriptions", [], form(), "FGW-501"),
    ("/v1/audio/speech", [FORM], form(), "FGW-403"),
    ("/v1/images/generations", [FORM], form(), "FGW-403"),
    ("/v1/chat/completions", [FORM], form(), "FGW-403")])
def test_a_form_that_could_hide_its_model_goes_nowhere(worker, path, fields, body, code):
    one = worker()
    _, answer = one.ask(request(body, *fields, path=path))
    assert answer.code == code and not one.loop.opened


def test_a_form_without_a_model_is_closed_to_who_may_not_ask_all(worker):
    keys = [{"id": "alice", "value": "fgw-alice", "access": {"models": ["dall-e-2"]}}]
    body = form().replace(b'"model"', b'"prompt"')
    _, answer = worker(keys=keys).ask(request(body, FORM, path="/v1/images/edits"))
    assert answer.code == "FGW-602"
    _, answer = worker().ask(request(body, FORM, path="/v1/images/edits"), response())
    assert answer.status == 200
