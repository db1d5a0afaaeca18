"""A credential goes where it belongs and nowhere else.

Method: a canary in every place where a credential can stand, sent in requests that pass, are
refused, fail and break; then everything that the gateway wrote or sent is searched: logs, ledger,
metrics, answers, explain, command lines, environments of child processes' titles, and what the
provider got.
"""

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from fastgw.ledger.query import Ledger
from fastgw.process.directory import read_instance
from tests.journey.harness import ENV, Gateway, chat, configuration, wait_until
from tests.journey.peers import Upstream, answer, event_stream, hear, leave_rudely, records

CLIENT = "canary-client-7f3a"
PROVIDER = "canary-provider-91bc"
ANTHROPIC = "canary-anthropic-55de"
ADMIN = "canary-admin-0c1d"
WRONG = "canary-wrong-e2e2"
PROMPT = "canary-prompt-4410"
OTHERS = {name: f"canary-{name}-77" for name in
          ("query", "apikey", "cookie", "proxy", "xapi", "google", "azure", "userinfo")}


class Stage:
    def __init__(self):
        self.raw = bytearray()
        self.upstream = Upstream(self.play)

    def play(self, call):
        self.raw += call.head + call.body
        text = call.body
        if b'"status-503"' in text:
            call.sock.sendall(answer(b'{"error":{}}', status="503 No"))
        elif b'"cut"' in text:
            call.sock.sendall(event_stream(b'data: {"choices":[]}\n\n', end=False))
            return False
        elif b'"rude"' in text:
            leave_rudely(call.sock)
        elif b'"nonsense"' in text:
            call.sock.sendall(b"nonsense\r\n\r\n")
        else:
            call.sock.sendall(answer(b'{"usage":{"prompt_tokens":1,"completion_tokens":1}}'))
        return True


