"""Take the picture of the new project's page: `.venv-links/bin/python docs/screenshot.py`.

Starts a project of its own with the clone's `gear`, and stops it again.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright  # type: ignore[import-not-found]

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "links.png"
PORT = 21480
URL = f"http://localhost:{PORT}"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# Some weeks of use, written where the tally would write it.
HISTORY = """
    INSERT INTO days SELECT links.id, current_date - n, 5 + (n * 37 + 11 * n * n) % 60
    FROM links, generate_series(1, 29) n WHERE slug = 'launch';
    UPDATE links SET clicks = (SELECT sum(clicks) FROM days WHERE link_id = links.id)
    WHERE slug = 'launch'
"""


def gear(folder: Path, *words: str) -> None:
    """Run the clone's `gear` in a folder."""
    subprocess.run([ROOT / "gear", *words], cwd=folder, check=True, stdin=subprocess.DEVNULL)


def shorten(page: Page, url: str, name: str) -> None:
    """Make a link, as a person does."""
    page.get_by_label("Address").fill(url)
    page.get_by_label("Short name").fill(name)
    page.get_by_role("button", name="Shorten").click()
    expect(page.locator("li", has_text=name)).to_be_visible()


def visit(name: str) -> None:
    """Follow a link as far as its redirect."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    try:
        urllib.request.build_opener(Stay).open(f"{URL}/l/{name}", timeout=10)
    except urllib.error.HTTPError as error:
        if error.code != 302:
            raise


def take(page: Page, folder: Path) -> None:
    """Use the page until there is something to see, and take the picture."""
    page.goto(URL)
    page.get_by_role("textbox", name="Name", exact=True).fill("ada")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Make an account").click()
    shorten(page, "https://example.com/handbook/how-we-release", "handbook")
    shorten(page, "https://example.com/launch?from=poster", "launch")
    gear(folder, "db", "shell", "-c", HISTORY)
    page.reload()
    page.get_by_role("button", name="Chart of launch").click()
    count = page.locator("li", has_text="launch").locator(".count strong")
    expect(count).not_to_have_text("0")
    before = int(count.inner_text())
    for number in range(24):
        visit("launch")
        visit("handbook" if number % 3 == 0 else "launch")
    expect(count).to_have_text(str(before + 40))  # without a reload
    expect(page.locator("figure svg")).to_be_visible()
    page.get_by_label("Address").blur()
    page.screenshot(path=PICTURE, animations="disabled")


def main() -> None:
    """Start, take, stop."""
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gear-picture-") as place:
        Path(place).chmod(0o755)  # PostgreSQL's own user must come through
        folder = Path(place) / "links"
        gear(Path(place), "new", "links")
        try:
            gear(folder, "up", "-d", "--port", f"80={PORT}")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=FLAGS
                )
                view = {"width": 760, "height": 620}
                take(browser.new_page(viewport=view, device_scale_factor=1.5), folder)
                browser.close()
        finally:
            gear(folder, "down")


if __name__ == "__main__":
    main()
