"""A bare machine becomes a host by one command, takes a push, and answers on https."""

from __future__ import annotations

from tests.lab.site import APP, Site


def test_a_bare_machine_answers_on_https(site: Site) -> None:
    said = site.said
    assert "packages: install git, " in said["bare"]
    assert "is a host after" in said["prepared"]
    for again in (said["again"], said["checked"]):
        assert again.splitlines()[1:] == ["nothing to do"]
    assert f"git remote add live gear@{site.address}:{APP}" in said["created"]
    assert "release 1 is live" in said["pushed"]
    assert site.get()[0] == 200
    assert APP in site.laptop.gear("status").out
    assert site.laptop.root("systemctl is-system-running").out == "running\n"
