"""Identity: what a request is and whose key it bears, from its bytes."""

import hashlib

import orjson

from benchmarks.texts import CHAT
from fastgw.dialect.request import Ask, Route


def test_route_and_read_a_chat_request(benchmark):
    def read():
        return Ask(Route("POST", "/v1/chat/completions"), CHAT)

    assert benchmark(read).model == "gpt-4o"


def test_read_a_prompt_of_100_kb(benchmark):
    body = CHAT.replace(b"Say in one", b"Say, in many words, " * 5000)
    route = Route("POST", "/v1/chat/completions")

    assert benchmark(Ask, route, body).model == "gpt-4o"


def test_the_same_prompt_of_100_kb_in_orjson(benchmark):
    body = CHAT.replace(b"Say in one", b"Say, in many words, " * 5000)

    assert benchmark(orjson.loads, body)["model"] == "gpt-4o"


def test_hash_a_key_in_hashlib(benchmark):
    assert benchmark(lambda: hashlib.sha256(b"sk-fgw-0123456789abcdef0123456789abcdef").digest())
