"""``fastgw demo``: the whole of it in one command, with a provider that costs nothing.

A mock provider and a gateway, each as its own command would run it, then a few calls as an
application makes them, then what the gateway knows about these calls.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from fastgw.cli.failure import Failure
from fastgw.cli.samples import Gateway, run_samples
from fastgw.cli.serve import parse_endpoint
from fastgw.mock.runner import Mock
from fastgw.process.directory import read_instance
from fastgw.process.refusal import StartError
from fastgw.process.sockets import bind_alone, is_loopback

START_S = 30.0
STOP_S = 40.0
ADMIN_PORT = 9090
CONFIGURATION = """\
listen: {{address: "{address}", port: {port}, workers: auto}}
admin: {{address: 127.0.0.1, port: {admin_port}}}
data_dir: "{data_dir}"
providers:
  - {{id: openai, dialect: openai, base_url: "{mock}/v1", keys: [{{value: mock-key}}]}}
  - {{id: anthropic, dialect: anthropic, base_url: "{mock}", keys: [{{value: mock-key}}]}}
keys:
  - {{id: alice, value: fgw-demo-alice, owner: {{team: demo}}, tags: {{tier: paid}}}}
  - {{id: bob, value: fgw-demo-bob, owner: {{team: demo}}, tags: {{tier: free}}}}
policy:
  on_http_request:
    - name: pace of everybody
      actions:
        - type: rate-limit
          config: {{name: pace, unit: requests, capacity: 600, per: 1m, bucket_key: ["key.id"]}}
        - type: rate-limit
          config: {{name: tokens, unit: tokens, capacity: 200000, per: 1m, bucket_key: ["key.id"]}}
    - name: free tier is small
      expressions: ["key.tags.tier == 'free'"]
      actions:
        - type: cap-output
          config: {{max_output_tokens: 32}}
        - type: rate-limit
          config: {{name: free, unit: requests, capacity: 2, per: 1h, bucket_key: ["key.id"]}}
"""


@click.command()
@click.option("--once", is_flag=True, help="Exit 0 when the sample calls are done.")
@click.option("--listen", default="127.0.0.1:8080", metavar="A:P", show_default=True)
@click.option("--data-dir", metavar="DIR", help="Keep the ledger there; default: a temporary one.")
def demo(once: bool, listen: str, data_dir: str | None) -> None:
    """Mock provider + gateway + sample calls, explained."""
    address, port = parse_endpoint("--listen", listen)
    if not is_loopback(address):
        raise Failure(f"the demo's keys are known to everybody, and {address} is not loopback")
    console = Console(highlight=False)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _directory(data_dir) as path, _mock() as mock, _gateway(
            path, address, port, mock.url
        ) as state:
            gateway = Gateway(state["listen"], state["admin"], path)
            run_samples(gateway, console)
            if not once:
                _invite(gateway, console)
                while True:
                    signal.pause()
    except KeyboardInterrupt:
        sys.exit(130 if once else 0)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _directory(data_dir: str | None) -> Iterator[Path]:
    if data_dir is not None:
        yield Path(data_dir).absolute()
        return
    with tempfile.TemporaryDirectory(prefix="fastgw-demo-", ignore_cleanup_errors=True) as name:
        path = Path(name)
        yield path
        state = read_instance(path)
        if state is not None:  # nobody will start on this data directory again
            shutil.rmtree(state["rings"], ignore_errors=True)


@contextmanager
def _mock() -> Iterator[Mock]:
    try:
        mock = Mock("--events", "24", "--pace", "5ms").__enter__()
    except RuntimeError as error:
        raise Failure(str(error)) from None
    try:
        yield mock
    finally:
        mock.stop()


@contextmanager
def _gateway(path: Path, address: str, port: int, mock: str) -> Iterator[dict[str, Any]]:
    """``fastgw serve`` as a child; its log goes to a file. Yields instance.json once it serves."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        file, log = path / "demo.yaml", path / "demo.log"
        file.write_text(CONFIGURATION.format(
            address=address, port=port, admin_port=_admin_port(), data_dir=path, mock=mock
        ))
        with log.open("wb") as written:
            command = [sys.executable, "-m", "fastgw", "serve", "-c", str(file)]
            # A session of its own: Ctrl-C is ours to answer, by draining it.
            child = subprocess.Popen(command, stderr=written, start_new_session=True)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None
    try:
        yield _wait_ready(child, path, log)
    finally:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait_ready(child: subprocess.Popen[bytes], path: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            last = log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise Failure(last.removeprefix("fastgw: ") or f"the gateway ended at once; see {log}")
        state = read_instance(path) or {}
        if state.get("pid") == child.pid and state["state"] == "ready" and _admin_answers(state):
            return state
        time.sleep(0.02)
    raise Failure(f"the gateway is not ready after {START_S:.0f} s; see {log}")


def _admin_answers(state: dict[str, Any]) -> bool:
    return state["admin_process"]["state"] == "ready"


def _admin_port() -> int:
    """9090, or any free one where somebody has it already (Prometheus has the same default)."""
    try:
        bind_alone("127.0.0.1", ADMIN_PORT).close()
    except StartError:
        return 0
    return ADMIN_PORT


def _invite(gateway: Gateway, console: Console) -> None:
    console.rule("your turn; Ctrl-C ends it")
    console.print(f"""\
  openai     OpenAI(base_url="http://{gateway.listen}/v1", api_key="fgw-demo-alice")
  anthropic  Anthropic(base_url="http://{gateway.listen}", api_key="fgw-demo-alice")
             with fgw-demo-bob the third request of an hour is refused
  curl       curl http://{gateway.listen}/v1/chat/completions -H 'authorization: Bearer \
fgw-demo-alice' \\
               -H 'content-type: application/json' \\
               -d '{{"model": "gpt-4o", "messages": [{{"role": "user", "content": "hi"}}]}}'
  metrics    http://{gateway.admin}/metrics
  ledger     fastgw usage --data-dir {gateway.data_dir} --by key,model
             fastgw explain REQUEST_ID --data-dir {gateway.data_dir}
""", markup=False, soft_wrap=True)
    console.file.flush()
