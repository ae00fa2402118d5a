"""Secrets that are known by the name they are assigned to, and passwords in URLs.

The names are those of the keyword plugin of detect-secrets and of gitleaks' generic-api-key; like both, a value counts
only if it looks random and is no reference, type, path or placeholder. The floors of entropy are lower than gitleaks'
3.5 bits a character for passwords, which people make up, and 3 for keys.
"""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from collections.abc import Iterator

from curation.privacy.spans import Span, before

_CHOSEN = r"(?:pass(?:word|wd|phrase|code)|passwd|pwd|pswd)"
_GIVEN = (
    r"(?:api[-_ ]?(?:key|token|secret)|secret[-_ ]?(?:access[-_ ]?)?key|access[-_ ]?(?:key|token)|auth[-_ ]?(?:key|"
    r"token)|"
    r"client[-_ ]?secret|private[-_ ]?key|encryption[-_ ]?key|signing[-_ ]?(?:key|secret)|refresh[-_ ]?token|"
    r"bearer[-_ ]?token|"
    r"app[-_ ]?secret|webhook[-_ ]?secret|session[-_ ]?secret|consumer[-_ ]?secret|service[-_ ]?key|account[-_ ]?key|"
    r"master[-_ ]?key|(?<![A-Za-z])secret|(?<![A-Za-z])token)"
)
# `name = "value"`, `name: value`, `"name": "value"`, `name => 'value'`, `name := value`, `--name value`
_IS = r"['\"`\]]{0,3}[ \t]{0,8}(?::=|=>|==?|:)[ \t]{0,8}"
_QUOTED = r"(?:[rbuf]{0,2}(?P<q>['\"`])(?P<quoted>[^\s'\"`]{6,200})(?P=q))"
_BARE = r"(?P<bare>[^\s'\"`<>(){}\[\],;]{8,200})(?![(\[{])"
_ASSIGNED = re.compile(
    rf"(?:(?P<password>{_CHOSEN})|(?P<key>{_GIVEN}))(?!\w*(?:hash|type|field|label|name|length|file|path|url|"
    rf"uri|policy|id)\b)"
    rf"\w{{0,16}}{_IS}(?:{_QUOTED}|{_BARE})",
    re.IGNORECASE,
)
_KOREAN = re.compile(
    r"(?:비밀 ?번호|암호|패스워드|비번)(?:는|은)?[ \t]{0,2}(?:[:=]|는|"
    r"은)?[ \t]{0,2}['\"`]?(?P<bare>[!#-&(-+\--_a-~]{8,64})"
)
_NAMED = re.compile(
    r"(?:[Pp]ass|PASS|[Pp]wd|PWD|[Kk]ey|KEY|[Ss]ecret|SECRET|[Tt]oken|TOKEN|[Aa]uthor|AUTHOR|pswd|비밀|암호|패스|비번)"
)
# `password is ...` in prose, which only a value with a digit and a sign makes sure.
_SAID = re.compile(rf"\b{_CHOSEN} (?:is|was|to) ['\"`]?(?P<bare>[!#-&(-+\--_a-~]{{8,64}})", re.IGNORECASE)
_BASIC = re.compile(
    r"\bAuthorization['\"]?[ \t]*[:=][ \t]*['\"]?Basic[ \t]+([A-Za-z0-9+/]{12,400}={0,2})", re.IGNORECASE
)
_BEARER = re.compile(
    r"\bAuthorization['\"]?[ \t]*[:=][ \t]*['\"]?(?:Bearer|Token)[ \t]+([A-Za-z0-9._~+/=-]{20,400})", re.IGNORECASE
)
_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@'\"<>]{0,64}:([^\s/@'\"<>]{3,128})@[^\s'\"<>/]+")

_REFERENCE = re.compile(
    r"[$%@#]?[{<(\[].*|\$\w+|%\w+%?|[\w.]+[({\[].*|(?:os|process|config|settings|self|this|env|req|request|args|"
    r"params|ctx|app|st|"
    r"options|data|user|form|body|credentials?|secrets?|vars|import|window|cfg|conf)\b[.:].*|"
    r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|"
    r"[a-z]+(?:_[a-z]+)+|[A-Za-z]+(?:\.[A-Za-z_]+)+|[a-z]+(?:-[a-z]+)+|/[\w./-]*|~?\.{0,2}/.*|https?:.*|"
    r"\d{1,4}[-/.]\d{1,2}[-/.].*|"
    r"(?:ssh-\w+|bearer|basic|true|false|null|none|undefined|string|required|optional)"
)
_PLACEHOLDER = re.compile(
    r"my_?|sample|insert|dummy|fake|foo|bar|hidden|secret|p[a@]ss(?:w(?:[o0]r)?d|"
    r"phrase|code)?|token|api[-_]?key|test|demo|todo|xxx|---|___|0000|12345?6?|abcd?|def|qwerty|letmein|default|"
    r"admin|root|user|hello|"
    r"welcome|enter|here|some|asdf|key|value|string|[_-]",
    re.IGNORECASE,
)
_STANDS_IN = re.compile(
    r"your|example|placeholder|replace|redacted|change[-_]?me|x{4}|\*{3}|\.{3}|…|\[[A-Z_]+_\d+\]",
    re.IGNORECASE,
)
_SEQUENCE = re.compile("1234567|abcdefg", re.IGNORECASE)
_REST = 6  # characters that are a value of its own
_LONG, _RANDOM = 20, 3.5  # characters; bits a character, gitleaks' floor for its generic rule
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SOCIAL = re.compile(
    r"(?:csrf|xsrf|next|page|eos|bos|pad|sep|cls|mask|unk|max|min|num|public|sort|partition|foreign|primary)[-_ ]?$",
    re.I,
)


