"""The same by hand: each program started as its manual says, one after the other."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.project import Project, free_port, run, wait_for
from geartrain.engine.embedded import binaries
from geartrain.engine.embedded.host import data_user

NGINX = """\
daemon off; pid nginx.pid; error_log stderr warn;
events {{}}
http {{
    access_log access.log;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;
    scgi_temp_path t5;
    {upstream}
    server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }}
}}
"""
PLAIN = "proxy_pass http://backend;"
KEPT = f"{PLAIN} proxy_http_version 1.1; proxy_set_header Connection '';"
# Without these an app knows neither its own name nor who asks; backends have to read them, too.
TOLD = (
    f"{KEPT} proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;"
    " proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;"
)
PASSWORD = "by-hand"  # of a database that lives for seconds


class ByHand:
    """Programs started by hand, in a folder of their own; all end with the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = data_user()
        self._started: list[subprocess.Popen[bytes]] = []
        folder.mkdir()
        if self.user is not None:
            os.chown(folder, self.user, self.user)

    def start(self, *words: str | Path, **options: object) -> subprocess.Popen[bytes]:
        """Start a program in the background, in a session of its own as an init system does.

        The kernel shares processors out among sessions (sched(7), autogroup): an nginx in the
        session of whoever loads it is served otherwise than one that is not.
        """
        started = subprocess.Popen(  # type: ignore[call-overload]  # options go through
            list(words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd=options.pop("cwd", self.folder),
            start_new_session=True, **options,
        )  # fmt: skip
        self._started.append(started)
        return started  # type: ignore[no-any-return]  # see above

    def as_data_user(self) -> dict[str, object]:
        """PostgreSQL refuses to run as root."""
        return {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}

    def end(self) -> None:
        """Stop everything."""
        for one in reversed(self._started):
            one.send_signal(signal.SIGINT)
        for one in reversed(self._started):
            try:
                one.wait(10)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()

    # -- the programs -------------------------------------------------------

    def postgres(self) -> str:
        """initdb, start, create the database; its URL."""
        tools, data, port = binaries.postgres_folder(), self.folder / "pg", free_port()
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        run([tools / "initdb", "-D", data, "-U", "app", "--pwfile", secret, "-A", "scram-sha-256",
             "-E", "UTF8", "--locale", "C.UTF-8", "--data-checksums"],
            cwd=self.folder, **self.as_data_user())  # fmt: skip
        self.start((tools / "postgres").resolve(), "-D", data, "-h", "127.0.0.1", "-p", str(port),
                   "-k", "", **self.as_data_user())  # fmt: skip
        ready = [tools / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready, check=False).returncode:
            time.sleep(0.01)
        return f"postgresql://app:{PASSWORD}@127.0.0.1:{port}/postgres"

    def valkey(self) -> str:
        """Start Valkey; its URL."""
        port = free_port()
        self.start(binaries.valkey_server(), "--port", str(port), "--bind", "127.0.0.1",
                   "--save", "", "--requirepass", PASSWORD)  # fmt: skip
        _accepts(port)
        return f"redis://:{PASSWORD}@127.0.0.1:{port}/0"

    def nginx(self, backend: int, location: str = TOLD, address: str = "127.0.0.1") -> int:
        """A minimal nginx before a backend; its port."""
        port = free_port()
        folder = self.folder / f"nginx-{port}"
        folder.mkdir()
        keepalive = "" if location == PLAIN else "keepalive 64;"
        text = NGINX.format(
            upstream=f"upstream backend {{ server {address}:{backend}; {keepalive} }}",
            port=port,
            location=location,
        )
        (folder / "nginx.conf").write_text("worker_processes auto;\n" + text)
        self.start(binaries.nginx(), "-p", folder, "-c", folder / "nginx.conf")
        _accepts(port)
        return port


def _accepts(port: int) -> None:
    import socket

    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
            return
        time.sleep(0.002)


@contextlib.contextmanager
def by_hand(folder: Path) -> Iterator[ByHand]:
    """A folder for programs that are started by hand."""
    made = ByHand(folder)
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)


def environment(project: Project, folder: Path) -> Path:
    """`uv venv` and `uv pip install`, from uv's cache; its Python."""
    uv = binaries.uv()
    run([uv, "venv", "--quiet", folder])
    listed = project.folder / "backend" / "requirements.txt"
    run([uv, "pip", "install", "--quiet", "--python", folder, "-r", listed])
    return folder / "bin" / "python"


def own_start(hand: ByHand, project: Project, python: Path, env: dict[str, str]) -> float:
    """The app alone, from start to first answer, in seconds; then it is stopped."""
    port = free_port()
    began = time.monotonic()
    started = start_app(hand, project, python, env, port)
    took = wait_for(port, "", "/hello") - began
    started.terminate()
    started.wait(10)
    return took


def start_app(
    hand: ByHand, project: Project, python: Path, env: dict[str, str], port: int
) -> subprocess.Popen[bytes]:
    """Start the app as its Dockerfile does, on a port of its own."""
    backend = project.folder / "backend"
    words = ["app.py"]
    module = "app.web:app" if (backend / "app/web.py").exists() else "app:app"
    if (backend / "app/web.py").exists() or "uvicorn" in (backend / "Dockerfile").read_text():
        words = ["-m", "uvicorn", module, "--port", str(port), "--no-access-log"]
    own = {"HOST": "127.0.0.1", "PORT": str(port), **env}
    return hand.start(python, *words, cwd=backend, env={**os.environ, **own})
