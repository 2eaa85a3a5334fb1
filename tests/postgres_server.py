"""Debian's PostgreSQL as a server of the tests alone: in a temporary folder, on a socket there, under a user that is not root."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pytest

TEMPLATE = "medmm_template"
OPTIONS = (
    "-c listen_addresses= -c fsync=off -c full_page_writes=off -c autovacuum=off"
    " -c shared_buffers=16MB -c max_connections=60"
)


def binaries() -> Path:
    """Folder of the newest server programs that are installed; the test skips where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent if found else Path(str(on_path)).parent


# text sorts as people sort it, unless medmm says otherwise
BY_LANGUAGE = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")


class PostgresServer:
    """A server that can be stopped hard and started again."""

    def __init__(self) -> None:
        self._bin = binaries()
        self._as: tuple[str, ...] = ()
        self.folder = Path(tempfile.mkdtemp(prefix="medmm-pg-"))
        if os.getuid() == 0:  # the server refuses root
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("there is no user postgres, and the server does not run as root")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        self._run("initdb", "-A", "trust", "-U", "medmm", "-E", "UTF8", "--no-sync", *BY_LANGUAGE)
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = (*self._as, str(self._bin / program), "-D", str(self.folder / "data"), *arguments)
        done = subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    def start(self) -> None:
        """Start it and wait until it answers. It ends with this process, however that dies."""
        dies = (*(self._as or ("setpriv",)), "--pdeathsig=QUIT")
        server = (str(self._bin / "postgres"), "-D", str(self.folder / "data"), *OPTIONS.split())
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                (*dies, *server, "-k", str(self.folder)),
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + 120
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        """Stop it at once, as a crash would: no transaction is finished."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(60)

    def close(self) -> None:
        """Stop it and remove what it kept."""
        if self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        """The URL of a database, as the settings take it."""
        return f"postgresql+psycopg://medmm@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """Run a statement outside any transaction and any database of a test."""
        with psycopg.connect(
            host=str(self.folder), user="medmm", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


class Databases:
    """A database of its own for every data folder, copied from one that has this release's tables."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.template = TEMPLATE
        self._made: set[str] = set()
        self._one_at_a_time = threading.Lock()

    def url_of(self, folder: Path) -> str:
        """The URL of a folder's database, which is made when it is first asked for."""
        name = "d" + hashlib.sha256(str(folder).encode()).hexdigest()[:24]
        with self._one_at_a_time:
            if name not in self._made:
                copy = f"TEMPLATE {self.template} STRATEGY file_copy"
                self.server.execute(f"CREATE DATABASE {name} {copy}")
                self._made.add(name)
        return self.server.url(name)

    def drop(self) -> None:
        """Remove all that were made."""
        for name in self._made:
            self.server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._made.clear()
