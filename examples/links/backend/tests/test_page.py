"""The page in a real browser, against a running system: nginx, backend, worker, Redis, PostgreSQL.

gear up -d
PAGE_URL=http://localhost:8080 uvx --with pytest --with playwright pytest tests/test_page.py
"""

from __future__ import annotations

import os
import secrets
import shutil
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

URL = os.environ.get("PAGE_URL", "")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

if not URL or not CHROMIUM:
    pytest.skip("needs PAGE_URL, Chromium and playwright", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=[(1100, "light"), (375, "dark")], ids=["wide-light", "phone-dark"])
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page; whatever the browser complains of fails the test."""
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 740},
        color_scheme=scheme,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    # Chromium notes refusals (nobody is logged in at first), which the page tells in words.
    assert [text for text in wrong if "responded with a status of 4" not in text] == []


def sign_up(page: Any) -> str:
    page.goto(URL)
    name = "t-" + secrets.token_hex(6)
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Make an account").click()
    expect(page.get_by_text(name)).to_be_visible()
    return name


def visit(address: str) -> None:
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    try:
        urllib.request.build_opener(Stay).open(address, timeout=10)
    except urllib.error.HTTPError as error:
        assert error.code == 302


def test_shorten_copy_and_watch_the_count_move(page: Any) -> None:
    sign_up(page)
    slug = "p-" + secrets.token_hex(4)
    page.get_by_label("Address").fill("https://example.com/a/long/way")
    page.get_by_label("Short name").fill(slug)
    page.get_by_role("button", name="Shorten").click()
    count = page.locator("li", has_text=slug).locator(".count strong")
    expect(count).to_have_text("0")

    page.get_by_role("button", name=f"Copy {slug}").click()
    expect(page.get_by_role("status")).to_contain_text("clipboard")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{URL.rstrip('/')}/l/{slug}"

    for number in (1, 2, 3):
        visit(copied)
        expect(count).to_have_text(str(number))  # without a reload
    page.get_by_role("button", name=f"Chart of {slug}").click()
    chart = page.get_by_role("img", name="3 clicks in 30 days")
    expect(chart).to_be_visible()
    visit(copied)
    expect(page.get_by_role("img", name="4 clicks in 30 days")).to_be_visible()
    fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert fits, "nothing sticks out on the right"

    page.reload()
    expect(count).to_have_text("4")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name=f"Delete {slug}").click()
    expect(page.get_by_text("No links yet")).to_be_visible()


def test_with_the_keyboard_alone(page: Any) -> None:
    page.goto(URL)
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_be_focused()
    page.keyboard.type("k-" + secrets.token_hex(6))
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse")
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # on "Make an account"
    expect(page.get_by_label("Address")).to_be_focused()
    page.keyboard.type("https://example.com/keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="https://example.com/keyboard")).to_be_visible()


def test_a_mistake_is_said_in_words(page: Any) -> None:
    name = sign_up(page)
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_label("Password").fill("wrong horse")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("status")).to_have_text("no account has this name and password")
    page.get_by_label("Password").fill("correct horse")
    page.keyboard.press("Enter")
    page.get_by_label("Address").fill("https://name:secret@example.com/")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("name or password")


def test_what_others_wrote_is_text_and_never_markup(page: Any) -> None:
    sign_up(page)
    page.get_by_label("Address").fill("https://example.com/<img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Shorten").click()
    expect(page.get_by_role("link", name="onerror")).to_be_visible()
    assert page.locator("li img").count() == 0
