"""Rules that hold for every suite."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

from tests.dockerd import daemon

TESTS = Path(__file__).parent
PURE = (TESTS / "app", TESTS / "render")
SPAWNING = {"subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn", "os.system"}

pure_test_runs = False


def refuse_programs(event: str, _arguments: object) -> None:
    """Audit hook: see the events at docs.python.org/3/library/audit_events.html."""
    if pure_test_runs and event in SPAWNING:
        raise AssertionError(f"a test of the pure core may not run programs ({event})")


sys.addaudithook(refuse_programs)
# How long an example takes says how busy this machine is, and no more.
settings.register_profile(
    "tests", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")
# A shell's background job ignores SIGINT, and so would the programs that tests press Ctrl-C at.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_programs_in_the_pure_core(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests of app/ and render/ run no program, unless marked `programs` (`nginx -t`)."""
    global pure_test_runs
    pure = any(request.path.is_relative_to(folder) for folder in PURE)
    pure_test_runs = pure and request.node.get_closest_marker("programs") is None
    yield
    pure_test_runs = False


def failed_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Where CI is set, a part that is missing is a failure: nothing may go unseen."""
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {reason}"


def pytest_xdist_auto_num_workers() -> int:
    """How many tests of the core run at once: real programs wait for each other, too."""
    return min(8, 1 + (os.cpu_count() or 1))


class Parts(LoadScopeScheduling):
    """Gives each test process a file at a time, and all that one server is for to the same."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/lab" if file.startswith("tests/lab/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Parts | None:
    """Have `--dist=loadfile` mean `Parts`."""
    return Parts(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    failed_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    failed_in_ci(report)
    return report


@pytest.fixture(scope="session")
def docker_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Docker daemon that answers, and what images are made with."""
    missing = [name for name in ("docker", "mmdebstrap") if not shutil.which(name)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} missing; run ./test as root, or install")
    if os.geteuid() != 0:
        pytest.skip("building an image with mmdebstrap needs root")
    with daemon(tmp_path_factory.mktemp("docker")):
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="rewrite the golden trees")


class Golden(Protocol):
    """Compares a rendered tree with `tests/golden/<name>/`."""

    def __call__(self, name: str, tree: Mapping[str, tuple[int, str]]) -> None: ...


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Whole trees `{path: (mode, text)}`: missing and extra files fail; one flag rewrites."""

    def compare(name: str, tree: Mapping[str, tuple[int, str]]) -> None:
        folder = TESTS / "golden" / name
        if request.config.getoption("--update-goldens"):
            shutil.rmtree(folder, ignore_errors=True)
            for path, (_, text) in tree.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text)
            modes = "".join(f"{mode:04o} {path}\n" for path, (mode, _) in sorted(tree.items()))
            (folder / "MODES").write_text(modes)
        kept = {
            str(path.relative_to(folder)): path.read_text()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != "MODES"
        }
        assert sorted(kept) == sorted(tree), f"files of {folder}"
        for path, (_, text) in tree.items():
            assert text == kept[path], f"{folder / path}; --update-goldens rewrites it"
        modes = dict(
            line.split(" ", 1)[::-1] for line in (folder / "MODES").read_text().splitlines()
        )
        assert modes == {path: f"{mode:04o}" for path, (mode, _) in tree.items()}

    return compare
