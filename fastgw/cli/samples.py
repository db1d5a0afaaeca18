"""The calls that ``fastgw demo`` makes, as an application without any SDK makes them."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from fastgw.cli.failure import Failure

ANSWER_S = 30.0
QUESTION = [{"role": "user", "content": "Why is the sky blue? Answer in one sentence."}]


@dataclass(frozen=True)
class Gateway:
    """Where the demo's gateway can be reached."""

    listen: str
    admin: str
    data_dir: Path


@dataclass(frozen=True)
class Reply:
    status: int
    request_id: str
    headers: dict[str, str]
    body: bytes


def run_samples(gateway: Gateway, console: Console) -> None:
    """Every kind of call once, then a refusal, then what the ledger says of it all."""
    console.rule("calls, as fgw-demo-alice")
    chat = {"model": "gpt-4o", "messages": QUESTION, "max_tokens": 64}
    message = {"model": "claude-sonnet-4-5", "messages": QUESTION, "max_tokens": 64}
    _show(console, "chat", _openai(gateway, "alice", chat), _chat_text)
    _show(console, "chat, streamed", _openai(gateway, "alice", chat | {"stream": True}), _stream)
    _show(console, "messages", _anthropic(gateway, "alice", message), _message_text)
    _show(
        console, "messages, streamed", _anthropic(gateway, "alice", message | {"stream": True}),
        _stream,
    )
    console.rule("the same as fgw-demo-bob, who may ask twice an hour")
    refused = None
    for number in ("first", "second", "third"):
        reply = _openai(gateway, "bob", chat)
        _show(console, f"{number} chat", reply, _chat_text)
        refused = reply if reply.status == 429 else refused
    if refused is None:
        raise Failure("no request was refused, although a limit of 2 was asked for 3")
    where = ["--data-dir", str(gateway.data_dir)]
    console.rule("fastgw usage --by key,model")
    _command(console, ["usage", "--by", "key,model", *where])
    console.rule(f"fastgw explain {refused.request_id}")
    _command(console, ["explain", refused.request_id, *where])


def _openai(gateway: Gateway, key: str, content: dict[str, Any]) -> Reply:
    headers = {"authorization": f"Bearer fgw-demo-{key}"}
    return _post(gateway.listen, "/v1/chat/completions", headers, content)


def _anthropic(gateway: Gateway, key: str, content: dict[str, Any]) -> Reply:
    headers = {"x-api-key": f"fgw-demo-{key}", "anthropic-version": "2023-06-01"}
    return _post(gateway.listen, "/v1/messages", headers, content)


def _post(listen: str, path: str, headers: dict[str, str], content: dict[str, Any]) -> Reply:
    connection = http.client.HTTPConnection(listen, timeout=ANSWER_S)
    try:
        body = json.dumps(content)
        connection.request("POST", path, body, {"content-type": "application/json", **headers})
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        request_id = fields.get("x-fastgw-request-id", "")
        return Reply(answer.status, request_id, fields, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"POST {path}: {error!r}") from None
    finally:
        connection.close()


def _show(console: Console, title: str, reply: Reply, read: Any) -> None:
    said = read(reply.body) if reply.status == 200 else _error_text(reply)
    style = "green" if reply.status == 200 else "red"
    console.print(f"[bold]{title:<20}[/bold] [{style}]{reply.status}[/{style}] {reply.request_id}")
    console.print(f"  {escape(said)}", soft_wrap=True)


def _chat_text(body: bytes) -> str:
    answer = json.loads(body)
    usage = answer["usage"]
    text = answer["choices"][0]["message"]["content"]
    return f"{_cut(text)}  ({usage['prompt_tokens']} + {usage['completion_tokens']} tokens)"


def _message_text(body: bytes) -> str:
    answer = json.loads(body)
    usage = answer["usage"]
    text = answer["content"][0]["text"]
    return f"{_cut(text)}  ({usage['input_tokens']} + {usage['output_tokens']} tokens)"


def _stream(body: bytes) -> str:
    events = [line[6:] for line in body.splitlines() if line.startswith(b"data: ")]
    return f"{len(events)} events, {len(body)} bytes"


def _error_text(reply: Reply) -> str:
    error = json.loads(reply.body).get("error", {})
    wait = reply.headers.get("retry-after")
    return f"{error.get('message', '')}" + (f"  (retry-after: {wait} s)" if wait else "")


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"


def _command(console: Console, arguments: list[str]) -> None:
    """What a person would type, run as it is typed."""
    done = subprocess.run(
        [sys.executable, "-m", "fastgw", *arguments], capture_output=True, text=True, check=False
    )
    console.print(done.stdout.rstrip(), markup=False, soft_wrap=True)
    if done.returncode:
        raise Failure(f"fastgw {arguments[0]}: {done.stderr.strip().removeprefix('fastgw: ')}")
