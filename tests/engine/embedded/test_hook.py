"""The start-up hook, below real servers: two copies side by side on one port number."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from geartrain.engine.embedded.installs import Installs
from geartrain.engine.embedded.interpreter import choose
from geartrain.engine.embedded.layout import Layout
from geartrain.engine.embedded.python import HOOK
from geartrain.engine.embedded.sources import choose_source
from geartrain.engine.embedded.venv import ensure
from geartrain.engine.listeners import listeners
from tests.ports import free_port

PACKAGES = ("uvicorn", "uvloop", "gunicorn", "uvicorn-worker", "flask", "django")
ASGI = """
import os
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind.endswith("shutdown"):
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": os.environ["GEAR_ADDRESS"].encode()})
def wsgi(environ, start):
    start("200 OK", [])
    return [os.environ["GEAR_ADDRESS"].encode()]
"""
DJANGO = """
import os
from django.http import HttpResponse
from django.urls import path
ALLOWED_HOSTS, DEBUG, SECRET_KEY, ROOT_URLCONF = ["*"], True, "x", "conf"
urlpatterns = [path("", lambda request: HttpResponse(os.environ["GEAR_ADDRESS"]))]
"""
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import uv

    folder = tmp_path_factory.mktemp("servers")
    layout = Layout(cwd=folder, paths={}, inside=folder, roots=(folder,))
    source = choose_source(Installs(words=PACKAGES), layout, "/", "servers")
    env = ensure(
        source,
        choose(None, os.environ),
        envs=folder / "envs",
        uv=Path(uv.find_uv_bin()),
        environ=os.environ,
        report=lambda _line: None,
        where="servers",
        user=folder,
    )
    return env / "bin/python"


def hooked(address: str, names: str = "") -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"GEAR_ADDRESS": address, "GEAR_NAMES": names, "PYTHONPATH": str(HOOK)}


@contextmanager
def running(argv: list[str], cwd: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(argv, cwd=cwd, env=env, start_new_session=True) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def answer(address: str, port: int, path: str = "/") -> str:
    end = time.monotonic() + 60
    while True:
        try:
            url = f"http://{address}:{port}{path}"
            with urllib.request.urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def run(python: Path | str, code: str, names: str = "", **more: str) -> str:
    env = hooked("127.45.0.1", names) | more
    done = subprocess.run(
        [python, "-c", code], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.strip()


def uvicorn_in_code(host: str, loop: str) -> str:
    return f"import uvicorn, a; uvicorn.run(a.app, host={host!r}, port=PORT, loop={loop!r})"


FLASK = """
import flask, a
x = flask.Flask("x")
x.wsgi_app = a.wsgi
x.run("0.0.0.0", PORT)
"""
WSGIREF = """
import a
from wsgiref.simple_server import make_server
make_server("", PORT, a.wsgi).serve_forever()
"""
UVICORN_WORKERS = "-m uvicorn a:app --host 0.0.0.0 --port PORT --workers 2"
GUNICORN_UVICORN = "-m gunicorn -k uvicorn_worker.UvicornWorker -b :PORT a:app"
SERVERS = {
    **{
        f"uvicorn.run on {host!r} with {loop}": ["-c", uvicorn_in_code(host, loop)]
        for host in ("0.0.0.0", "", "::")
        for loop in ("uvloop", "asyncio")
    },
    "uvicorn with workers": UVICORN_WORKERS.split(),
    "gunicorn": ["-m", "gunicorn", "-b", "0.0.0.0:PORT", "a:wsgi"],
    "gunicorn told by PORT": ["-m", "gunicorn", "a:wsgi"],
    "gunicorn with a file": ["-m", "gunicorn", "-c", "their.conf.py", "a:wsgi"],
    "gunicorn with uvicorn's worker": GUNICORN_UVICORN.split(),
    "flask": ["-c", FLASK],
    "http.server": ["-m", "http.server", "PORT"],
    "wsgiref": ["-c", WSGIREF],
    "django": ["-m", "django", "runserver", "--noreload", "0.0.0.0:PORT"],
    "asyncio streams": [
        "-c",
        """
import asyncio, os
async def one(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + os.environ["GEAR_ADDRESS"].encode())
    writer.close()
async def main():
    await (await asyncio.start_server(one, None, PORT)).serve_forever()
asyncio.run(main())
""",
    ],
}


@pytest.mark.parametrize("server", SERVERS)
def test_two_copies_of_a_server_on_one_port(server: str, python: Path, tmp_path: Path) -> None:
    port, third = free_port(), next(NUMBERS)
    (tmp_path / "a.py").write_text(ASGI)
    (tmp_path / "conf.py").write_text(DJANGO)
    (tmp_path / "their.conf.py").write_text(f"bind = ['0.0.0.0:{port}']\n")
    argv = [str(python), *(word.replace("PORT", str(port)) for word in SERVERS[server])]
    addresses = [f"127.45.{third}.1", f"127.45.{third}.2"]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                running(
                    argv,
                    tmp_path,
                    hooked(address) | {"PORT": str(port), "DJANGO_SETTINGS_MODULE": "conf"},
                )
            )
            for address in addresses
        ]
        for address, process in zip(addresses, started, strict=True):
            got = answer(address, port)
            assert got == address or server == "http.server"
            assert {(one.address, one.port) for one in listeners(process.pid)} == {(address, port)}


def test_port_zero_and_own_addresses_are_left_alone(python: Path) -> None:
    code = """
