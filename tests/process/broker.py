"""A real Kafka broker for tests: one node without ZooKeeper, as Maven has it (`make kafka`)."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.cluster.server import die_with_parent
from tools.ports import free_port

JARS = Path(__file__).parents[2] / "build" / "kafka"
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
num.partitions=1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=200
"""


class KafkaBroker:
    """Started when made. Skips where there is no Java, or `make kafka` never ran."""

    def __init__(self) -> None:
        java = shutil.which("java")
        if java is None or not list(JARS.glob("kafka_*.jar")):
            pytest.skip("no Kafka here: Java and `make kafka` (45 MB from Maven Central)")
        self.folder = Path(tempfile.mkdtemp(prefix="fgw-kafka-"))
        self.port = free_port()
        self._command = [java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*"]
        self._process: subprocess.Popen | None = None
        settings = self.folder / "settings"
        settings.write_text(_SETTINGS.format(
            port=self.port, controller=free_port(), folder=self.folder))
        self._settings = str(settings)
        subprocess.run(
            [*self._command, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg",
             "-c", self._settings], check=True, capture_output=True, timeout=120)
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*self._command, "kafka.Kafka", self._settings], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, preexec_fn=die_with_parent,
            env={**os.environ, "LOG_DIR": str(self.folder)},
        )
        until = time.monotonic() + 120
        while time.monotonic() < until:
            assert self._process.poll() is None, "Kafka does not start"
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("Kafka does not start")

    def kill(self) -> None:
        """At once, as a machine that fails."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(20)
            self._process = None

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
