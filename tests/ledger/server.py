"""A real Postgres for tests, started by the test as a user without rights, on its own socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from tests.cluster.server import die_with_parent
from tools.ports import free_port

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class PostgresServer:
    """One server; `database` makes an empty database and gives its URL. Skips where there is no
    Postgres. ``tls``: files of its certificate and key; it then speaks TLS by TCP, and only it."""

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        self._options: list[str] = []
        self.bin = FOLDERS[0] if FOLDERS else Path(shutil.which("initdb") or "/").parent
        if not (self.bin / "initdb").exists():
            missing = "no Postgres here (apt-get install postgresql)"
            pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
        self.folder = Path(tempfile.mkdtemp(prefix="fgw-pg-"))
        self.user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user)
        self.port, self._number = free_port(), 0
        self._process: subprocess.Popen | None = None
        (self.folder / "password").write_text("open-sesame-4711")
        os.chmod(self.folder / "password", 0o644)
        self._call("initdb", "-D", str(self.folder / "db"), "-U", "fastgw", "--no-sync",
                   "--auth-local=trust", "--auth-host=scram-sha-256",
                   f"--pwfile={self.folder}/password")
        if tls is not None:
            self._speak_tls(*tls)
        self.start()

    def _speak_tls(self, certificate: Path, key: Path) -> None:
        for name, source in (("server.pem", certificate), ("server.key", key)):
            shutil.copyfile(source, self.folder / name)
            os.chmod(self.folder / name, 0o600)
            if os.geteuid() == 0:
                shutil.chown(self.folder / name, self.user)
        self._options = ["-c", "ssl=on", "-c", f"ssl_cert_file={self.folder}/server.pem",
                         "-c", f"ssl_key_file={self.folder}/server.key"]
        rules = self.folder / "db" / "pg_hba.conf"
        rules.write_text(rules.read_text().replace("\nhost ", "\nhostssl "))

    def _call(self, name: str, *arguments: str) -> None:
        subprocess.run([self.bin / name, *arguments], check=True, capture_output=True,
                       cwd=self.folder, **self._as_user())

    def _as_user(self) -> dict:
        return {"user": self.user, "extra_groups": []} if os.geteuid() == 0 else {}

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.folder / "db", "-k", self.folder,
             "-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
             "-c", "max_connections=30", "-c", "shared_buffers=16MB", *self._options],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent, **self._as_user(),
        )
        until = time.monotonic() + 30
        while time.monotonic() < until:
            ready = subprocess.run([self.bin / "pg_isready", "-h", self.folder, "-p",
                                    str(self.port)], capture_output=True)
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError("Postgres does not start")

    def stop(self) -> None:
        """At once, as a machine that fails."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
            self._process = None

    def database(self) -> str:
        """An empty one; its URL by the socket."""
        self._number += 1
        name = f"ledger{self._number}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def drop(self, url: str) -> None:
        """With all connections to it."""
        name = url.split("@/")[1].split("?")[0]
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _url(self, name: str) -> str:
        return f"postgresql://fastgw@/{name}?host={self.folder}&port={self.port}"

    def over_tcp(self, url: str, password: str = "open-sesame-4711") -> str:
        """The same database by TCP, with a password."""
        name = url.split("@/")[1].split("?")[0]
        return f"postgresql://fastgw:{password}@127.0.0.1:{self.port}/{name}"

    def end(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