import socket
for address in (("0.0.0.0", 0), ("127.45.99.1", 0)):
    s = socket.socket(); s.bind(address); print(s.getsockname()[0])
s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("", 0)); print(s.getsockname()[0])
"""
    assert run(python, code).split() == ["0.0.0.0", "127.45.99.1", "0.0.0.0"]


LOOKUPS = {
    "getaddrinfo": "import socket; print(socket.getaddrinfo('redis', 80)[0][4][0])",
    "gethostbyname": "import socket; print(socket.gethostbyname('redis'))",
    "bytes": "import socket; print(socket.getaddrinfo(b'redis', 80)[0][4][0])",
    **{
        f"{loop} resolution": f"import asyncio, {loop}\nasync def main():\n"
        "  print((await asyncio.get_running_loop().getaddrinfo('redis', 80))[0][4][0])\n"
        f"asyncio.Runner(loop_factory={loop}.new_event_loop).run(main())"
        for loop in ("asyncio", "uvloop")
    },
}


@pytest.mark.parametrize("how", LOOKUPS)
def test_names_of_services_resolve(how: str, python: Path) -> None:
    assert run(python, LOOKUPS[how], "redis=127.45.98.7 api=127.45.98.8") == "127.45.98.7"


CONNECTS = {
    "create_connection": "import socket; print(socket.create_connection(('redis', PORT)).recv(9))",
    "connect": "import socket; s = socket.socket(); s.connect(('redis', PORT)); print(s.recv(9))",
    **{
        loop: f"import asyncio, {loop}\nasync def main():\n"
        "  reader, writer = await asyncio.open_connection('redis', PORT)\n"
        "  print(await reader.read(9)); writer.close()\n"
        f"asyncio.Runner(loop_factory={loop}.new_event_loop).run(main())"
        for loop in ("asyncio", "uvloop")
    },
}


@pytest.mark.parametrize("how", CONNECTS)
def test_services_are_reached_by_name(how: str, python: Path) -> None:
    with socket.create_server(("127.45.98.7", 0)) as server, ExitStack() as stack:
        port = server.getsockname()[1]
        env = hooked("127.45.98.1", "redis=127.45.98.7")
        code = CONNECTS[how].replace("PORT", str(port))
        process = stack.enter_context(
            subprocess.Popen([python, "-c", code], env=env, stdout=subprocess.PIPE, text=True)
        )
        server.settimeout(60)
        with server.accept()[0] as connection:
            connection.sendall(b"hello")
        assert process.communicate(timeout=60)[0].strip() == "b'hello'"


def test_children_have_it_too(python: Path) -> None:
    code = """
import multiprocessing, socket
def child():
    print(socket.gethostbyname("redis"), flush=True)
if __name__ == "__main__":
    import subprocess, sys
    p = multiprocessing.get_context("fork").Process(target=child); p.start(); p.join()
    subprocess.run([sys.executable, "-c", "import socket; print(socket.gethostbyname('redis'))"])
"""
    assert run(python, code, "redis=127.45.98.7").split() == ["127.45.98.7"] * 2


def test_another_sitecustomize_still_runs(python: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("mark = 'theirs'\n")
    path = f"{HOOK}{os.pathsep}{tmp_path}"
    code = "import sitecustomize, socket; print(sitecustomize.mark, socket.gethostbyname('redis'))"
    assert run(python, code, "redis=127.45.98.7", PYTHONPATH=path) == "theirs 127.45.98.7"


def test_asking_whether_a_module_is_there_changes_nothing(python: Path) -> None:
    code = """
import importlib.util
assert importlib.util.find_spec("uvloop") and importlib.util.find_spec("socket")
import socket
print(socket.gethostbyname("redis"))
"""
    assert run(python, code, "redis=127.45.98.7") == "127.45.98.7"


@pytest.mark.parametrize("names", ["", "redis", "=", "a=b=c", "\udce4=1 x=", "'=\"; x=$(id)"])
def test_whatever_the_names_are_a_program_starts(names: str, python: Path) -> None:
    assert (
        run(python, "import socket; print(socket.gethostbyname('127.0.0.1'))", names) == "127.0.0.1"
    )


def test_without_an_address_nothing_changes(python: Path) -> None:
    code = "import socket, sys; print(socket.socket.bind.__qualname__, len(sys.meta_path))"
    bare = subprocess.run([python, "-c", code], env={}, capture_output=True, text=True, check=True)
    assert run(python, code, GEAR_ADDRESS="", GEAR_NAMES="") == bare.stdout.strip()


def test_it_costs_next_to_nothing() -> None:
    code = (
        "import time; a = time.process_time(); import sitecustomize; print(time.process_time() - a)"
    )
    env = hooked("127.45.98.1", "redis=127.45.98.7")
    argv = [sys.executable, "-S", "-c", code]
    times = [
        float(subprocess.run(argv, env=env, capture_output=True, check=True).stdout)
        for _ in range(15)
    ]
    assert min(times) < 0.003
