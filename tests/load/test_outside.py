"""Nothing that a Compose file names leaves the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Project

ONE = "services:\n  web:\n    image: app\n"


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("build: ..", "services.web.build: the build context '..' is outside the repository"),
        ("build: /etc", "services.web.build: the build context '/etc' is outside"),
        ("build: {context: ., dockerfile: ../Dockerfile}", "the Dockerfile '../Dockerfile' is"),
        ("build: https://github.com/a/b.git", "'https://github.com/a/b.git' is not in this"),
        ("{image: x, env_file: ../.env}", "services.web.env_file: the file '../.env' is outside"),
        ("{image: x, env_file: '${E:-/etc/passwd}'}", "the file '/etc/passwd' is outside"),
        ("{image: x, env_file: '${E:-${F:-/x}}'}", "has a variable in it"),
        ("{image: x, extends: {file: ../a.yml, service: b}}", "the file '../a.yml' is outside"),
    ],
)
def test_paths_outside(project: Project, service: str, said: str) -> None:
    web = service if service.startswith("{") else f"{{{service}}}"
    project.compose(f"services:\n  web: {web}\n")
    text = project.refused()
    assert said in text
    assert text.startswith("docker-compose.yml:2 services.web.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("include: ['../a.yml']\n", "the file '../a.yml' is outside the repository"),
        ("include: ['oci://example.com/x']\n", "'oci://example.com/x' is not in this repository"),
        ("include: ['${A}.yml']\n", "'${A}.yml' has a variable in it"),
        ("include: [{path: a.yml, env_file: /etc/passwd}]\n", "the file '/etc/passwd' is outside"),
        ("include: [{path: a.yml, project_directory: ..}]\n", "is outside the repository"),
    ],
)
def test_includes_outside(project: Project, text: str, said: str) -> None:
    project.compose(text + ONE)
    project.write("a.yml", "services: {}\n")
    shown = project.refused()
    assert said in shown
    assert shown.startswith("docker-compose.yml:1 include[0]")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("services:\n  web: {build: ./link}\n", "build: the build context 'link'"),
        ("services:\n  web: {image: x, volumes: ['./link:/x']}\n", "the mounted folder 'link'"),
        ("services:\n  web: {image: x, volumes: ['./link/y:/x']}\n", "folder 'link/y'"),
        ("services:\n  web: {image: x, env_file: link/e}\n", "env_file: the file 'link/e'"),
        ("include: [link/c.yml]\nservices: {}\n", "include[0]: the file 'link/c.yml'"),
        (
            "services:\n  web: {image: x, secrets: [s]}\nsecrets: {s: {file: link/s}}\n",
            "secrets.s.file: the file 'link/s'",
        ),
        (
            "services:\n  web: {image: x, x-gear: {static: {/s: link}}}\n",
            "services.web.x-gear.static.'/s': the static folder 'link'",
        ),
    ],
)
def test_a_symbolic_link_that_leaves(project: Project, text: str, at: str) -> None:
    elsewhere = project.root.parent / "elsewhere"
    elsewhere.mkdir()
    (project.root / "link").symlink_to(elsewhere)
    project.compose(text)
    shown = project.refused()
    assert f"{at} leaves the repository through a symbolic link" in shown
    assert "→ keep it inside the repository" in shown


def test_a_compose_file_that_is_a_link(project: Project) -> None:
    other = project.root.parent / "other.yml"
    other.write_text(ONE)
    (project.root / "compose.yaml").symlink_to(other)
    assert "compose.yaml: the file 'compose.yaml' leaves the repository" in project.refused()


def test_a_dot_env_that_is_a_link(project: Project) -> None:
    (project.root / ".env").symlink_to("/etc/passwd")
    project.compose(ONE)
    assert project.refused().startswith(".env: the file '.env' leaves the repository")


def test_a_link_that_stays_inside_is_fine(project: Project) -> None:
    project.write("app/Dockerfile", "FROM scratch\nCMD ['x']\n")
    (project.root / "link").symlink_to("app")
    project.compose("services:\n  web: {build: ./link, volumes: ['./link:/x']}\n")
    assert project.load().app.services["web"].build.context == "link"


def test_what_asks_for_rights_is_noted(project: Project) -> None:
    project.compose(
        """\
        services:
          web:
            image: x
            privileged: true
            pid: host
            network_mode: host
            cap_add: [NET_ADMIN]
            cap_drop: [ALL]
            devices: ["/dev/null:/dev/null"]
            volumes: ["media:/m"]
            secrets: [s]
        secrets: {s: {file: /etc/key}}
        volumes:
          media: {driver_opts: {type: none, o: bind, device: /etc}}
        """
    )
    assert set(project.load().app.services["web"].asks) == {
        "privileged",
        "pid",
        "network_mode",
        "cap_add",
        "devices",
        "secrets.s.file",
        "volumes.media.driver_opts",
    }


def test_what_is_mounted_from_the_machine_is_left_to_its_owner(project: Project) -> None:
    project.compose(
        """\
        services:
          web:
            image: x
            volumes:
              - /etc:/host:ro
              - ../data:/data
              - ./a/../../b:/b
              - /var/run/docker.sock:/tmp/docker.sock
              - /etc/localtime:/etc/localtime:ro
              - ./inside:/inside
        """
    )
    above = project.root.parent
    assert project.load().app.services["web"].asks == (
        "volumes[/etc]",
        f"volumes[{above}/data]",
        f"volumes[{above}/b]",
        "volumes[/var/run/docker.sock]",
    )


def test_secrets_are_not_read(project: Project) -> None:
    project.compose(f"{ONE}    secrets: [s]\nsecrets: {{s: {{file: s.txt}}}}\n")
    project.write("s.txt", "hunter2")
    assert project.load().app.secrets["s"].file == "s.txt"
    assert "hunter2" not in str(project.load())


def test_the_clock_of_the_machine_may_be_mounted(project: Project) -> None:
    project.compose(f"{ONE}    volumes: ['/etc/localtime:/etc/localtime:ro', './d:/d']\n")
    assert [m.source for m in project.load().app.services["web"].mounts] == ["d"]


TREE = {
    "docker-compose.yml": (
        "include:\n  - inc/c.yml\n  - {path: inc/d.yml, project_directory: inc/pd}\n"
        "services:\n  web: {extends: {file: sub/c.yml, service: a}}\n"
    ),
    "more/o.yml": "services:\n  web: {env_file: '${NAME:-root}.env'}\n",
    "sub/c.yml": (
        "services:\n  a: {image: x, env_file: s.env, extends: {file: deep/e.yml, service: b}}\n"
    ),
    "sub/deep/e.yml": "services:\n  b: {image: x, env_file: deep.env}\n",
    "inc/c.yml": "services:\n  i: {image: x, env_file: [{path: inc.env}]}\n",
    "inc/d.yml": (
        "services:\n  p: {image: x, env_file: p.env, extends: {file: f.yml, service: f}}\n"
    ),
    "inc/pd/f.yml": "services:\n  f: {image: x, env_file: f.env}\n",
}
ENV_FILES = (
    "root.env", "sub/s.env", "sub/deep/deep.env", "inc/inc.env", "inc/pd/p.env", "inc/pd/f.env",
)  # fmt: skip


def tree(project: Project) -> tuple[Path, ...]:
    for name, text in TREE.items():
        project.write(name, text)
    for name in ENV_FILES:
        project.write(name, f"{Path(name).stem}=1\n")
    return (Path("docker-compose.yml"), Path("more/o.yml"))


def test_env_files_are_those_that_compose_reads(project: Project) -> None:
    app = project.load(files=tree(project)).app
    read = {name for service in app.services.values() for name in service.environment}
    assert read == {Path(name).stem for name in ENV_FILES}


@pytest.mark.parametrize("name", ENV_FILES)
def test_no_env_file_is_read_through_a_link(project: Project, name: str) -> None:
    files = tree(project)
    (project.root / name).unlink()
    (project.root / name).symlink_to("/etc/passwd")
    text = project.refused(files=files)
    assert f"the file '{name}' leaves the repository through a symbolic link" in text
    assert "root:" not in text


@pytest.mark.parametrize("path", ["x" * 5000, "é" * 200, "/".join(["é" * 100] * 20)])
@pytest.mark.parametrize(
    "key", ["env_file: '{}'", "build: '{}'", "extends: {{file: '{}', service: a}}"]
)
def test_paths_that_no_file_can_have(project: Project, key: str, path: str) -> None:
    project.compose(f"{ONE}    {key.format(path)}\n")
    said = project.refused()
    assert "is longer than a path can be" in said
    assert len(said) < 500, "and is not told whole"
