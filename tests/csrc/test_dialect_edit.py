"""Edits: what the gateway changes in a body is changed there and nowhere else.

Method: orjson parses the body before and after; the difference must be the wish, and bytes outside
the splices stay as they were. Random bodies with a printed seed.
"""

import json
import random

import orjson
import pytest

from fastgw.dialect.request import Ask, Route

ROUTES = {
    "chat": Route("POST", "/v1/chat/completions"),
    "responses": Route("POST", "/v1/responses"),
    "completions": Route("POST", "/v1/completions"),
    "messages": Route("POST", "/v1/messages"),
    "embeddings": Route("POST", "/v1/embeddings"),
}
SEED = 5


def edited(operation: str, body: dict, **wishes):
    raw = json.dumps(body, indent=1).encode()
    out, hide = Ask(ROUTES[operation], raw).edited(**wishes)
    return orjson.loads(out), hide


@pytest.mark.parametrize(
    "operation, before, limit, after",
    [
        ("chat", {}, 5, {"max_completion_tokens": 5}),
        ("chat", {"max_tokens": 9}, 5, {"max_tokens": 5}),
        ("chat", {"max_tokens": 3}, 5, {"max_tokens": 3}),
        ("chat", {"max_tokens": None}, 5, {"max_tokens": 5}),
        ("chat", {"max_completion_tokens": 9, "max_tokens": 3}, 5,
         {"max_completion_tokens": 5, "max_tokens": 3}),
        ("chat", {"max_completion_tokens": 9, "max_tokens": 8}, 5,
         {"max_completion_tokens": 5, "max_tokens": 5}),
        ("chat", {"max_completion_tokens": None, "max_tokens": 8}, 5,
         {"max_completion_tokens": None, "max_tokens": 5}),
        ("chat", {"max_completion_tokens": None, "max_tokens": None}, 5,
         {"max_completion_tokens": 5, "max_tokens": None}),
        ("chat", {"max_tokens": 9}, 0, {"max_tokens": 9}),
        ("chat", {"max_tokens": 0}, 0, {"max_tokens": 0}),
        ("chat", {"max_tokens": 0}, 5, {"max_tokens": 5}),
        ("chat", {"max_completion_tokens": 0, "max_tokens": 3}, 5,
         {"max_completion_tokens": 5, "max_tokens": 3}),
        ("responses", {"max_output_tokens": 0}, 5, {"max_output_tokens": 5}),
        ("responses", {}, 5, {"max_output_tokens": 5}),
        ("responses", {"max_output_tokens": 6.0}, 5, {"max_output_tokens": 5}),
        ("completions", {"max_tokens": 16}, 5, {"max_tokens": 5}),
        ("completions", {}, 5, {"max_tokens": 5}),
        ("messages", {"max_tokens": 1024}, 512, {"max_tokens": 512}),
        ("embeddings", {}, 5, {}),
    ],
)  # fmt: skip
def test_a_smaller_limit_is_put_in_the_dialects_own_member(operation, before, limit, after):
    got, hide = edited(operation, {"model": "m", **before}, output_limit=limit)
    assert got == {"model": "m", **after}
    assert not hide


@pytest.mark.parametrize(
    "operation, before, after, hide",
    [
        ("chat", {"stream": True}, {"stream_options": {"include_usage": True}}, True),
        ("completions", {"stream": True}, {"stream_options": {"include_usage": True}}, True),
        ("chat", {"stream": True, "stream_options": None},
         {"stream_options": {"include_usage": True}}, True),
        ("chat", {"stream": True, "stream_options": {}},
         {"stream_options": {"include_usage": True}}, True),
        ("chat", {"stream": True, "stream_options": {"include_usage": False}},
         {"stream_options": {"include_usage": True}}, True),
        ("chat", {"stream": True, "stream_options": {"include_obfuscation": False}},
         {"stream_options": {"include_usage": True, "include_obfuscation": False}}, True),
        ("chat", {"stream": True, "stream_options": {"include_usage": True}}, {}, False),
        ("chat", {"stream": False}, {}, False),
        ("chat", {}, {}, False),
        ("responses", {"stream": True}, {}, False),
        ("messages", {"stream": True}, {}, False),
    ],
)  # fmt: skip
def test_usage_is_asked_for_where_a_stream_would_not_tell_it(operation, before, after, hide):
    got, hidden = edited(operation, {"model": "m", **before}, include_usage=True)
    assert got == {"model": "m", **before, **after}
    assert hidden == hide


