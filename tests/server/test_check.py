"""A pushed version's own tests decide before anything is changed."""

from __future__ import annotations

import pytest

from tests.server.pushing import Clone

CHECK = """
import os, sys
print("asking", os.environ["PGDATABASE"])
sys.exit(open("VERSION").read().strip() == "bad")
"""


@pytest.mark.slow
def test_the_check_command_runs_before_the_switch(shop: Clone) -> None:
    compose = (shop.folder / "docker-compose.yml").read_text()
    shop.write(
        "docker-compose.yml",
        compose + "      check: python check.py\n"
        "    depends_on: [postgres]\n  postgres:\n    image: postgres:18\n",
    )
    shop.write("check.py", CHECK)
    shop.commit("checked")
    done = shop.push()
    assert "✓ check web on throwaway data services" in done.err
    first = shop.head()

    shop.version("bad")
    said = shop.refused()
    assert "✗ check web on throwaway data services" in said
    assert "the check command of web failed: ended with exit code 1" in said
    assert "    asking shop_check" in said
    assert "release 1 goes on serving" in said
    assert shop.body() == "hello 1\n"
    assert shop.remote() == first
    assert shop.instances() == ["edge", "postgres", "web.1.1"]
    assert not (shop.state / "check").exists(), "nothing of it stays"
