"""What builders say when a build fails, as it was said, and what the user is told of it."""

from __future__ import annotations

import pytest

from geartrain.engine.docker.builds import failure

DOCKERFILE = """\
FROM python:3.12-slim AS build
ARG WHAT
COPY . .
RUN echo hi \\
 && pip install $WHAT
RUN true
"""

OLDER = """\
#1 [internal] load build definition from Dockerfile
#1 sha256:97a74512bcba25c1bdbc98978307836ffe09fa30af4ebeb1284785f504a7fe6b
#1 DONE 0.0s

#5 [build 3/4] RUN echo hi  && pip install $WHAT
#5 sha256:271470aecfd079ef84a22df0eb401f8b306a816aa47ee1afab213517f63582a4
#5 0.244 hi
#5 1.870 ERROR: No matching distribution found for nope
#5 ERROR: executor failed running [/bin/sh -c echo hi  && pip install $WHAT]: exit code: 1

#4 [build 2/4] COPY . .
#4 DONE 0.1s
------
 > [build 3/4] RUN echo hi  && pip install $WHAT:
#5 0.244 hi
#5 1.870 ERROR: No matching distribution found for nope
------
executor failed running [/bin/sh -c echo hi  && pip install $WHAT]: exit code: 1
"""

NEWER = """\
#0 building with "default" instance using docker driver

#7 [build 3/4] RUN echo hi  && pip install nope
#7 0.201 hi
#7 2.014 ERROR: No matching distribution found for nope
#7 ERROR: process "/bin/sh -c echo hi  && pip install $WHAT" did not complete successfully: exit code: 1
------
 > [build 3/4] RUN echo hi  && pip install nope:
0.201 hi
2.014 ERROR: No matching distribution found for nope
------
Dockerfile:4
--------------------
   3 |     COPY . .
   4 | >>> RUN echo hi \\
   5 | >>>  && pip install $WHAT
   6 |     RUN true
--------------------
ERROR: failed to solve: process "/bin/sh -c echo hi  && pip install $WHAT" did not complete successfully: exit code: 1
"""  # noqa: E501  # as it was said

LEGACY = """\
Sending build context to Docker daemon  3.072kB
Step 1/4 : FROM python:3.12-slim AS build
 ---> 15a6be2b9de0
Step 4/4 : RUN echo hi  && pip install $WHAT
 ---> Running in dd8bb77cbcb9
hi
ERROR: No matching distribution found for nope
The command '/bin/sh -c echo hi  && pip install $WHAT' returned a non-zero code: 1
"""


@pytest.mark.parametrize("output", [OLDER, NEWER, LEGACY], ids=["older", "newer", "legacy"])
def test_the_line_and_the_last_words(output: str) -> None:
    found = failure.read(output, DOCKERFILE)
    assert (found.line, found.code) == (4, 1)
    assert "hi" in found.tail
    error = failure.explain(found, service="web", shown="backend/Dockerfile")
    assert error.where == "backend/Dockerfile:4"
    assert error.what.startswith("the build of web failed: `RUN echo hi")
    assert error.what.endswith("` ended with 1")


@pytest.mark.parametrize("output", [OLDER, NEWER])
def test_only_the_step_that_failed_is_shown(output: str) -> None:
    found = failure.read(output, DOCKERFILE)
    assert found.tail == ("hi", "ERROR: No matching distribution found for nope")


def test_what_killed_a_step() -> None:
    killed = OLDER.replace("exit code: 1", "exit code: 137")
    error = failure.explain(failure.read(killed, DOCKERFILE), service="web", shown="Dockerfile")
    assert "was killed, most often for lack of memory" in error.what


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("OSError: [Errno 28] No space left on device", "make room"),
        ("Temporary failure in name resolution", "cannot reach the network"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "authority"),
    ],
)
def test_what_helps(said: str, remedy: str) -> None:
    output = OLDER.replace("hi\n", f"{said}\n")
    error = failure.explain(failure.read(output, DOCKERFILE), service="web", shown="Dockerfile")
    assert remedy in error.remedy


def test_a_file_that_is_not_sent() -> None:
    why = '"/x" not found: not found'
    output = (
        f"#7 [build 2/4] COPY . .\n#7 ERROR: {why}\n------\n > [build 2/4] COPY . .:\n------\n"
        f"failed to compute cache key: {why}\n"
    )
    error = failure.explain(failure.read(output, DOCKERFILE), service="web", shown="Dockerfile")
    assert error.where == "Dockerfile:3"
    assert ".dockerignore" in error.remedy


def test_silence() -> None:
    error = failure.explain(failure.read("", DOCKERFILE), service="web", shown="Dockerfile")
    assert str(error) == "Dockerfile: the build of web failed: it said nothing"


def test_time() -> None:
    found = failure.read(OLDER, DOCKERFILE)
    error = failure.explain(found, service="web", shown="Dockerfile", seconds=3600)
    assert "took over 3600 s" in error.what
