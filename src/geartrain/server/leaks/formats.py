"""Known formats of keys and tokens: the rules of detect-secrets, and what is newer than they are.

Only what looks like nothing else is searched for. Rules that guess (the entropy of a
string, a name such as `password`) are for a review, not for the refusal of a push.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from detect_secrets.filters.allowlist import is_line_allowlisted
from detect_secrets.plugins.artifactory import ArtifactoryDetector
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.util.code_snippet import CodeSnippet

EXAMPLE = re.compile("example|x{8}|0{8}", re.IGNORECASE)
"""What documentation writes in the place of a secret."""


class AgeKeyDetector(RegexBasedDetector):
    """Keys of age (https://age-encryption.org/v1), which open `gear.secrets.toml`."""

    secret_type = "age secret key"  # noqa: S105 - a name
    denylist = (re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),)


class NewerDetector(RegexBasedDetector):
    """Tokens with a prefix that their makers document for this very search.

    Those of OpenAI and npm are here because the library's rules for them take time with the square
    of a line's length.
    """

    secret_type = "Access token"  # noqa: S105 - a name
    denylist = (
        re.compile(r"github_pat_[0-9A-Za-z_]{82}"),
        re.compile(r"sk-ant-(?:api|admin)\d\d-[0-9A-Za-z_-]{93}AA"),
        re.compile(r"\bhf_[A-Za-z]{34}\b"),
        re.compile(r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
        re.compile(r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
        re.compile(r"\bnpm_[0-9A-Za-z]{36}\b"),
        re.compile(r":_authToken=\s?[0-9a-f]{8}-[0-9a-f-]{27}\b"),
        re.compile(r"\bsk-[0-9A-Za-z_-]{20,120}T3BlbkFJ[0-9A-Za-z_-]{20,120}"),
        re.compile(r"\bdckr_pat_[0-9A-Za-z_-]{27}"),
    )


class PemDetector(RegexBasedDetector):
    """Private keys in PEM (RFC 7468), with at least a line of the key below the heading."""

    secret_type = PrivateKeyDetector.secret_type
    # In source code the line ends may be written out, as in the JSON of a service account.
    denylist = (
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[\s\"'+,]|\\[nr])*(?:[A-Za-z-]+: [^\n]*\n\s*)*[0-9A-Za-z+/=]{16}[^-]*"
        ),
        re.compile(
            r"PuTTY-User-Key-File-\d: [\s\S]{0,500}?Private-Lines: \d+\s+[0-9A-Za-z+/=\s]{16,}"
        ),
    )


RULES: Sequence[RegexBasedDetector] = (
    PemDetector(),
    AgeKeyDetector(),
    AWSKeyDetector(),
    GitHubTokenDetector(),
    GitLabTokenDetector(),
    NewerDetector(),
    SlackDetector(),
    StripeDetector(),
    PypiTokenDetector(),
    SendGridDetector(),
    TelegramBotTokenDetector(),
    DiscordBotTokenDetector(),
    AzureStorageKeyDetector(),
    ArtifactoryDetector(),
    MailchimpDetector(),
    SquareOAuthDetector(),
)


@dataclass(frozen=True, kw_only=True)
class Match:
    """A key or token in a text, and its line, from 1."""

    kind: str
    secret: str
    line: int


def find(path: str, text: str) -> Iterator[Match]:
    """Every key and token of a file, but those whose line says that they are none.

    Args:
        path: the file's name, which tells how its comments are written.
        text: what is in it.
    """
    seen: set[str] = set()
    for rule in RULES:
        for regex in rule.denylist:
            for match in regex.finditer(text):
                secret = match[0].strip()
                if secret in seen or EXAMPLE.search(secret) or _allowed(path, text, match.start()):
                    continue
                seen.add(secret)
                line = text.count("\n", 0, match.start()) + 1
                yield Match(kind=rule.secret_type, secret=secret, line=line)


def _allowed(path: str, text: str, at: int) -> bool:
    """Whether the line, or the one before, says `pragma: allowlist [nextline] secret`."""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : end if end >= 0 else None]
    before = text[text.rfind("\n", 0, max(start - 1, 0)) + 1 : max(start - 1, 0)]
    around = CodeSnippet(snippet=[before, line], start_line=0, target_index=1)
    return bool(is_line_allowlisted(path, line, around))
