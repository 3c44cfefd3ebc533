"""Where an image's working folder is in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from geartrain.engine.embedded.layout import Layout, lay_out
from geartrain.errors import InvalidError
from geartrain.load.dockerfile import read


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def laid(context: Path, dockerfile: str, target: Path | None = None) -> Layout:
    image = read(f"FROM python:3.12\n{dockerfile}")
    copies = [(context / source, to) for source, to in image.copies]
    target = target or context.parent / "made"
    return lay_out(context, copies, image.working_dir, inside=context, target=target)


@pytest.mark.parametrize(
    ("dockerfile", "cwd"),
    [
        ("WORKDIR /app\nCOPY . .", "."),
        ("WORKDIR /app\nCOPY requirements.txt .\nRUN x\nCOPY app/ /app/app/", "."),
        (
            "WORKDIR /code\nCOPY ./requirements.txt /code/requirements.txt\nCOPY ./app /code/app",
            ".",
        ),
        ("WORKDIR /app\nCOPY requirements.txt .\nCOPY src/ /app", "src"),
        ("WORKDIR /app\nCOPY src/ .\nCOPY requirements.txt .", "src"),
        ("COPY . /code\nWORKDIR /code/app", "app"),
        ("WORKDIR /app\nCOPY main.py requirements.txt ./\nCOPY app app", "."),
        ("WORKDIR /app\nCOPY *.py ./", "."),
        ("COPY . .", "."),
        ("COPY app /app\nCMD uvicorn app.main:app", "."),
        ("", "."),
        (
            "FROM python:3.12 AS b\nWORKDIR /b\nCOPY . .\nFROM x\nWORKDIR /y\nCOPY --from=b /b .",
            ".",
        ),
    ],
)
def test_it_runs_right_in_the_checkout(dockerfile: str, cwd: str, tmp_path: Path) -> None:
    context = tree(
        tmp_path / "c", "requirements.txt", "main.py", "run.py", "app/main.py", "src/main.py"
    )
    layout = laid(context, dockerfile)
    assert layout.cwd == context / cwd
    assert not (tmp_path / "made").exists()


def test_another_structure_is_made_of_links(tmp_path: Path) -> None:
    context = tree(tmp_path / "c", "backend/main.py", "config/prod.toml", "entry.sh", ".git/x")
    dockerfile = (
        "WORKDIR /app\nCOPY backend .\nCOPY config/prod.toml conf/app.toml\nCOPY entry.sh /"
    )
    layout = laid(context, dockerfile)
    assert layout.cwd == tmp_path / "made/app"
    files = {
        str(path.relative_to(tmp_path / "made")): path.read_text()
        for path in (tmp_path / "made").rglob("*")
        if path.is_file()
    }
    assert files == {
        "app/main.py": "backend/main.py",
        "app/conf/app.toml": "config/prod.toml",
        "entry.sh": "entry.sh",
    }
    assert layout.paths["/entry.sh"] == str(tmp_path / "made/entry.sh")
    assert laid(context, dockerfile) == layout


def test_a_later_copy_wins_and_leaves_the_checkout_alone(tmp_path: Path) -> None:
    context = tree(tmp_path / "c", "main.py", "prod/main.py")
    layout = laid(context, "WORKDIR /app\nCOPY . .\nCOPY prod/main.py /app/main.py")
    assert (layout.cwd / "main.py").read_text() == "prod/main.py"
    assert (context / "main.py").read_text() == "main.py"


@pytest.mark.parametrize("made", [False, True])
def test_a_link_out_of_the_project_is_refused(made: bool, tmp_path: Path) -> None:
    context = tree(tmp_path / "c", "main.py")
    (tmp_path / "secret").write_text("x")
    (context / "out").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidError, match="COPY out leads outside the project folder"):
        laid(context, "WORKDIR /app\nCOPY out main.py\nCOPY . /b" if made else "COPY out .")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("main.py", "app/main.py"),
        ("/srv/app/main.py", "app/main.py"),
        ("../run.py", "run.py"),
        ("/srv/../../etc/passwd", None),
        ("../../../../etc/passwd", None),
        ("/etc/passwd", None),
        ("absent.py", None),
    ],
)
def test_a_path_of_the_image_is_found(path: str, found: str | None, tmp_path: Path) -> None:
    context = tree(tmp_path / "c", "run.py", "app/main.py")
    layout = laid(context, "COPY . /srv\nWORKDIR /srv/app")
    assert layout.find(path, "/srv/app") == (None if found is None else context / found)
