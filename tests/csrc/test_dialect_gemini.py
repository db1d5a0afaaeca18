"""Goal: what a request of Gemini and Vertex AI asks for, and its limit put where Google reads it.

Method: bodies as the SDK and the REST documentation write them, in both spellings of proto-JSON;
edited ones parsed by orjson.
"""

import orjson
import pytest

from fastgw.dialect.request import Ask, Route

PATH = "/v1beta/models/gemini-2.5-flash:generateContent"
GENERATE = Route("POST", PATH)
STREAM = Route("POST", "/v1beta/models/gemini%2D2.5-flash:streamGenerateContent")
HELLO = {"contents": [{"role": "user", "parts": [{"text": "Hello, you"}]}]}


def ask(body, route=GENERATE) -> Ask:
    return Ask(route, orjson.dumps(body))


def edited(body, **wishes):
    one = ask(body)
    text, hide = one.edited(**wishes)
    assert not hide
    return orjson.loads(text)


def test_model_and_stream_come_from_the_path():
    plain, streamed = ask(HELLO), ask(HELLO, STREAM)

    assert (plain.error, plain.model, plain.stream) == ("", "gemini-2.5-flash", False)
    assert (streamed.error, streamed.model, streamed.stream) == ("", "gemini-2.5-flash", True)
    assert plain.messages == 1 and plain.sizes["text"] == 10 and plain.n == 1


@pytest.mark.parametrize("model, error", [
    ("gemini-2.5-flash", ""), ("models/gemini-2.5-flash", ""), ("models/gemini-2.5-pro", "model"),
    ("other", "model"), (7, "model")])  # fmt: skip
def test_a_model_in_the_body_must_be_that_of_the_path(model, error):
    assert ask({**HELLO, "model": model}).error.startswith(error)


@pytest.mark.parametrize("config, limit", [
    ({"maxOutputTokens": 50}, 50), ({"max_output_tokens": 50, "temperature": 1}, 50),
    ({"temperature": 0}, None), ({}, None), (None, None)])  # fmt: skip
@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
def test_the_limit_is_read_and_written_in_both_spellings(name, config, limit):
    body = {**HELLO, name: config, "tools": []}
    assert ask(body).output_limit == limit

    changed = edited(body, output_limit=20)
    inside = changed.pop(name)
    assert inside.get("maxOutputTokens", inside.get("max_output_tokens")) == 20
    assert len({"maxOutputTokens", "max_output_tokens"} & inside.keys()) == 1
    assert {k: v for k, v in inside.items() if "utput" not in k} == {
        k: v for k, v in (config or {}).items() if "utput" not in k}
    assert changed == {k: v for k, v in body.items() if k != name}
    if limit:
        assert edited(body, output_limit=60) == body


def test_where_there_is_no_config_one_is_put_in():
    assert edited(HELLO, output_limit=20) == {**HELLO, "generationConfig": {"maxOutputTokens": 20}}
    assert edited({}, output_limit=20) == {"generationConfig": {"maxOutputTokens": 20}}
    assert edited(HELLO, model="another", output_limit=0) == HELLO  # the path says it


@pytest.mark.parametrize("body", [
    {"generationConfig": {}, "generation_config": {}},
    {"generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 9}},
    {"generationConfig": {"maxoutputtokens": 1}}, {"GenerationConfig": {}},
    {"generationConfig": {"candidateCount": 1, "candidate_count": 2}}])  # fmt: skip
def test_what_parsers_could_read_differently_is_refused(body):
    assert "more than once" in ask({**HELLO, **body}).error


@pytest.mark.parametrize("config, word", [
    ({"maxOutputTokens": "50"}, "limit"), ({"maxOutputTokens": -1}, "limit"),
    ({"candidateCount": 0}, "n must"), ({"candidateCount": "2"}, "n must")])  # fmt: skip
def test_numbers_that_are_none_are_refused(config, word):
    assert word in ask({**HELLO, "generationConfig": config}).error


def test_candidates_are_answers():
    assert ask({**HELLO, "generationConfig": {"candidateCount": 3}}).n == 3


@pytest.mark.parametrize("tools, bounded", [
    ([{"functionDeclarations": [{"name": "f"}]}], True),
    ({"function_declarations": [{"name": "f"}]}, True), ([{"googleSearch": {}}], False),
    ([{"functionDeclarations": []}, {"code_execution": {}}], False), ([{"urlContext": {}}], False),
])  # fmt: skip
def test_tools_that_run_at_google_leave_the_input_without_a_bound(tools, bounded):
    one = ask({**HELLO, "tools": tools})
    assert one.tools and one.unbounded == (not bounded)


@pytest.mark.parametrize("part, bounded, remotes", [
    ({"inlineData": {"mimeType": "image/png", "data": "A" * 4000}}, True, 0),
    ({"inline_data": {"mime_type": "image/png", "data": "A" * 4000}}, True, 0),
    ({"inlineData": {"mimeType": "application/pdf", "data": "A" * 4000}}, False, 0),
    ({"inlineData": {"mimeType": "video/mp4", "data": "A" * 4000}}, False, 0),
    ({"fileData": {"fileUri": "gs://b/f"}}, False, 1)])  # fmt: skip
def test_media_are_no_text(part, bounded, remotes):
    one = ask({"contents": [{"parts": [{"text": "abc"}, part]}]})
    assert one.sizes["text"] == 3 and one.sizes["remotes"] == remotes
    assert one.unbounded == (not bounded)
    assert one.sizes["binary"] == (0 if remotes else 4000)


def test_text_is_found_wherever_the_api_has_it():
    body = {
        "systemInstruction": {"parts": {"text": "12345"}},
        "contents": [
            {"role": "model", "parts": [{"functionCall": {"name": "ab", "args": {"k": "vw"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "ab", "response": "xyz"}}]},
            {"parts": [{"text": "1", "thoughtSignature": "x" * 99}]},
        ],
    }  # fmt: skip
    words = ("12345", "nameab", "args", "kvw", "nameab", "responsexyz", "1")
    assert ask(body).sizes["text"] == len("".join(words))
    assert ask({**HELLO, "cachedContent": "cachedContents/x"}).unbounded


def test_embeddings_are_asked_one_by_one_or_many():
    content = {"parts": [{"text": "abcd"}]}
    one = ask({"content": content, "model": "models/e"},
              Route("POST", "/v1beta/models/e:embedContent"))
    many = ask({"requests": [{"model": "models/e", "content": content}] * 3},
               Route("POST", "/v1beta/models/e:batchEmbedContents"))
    vertex = ask({"instances": [{"content": "abcd"}, {"content": "ef"}]},
                 Route("POST", "/v1/projects/p/locations/l/publishers/google/models/e:predict"))

    assert [x.error for x in (one, many, vertex)] == ["", "", ""]
    assert [x.sizes["text"] for x in (one, many)] == [4, 12]
    assert vertex.sizes["text"] == 6
    assert many.messages == 3 and many.output_limit is None


def test_a_model_in_the_body_is_renamed_with_that_of_the_path():
    route = Route("POST", "/v1beta/models/e:embedContent")
    for model in ("e", "models/e"):
        text, _ = ask({"content": {}, "model": model}, route).edited(model="another")
        assert orjson.loads(text) == {"content": {}, "model": "models/another"}


def test_tokens_are_counted_of_a_request_within_the_request():
    one = ask({"generateContentRequest": {**HELLO, "model": "models/g"}},
              Route("POST", "/v1beta/models/g:countTokens"))
    assert (one.error, one.model, one.sizes["text"]) == ("", "g", 10)
