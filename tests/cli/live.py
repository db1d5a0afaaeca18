"""One whole instance for tests: ``fastgw serve`` in front of the mock provider, on free ports."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fastgw.mock.runner import Mock
from fastgw.process.directory import read_instance

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0
CONFIGURATION = """\
listen: {{address: 127.0.0.1, port: 0, workers: 2}}
admin: {{address: 127.0.0.1, port: {admin}{token}}}
data_dir: "{folder}/data"
shm_dir: "{folder}/shm"
providers:
  - {{id: openai, dialect: openai, base_url: "{mock}/v1", keys: [{{value: mock-secret}}]}}
keys:
  - {{id: alice, value: alice-secret, owner: {{team: a}}, tags: {{tier: paid}}}}
  - {{id: bob, value: bob-secret, owner: {{team: b}}, tags: {{tier: free}}}}
  - {{id: carol, value: carol-secret, owner: {{team: c}}, tags: {{tier: paid}}}}
policy:
  on_http_request:
    - name: free tier is small
      expressions: ["key.tags.tier == 'free'"]
      actions:
        - type: rate-limit
          config: {{name: free, unit: requests, capacity: 2, per: 24h, bucket_key: ["key.id"]}}
"""


class Live:
    """``with Live(folder) as live``: serves; ends with the block."""

    def __init__(self, folder: Path, *, token: str = "", admin_port: int = 0) -> None:
        self.folder = folder
        self._admin_port = admin_port
        self.data_dir = folder / "data"
        self._token = f", token: {token}" if token else ""
        self._mock = Mock("--events", "8")

    def __enter__(self) -> Live:
        self._mock.__enter__()
        (self.folder / "shm").mkdir()
        file = self.folder / "fastgw.yaml"
        file.write_text(CONFIGURATION.format(
            folder=self.folder, mock=self._mock.url, token=self._token,
            admin=self._admin_port,
        ))
        self.file = file
        self.again()
        return self

    def again(self) -> None:
        """Another instance, as soon as it serves; the one before has ended, or was killed."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fastgw", "serve", "-c", str(self.file)],
                stderr=log, env=environment(), cwd=self.folder,
            )
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            state = self.state
            if (state.get("pid") == self.process.pid and state.get("state") == "ready"
                    and state["admin_process"]["state"] == "ready"):
                return
            time.sleep(0.02)
        self.__exit__()
        raise AssertionError((self.folder / "log").read_text())

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._mock.stop()

    @property
    def state(self) -> dict[str, Any]:
        return read_instance(self.data_dir) or {}

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def chat(self, key: str = "alice") -> tuple[int, str]:
        """(status, request id) of one chat call."""
        body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]})
        status, fields, _ = ask(
            self.state["listen"], "POST", "/v1/chat/completions", body=body,
            authorization=f"Bearer {key}-secret",
        )
        return status, fields["x-fastgw-request-id"]

    def admin(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        return ask(self.state["admin"], method, path, **headers)


def ask(
    where: str, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(where, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, {"content-type": "application/json", **headers})
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, fields, answer.read()
    finally:
        connection.close()


def run(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """``fastgw ARGUMENTS`` as a person types it."""
    return subprocess.run(
        [sys.executable, "-m", "fastgw", *arguments], cwd=cwd, env=environment(**env),
        capture_output=True, text=True, timeout=60, check=False,
    )


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def eventually_used(live: Live, requests: int, *arguments: str) -> list[dict[str, Any]]:
    """`fastgw usage`'s rows, asked again until they speak of so many requests."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done = run("usage", "--data-dir", str(live.data_dir), "--format", "json", *arguments,
                   cwd=live.folder)
        rows = json.loads(done.stdout)
        if sum(row["requests"] for row in rows) >= requests:
            return rows
        assert time.monotonic() < deadline, done.stdout
        time.sleep(0.1)
