"""What is told of a build while it runs."""

from __future__ import annotations

from geartrain.engine.docker.builds.steps import Steps

BUILDKIT = """\
#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s

#2 [internal] load metadata for docker.io/library/python:3.12-slim
#2 DONE 0.4s

#5 [1/4] FROM docker.io/library/python:3.12-slim
#5 DONE 0.0s

#6 [build 2/4] COPY requirements.txt .
#6 DONE 0.1s

#7 [build 3/4] RUN pip install   -r requirements.txt --index-url https://s3cret@pypi.example
#7 0.401 Collecting fastapi
#7 11.92 Downloading a lot, with the password hunter2
#7 12.50 Downloading more
#7 31.00 Building
#8 [build 4/4] COPY . .
#7 DONE 33.3s
#8 DONE 0.0s

#9 exporting to image
#9 exporting layers 0.1s done
#9 DONE 0.2s
"""

OLDER = """\
Sending build context to Docker daemon  3.072kB
Step 1/4 : FROM python:3.12-slim
 ---> 3c010b71ff00
Step 2/4 : ENV A=b
 ---> Using cache
 ---> 0123456789ab
Step 3/4 : RUN make
 ---> Running in 5a5a5a5a5a5a
what make prints
Removing intermediate container 5a5a5a5a5a5a
 ---> 1123456789ab
Step 4/4 : COPY . .
 ---> 2123456789ab
Successfully built 2123456789ab
"""


def told(text: str, args: dict[str, str] | None = None) -> list[str]:
    said: list[str] = []
    steps = Steps("web", args or {}, said.append)
    for second, line in enumerate(text.splitlines()):
        steps.heard(line, float(second))
    return said


def test_a_line_a_step_with_its_time_and_a_sign_of_life_in_a_long_one() -> None:
    step = "web: 3/4 RUN pip install -r requirements.txt --index-url https://$INDEX@py..."
    assert told(BUILDKIT, {"INDEX": "s3cret", "V": "3"}) == [
        "web: 2/4 COPY requirements.txt .  0.1 s",
        f"{step}  for 12 s so far",
        f"{step}  for 31 s so far",
        f"{step}  33.3 s",
        "web: 4/4 COPY . .  0.0 s",
    ]


def test_what_programs_print_is_not_told() -> None:
    assert "hunter2" not in "".join(told(BUILDKIT))


def test_the_older_builder_says_no_times_so_they_are_taken() -> None:
    assert told(OLDER) == ["web: 3/4 RUN make  3.0 s", "web: 4/4 COPY . .  1.0 s"]


def test_anything_else_is_no_step() -> None:
    assert told("ERROR: no daemon\n#\n#7 DONE 1.0s\n#x [1/2] y\nStep : z\n") == []
