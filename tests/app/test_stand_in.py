"""Stand-ins for secrets: what is kept has none of their values, and nothing is lost."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given as some
from hypothesis import strategies as st
from msgspec.structs import replace

from geartrain.app import stand_in
from geartrain.app.model import App, Build, BuildSecret, Grant, Healthcheck, Role, Service, Source
from geartrain.app.policy import ServicePolicy
from geartrain.app.release import Release, definition
from geartrain.errors import GearError

VALUES = {"LONG": "abcdef", "PART": "bcd", "ONE": "1", "EMPTY": ""}
MARKS = {name: f"{number:016x}" for number, name in enumerate(VALUES)}


def app(text: str = "x abcdef bcd 1 y") -> App:
    web = Service(
        name="web1",
        role=Role.WEB,
        image="web:1",
        build=Build(context=".", secrets=(BuildSecret(source="file", id="file"),)),
        command=("run", text),
        entrypoint=(text,),
        environment={"TEXT": text, "abcdef": "as a name it is no value"},
        healthcheck=Healthcheck(test=("curl", text)),
        secrets=(Grant(source="file", target="/run/secrets/file"),),
        configs=(Grant(source="conf", target="/conf"),),
        gear=ServicePolicy(release=text, check=["check", text], schedule="1 * * * *"),
        rest={"post_start": [{"command": ["x", text], "environment": {"A": text}}]},
        port=8011,
    )
    other = Service(name="other", role=Role.WORKER, environment={"A": "b"})
    return App(
        name="shop",
        services={"web1": web, "other": other},
        secrets={"file": Source(environment="LONG")},
        configs={"conf": Source(content=text)},
    )


def release(of: App) -> Release:
    return Release(number=7, commit="c" * 40, fingerprint="f", app=of)


def plain(of: App) -> App:
    """Without marks, and names by which something is known."""

    def bare(one: Service) -> Service:
        build = one.build and replace(
            one.build, secrets=tuple(replace(s, mark="") for s in one.build.secrets)
        )
        return replace(
            one,
            build=build,
            known_as="",
            secrets=tuple(replace(grant, mark="") for grant in one.secrets),
            configs=tuple(replace(grant, mark="") for grant in one.configs),
        )

    return replace(of, services={name: bare(one) for name, one in of.services.items()})


def test_what_is_kept_has_names_and_comes_back_whole() -> None:
    kept = stand_in.put(app(), VALUES, MARKS, MARKS)
    text = msgspec.json.encode(kept).decode()
    assert "x abcdef" not in text
    assert "bcd 1" not in text
    assert stand_in.names(msgspec.to_builtins(kept)) == {"LONG", "PART", "ONE"}
    web = kept.services["web1"]
    assert (web.name, web.image, web.port) == ("web1", "web:1", 8011), "what it is is readable"
    assert web.gear.schedule == "1 * * * *"
    assert "abcdef" in web.environment
    again = msgspec.json.decode(text, type=App)
    assert plain(stand_in.fill(release(again), VALUES).app) == app()


@some(
    text=st.text(st.characters(exclude_characters="\0"), max_size=40),
    values=st.dictionaries(
        st.sampled_from("ABCDEF"), st.text(st.sampled_from("ab1:\n$ ü"), max_size=4)
    ),
)
def test_any_text_comes_back(text: str, values: dict[str, str]) -> None:
    marks = dict.fromkeys(values, "0123456789abcdef")
    kept = stand_in.put(app(text), values, marks, {})
    assert plain(stand_in.fill(release(kept), values).app) == app(text)


def test_a_service_is_known_by_what_is_kept() -> None:
    kept = stand_in.put(app(), VALUES, MARKS, MARKS)
    filled = stand_in.fill(release(kept), VALUES).app
    for name, one in kept.services.items():
        assert definition(filled.services[name]) == definition(one)
    changed = stand_in.put(app(), VALUES, {**MARKS, "ONE": "f" * 16}, MARKS)
    assert definition(changed.services["web1"]) != definition(kept.services["web1"])
    assert definition(changed.services["other"]) == definition(kept.services["other"])


def test_files_have_the_mark_of_their_variable() -> None:
    web = stand_in.put(app(), VALUES, MARKS, {"LONG": "aa"}).services["web1"]
    assert web.build
    assert [one.mark for one in (*web.secrets, *web.configs, *web.build.secrets)] == [
        "aa",
        "",
        "aa",
    ]


def test_without_a_stand_in_nobody_asks_for_values() -> None:
    class Nobody(dict[str, str]):
        def __getitem__(self, key: str) -> str:
            raise AssertionError(key)

        __contains__ = __getitem__  # type: ignore[assignment]

    bare = release(app())
    assert stand_in.fill(bare, Nobody()) is bare


def test_a_value_that_is_gone_is_said() -> None:
    kept = release(stand_in.put(app(), VALUES, MARKS, MARKS))
    with pytest.raises(GearError, match="the secret LONG of release 7 is not in its file"):
        stand_in.fill(kept, {"ONE": "1", "PART": "bcd"})
