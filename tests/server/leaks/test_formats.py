"""What is told to be a key or a token, and what is not."""

from __future__ import annotations

import time

import pytest

from geartrain.server.leaks.formats import find
from tests.server.leaks.samples import DASHES, GITHUB, PEM, TOKENS, some


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_is_found_wherever_it_stands(name: str) -> None:
    token = TOKENS[name]
    for line in (f'key = "{token}"', f"KEY={token}", f"  - {token}", f"https://x:{token}@example"):
        [found] = find("a.py", f"first\nsecond\n{line}\nlast\n")
        assert (found.line, token in line) == (3, True)
        assert found.secret in token or token in found.secret


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "])
def test_a_private_key_is_found(kind: str) -> None:
    text = PEM.replace("PRIVATE", f"{kind}PRIVATE")
    assert [one.line for one in find("key.pem", f"\n{text}")] == [2]
    assert list(find("key.json", '{"private_key": "' + text.replace("\n", "\\n") + '"}'))


def test_private_keys_of_other_programs_are_found() -> None:
    block = f"{DASHES}BEGIN PGP PRIVATE KEY BLOCK{DASHES}\nVersion: 1\n\n{some(64)}\n"
    putty = f"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 1\n{some(64)}\n"
    old = PEM.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\n", 1)
    for text in (block, putty, old):
        assert len(list(find("key", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        f'if "{DASHES}BEGIN PRIVATE KEY{DASHES}" in text:',
        f"{DASHES}BEGIN PUBLIC KEY{DASHES}\n{some(64)}\n",
        f"{DASHES}BEGIN CERTIFICATE{DASHES}\n{some(64)}\n",
        "AKIA" + "IOSFODNN7EXAMPLE",  # the one of AWS's own documentation
        "ghp_" + "x" * 36,
        "sk_test_" + some(24),
        "postgres://app:app@postgres/app",
        "password = 'correct horse battery staple'",
        "sha256:" + some(64, "0123456789abcdef"),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + some(43),
        "age1" + some(58, "qpzry9x8gf2tvdw0s3jn54khce6mua7l"),
    ],
)
def test_what_is_none_is_not_found(text: str) -> None:
    assert list(find("a.txt", text)) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", f'key = "{GITHUB}"  # pragma: allowlist secret'),
        ("a.js", f'key = "{GITHUB}";  // pragma: allowlist secret'),
        ("a.yaml", f"# pragma: allowlist nextline secret\nkey: {GITHUB}"),
        ("a.html", f"<i>{GITHUB}</i> <!-- pragma: allowlist secret -->"),
    ],
)
def test_a_comment_allows_the_secret_of_its_line(path: str, text: str) -> None:
    assert list(find(path, text)) == []
    # And nothing beyond it, not even the same secret again.
    assert len(list(find(path, f"{text}\n{TOKENS['Stripe']}\n{GITHUB}"))) == 2


def test_every_secret_of_a_text_is_found_once() -> None:
    text = "\n".join([*TOKENS.values(), *TOKENS.values()])
    lines = [one.line for one in find("a.py", text)]
    assert sorted(lines) == list(range(1, len(TOKENS) + 1))


def test_no_text_takes_long() -> None:
    hostile = ["sk-" * 300_000, "xoxb-" + "1-" * 400_000, f"{DASHES}BEGIN " * 60_000, "A" * 2**20]
    for text in hostile:
        began = time.process_time()
        list(find("a.txt", text))
        assert time.process_time() - began < 10
