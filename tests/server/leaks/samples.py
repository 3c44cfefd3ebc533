"""Things that look like secrets, put together here so that this repository has none in it."""

from __future__ import annotations

import string

LETTERS = string.ascii_letters + string.digits
DASHES = "-" * 5


def some(length: int, alphabet: str = LETTERS) -> str:
    """So many characters that look random, and are the same each time."""
    return "".join(alphabet[(i * i + 7 * i + 3) % len(alphabet)] for i in range(length))


GITHUB = "ghp_" + some(36)
PEM = f"""\
{DASHES}BEGIN PRIVATE KEY{DASHES}
{some(64)}
{some(20)}==
{DASHES}END PRIVATE KEY{DASHES}
"""
TOKENS = {
    "GitHub": GITHUB,
    "GitHub, fine-grained": "github_pat_" + some(82),
    "GitLab": "glpat-" + some(20),
    "AWS": "AKIA" + some(16, string.ascii_uppercase),
    "Slack": "xoxb-" + "123456789012-" + some(24, string.ascii_lowercase),
    "Stripe": "sk_live_" + some(24),
    "OpenAI": "sk-" + some(20) + "T3BlbkFJ" + some(20),
    "Anthropic": "sk-ant-api03-" + some(93) + "AA",
    "PyPI": "pypi-AgEIcHlwaS5vcmc" + some(80),
    "npm": "npm_" + some(36),
    "SendGrid": "SG." + some(22) + "." + some(43),
    "DigitalOcean": "dop_v1_" + some(64, "0123456789abcdef"),
    "Hugging Face": "hf_" + some(34, string.ascii_letters),
    "Docker": "dckr_pat_" + some(27),
    "age": "AGE-SECRET-KEY-1" + some(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
}
