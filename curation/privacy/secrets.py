"""Find credentials by form and entropy, and drop their rows, redact them, or flag them.

Kinds: `private_key` (PEM and PGP blocks, whole), the tokens of providers (`aws_key`, `github_token`, ...), `jwt`,
`url_password` (the password in `scheme://user:password@host`), and what is assigned to a telling name: `password` and
`api_key`. The forms of tokens are in `curation.privacy.tokens`, assignments in `curation.privacy.assignments`.

By default a row with a private key or a provider's token is dropped: such a token may be live, and where one was pasted
others stand beside it that have no form to be known by. Passwords and keys that are known by their name alone are
redacted: most stand in code that is meant to teach, which stays whole. Placeholders and published samples
(`YOUR_API_KEY`, AKIAIOSFODNN7EXAMPLE, `os.environ["KEY"]`) are no secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

import polars as pl
from pydantic import Field

from curation.privacy.assignments import assigned, url_passwords
from curation.privacy.redact import Action, Policy, treat
from curation.privacy.spans import Span, find_with
from curation.privacy.tokens import MARKERS, private_keys, tokens
from curation.stage import Context, Result, StageConfig

SCOPE = "row"

Kind = Literal[
    "private_key",
    "aws_key",
    "azure_key",
    "google_key",
    "github_token",
    "gitlab_token",
    "slack_token",
    "openai_key",
    "anthropic_key",
    "huggingface_token",
    "stripe_key",
    "npm_token",
    "pypi_token",
    "sendgrid_key",
    "telegram_token",
    "digitalocean_token",
    "provider_token",
    "jwt",
    "url_password",
    "password",
    "api_key",
]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]
_REDACTED: tuple[Kind, ...] = ("jwt", "url_password", "password", "api_key")

# A text without any of these has no secret that a finder could find.
_URL = r"://[^\s/:@]*:[^\s/@]+@"
# An assignment to a telling name, of a value with a digit in it.
_NAMES = (
    r"(?i-u:pass|pwd|secret|token|key|auth|credential)[\w.\]\)'\x22\\-]{0,24}\s{0,8}(?::=|=>|==?|"
    r":)\s{0,8}[!-~]{0,200}[0-9]|"
    r"(?:비밀 ?번호|암호|패스워드|비번)[^\n]{0,12}[0-9A-Za-z]|(?i-u:bearer|basic) [A-Za-z0-9]|(?i-u:pass[a-z]{1,6} "
    r"(?:is|was|to) )[!-~]{6}|"
    r"sk-[A-Za-z0-9]{40}"
)


class Config(StageConfig):
    """`actions` changes what is done with some kinds."""

    actions: Mapping[Kind, Action] = Field(default_factory=dict)


DEFAULTS: Mapping[str, Action] = MappingProxyType({kind: "redact" if kind in _REDACTED else "drop" for kind in KINDS})


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: the kinds; value: how many; detail: JSON with the place, length and placeholder of each."""
    policy = Policy({kind: config.actions.get(kind, DEFAULTS[kind]) for kind in KINDS}, "keep")
    text = pl.col("text")
    suspect = text.str.contains_any(MARKERS) | text.str.contains(_URL) | text.str.contains(_NAMES)
    return treat(rows, suspect, find, policy)


def find(text: str) -> list[Span]:
    """Secrets in a text, none overlapping another, in characters of the text."""
    return find_with(_finders, text)


def _finders(text: str) -> Iterator[Span]:
    for finder in (private_keys, tokens, url_passwords, assigned):
        yield from finder(text)
