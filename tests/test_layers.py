"""The directions in which Geartrain's parts may import one another."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (SOURCE / "geartrain").rglob("*.py")
}

LEAVES = {"errors", "run", "durable"}
"""Anybody may import these; they import nothing but each other."""

MAY_IMPORT = {
    "app": set(),
    "load": {"app"},
    "render": {"load", "app"},
    "engine": {"render", "load", "app"},
    "release": {"engine", "render", "load", "app"},
    "data": {"engine", "render", "load", "app"},
    "server": {"release", "data", "engine", "render", "load", "app"},
    "testing": {"engine", "app"},
    "cli": {"server", "release", "data", "engine", "render", "load", "app"},
    "__main__": {"cli"},
}

NEUTRAL = {"geartrain.engine.protocol", "geartrain.engine.home"}
"""What of the engines is the same for all of them."""

SPAWNERS = {
    "geartrain.run": "the gateway",
    "geartrain.engine.aside": "starts what ends old instances and what starts jobs; it outlives it",
    "geartrain.engine.embedded.supervisor.spawn": "starts instances and hears of their end",
    "geartrain.engine.embedded.supervisor.client": "starts the guard, which outlives it",
    "geartrain.engine.embedded.supervisor.guard": "forks, to clean up after the supervisor",
    "geartrain.server.detached": "forks, so that a release outlives a client that vanishes",
    "geartrain.engine.docker.api": "speaks with a daemon elsewhere through `docker`",
    "geartrain.engine.docker.following": "reads `docker logs --follow` as it comes",
    "geartrain.cli.containers": "becomes the command that the user named, in a container",
    "geartrain.cli.data": "becomes psql or valkey-cli",
    "geartrain.cli.host": "becomes the watcher",
    "geartrain.cli.execute": "becomes the command that the user named",
    "geartrain.cli.remote": "becomes ssh",
    "geartrain.cli.ssh": "becomes git or gear",
}

SPAWNING_CALLS = {
    ("os", name)
    for name in dir(__import__("os"))
    if name.startswith(("exec", "fork", "spawn", "posix_spawn", "popen", "system"))
} | {("asyncio", "create_subprocess_exec"), ("asyncio", "create_subprocess_shell")}

SPAWNING_MODULES = {"subprocess", "pty", "multiprocessing", "concurrent.futures.process"}

PURE = ("app", "render")
IO_MODULES = {
    *("asyncio", "fcntl", "glob", "http", "io", "os", "select", "shutil", "signal", "socket"),
    *("sqlite3", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request"),
    *("random", "secrets", "geartrain.run", "geartrain.durable"),
}
PURE_PATHS = {"PurePath", "PurePosixPath"}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def imports(module: str) -> Iterator[tuple[str, int]]:
    """Every name that the module imports, as `package.module.name`, with its line."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative import"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def part(name: str) -> str:
    """`geartrain.app.model.App` is in the part `app`; "" for what is not Geartrain's."""
    words = name.split(".")
    return words[1] if words[0] == "geartrain" and len(words) > 1 else ""


def within(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def test_every_part_has_a_place_among_the_layers() -> None:
    parts = {part(module) for module in MODULES} - {""}
    assert parts <= LEAVES | MAY_IMPORT.keys()


def test_imports_go_downwards() -> None:
    wrong = [
        f"{module}:{line} imports {name}"
        for module in MODULES
        for name, line in imports(module)
        if (here := part(module)) and (there := part(name)) and here != there
        if there not in (LEAVES if here in LEAVES else LEAVES | {"__version__"} | MAY_IMPORT[here])
    ]
    assert wrong == []


def test_releases_and_data_know_engines_by_their_protocol_alone() -> None:
    wrong = [
        f"{module}:{line} imports {name}"
        for module in MODULES
        for name, line in imports(module)
        if part(module) in {"release", "data", "testing"} and part(name) == "engine"
        if not within(name, NEUTRAL)
    ]
    assert wrong == []


def test_engines_do_not_know_each_other() -> None:
    engines = {module.split(".")[2] for module in MODULES if module.count(".") > 2} & {
        path.name for path in (SOURCE / "geartrain/engine").iterdir() if path.is_dir()
    }
    wrong = [
        f"{module}:{line} imports {name}"
        for module in MODULES
        if part(module) == "engine"
        for name, line in imports(module)
        for engine in engines
        if within(name, {f"geartrain.engine.{engine}"})
        if not within(module, {f"geartrain.engine.{engine}"})
    ]
    assert wrong == []


def test_the_model_and_what_is_rendered_from_it_are_pure() -> None:
    wrong = [
        f"{module}:{line} imports {name}"
        for module in MODULES
        if part(module) in PURE
        for name, line in imports(module)
        if within(name, IO_MODULES)
        or (within(name, {"pathlib"}) and name.rpartition(".")[2] not in PURE_PATHS)
    ]
    wrong += [
        f"{module}:{node.lineno} opens a file"
        for module in MODULES
        if part(module) in PURE
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    ]
    assert wrong == []


def spawning(module: str) -> Iterator[int]:
    """Lines of the module that start a process."""
    for name, line in imports(module):
        if within(name, SPAWNING_MODULES) or tuple(name.split(".")) in SPAWNING_CALLS:
            yield line
    for node in ast.walk(tree(module)):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in SPAWNING_CALLS
        ):
            yield node.lineno


def test_processes_are_started_in_few_places() -> None:
    found = {module: lines for module in MODULES if (lines := list(spawning(module)))}
    assert {module: lines for module, lines in found.items() if module not in SPAWNERS} == {}
    assert SPAWNERS.keys() <= found.keys(), "a place that starts no process is still listed"


def test_no_shell() -> None:
    wrong = [
        f"{module}:{node.value.lineno}"
        for module in SPAWNERS
        for node in ast.walk(tree(module))
        if isinstance(node, ast.keyword) and node.arg == "shell"
    ]
    assert wrong == []


@pytest.mark.skipif("geartrain.__main__" not in MODULES, reason="there is no command line yet")
def test_the_version_is_told_without_heavy_imports() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", "-m", "geartrain", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    heavy = {"asyncio", "click", "crossplane", "msgspec", "subprocess", "yaml"}
    assert done.stdout.startswith("gear")
    assert loaded & heavy == set()
