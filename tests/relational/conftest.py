"""A real PostgreSQL server, started here and stopped after."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

PASSWORD = "deep water"


class PostgresServer:
    """A running server; ``owner`` may do everything, ``reader`` only SELECT.

    It listens on a socket in a folder of its own, and on no port of the machine.
    """

    def __init__(self, programs: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="benthic-pg-"))
        self._before: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._before = [
                *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"),
                "--clear-groups",
            ]
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        data = str(self.folder / "data")
        self._run(
            str(programs / "initdb"),
            *("-D", data, "-U", "owner", "-A", "scram-sha-256", "-N", "-E", "UTF8"),
            *("--locale=C", f"--pwfile={secret}"),
        )
        command = [
            *(str(programs / "postgres"), "-D", data, "-k", str(self.folder)),
            *("-c", "listen_addresses="),
            *("-c", "fsync=off", "-c", "log_min_messages=panic"),
        ]
        self.process = subprocess.Popen(
            [*self._before, *command],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()
        self.execute("CREATE ROLE reader LOGIN PASSWORD 'read only'")

    def url(self, database: str = "postgres", role: str = "reader") -> str:
        secret = {"reader": "read%20only", "owner": PASSWORD.replace(" ", "%20")}[role]
        place = quote(str(self.folder), safe="")
        return f"postgresql://{role}:{secret}@/{quote(database)}?host={place}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        import psycopg

        with psycopg.connect(
            self.url(database, "owner"), autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[arg-type]

    def create(self, database: str, *statements: str) -> str:
        """Makes a database that ``reader`` may read; gives its URL for the reader."""
        self.execute(f'CREATE DATABASE "{database}"')
        self.execute(
            *statements,
            "GRANT pg_read_all_data TO reader",
            database=database,
        )
        return self.url(database)

    def kill(self) -> None:
        """The machine goes away."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=30)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, *command: str) -> None:
        subprocess.run(
            [*self._before, *command], cwd=self.folder, check=True, capture_output=True
        )

    def _wait(self) -> None:
        import psycopg

        for _ in range(300):
            try:
                psycopg.connect(self.url(role="owner")).close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return
        raise TimeoutError("PostgreSQL did not start")


def _programs() -> Path | None:
    found = [
        Path(place).resolve().parent
        for place in (shutil.which("initdb"),)
        if place is not None
    ]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in found if (place / "postgres").exists()), None)


@pytest.fixture(scope="session")
def start_postgres() -> Iterator[Callable[[], PostgresServer]]:
    """Starts a server; without the programs the test skips, or fails with CI=true."""
    started: list[PostgresServer] = []

    def start() -> PostgresServer:
        programs = _programs()
        if programs is None:
            reason = "PostgreSQL's server programs are not on this machine"
            if os.environ.get("CI") == "true":
                pytest.fail(f"{reason}; apt-get install postgresql")
            pytest.skip(reason)
        started.append(PostgresServer(programs))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def postgres(start_postgres: Callable[[], PostgresServer]) -> PostgresServer:
    """One server for all tests that leave it running."""
    return start_postgres()