@pytest.mark.parametrize("name", ["other", 'q"\\\u0001é/', "x" * 256, "\x1f" * 256])
def test_a_model_is_replaced_by_any_name(name):
    assert edited("chat", {"model": "mo\u00e9", "n": 1}, model=name)[0] == {"model": name, "n": 1}


def test_a_model_is_put_in_where_the_body_has_none():
    moderation = Route("POST", "/v1/moderations")
    assert Ask(moderation, b"{}").edited(model="m")[0] == b'{"model":"m"}'
    assert orjson.loads(Ask(moderation, b' { "input":1}').edited(model="m")[0]) == {
        "model": "m", "input": 1}  # fmt: skip


def test_without_wishes_the_bytes_stay():
    raw = b' {"model" : "m", "max_tokens":5 ,"stream":true} '
    got = Ask(ROUTES["chat"], raw).edited(output_limit=5, model="m")
    assert got == (raw, False)


def test_random_bodies_keep_all_else():
    print("seed", SEED)
    rng = random.Random(SEED)
    for _ in range(2_000):
        members = [
            ("model", rng.choice(["m", "é", "a/b"])), ("messages", [{"role": "user",
            "content": "{}"}]),
            ("max_tokens", rng.choice([None, 1, 100])), ("stream", rng.choice([True, False,
            None])),
            ("max_completion_tokens", rng.choice([None, 2, 200])), ("x", {"max_tokens": 7}),
            ("stream_options", rng.choice([None, {}, {"include_usage": False, "a": [1]}])),
        ]  # fmt: skip
        chosen = [members[0], *rng.sample(members[1:], rng.randrange(len(members)))]
        rng.shuffle(chosen)
        body = dict(chosen)
        limit, model = rng.choice([0, 1, 50]), rng.choice([None, "n"])
        got, hide = edited("chat", body, output_limit=limit, model=model, include_usage=True)

        assert got.pop("model") == (model or body["model"])
        limits = [got.pop(k, None) for k in ("max_tokens", "max_completion_tokens")]
        before = [body.get(k) for k in ("max_tokens", "max_completion_tokens")]
        if limit:
            assert max(value or 0 for value in limits) <= limit
            assert any(limits)
            for old, new in zip(before, limits, strict=True):
                assert new == (min(old, limit) if old is not None else new)
        else:
            assert limits == before
        assert hide == bool(body.get("stream"))
        options = got.pop("stream_options", None)
        if hide:
            assert options == {**(body.get("stream_options") or {}), "include_usage": True}
        else:
            assert options == body.get("stream_options")
        changed = ("model", "max_tokens", "max_completion_tokens", "stream_options")
        assert got == {key: value for key, value in body.items() if key not in changed}


@pytest.mark.parametrize("operation, before, after", [
    ("chat", {}, {"max_tokens": 5}),
    ("chat", {"max_completion_tokens": 9}, {"max_completion_tokens": 5, "max_tokens": 5}),
    ("chat", {"max_completion_tokens": 2}, {"max_completion_tokens": 2, "max_tokens": 5}),
    ("chat", {"max_completion_tokens": 2, "max_tokens": None},
     {"max_completion_tokens": 2, "max_tokens": 5}),
    ("chat", {"max_completion_tokens": None}, {"max_completion_tokens": None, "max_tokens": 5}),
    ("chat", {"max_completion_tokens": 9, "max_tokens": 3},
     {"max_completion_tokens": 5, "max_tokens": 3}),
    ("completions", {"max_tokens": 9}, {"max_tokens": 5}),
    ("responses", {}, {"max_output_tokens": 5})])
def test_a_vendor_that_knows_the_old_name_alone_gets_it(operation, before, after):
    got, _ = edited(operation, {"model": "m", **before}, output_limit=5, old_limit_name=True)
    assert got == {"model": "m", **after}
