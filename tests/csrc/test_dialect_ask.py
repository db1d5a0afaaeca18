"""Asks: what a request body says is read in one pass, and what parsers could differ on is refused.

Method: bodies as the SDKs write them and bodies that try to be read in two ways; each is also fed
byte by byte and must say the same.
"""

import json
import statistics
from pathlib import Path

import orjson
import pytest

from fastgw.dialect.request import Ask, Route

STREAMS = Path(__file__).resolve().parents[3] / "shared/vectors/streams"

CHAT = Route("POST", "/v1/chat/completions")
RESPONSES = Route("POST", "/v1/responses")
COMPLETIONS = Route("POST", "/v1/completions")
EMBEDDINGS = Route("POST", "/v1/embeddings")
MESSAGES = Route("POST", "/v1/messages")
HELLO = [{"role": "user", "content": "hello"}]


def ask(route: Route, body: dict | bytes) -> Ask:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    whole = Ask(route, raw)
    pieces = Ask(route, *(raw[at : at + 1] for at in range(len(raw))))
    for name in ("error", "model", "user", "stream", "tools", "n", "output_limit", "sizes",
                 "unbounded", "messages", "more_models", "include_usage"):  # fmt: skip
        assert getattr(whole, name) == getattr(pieces, name), name
    assert whole.error_number == 1 or whole.input_bound == pieces.input_bound
    return whole


def test_a_chat_request_is_read():
    got = ask(CHAT, {"model": "gpt-4o", "messages": HELLO, "stream": True, "n": 2, "user": "u1",
                     "max_completion_tokens": 50, "stream_options": {"include_usage": True},
                     "tools": [{"type": "function", "function": {"name": "f"}}]})  # fmt: skip

    assert (got.error, got.model, got.user, got.n, got.output_limit) == ("", "gpt-4o", "u1", 2, 50)
    assert got.stream and got.tools and got.include_usage and not got.unbounded
    assert got.messages == 1


@pytest.mark.parametrize("prompt, n, answers", [
    ("a", 2, 2), (["a"], 2, 2), (["a", "b", "c"], 2, 6), ([1, 2, 3], 2, 2), ([[1, 2], [3]], 2, 4),
    ([], 3, 3), (["a"] * 4096, 4, 16384), (["a"] * 4097, 4, None)])  # fmt: skip
def test_each_prompt_of_a_completion_has_answers_of_its_own(prompt, n, answers):
    got = ask(COMPLETIONS, {"model": "m", "prompt": prompt, "n": n, "max_tokens": 10})
    assert (got.n if not got.error else None) == answers
    assert ask(CHAT, {"model": "m", "prompt": ["a", "b"], "messages": HELLO}).n == 1


def test_defaults_are_told_from_values():
    got = ask(CHAT, {"model": "m", "messages": HELLO, "stream": None, "n": None,
    "max_tokens": None,
                     "tools": [], "stream_options": None})  # fmt: skip
    assert (got.error, got.n, got.output_limit) == ("", 1, None)
    assert not (got.stream or got.tools or got.include_usage or got.more_models)


def test_every_dialect_has_its_user_and_limit():
    assert ask(CHAT, {"model": "m", "safety_identifier": "s"}).user == "s"
    assert ask(CHAT, {"model": "m", "safety_identifier": "s", "user": "u"}).user == "u"
    assert ask(MESSAGES, {"model": "m", "metadata": {"user_id": "é" * 100}}).user == "é" * 64
    assert ask(MESSAGES, {"model": "m", "max_tokens": 9}).output_limit == 9
    assert (
        ask(RESPONSES, {"model": "m", "max_output_tokens": 8, "max_tokens": 1}).output_limit == 8
    )
    assert ask(COMPLETIONS, {"model": "m", "max_tokens": 7.0, "best_of": 3, "n": 2}).n == 3


def test_the_larger_of_two_limits_is_the_one_in_force():
    got = ask(CHAT, {"model": "m", "max_tokens": 10, "max_completion_tokens": 99})
    assert got.output_limit == 99


def test_a_limit_of_nothing_is_none():
    """Some providers take 0 for no limit, so it must not pass for a small one."""
    assert ask(CHAT, {"model": "m", "max_tokens": 0}).output_limit is None
    assert ask(CHAT, {"model": "m", "max_tokens": 0, "max_completion_tokens": 7}).output_limit == 7
    assert ask(MESSAGES, {"model": "m", "max_tokens": 0.0}).output_limit is None


