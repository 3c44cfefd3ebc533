"""A pid file that names somebody else does not keep PostgreSQL from starting."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geartrain.engine.embedded.host import Host, data_user
from geartrain.engine.embedded.postgres import SOCKET, folder
from geartrain.engine.embedded.supervisor.pid_file import NOBODY, release
from geartrain.run import CommandError
from tests.cli.running import until
from tests.engine.embedded.test_data_services import (
    database,
    engine_and_release,
    host,
    logins,
    sql,
)

__all__ = ["host"]  # the fixture


@contextmanager
def somebody(*words: str) -> Iterator[int]:
    """A process of PostgreSQL's own user with these words in its command line."""
    user = data_user()
    waiting = subprocess.Popen(
        ["sh", "-c", "read never", "sh", *words],
        cwd="/",
        stdin=subprocess.PIPE,
        user=user,
        group=user,
    )
    try:
        # A program that begins has no command line for a moment: the kernel sets it last.
        until(Path(f"/proc/{waiting.pid}/cmdline").read_bytes, "its command line is there")
        yield waiting.pid
    finally:
        waiting.kill()
        waiting.communicate()


def test_only_the_number_of_a_stranger_is_changed(tmp_path: Path) -> None:
    file = tmp_path / "data" / "postmaster.pid"
    file.parent.mkdir()
    assert not release(file, tmp_path), "there is none"
    with somebody("-D", str(file.parent)) as pid:
        file.write_text(f"{pid}\n/data\n")
        assert not release(file, tmp_path), "it was started here, and may be the one"
    with somebody("-D", f"{tmp_path}er") as pid:
        file.write_text(f"{pid}\n/data\n12345 6\n")
        assert release(file, tmp_path)
    assert file.read_text() == f"{NOBODY}\n/data\n12345 6\n"
    assert not release(file, tmp_path), "nobody has that number"
    file.write_text("what\n")
    assert not release(file, tmp_path)


def test_postgresql_comes_back_when_its_number_was_given_again(host: Host) -> None:
    service = database()
    engine, wanted = engine_and_release(host, service)
    engine.ensure_data(wanted, service, lambda _: None)
    place = folder(host, service)
    files = (place / "data" / "postmaster.pid", place / SOCKET / ".s.PGSQL.5432.lock")
    said = [file.read_text().partition("\n") for file in files]
    number = said[0][0]
    assert said[1][0] == number
    with somebody() as pid:
        # As after a kill, had the kernel given the number to somebody else at once.
        os.kill(int(number), signal.SIGSTOP)
        for file, (_, _, rest) in zip(files, said, strict=True):
            file.write_text(f"{pid}\n{rest}")
        os.kill(int(number), signal.SIGKILL)

        def back() -> bool:
            try:
                return sql(host, logins(engine, wanted).app, "shop", "SELECT 1") == "1\n"
            except CommandError:
                return False

        until(back, "PostgreSQL answers again")
        for file in files:
            assert file.read_text().partition("\n")[0] not in (str(pid), number)
