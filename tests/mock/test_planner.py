"""Goal: paths, credentials and x-mock lead to the right plan, and a plan is made once.

Method: the planner called as a connection calls it, without sockets.
"""

import json

import pytest

from fastgw.mock.asked import Asked
from fastgw.mock.books import Books, open_mapping
from fastgw.mock.planner import Planner, credential_text, route

CHAT = b'{"model":"m","messages":[{"role":"user","content":"%s"}]}'


@pytest.fixture
def planner() -> Planner:
    return Planner(Asked(events=3), 0, None, Books(open_mapping(1), 0, 1, -1))


def plan(planner: Planner, path: bytes = b"/v1/chat/completions", body: bytes = CHAT % b"hello",
         asked: bytes | None = None, tag: bytes | None = None, key: bytes = b"Bearer k",
         anthropic: bool = False):
    return planner(b"POST", path, key, anthropic, False, asked, tag, None, body)


@pytest.mark.parametrize(("path", "found"), [
    ("/v1/chat/completions", ("chat", "")), ("/v1/completions", ("completions", "")),
    ("/any/prefix/v1/messages", ("messages", "")),
    ("/messages/count_tokens", ("count_tokens", "")),
    ("/v1/models", ("models", "")), ("/v1/models/gpt-4o", ("models", "gpt-4o")),
    ("/v1/models/org/name", ("models", "org/name")), ("/v1/models/", ("", "")),
    ("/v1/modelsx", ("", "")), ("/v1/responses", ("responses", "")), ("/", ("", "")),
])
def test_path_is_found_by_its_end(path: str, found: tuple[str, str]) -> None:
    assert route(path) == found


def test_credential_is_the_key_itself() -> None:
    assert credential_text(b"Bearer  sk-1") == "sk-1" == credential_text(b"bearer sk-1")
    assert credential_text(b"sk-1") == "sk-1" and credential_text(None) == ""
    assert credential_text(b"Bearer ") == ""


def test_prompts_that_weigh_the_same_share_a_plan(planner: Planner) -> None:
    assert plan(planner) is plan(planner, body=CHAT % b"HELLO")
    assert plan(planner) is not plan(planner, body=CHAT % b"hello, longer")
    assert plan(planner) is not plan(planner, key=b"Bearer other")
    assert plan(planner) is not plan(planner, asked=b"events=4")


def test_first_calls_of_a_tag_have_the_fault(planner: Planner) -> None:
    statuses = [plan(planner, asked=b"status=500,times=2", tag=tag).status
                for tag in (b"a", b"a", b"b", b"a", b"a")]
    assert statuses == [500, 500, 500, 200, 200]


@pytest.mark.parametrize(("path", "anthropic", "kind"), [
    (b"/v1/messages", False, "authentication_error"),
    (b"/v1/models", True, "authentication_error"),
    (b"/v1/chat/completions", False, "invalid_request_error"),
])
def test_refusal_has_the_shape_of_its_dialect(
    planner: Planner, path: bytes, anthropic: bool, kind: str
) -> None:
    made = plan(planner, path, key=b"", anthropic=anthropic)
    document = json.loads(made.wire.partition(b"\r\n\r\n")[2])
    assert made.status == 401 and document["error"]["type"] == kind
    assert ("request_id" in document) is (kind == "authentication_error")
    assert made.billed is False and made.output_tokens == 0


def test_compressed_body_is_read(planner: Planner) -> None:
    import gzip
    body = CHAT % b"hello"
    read = planner(b"POST", b"/v1/chat/completions", b"k", False, False, None, None, b"gzip",
                   gzip.compress(body))
    assert read.input_tokens == plan(planner).input_tokens
    for encoding, text in ((b"gzip", b"no gzip"), (b"br", body)):
        refused = planner(b"POST", b"/v1/chat/completions", b"k", False, False, None, None,
                          encoding, text)
        assert refused.status in (400, 415)