@pytest.mark.parametrize(
    "body, error",
    [
        (b"", "not valid JSON"), (b"{", "not valid JSON"), (b'{"model":"m"}x', "not valid JSON"),
        (b"[]", "object"), (b"3", "object"), (b'"model"', "object"),
        (b"{}", "provide a model"), (b'{"model":null}', "provide a model"),
        (b'{"model":1}', "model must"), (b'{"model":""}', "model must"),
        (b'{"model":["m"]}', "model must"), (b'{"model":"a\\u0000b"}', "model must"),
        (b'{"model":"a\\nb"}', "model must"), (b'{"model":"a\x7fb"}', "model must"),
        (b'{"model":"%s"}' % (b"x" * 257), "model must"), (b'{"model":"%s"}' % (b"x" * 256), ""),
        (b'{"model":"m","model":"n"}', "more than once"),
        (b'{"model":"m","mod\\u0065l":"m"}', "more than once"),
        (b'{"model":"m","max_tokens":1,"max_tokens":2}', "more than once"),
        (b'{"model":"m","stream":true,"stream":false}', "more than once"),
        (b'{"model":"m","stream_options":{"include_usage":true,"include_usage":false}}',
         "more than once"),
        (b'{"model":"m","Model":"n"}', "other case"),
        (b'{"model":"m","MAX_TOKENS":9}', "other case"),
        (b'{"model":"m","modem":"n","odel":1,"modell":2,"":3}', ""),
        (b'{"model":"m","messages":[{"Model":"x"}]}', ""),
        (b'{"model":"m","messages":[],"messages":[]}', "more than once"),
        (b'{"model":"m","messages":[{"model":"x","stream":1}]}', ""),
        (b'{"model":"m","stream":"true"}', "stream must"), (b'{"model":"m","stream":1}',
        "stream must"),
        (b'{"model":"m","n":0}', "n must"), (b'{"model":"m","n":"2"}', "n must"),
        (b'{"model":"m","n":1.5}', "n must"), (b'{"model":"m","n":99999}', "n must"),
        (b'{"model":"m","max_tokens":-1}', "limit"), (b'{"model":"m","max_tokens":"5"}', "limit"),
        (b'{"model":"m","max_tokens":1.5}', "limit"), (b'{"model":"m","max_tokens":1e30}',
        "limit"),
    ],
)  # fmt: skip
def test_what_parsers_could_read_differently_is_refused(body, error):
    got = ask(CHAT, body)
    assert error in got.error if error else got.error == ""


def test_a_model_is_not_asked_of_every_operation():
    assert ask(Route("POST", "/v1/moderations"), {"input": "x"}).error == ""
    assert "model must" in ask(Route("POST", "/v1/moderations"), {"model": 7}).error


def test_text_is_counted_decoded_and_binaries_apart():
    parts = [
        {"type": "text", "text": 'é"\n'},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100}},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "input_audio", "input_audio": {"data": "B" * 50, "format": "wav"}},
    ]
    got = ask(CHAT, {"model": "m", "messages": [{"role": "system", "content": "abc"},
                                                {"role": "user", "content": parts}]})  # fmt: skip

    assert got.sizes["text"] == 3 + 4
    assert got.sizes["binary"] == 122 + 50
    assert (got.sizes["binaries"], got.sizes["remotes"]) == (2, 1)
    assert got.unbounded


def test_prompts_and_inputs_are_text():
    assert ask(EMBEDDINGS, {"model": "m", "input": ["some", "words"]}).sizes["text"] == 9
    assert ask(COMPLETIONS, {"model": "m", "prompt": "some words"}).sizes["text"] == 10


def test_further_models_are_told():
    assert ask(CHAT, {"model": "m", "models": ["n"]}).more_models
    assert ask(MESSAGES, {"model": "m", "fallbacks": [{"model": "n"}]}).more_models
    assert not ask(MESSAGES, {"model": "m", "fallbacks": []}).more_models


def test_the_bound_holds_and_the_estimate_is_near():
    words = "the quick brown fox jumps over the lazy dog " * 100
    got = ask(CHAT, {"model": "m", "messages": [{"role": "user", "content": words}]})

    assert 700 < got.input_estimate < 1300  # o200k has 901
    assert got.input_bound >= len(words) + 4096
    tokens = ask(EMBEDDINGS, {"model": "m", "input": [list(range(10_000, 10_500))]})
    assert 400 < tokens.input_estimate < 700


@pytest.mark.parametrize("model", ["compound-beta", "gpt-4o-search-preview", "sonar", "a:online"])
def test_a_model_that_searches_by_itself_has_no_bound(model):
    assert ask(CHAT, {"model": model, "messages": HELLO}).unbounded
    assert not ask(CHAT, {"model": "gpt-4o", "messages": HELLO}).unbounded


