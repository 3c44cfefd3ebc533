"""Project folders made of texts."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from geartrain.errors import InvalidError
from geartrain.load import Loaded, load


class Project:
    """A project folder that a test fills."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def compose(self, text: str) -> Path:
        return self.write("docker-compose.yml", text)

    def load(
        self,
        *,
        files: tuple[Path, ...] = (),
        profiles: tuple[str, ...] = (),
        environ: Mapping[str, str] | None = None,
        name: str = "",
    ) -> Loaded:
        basis = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        return load(
            self.root,
            files=files,
            profiles=profiles,
            environ=basis | dict(environ or {}),
            name=name,
        )

    def refused(self, **given: object) -> str:
        """What the user reads when the project is refused, the folder's own path as `ROOT`."""
        with pytest.raises(InvalidError) as caught:
            self.load(**given)  # type: ignore[arg-type]
        assert caught.value.code == 3
        return str(caught.value).replace(str(self.root), "ROOT")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "shop"
    root.mkdir()
    return Project(root)
