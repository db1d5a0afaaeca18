"""The demo's sample calls say what came back, whatever came back.

Method: replies made by hand; the calls themselves are in test_demo.py.
"""

import io

import pytest
from rich.console import Console

from fastgw.cli import samples
from fastgw.cli.failure import Failure


def shown(reply: samples.Reply, read) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    samples._show(console, "chat", reply, read)
    return console.file.getvalue()


def test_an_answer_is_shown_with_its_tokens():
    body = (b'{"choices": [{"message": {"content": "[red]blue"}}], '
            b'"usage": {"prompt_tokens": 3, "completion_tokens": 4}}')
    text = shown(samples.Reply(200, "id-1", {}, body), samples._chat_text)

    assert "200 id-1" in text
    assert "[red]blue  (3 + 4 tokens)" in text  # what a model says is no markup


def test_a_refusal_is_shown_with_its_message_and_wait():
    reply = samples.Reply(429, "id-2", {"retry-after": "7"}, b'{"error": {"message": "slow"}}')

    assert "slow  (retry-after: 7 s)" in shown(reply, samples._chat_text)


def test_a_gateway_that_does_not_answer_is_one_clear_line(tmp_path):
    gateway = samples.Gateway("127.0.0.1:9", "127.0.0.1:9", tmp_path)

    with pytest.raises(Failure, match="POST /v1/messages: ConnectionRefusedError"):
        samples._anthropic(gateway, "alice", {})