def recorded():
    """Requests of recordings, with the input tokens that the provider says they came to."""
    paths = {"chat": CHAT, "responses": RESPONSES, "completions": COMPLETIONS,
             "embeddings": EMBEDDINGS, "messages": MESSAGES}  # fmt: skip
    for line in (STREAMS / "manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        usage, body = row["expected_usage"], row["request_body"]
        if row["api"] not in paths or not usage or not usage["input"]:
            continue
        if row["dialect"] in ("gemini", "vertex", "bedrock", "cohere", "ollama"):
            continue
        if row.get("request_body_file"):
            body = (STREAMS / Path(row["request_body_file"]).name).read_text()
        if not body:
            continue
        raw = body if isinstance(body, str) else json.dumps(body)
        tokens = usage["input"]
        if row["dialect"].startswith("anthropic"):
            tokens += (usage["cached_input"] or 0) + (usage["cache_write"] or 0)
        yield row["name"], Ask(paths[row["api"]], raw.encode()), tokens


def test_no_recorded_request_passed_its_bound():
    if not STREAMS.exists():
        pytest.skip("no ../shared/vectors/streams here")
    bounded, errors = 0, []
    for name, got, tokens in recorded():
        # A prompt stored at the provider may bring its own model; we want it said.
        assert not got.error or ("model" in got.error and got.unbounded), name
        if not got.unbounded:
            bounded += 1
            errors.append(abs(got.input_estimate - tokens) / tokens)
            assert tokens <= got.input_bound, name
    assert bounded > 80
    assert statistics.median(errors) < 0.4


def test_base64_is_no_text():
    url = "data:image/png;base64," + "QUJD" * 9000
    picture = {"type": "image_url", "image_url": {"url": url}}
    plain, shown = (ask(CHAT, {"model": "m", "messages": [{"role": "user", "content": content}]})
                    for content in ([], [picture, picture]))

    assert 2 * 790 <= shown.input_estimate - plain.input_estimate <= 2 * 810
    assert 100_000 < shown.input_bound - plain.input_bound < 103_000


@pytest.mark.parametrize("more", [{"web_search_options": {}}, {"previous_response_id": "r"}])
def test_what_the_provider_adds_by_itself_has_no_bound(more):
    assert ask(CHAT, {"model": "m", "messages": HELLO, **more}).unbounded


USER = {"role": "user", "content": "hello"}


@pytest.mark.parametrize("items", [
    [USER, {"type": "item_reference", "id": "msg_1"}], [{"id": "rs_1", "type": "item_reference"}],
    [{"id": "msg_1"}, USER], [{"id": "msg_1", "type": None}], [{}],
    [{"type": "item_reference", "id": "msg_1"}]])
def test_items_that_the_provider_has_kept_have_no_bound(items):
    assert ask(RESPONSES, {"model": "m", "input": items}).unbounded


@pytest.mark.parametrize("items", [
    "hello", [USER], [{**USER, "type": "message"}], [{"type": "function_call_output",
                                                      "call_id": "c", "output": "o"}],
    [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"}],
    [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}]])
def test_items_that_are_in_the_body_have_one(items):
    assert not ask(RESPONSES, {"model": "m", "input": items}).unbounded
    assert not ask(EMBEDDINGS, {"model": "m", "input": ["a", "b"]}).unbounded
    assert not ask(EMBEDDINGS, {"model": "m", "input": [[1], [2, 3], []]}).unbounded


def test_sound_of_an_earlier_answer_has_no_bound():
    earlier = {"role": "assistant", "audio": {"id": "audio_1"}}
    assert ask(CHAT, {"model": "m", "messages": [USER, earlier, USER]}).unbounded
    told = {"role": "assistant", "content": "said", "audio": None}
    assert not ask(CHAT, {"model": "m", "messages": [USER, told, USER]}).unbounded
    fetched = {"type": "audio_url", "audio_url": {"url": "https://x/y.wav"}}
    assert ask(CHAT, {"model": "m", "messages": [{**USER, "content": [fetched]}]}).unbounded
    assert not ask(CHAT, {"model": "m", "messages": HELLO, "modalities": ["text", "audio"],
                          "audio": {"voice": "alloy", "format": "wav"}}).unbounded


@pytest.mark.parametrize("body, may", [
    ({"messages": HELLO}, False),
    ({"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}, True),
    ({"tools": [{"name": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}, True),
    ({"messages": [{"role": "user", "content": "say cache_control, not \\u0063"}]}, False)])
def test_a_body_that_surely_writes_to_no_cache_is_known(body, may):
    got = ask(MESSAGES, {"model": "m", "max_tokens": 5, **body})

    assert got.may_cache == may
    assert not ask(CHAT, {"model": "m", **body}).may_cache


def test_a_name_in_escapes_may_be_that_of_a_cache():
    body = b'{"model":"m","max_tokens":5,"messages":[{"cache\\u005fcontrol":{}}]}'

    assert ask(MESSAGES, body).may_cache
