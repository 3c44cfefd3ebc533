"""What a failed `docker build` said, in words for whoever wrote the Dockerfile."""

from __future__ import annotations

import re
from dataclasses import dataclass

from geartrain.errors import GearError
from geartrain.load import bases

TAIL_LINES = 30
# ` > [stage 2/5] RUN pip install x:` is how BuildKit names the step that failed.
_STEP = re.compile(r"^ > \[(?:[^\]]*\s)?\d+/\d+\] (.+):$", re.M)
_LEGACY_STEP = re.compile(r"^Step \d+/\d+ : (.+)$", re.M)
_LINE = re.compile(r"parse error(?: on)? line (\d+)|^[\w./-]+:(\d+)$", re.M)
_CODE = re.compile(r"exit code: (\d+)|non-zero code: (\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """The instruction that failed, its line in the Dockerfile (from 1), and why."""

    step: str
    line: int | None
    why: str
    tail: tuple[str, ...]
    code: int | None


def read(output: str, dockerfile: str) -> Failure:
    """Read the output of a build with plain progress, of any builder.

    Args:
        output: all that was said.
        dockerfile: the file that was built.
    """
    steps = _STEP.findall(output) or _LEGACY_STEP.findall(output)
    step = steps[-1].strip() if steps else ""
    named = _LINE.search(output)
    line = int(named[1] or named[2]) if named else _line_of(step, dockerfile)
    codes = _CODE.findall(output)
    why = output.strip().splitlines()[-1] if output.strip() else "it said nothing"
    return Failure(
        step=step,
        line=line,
        why=re.sub(r"^(?:ERROR: )?(?:failed to solve(?: with frontend [\w.]+)?: )+", "", why),
        tail=_tail(output, step),
        code=int(codes[-1][0] or codes[-1][1]) if codes else None,
    )


def explain(found: Failure, *, service: str, shown: str, seconds: float | None = None) -> GearError:
    """The failure as an error.

    Args:
        found: what was read.
        service: whose image it is.
        shown: how the Dockerfile is called.
        seconds: set when the build took longer than it may.
    """
    where = f"{shown}:{found.line}" if found.line else shown
    if seconds is not None:
        what = f"the build of {service} took over {seconds:g} s"
    elif found.code == 137:
        what = f"the build of {service} was killed, most often for lack of memory"
    elif found.code is not None:
        what = f"the build of {service} failed: `{_short(found.step)}` ended with {found.code}"
    elif found.step:
        what = f"the build of {service} failed at `{_short(found.step)}`: {found.why}"
    else:
        what = f"the build of {service} failed: {found.why}"
    return GearError(what, where=where, tail=found.tail, remedy=_remedy(found))


def _remedy(found: Failure) -> str:
    text = "\n".join((*found.tail, found.why))
    if "No space left on device" in text:
        return "make room on the disk (`docker system df` shows what Docker holds), then try again"
    if re.search(r"Temporary failure in name resolution|Could not resolve|dns error", text):
        return "the build cannot reach the network: check the machine's name servers and proxies"
    if re.search(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|invalid peer cert", text):
        return "an authority is not known in the image: is it in this machine's certificates?"
    if "not found" in found.why and found.step.upper().startswith(("COPY", "ADD")):
        return "is the file in the repository, in the build context, and not in .dockerignore?"
    return ""


def _line_of(step: str, dockerfile: str) -> int | None:
    """The line of an instruction; BuildKit before 0.12 does not say it."""
    wanted = " ".join(step.split())
    if not wanted:
        return None
    for one in bases.instructions(dockerfile):
        if " ".join(f"{one.name} {one.value}".split()).lower() == wanted.lower():
            return one.first + 1
    # Values of variables stand in what the builder says, their names in the file.
    start = wanted.split("$")[0].split()[:2]
    near = [
        one for one in bases.instructions(dockerfile) if [one.name, *one.value.split()][:2] == start
    ]
    return near[0].first + 1 if len(near) == 1 else None


def _tail(output: str, step: str) -> tuple[str, ...]:
    """The last lines that the failing step itself said; without a step, of everything."""
    log = output.split("\n------\n")[0]  # BuildKit says the end again after this line
    failed = re.findall(r"^#(\d+) ERROR", log, re.M)
    if failed and step:
        # What a program said has the time before it.
        said = re.findall(rf"^#{failed[-1]} \d+\.\d+ (.*)$", log, re.M)
    else:
        said = [line for line in output.splitlines() if not re.match(r"#\d+ |-+$", line)]
    kept = [line.rstrip() for line in said if line.strip()]
    return tuple(kept[-TAIL_LINES:])


def _short(step: str) -> str:
    return step if len(step) <= 80 else f"{step[:77]}..."