def assigned(text: str) -> Iterator[Span]:
    """Values that look random and are assigned to a name that says password or key, in code, configuration or "
    "Korean."""
    if not _NAMED.search(text):
        return
    for match in _ASSIGNED.finditer(text):
        if _SOCIAL.search(before(text, match.start(), 10)):
            continue
        group = "quoted" if match["quoted"] else "bare"
        yield from _judged(match, group, "password" if match["password"] else "api_key")
    for match in _KOREAN.finditer(text):
        yield from _judged(match, "bare", "password")
    for match in _SAID.finditer(text):
        if _classes(match["bare"].rstrip(".,;:?)")) > 2:
            yield from _judged(match, "bare", "password")
    for match in _BEARER.finditer(text):
        yield from _judged(match, 1, "api_key")
    for match in _BASIC.finditer(text):
        if _has_password(match[1]):
            yield Span(*match.span(1), "password", match[1])


def _has_password(encoded: str) -> bool:
    """Whether base64 says `user:password` with a password that is no placeholder."""
    try:
        said = base64.b64decode(encoded, validate=True).decode("ascii")
    except ValueError:
        return False
    _, colon, password = said.partition(":")
    return bool(colon) and len(password) >= _REST and not is_placeholder(password)


def _judged(match: re.Match[str], group: str | int, kind: str) -> Iterator[Span]:
    value = match[group]
    if group == "bare":
        value = value.rstrip(".,;:?)\\")
    value = value.split("\\n")[0]
    judge = _looks_chosen if kind == "password" else _looks_random
    if judge(value) and not _REFERENCE.fullmatch(value) and not is_placeholder(value):
        start = match.start(group)
        yield Span(start, start + len(value), kind, value)


def url_passwords(text: str) -> Iterator[Span]:
    """The password in `scheme://user:password@host`."""
    if "://" in text:
        for match in _URL.finditer(text):
            value = match[1]
            if _looks_chosen(value) and not _REFERENCE.fullmatch(value) and not is_placeholder(value):
                yield Span(*match.span(1), "url_password", value)


def _classes(value: str) -> int:
    """How many of lower case, upper case, digits and signs there are."""
    return sum(bool(re.search(some, value)) for some in ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9]"))


def _looks_chosen(value: str) -> bool:
    """Whether it may be a password: eight characters or more, letters and something else, 2.5 bits a character."""
    lettered = any(character.isalpha() for character in value)
    return (
        len(value) >= 8
        and value.isascii()
        and lettered
        and _has_digit(value)
        and _classes(value) > 1
        and entropy(value) >= 2.5
    )


def _looks_random(value: str) -> bool:
    """Whether it may be a key: sixteen characters or more, letters and digits, 3 bits a character, no UUID."""
    lettered = any(character.isalpha() for character in value)
    random = len(value) >= 16 and value.isascii() and lettered and _has_digit(value) and entropy(value) >= 3.0
    return random and not _UUID.fullmatch(value)


def _has_digit(value: str) -> bool:
    return any(character.isdigit() for character in value)


def is_placeholder(value: str, *, typed: bool = True) -> bool:
    """Whether a value says of itself that it stands for another, or is a run of the keyboard or of one character.

    `typed`: a value with a run such as abcdefg in it was typed and not drawn. What has a provider's prefix and length
    is worth hiding all the same.

    Short words stand in long random values by chance, and in passwords on purpose (`Adm1n!pass`): they only tell where
    little is left without them (`password123`).
    """
    if _STANDS_IN.search(value) or len(set(value)) < 5 or (typed and _SEQUENCE.search(value)):
        return True
    random = len(value) >= _LONG and entropy(value) >= _RANDOM
    return not random and len(_PLACEHOLDER.sub("", value)) < _REST


def entropy(value: str) -> float:
    """Shannon entropy of a text's characters, in bits a character; 0 for an empty text."""
    counts = Counter(value)
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
