from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import httpx
import pytest

from tests.conftest import Client

NewClient = Callable[[], Client]


def test_a_link_is_made_changed_and_deleted(client: Client) -> None:
    slug = "t-" + secrets.token_hex(6)
    made = client.make_link("https://example.com/a", slug=slug)
    assert (made["slug"], made["url"], made["clicks"]) == (slug, "https://example.com/a", 0)
    again = client.post("/api/links", json={"url": "https://example.com/", "slug": slug})
    assert again.status_code == 409
    assert client.get(f"/l/{slug}").headers["location"] == "https://example.com/a"

    client.patch(f"/api/links/{slug}", json={"url": "https://example.com/b"})
    assert client.get(f"/l/{slug}").headers["location"] == "https://example.com/b"

    assert client.delete(f"/api/links/{slug}").status_code == 204
    assert client.get(f"/l/{slug}").status_code == 404
    assert client.get(f"/api/links/{slug}").status_code == 404


def test_a_slug_that_was_asked_for_too_early_works_at_once(client: Client) -> None:
    slug = "t-" + secrets.token_hex(6)
    assert client.get(f"/l/{slug}").status_code == 404
    client.make_link(slug=slug)
    assert client.get(f"/l/{slug}").status_code == 302


def test_without_a_slug_it_gets_a_short_one(client: Client) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{7}", client.make_link()["slug"])


def test_pages_hold_every_link_once_newest_first(client: Client) -> None:
    made = [client.make_link()["slug"] for _ in range(7)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/api/links", params={"limit": 3, **cursor}).json()
        seen += [link["slug"] for link in page["links"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == made[::-1]


def test_an_account_sees_and_changes_only_its_own(client: Client, new_client: NewClient) -> None:
    slug = client.make_link()["slug"]
    other = new_client()
    other.sign_up()
    assert other.get("/api/links").json()["links"] == []
    for answer in (
        other.get(f"/api/links/{slug}"),
        other.get(f"/api/links/{slug}/statistics"),
        other.patch(f"/api/links/{slug}", json={"url": "https://evil.example/"}),
        other.delete(f"/api/links/{slug}"),
    ):
        assert answer.status_code == 404
    assert new_client().get("/api/links").status_code == 401


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.com/",
        "//example.com",
        "http://",
        "https://name:secret@example.com/",
        "https://" + "x" * 2048,
        "https://exa mple.com/",
        "",
        None,
        7,
    ],
)
def test_only_web_addresses_are_taken(client: Client, url: object) -> None:
    answer = client.post("/api/links", json={"url": url})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["where"].startswith("body.url")


def test_a_link_to_the_service_itself_is_refused(client: Client, address: str) -> None:
    for url in (address, f"{address}/l/x", address.replace("127.0.0.1", "127.1")):
        answer = client.post("/api/links", json={"url": url})
        assert answer.status_code == 422, url
        assert "itself" in answer.json()["detail"]


@pytest.mark.parametrize("slug", ["ünïcødé", "🙂🙂🙂", "a" * 33, "..", "a b c", "%00%00%00"])
def test_a_slug_is_letters_digits_dash_and_underscore(client: Client, slug: str) -> None:
    made = client.post("/api/links", json={"url": "https://example.com/", "slug": slug})
    assert made.status_code == 422
    asked = client.get(f"/l/{httpx.URL('http://x/', params={'s': slug}).query.decode()[2:]}")
    assert asked.status_code == 404


def test_a_large_body_is_refused(client: Client) -> None:
    large = b'{"url":"https://example.com/' + b"x" * 1_000_000 + b'"}'
    answer = client.post("/api/links", content=large, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    chunks = iter([large[:9000], large[9000:30000], b'"}'])
    answer = client.post("/api/links", content=chunks, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
