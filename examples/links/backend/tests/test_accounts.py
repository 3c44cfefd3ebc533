from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Client

NewClient = Callable[[], Client]


def test_a_session_starts_with_a_new_token_and_ends(new_client: NewClient) -> None:
    one = new_client()
    name = one.sign_up()
    first = one.cookies["session"]
    answer = one.post("/api/session", json={"name": name, "password": "correct horse"})
    assert answer.status_code == 201
    flags = answer.headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    assert one.cookies["session"] != first

    stranger = new_client()
    stranger.cookies.set("session", first)
    assert stranger.get("/api/session").status_code == 401, "the token before is worth nothing"

    one.csrf = answer.json()["csrf"]
    kept = one.cookies["session"]
    assert one.delete("/api/session").status_code == 204
    stranger.cookies.set("session", kept)
    assert stranger.get("/api/session").status_code == 401


def test_the_cookie_is_secure_behind_tls(new_client: NewClient) -> None:
    one = new_client()
    name = one.sign_up()
    answer = one.post(
        "/api/session",
        json={"name": name, "password": "correct horse"},
        headers={"X-Forwarded-Proto": "https"},
    )
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_wrong_password_and_a_name_that_is_not_there_are_the_same_answer(
    new_client: NewClient,
) -> None:
    name = new_client().sign_up()
    answers = [
        new_client().post("/api/session", json={"name": who, "password": "wrong horse"})
        for who in (name, f"no-{name}")
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["content-type"] == "application/problem+json"


def test_guessing_is_stopped(new_client: NewClient) -> None:
    name = new_client().sign_up()
    guesser = new_client()
    statuses = [
        guesser.post("/api/session", json={"name": name, "password": f"wrong {n:06}"}).status_code
        for n in range(23)
    ]
    assert statuses == [401] * 20 + [429] * 3
    right = guesser.post("/api/session", json={"name": name, "password": "correct horse"})
    assert right.status_code == 429
    assert int(right.headers["retry-after"]) > 0


def test_a_name_is_given_once(new_client: NewClient) -> None:
    name = new_client().sign_up()
    answer = new_client().post("/api/accounts", json={"name": name, "password": "another one"})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    "headers",
    [
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "x" * 43},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_site_cannot_act_for_somebody(client: Client, headers: dict[str, str]) -> None:
    answer = client.post("/api/links", json={"url": "https://example.com/"}, headers=headers)
    assert answer.status_code == 403
    assert client.get("/api/links").json()["links"] == []
