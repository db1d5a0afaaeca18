"""The programs that are compared, each as we start it: mock provider, fastgw, nginx, haproxy."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import ROOT, CannotMeasure, environment
from benchmarks.processes import DidNotStart, Peer
from tools.ports import free_port

HERE = Path(__file__).resolve().parent
ACCESS_KEY = "sk-fgw-bench-0123456789abcdef"
GATEWAY_CPU, LOAD_CPU = 0, min(1, (os.cpu_count() or 1) - 1)


def filled(name: str, folder: Path, **values: object) -> Path:
    """A configuration of ours with its @NAMES@ filled in."""
    text = (HERE / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    path = folder / name
    path.write_text(text)
    return path


def mock(folder: Path, *, cpu: int | None = LOAD_CPU) -> Peer:
    """The mock provider, streams of 100 events in a burst."""
    port = free_port()
    peer = Peer("mock", [sys.executable, "-m", "fastgw.mock", "--listen", f"127.0.0.1:{port}",
                         "--events", "100"], port, folder, cpu, environment())
    peer.wait_ready()
    return peer


def fastgw(folder: Path, upstream: int, *, cpu: int | None = GATEWAY_CPU, **env: str) -> Peer:
    """`fastgw serve` with one worker and everything on."""
    port = free_port()
    config = filled("fastgw.yaml", folder, PORT=port, ADMIN=free_port(), FOLDER=folder,
                    MOCK=upstream)
    peer = Peer("fastgw", [sys.executable, "-m", "fastgw", "serve", "-c", str(config),
                           "--workers", "1"], port, folder, cpu, environment(**env))
    peer.wait_ready()
    return peer


def nginx(folder: Path, upstream: int, *, cpu: int | None = GATEWAY_CPU) -> Peer:
    """nginx with `proxy_pass`; its stream port has `proxy_buffering off`."""
    port, stream = free_port(), free_port()
    config = filled("nginx.conf", folder, PORT=port, STREAM=stream, MOCK=upstream, FOLDER=folder)
    peer = Peer("nginx", ["nginx", "-p", str(folder), "-c", str(config)], port, folder, cpu,
                stream_port=stream)
    peer.wait_ready()
    return peer


def haproxy(folder: Path, upstream: int, *, cpu: int | None = GATEWAY_CPU) -> Peer:
    """haproxy with one thread; its stream port has `http-no-delay`."""
    port, stream = free_port(), free_port()
    config = filled("haproxy.cfg", folder, PORT=port, STREAM=stream, MOCK=upstream)
    peer = Peer("haproxy", ["haproxy", "-db", "-f", str(config)], port, folder, cpu,
                stream_port=stream)
    peer.wait_ready()
    return peer


STARTERS = {"fastgw": fastgw, "nginx": nginx, "haproxy": haproxy}


def present() -> list[str]:
    """The peers that this machine can run."""
    return ["fastgw", *(name for name in ("nginx", "haproxy") if shutil.which(name))]


def start(name: str, folder: Path, upstream: int) -> Peer:
    """One peer by name, in a folder of its own. CannotMeasure if it does not start."""
    (folder / name).mkdir()
    try:
        return STARTERS[name](folder / name, upstream)
    except (DidNotStart, FileNotFoundError) as reason:
        raise CannotMeasure(str(reason)) from None


def version(name: str) -> str:
    """One line that says what was compared."""
    command = {"nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"],
               "fastgw": [sys.executable, "-c", "import fastgw; print(fastgw.__version__)"]}[name]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return (done.stdout or done.stderr).splitlines()[0].strip()