def request(model, body, credential, path="/v1/chat/completions", *fields):
    lines = [f"POST {path} HTTP/1.1", "host: gateway", "content-type: application/json",
             f"content-length: {len(body)}", *credential, *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def texts(model):
    return chat(model, user=f"{model}-user", messages=[{"role": "user", "content": PROMPT}])


@pytest.fixture(scope="module")
def run():
    stage = Stage()
    config = configuration(stage.upstream.port)
    config["providers"][0]["keys"][0]["value"] = "${env:CANARY_PROVIDER}"
    config["providers"][1]["keys"][0]["value"] = ANTHROPIC
    config["keys"] = [{"id": "alice", "value": CLIENT}]
    config["admin"] = {"token": ADMIN}
    config["policy"] = {"on_http_request": [
        {"name": "no", "expressions": ["ai.model == 'denied'"], "actions": [{"type": "deny"}]},
        {"name": "pace", "actions": [{"type": "rate-limit", "config": {
            "name": "pace", "unit": "requests", "capacity": 40, "per": "24h",
            "bucket_key": ["key.id"]}}]}]}
    gateway = Gateway(config, env={"CANARY_PROVIDER": PROVIDER})
    answers = bytearray()
    ids = []

    def send(text):
        with gateway.connect() as sock:
            sock.sendall(text)
            heard = hear(sock)
            answers.extend(repr(heard).encode())
            if "x-fastgw-request-id" in heard.fields:
                ids.append(heard.fields["x-fastgw-request-id"])
            return heard.status

    more = [f"cookie: session={OTHERS['cookie']}", f"proxy-authorization: Basic {OTHERS['proxy']}",
            f"api-key: {OTHERS['azure']}", f"x-goog-api-key: {OTHERS['google']}"]
    path = f"/v1/chat/completions?a=1&key={OTHERS['query']}&api_key={OTHERS['apikey']}&b=2"
    bearer = [f"authorization: Bearer {CLIENT}"]
    seen = {}
    for model in ("good", "denied", "status-503", "cut", "rude", "nonsense"):
        seen[model] = send(request(model, texts(model), bearer, path, *more))
    seen["anthropic"] = send(request("claude", texts("claude"), [f"x-api-key: {CLIENT}"],
                                     "/v1/messages", *more))
    seen["wrong"] = send(request("m", texts("m"), [f"authorization: Bearer {WRONG}"], path, *more))
    seen["both"] = send(request("m", texts("m"), [*bearer, *bearer], path))
    seen["broken"] = send(request("m", b'{"model":"m","messages":["' + PROMPT.encode(), bearer))
    seen["userinfo"] = send(request(
        "m", texts("m"), bearer, f"http://u:{OTHERS['userinfo']}@gateway/v1/chat/completions"))
    seen["nowhere"] = send(request("m", texts("m"), bearer, f"/v1/nowhere?key={OTHERS['query']}"))
    for _ in range(40):
        seen["limited"] = send(request("good", texts("good"), bearer))
    settled_with_token(gateway)
    yield gateway, stage, bytes(answers), ids, seen
    gateway.remove()


def get(gateway, path):
    request = urllib.request.Request(f"http://127.0.0.1:{gateway.admin}{path}",
                                     headers={"authorization": f"Bearer {ADMIN}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as page:
            return page.read()
    except urllib.error.HTTPError as error:
        return error.read()


def settled_with_token(gateway):
    wait_until(lambda: b"fastgw_requests_running_now 0" in get(gateway, "/metrics")
               and b"fastgw_attempts_open 0" in get(gateway, "/metrics"), 5)


def canaries(*but):
    everything = {CLIENT, PROVIDER, ANTHROPIC, ADMIN, WRONG, PROMPT, *OTHERS.values()}
    return [canary.encode() for canary in everything - set(but)]


def found(text, *but):
    if b"canary-" not in text:
        return []
    return [canary for canary in canaries(*but) if canary in text]


def test_every_path_was_taken(run):
    seen = run[4]
    assert seen == {"good": 200, "denied": 403, "status-503": 503, "cut": 200, "rude": 502,
                    "nonsense": 502, "anthropic": 200, "wrong": 401, "both": 401, "broken": 400,
                    "userinfo": 400, "nowhere": 404, "limited": 429}


def test_sends_the_provider_its_own_key_and_no_other(run):
    raw = bytes(run[1].raw)
    assert found(raw, PROVIDER, ANTHROPIC, PROMPT) == []
    assert PROMPT.encode() in raw
    for call in run[1].upstream.calls:
        anthropic = b"/v1/messages" in call.head.split(b"\r\n")[0]
        assert (PROVIDER.encode() in call.head) != anthropic
        assert (ANTHROPIC.encode() in call.head) == anthropic
        assert call.head.lower().count(b"\r\nauthorization:") == (not anthropic)
        assert call.head.lower().count(b"\r\nx-api-key:") == anthropic
    assert b"/v1/chat/completions?a=1&b=2 HTTP/1.1" in raw


def test_shows_none_in_an_answer_or_a_log(run):
    gateway, _, answers, _, _ = run
    assert found(answers) == []
    assert found(gateway.log().encode()) == []


def test_keeps_none_in_its_files(run):
    gateway = run[0]
    looked_at = 0
    for file in gateway.data_dir.rglob("*"):
        if file.is_file():
            looked_at += 1
            assert found(file.read_bytes()) == [], file
    assert looked_at >= 2
    # The blobs of records are packed; unpacked:
    closed, _ = records(gateway)
    assert found(repr(closed).encode()) == []
    instance = read_instance(gateway.data_dir)
    shared = [Path(instance["segment"]), *Path(instance["rings"]).rglob("*")]
    for file in shared:
        if file.is_file():
            assert found(file.read_bytes()) == [], file


def test_explains_without_them(run):
    gateway, _, _, ids, _ = run
    assert len(ids) > 40
    with Ledger(gateway.data_dir) as ledger:
        for request_id in ids:
            assert found(repr(ledger.decision(request_id)).encode()) == []
    for request_id in (ids[0], ids[2]):
        assert found(gateway.run("explain", request_id).encode()) == []
    for arguments in (["usage", "--by", "key,model,provider"], ["limits"], ["status"]):
        assert found(gateway.run(*arguments, check=False).encode()) == []


def test_the_admin_port_shows_none(run):
    gateway, _, _, ids, _ = run
    for path in ("/metrics", "/api/usage", "/api/limits", "/api/config", "/api/status", "/readyz",
                 "/api/decisions?verdict=deny", f"/api/decisions/{ids[0]}", "/openapi.json"):
        assert found(get(gateway, path)) == [], path


def test_no_command_line_or_title_has_one(run):
    gateway = run[0]
    pids = [gateway.process.pid, *gateway.pids()]
    assert len(pids) >= 4
    for pid in pids:
        for name in ("cmdline", "comm"):
            assert found(Path(f"/proc/{pid}/{name}").read_bytes()) == []


def test_a_wrong_configuration_names_none(run, tmp_path):
    config = tmp_path / "bad.yaml"
    config.write_text(f"""
providers:
  - {{id: a, dialect: openai, base_url: "http://u:{WRONG}@h/v1",
     keys: [{{value: {PROVIDER}, wieght: 1}}]}}
keys: [{{id: k, value: {CLIENT}, hash: "sha256:{ADMIN}"}}]
admin: {{token: [{ADMIN}]}}
""")
    done = subprocess.run([sys.executable, "-m", "fastgw", "check", "-c", str(config)], env=ENV,
                          capture_output=True, timeout=30)
    assert done.returncode == 2
    assert found(done.stdout + done.stderr) == []
