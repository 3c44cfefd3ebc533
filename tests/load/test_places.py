"""Lines in messages: through anchors, merges, `extends` and overrides; never a wrong one."""

from __future__ import annotations

from geartrain.load import load

from .conftest import Project


def where(project: Project, **given: object) -> str:
    return project.refused(**given).partition(": ")[0]


def test_through_an_anchor(project: Project) -> None:
    project.compose("x-a: &a\n  image: x\n  x-gear:\n    port: no\nservices:\n  web:\n    <<: *a\n")
    assert where(project) == "docker-compose.yml:4 services.web.x-gear.port"


def test_through_extends(project: Project) -> None:
    project.compose(
        "services:\n  base:\n    image: x\n    profiles: [never]\n    x-gear:\n      port: no\n"
        "  web:\n    profiles: !reset []\n    extends: base\n"
    )
    assert where(project) == "docker-compose.yml:6 services.web.x-gear.port"


def test_in_an_override_file(project: Project) -> None:
    project.compose("services:\n  web:\n    image: x\n    x-gear: {port: 80}\n")
    project.write("docker-compose.override.yml", "services:\n  web:\n    x-gear: {port: no}\n")
    assert where(project) == "docker-compose.override.yml:3 services.web.x-gear.port"


def test_in_an_included_file(project: Project) -> None:
    project.compose("include: [b.yml]\nservices:\n  web: {image: x}\n")
    project.write("b.yml", "services:\n  db:\n    image: y\n    x-gear: {keep: x}\n")
    assert where(project) == "b.yml:4 services.db.x-gear.keep"


def test_in_a_file_that_is_extended_there_is_no_line(project: Project) -> None:
    project.compose("services:\n  web:\n    extends: {file: b.yml, service: base}\n")
    project.write("b.yml", "services:\n  base:\n    image: y\n    x-gear: {port: no}\n")
    assert where(project) == "services.web.x-gear.port"


def test_lists_that_two_files_join(project: Project) -> None:
    project.compose("services: {web: {image: x, volumes: ['aa:/a']}}\nvolumes: {aa: {}}\n")
    project.write(
        "docker-compose.override.yml",
        "services:\n  web:\n    x-gear: {port: 80}\n    volumes: ['./a:/a', './out:/b']\n",
    )
    (project.root / "out").symlink_to("/etc")
    assert where(project) == "docker-compose.override.yml:4 services.web.volumes.'/b'"


def test_a_value_in_list_form(project: Project) -> None:
    project.compose(
        "services:\n  web:\n    image: x\n    environment:\n      - A=1\n      - B=$C\n"
    )
    assert where(project) == "docker-compose.yml:6 services.web.environment[1]"


def test_hostile_keys_are_shown_in_one_line(project: Project) -> None:
    project.compose('services:\n  web:\n    image: x\n    x-gear: {"a\\nb: \\e[31m": 1}\n')
    text = project.refused()
    assert "unknown key 'a\\nb: \\x1b[31m'" in text
    assert "\x1b" not in text


def test_the_names_of_an_app(project: Project) -> None:
    one = "services:\n  web: {image: x}\n"
    project.compose(one)
    assert project.load().app.name == "shop"
    assert project.load(name="from-host").app.name == "from-host"
    project.compose(f"name: in_file\n{one}")
    assert project.load(name="from-host").app.name == "in-file"
    project.compose(f"name: in_file\nx-gear: {{name: best}}\n{one}")
    assert project.load().app.name == "best"


def test_composes_own_settings_in_dot_env(project: Project) -> None:
    project.write("a.yml", "services:\n  web: {image: x}\n")
    project.write("b.yml", "services:\n  web: {command: y}\n  off: {image: z, profiles: [p]}\n")
    project.write(".env", "COMPOSE_FILE=a.yml:b.yml\nCOMPOSE_PROJECT_NAME='named'\n")
    loaded = project.load()
    assert loaded.app.name == "named"
    assert loaded.app.services["web"].command == ("y",)
    assert list(loaded.app.services) == ["web"]
    project.write(".env", "COMPOSE_FILE=a.yml:b.yml\nCOMPOSE_PROFILES=p\n")
    assert list(project.load().app.services) == ["web", "off"]


def test_an_empty_environment_is_enough(project: Project) -> None:
    project.compose("services:\n  web: {image: x}\n")
    assert list(load(project.root, environ={}).app.services) == ["web"]


def test_files_by_name(project: Project) -> None:
    project.write("deploy/prod.yml", "services:\n  web: {build: .., ports: ['80:1']}\n")
    project.write("Dockerfile", "FROM a\n")
    loaded = project.load(files=(project.root / "deploy/prod.yml",))
    assert loaded.app.compose_file == "deploy/prod.yml"
    assert loaded.app.services["web"].build.context == "."  # type: ignore[union-attr]
    assert [path.name for path in loaded.sources] == ["prod.yml"]


def test_dollars_and_words_come_through(project: Project) -> None:
    project.compose(
        "services:\n  web:\n    image: x\n    environment:\n"
        '      A: "$$HOME $$$$ 100%"\n      B: "no"\n      C: 010\n      D: 12:30:00\n'
        '      F: "on"\n      G: 1.0\n'
    )
    assert project.load().app.services["web"].environment == {
        "A": "$HOME $$ 100%",
        "B": "no",
        "C": "8",
        "D": "12:30:00",
        "F": "on",
        "G": "1",
    }
