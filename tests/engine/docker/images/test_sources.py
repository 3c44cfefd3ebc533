"""Mirrors and authorities that a machine uses come along; what is secret in them does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from geartrain.engine.docker.images import certificates, mirrors
from geartrain.engine.docker.images.suites import BOOKWORM, FORKY, NOBLE, TRIXIE

KEYS = Path("/usr/share/keyrings/keys.gpg")
ONE, TWO = (
    f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----" for text in ("AAAA", "BBBB")
)


def lines(suite: mirrors.Suite, known: dict[str, str], arch: str = "amd64") -> list[str]:
    return [line.split("] ")[1] for line in mirrors.sources(suite, arch, known, KEYS)]


def test_both_formats_of_apt_are_read() -> None:
    older = "# deb http://no/ bookworm main\ndeb [arch=amd64] http://a/debian bookworm main\n"
    newer = (
        "Types: deb\nURIs: http://b/debian\nSuites: bookworm bookworm-updates\n\n"
        "Types: deb-src\nURIs: http://c/debian\nSuites: trixie\n"
    )
    found = mirrors.uris([older, newer])
    assert found == {"bookworm": "http://a/debian", "bookworm-updates": "http://b/debian"}


def test_a_machine_without_apt_gets_the_public_mirrors() -> None:
    assert lines(BOOKWORM, {}) == [
        "http://deb.debian.org/debian bookworm main",
        "http://deb.debian.org/debian bookworm-updates main",
        "http://deb.debian.org/debian-security bookworm-security main",
    ]
    assert lines(NOBLE, {})[0] == "http://archive.ubuntu.com/ubuntu noble main universe"
    assert lines(NOBLE, {}, "arm64")[0].startswith("http://ports.ubuntu.com/ubuntu-ports noble")
    assert lines(FORKY, {}) == ["http://deb.debian.org/debian forky main"]


def test_a_companys_mirror_is_used_for_other_releases_too() -> None:
    known = {"bookworm": "http://mirror.example/debian"}
    assert [line.rsplit(" ", 1)[0] for line in lines(TRIXIE, known)] == [
        "http://mirror.example/debian trixie",
        "http://mirror.example/debian trixie-updates",
        "http://mirror.example/debian-security trixie-security",
    ]
    assert lines(NOBLE, known)[0].startswith("http://archive.ubuntu.com/")


def test_a_login_is_not_left_in_the_image() -> None:
    assert mirrors.without_login("https://me:s3cret@mirror.example:8/debian") == (
        "https://mirror.example:8/debian"
    )
    assert mirrors.without_login("http://deb.debian.org/debian") == "http://deb.debian.org/debian"


def test_only_what_is_not_public_comes_along() -> None:
    assert certificates.extra([f"# comment\n{ONE}\n{TWO}\n", TWO], [ONE]) == (TWO,)
    assert certificates.extra([ONE], [ONE]) == ()
    assert certificates.blocks("no certificate") == ()


def test_the_bundle_that_the_user_names_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, own = tmp_path / "public", tmp_path / "own"
    public.mkdir()
    own.mkdir()
    (public / "a.crt").write_text(ONE)
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(f"{ONE}\n{TWO}\n")
    monkeypatch.setattr(certificates, "_PUBLIC", public)
    monkeypatch.setattr(certificates, "_OWN", (own,))
    monkeypatch.setattr(certificates, "_BUNDLES", ())
    assert certificates.of_machine({}) == ()
    assert certificates.of_machine({"SSL_CERT_FILE": str(bundle)}) == (TWO,)
    (own / "company.crt").write_text(TWO)
    assert certificates.of_machine({}) == (TWO,)
