"""Good and bad use through nginx: a clear answer each, and nothing broken."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cli.running import until
from tests.links.live import PASSWORD, Answer, Live, Person

pytestmark = pytest.mark.links


def test_a_click_is_seen_while_it_happens(live: Live, person: Person) -> None:
    slug = person.link("https://example.com/seen")
    assert person.get(f"/l/{slug}").headers["location"] == "https://example.com/seen"
    until(lambda: person.clicks(slug) == 1, "it is counted")


def test_nginx_routes_and_protects(live: Live, person: Person) -> None:
    page = person.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-cache"
    again = person.get("/", **{"If-None-Match": page.headers["etag"]})
    assert again.status == 304
    for hidden in ("/metrics", "/health", "/ready", "/.env", "/docker-compose.yml"):
        assert person.get(hidden).status == 404, hidden
    first = person.get("/api/openapi.json").headers["x-request-id"]
    assert first != person.get("/api/openapi.json").headers["x-request-id"]


def test_the_request_id_of_nginx_is_in_the_log_of_the_app(live: Live, person: Person) -> None:
    live.sql("ALTER TABLE links RENAME TO away")
    try:
        answer = person.get("/api/links")
    finally:
        live.sql("ALTER TABLE away RENAME TO links")
    assert answer.status == 500, "a bug in the app, as far as it can tell"
    assert answer.problem == "Internal Server Error "
    number = answer.headers["x-request-id"]

    def line() -> dict[str, object] | None:
        log = (live.folder / ".gear" / "logs" / "backend.log").read_text()
        for text in log.split("\n")[:-1]:  # the last one may not be whole yet
            start = text.find("{")
            if number in text and start >= 0:
                return dict(json.loads(text[start:]))
        return None

    seen = until(line, "a line with the request's id")
    assert seen["request_id"] == number


def test_ready_is_not_healthy(live: Live) -> None:
    address, port = live.addresses("backend")[0]
    backend = Person(address, port)
    live.sql("ALTER TABLE links RENAME TO away")
    try:
        assert backend.get("/ready").status >= 500
        assert backend.get("/health").status == 200
    finally:
        live.sql("ALTER TABLE away RENAME TO links")
    assert backend.get("/ready").status == 200


def test_a_herd_on_a_cold_slug_makes_one_query(live: Live, person: Person) -> None:
    """500 at once, over two backends, count as PostgreSQL itself counts."""
    owner = f"(SELECT id FROM accounts WHERE name = '{person.name}')"
    live.sql(
        f"INSERT INTO links (account_id, slug, url) SELECT {owner}, 'herd-' || n,"
        " 'https://example.com/herd' FROM generate_series(1, 5000) n; ANALYZE links"
    )  # so many that PostgreSQL uses the index, whose uses it counts

    def lookups() -> int:
        # A connection hands in what it has counted when it ends.
        live.sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                 " WHERE application_name = 'web'")  # fmt: skip
        return int(live.sql("SELECT idx_scan FROM pg_stat_user_indexes"
                            " WHERE indexrelname = 'links_slug_key'"))  # fmt: skip

    before = lookups()
    answers = asyncio.run(herd(live.port, "/l/herd-77", 500))
    assert answers == Counter({"HTTP/1.1 302": 500})
    assert lookups() - before == 1
    until(lambda: person.clicks("herd-77") == 500, "each of them is counted")


async def herd(port: int, path: str, size: int) -> Counter[str]:
    """Connect all, then ask all at once."""
    links = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(size)))
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    for _, writer in links:
        writer.write(request)
    heads = await asyncio.gather(*(reader.read() for reader, _ in links))
    for _, writer in links:
        writer.close()
    return Counter(head[:12].decode() for head in heads)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("javascript:alert(1)", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("http://127.0.0.1:{port}/", "itself"),
        ("http://LOCALHOST.:{port}/l/x", "itself"),
        ("https://user:password@example.com/", "name or password"),
        ("https://example.com/\n", ""),
        ("x" * 3000, ""),
    ],
)
def test_addresses_that_are_refused(live: Live, person: Person, url: str, why: str) -> None:
    host = f"127.0.0.1:{live.port}" if "127" in url else f"localhost:{live.port}"
    sent = {"url": url.format(port=live.port)}
    answer = person.ask("POST", "/api/links", sent, Host=host)
    if url.endswith("\n"):  # browsers, too, take such ends off
        assert answer.status == 201
        assert answer.json()["url"] == "https://example.com/"
        return
    assert answer.status == 422
    assert why in answer.problem


@pytest.mark.parametrize("size", [20_000, 60_000, 1_000_000])
def test_large_bodies_are_refused(person: Person, size: int) -> None:
    answer = person.ask("POST", "/api/links", body=b'{"url":"' + b"x" * size + b'"}')
    assert answer.status == 413
    assert "Entity" in answer.problem or "Large" in answer.problem


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"url":1e999}'])
def test_what_is_no_link_is_refused(person: Person, body: bytes) -> None:
    answer = person.ask("POST", "/api/links", body=body)
    assert answer.status in (400, 422)
    assert answer.problem


SLUGS = ["%C3%BCn%C3%AF", "%F0%9F%99%82", "%FF%FE", "a%00b", "", "a/b"]


@pytest.mark.parametrize("path", [f"/l/{slug}" for slug in SLUGS])
def test_slugs_that_no_link_can_have(live: Live, path: str) -> None:
    answer = Person("127.0.0.1", live.port).get(path)
    assert answer.status in (400, 404)
    if path != "/l/a%00b":  # which nginx refuses before it looks where it leads
        assert answer.problem


def test_sessions_end(live: Live) -> None:
    person = live.somebody()
    assert person.get("/api/session").status == 200
    digest = hashlib.sha256(person.cookie.encode()).hexdigest()
    assert 0 < int(live.redis("TTL", f"session:{digest}")) <= 7 * 86400
    live.redis("PEXPIRE", f"session:{digest}", "1")
    answer = until(lambda: (a := person.get("/api/links")).status == 401 and a, "it is over")
    assert "log in" in answer.problem
    assert person.ask("POST", "/api/links", {"url": "https://example.com/"}).status == 401
    for nonsense in ("", "x" * 5000, "%00", "é"):
        assert person.get("/api/session", Cookie=f"session={nonsense}").status == 401


def test_a_thousand_wrong_passwords_a_minute(live: Live) -> None:
    """From one address through nginx; and from many, which nginx cannot tell from visitors."""
    victim = live.somebody()
    guesser = Person("127.0.0.1", live.port)
    began = time.monotonic()
    by_nginx = guess(guesser, victim.name, 500)
    many = Person(*live.addresses("backend")[0])
    by_app = guess(many, victim.name, 500)
    assert time.monotonic() - began < 60
    assert by_nginx[401] + by_app[401] <= 20
    # Nobody else is touched, and the one whose account it is stays logged in.
    assert victim.get("/api/links").status == 200
    slug = victim.link()
    assert guesser.get(f"/l/{slug}").status == 302
    assert int(live.redis("PTTL", f"wrong:{victim.name}")) <= 60_000


def guess(guesser: Person, name: str, times: int) -> Counter[int]:
    """How often which status came; each of them is a refusal of the right form."""

    def one(number: int) -> Answer:
        sent = {"name": name, "password": f"{PASSWORD} {number}"}
        return guesser.ask("POST", "/api/session", sent)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(times)))
    for answer in answers:
        assert answer.problem
        assert answer.status in (401, 429), answer.problem
        assert answer.status != 429 or int(answer.headers["retry-after"]) > 0
    return Counter(answer.status for answer in answers)


def test_while_no_backend_answers_nginx_says_so_itself(live: Live, person: Person) -> None:

    slug = person.link()
    pids = [one["pid"] for one in live.ready("backend")]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    answer = person.get(f"/l/{slug}")
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.problem
    until(lambda: person.get(f"/l/{slug}").status == 302, "they are back")
    until(lambda: len(live.ready("backend")) == 2, "both of them")


def test_the_cookie_is_for_https_alone_where_that_is_how_it_came(live: Live) -> None:
    nginx = Person(*live.addresses("nginx")[0])
    nginx.more = {"X-Forwarded-For": "203.0.113.7"}
    sent = {"name": live.somebody().name, "password": PASSWORD}
    for proto, secure in (("https", True), ("http", False)):
        answer = nginx.ask("POST", "/api/session", sent, **{"X-Forwarded-Proto": proto})
        assert answer.status == 201
        flags = answer.headers["set-cookie"].lower()
        assert ("secure" in flags) == secure
        assert "httponly" in flags
        assert "samesite=lax" in flags
