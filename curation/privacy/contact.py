"""E-mail addresses and IP addresses.

Examples, which identify nobody: names that are reserved for documentation (RFC 2606, RFC 6761), placeholders such as
`your.name@` or `user@domain.com`, and the addresses of public name servers. Private, loopback, documentation and other
addresses that are not globally routable (`ipaddress.is_global`, from the IANA registries) are not found at all, nor are
networks, netmasks, or four numbers that are a version or a section.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from curation.privacy.spans import Span, before

# Of RFC 5322 the part that is in use: no quoted local parts, no addresses of literal hosts.
_LOCAL = r"[A-Za-z0-9_](?:[A-Za-z0-9._%+'-]{0,62}[A-Za-z0-9_+-])?"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(
    rf"(?<![A-Za-z0-9._%+-])({_LOCAL})@((?:{_LABEL}\.){{1,5}}[A-Za-z]{{2,24}})(?![A-Za-z0-9-]|\.?[(\[])"
)
_HIDDEN_AT = re.compile(r"[(\[{<] ?(?:at|AT|At|@|골뱅이)")
_WORD = r"[A-Za-z0-9_+-]{1,40}"
_DOT = r" ?[(\[{<] ?(?:dot|DOT|Dot) ?[)\]}>] ?"
# `juno [at] mail [dot] com`: hidden from harvesters, and as personal as before.
_BRACKETED = re.compile(
    rf"(?<![A-Za-z0-9._%+-])({_WORD}(?:(?:\.|{_DOT}){_WORD}){{0,3}}) ?[(\[{{<] ?(?:at|AT|At|@|골뱅이) ?[)\]}}>] ?"
    rf"({_WORD}(?:(?:\.|{_DOT}){_WORD}){{1,4}})(?![A-Za-z0-9-])"
)
# The same in bare words is English too, so the last must be a common top-level domain.
_SPOKEN = re.compile(
    r"(?<![A-Za-z0-9._-])((?:[A-Za-z0-9_+-]{2,40} (?:dot|underscore|dash) ){0,3}[A-Za-z0-9_.+-]{2,40}) at "
    r"([A-Za-z0-9-]{2,40}(?: dot [A-Za-z0-9-]{2,20}){0,2} dot (?:com|net|org|edu|gov|io|kr|uk|de|fr|jp|ca|au|us|info))"
    r"(?![A-Za-z0-9-])"
)
_FILE_NAMES = "png jpg jpeg gif svg webp bmp ico css js ts jsx tsx html htm json xml yml yaml txt pdf csv zip"
_LOGINS = frozenset({"git", "hg", "svn"})
_LOGIN_COMMAND = re.compile(r"\b(?:ssh|scp|sftp|rsync|mosh|ssh-copy-id)\b[^|;&\n]*$")
_USERINFO = re.compile(r"://[^\s/@]*$")

_RESERVED = frozenset({"example", "test", "invalid", "localhost"})
_NOWHERE = re.compile(
    r"(?:(?:your|my|some|any|the|other)?[-_]?(?:domain|company|website|site|school|university|organi[sz]ation|business|"
    r"host|server|provider|mailserver|emailprovider)(?:name)?|tests?|samples?|placeholder|dummy|x{2,}|y{2,}|z{2,}|"
    r"emailaddress|fake|abc|xyz|acme|email|foo|bar|foobar|somewhere|nowhere)"
)
_NOBODY = re.compile(
    r"(?:your|my|some|the)[-._]?(?:full)?[-._]?(?:e?-?mail|user)?[-._]?(?:name|address|id|account|here|one)?|"
    r"user(?:[-._]?name)?\d{0,3}|e-?mail(?:[-._]?address)?|name|tests?(?:ing|er|user)?\d{0,3}|example|sample|foo|bar|"
    r"baz|"
    r"first(?:[-._]?name)?[-._]?last(?:[-._]?name)?|name[-._]?surname|someone|somebody|anyone|nobody|abc\d{0,3}|xyz|"
    r"you|me|dummy|fake|placeholder|x{2,}|(?:john|jane)[-._]?doe\d{0,3}|jdoe|customer|client|person|employee|"
    r"recipient|sender"
)
_NOBODY_ANYWHERE = re.compile(
    r"(?:your|my)[-._]?(?:full|first|last)?[-._]?(?:e?-?mail|user)?[-._]?(?:name|address|id|account|here)|"
    r"your[-._]?e?-?mail|user[-._]?name|e?mail[-._]?address|first[-._]?name[-._]?last[-._]?name|first[-._]last|x{3,}|"
    r"name[-._]surname|example"
)


def emails(text: str) -> Iterator[Span]:
    """E-mail addresses, as they stand or with `(at)` and `(dot)`; not logins of hosts nor user names in URLs."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            local, domain = match[1].lower(), match[2].lower()
            if domain.rsplit(".", 1)[1] not in _FILE_NAMES.split() and not _is_login(text, match, local):
                yield _email(match, local, domain)
    hidden = [_BRACKETED] if _HIDDEN_AT.search(text) else []
    for pattern in [*hidden, _SPOKEN] if " dot " in text else hidden:
        for match in pattern.finditer(text):
            local, domain = _joined(match[1]), _joined(match[2])
            if domain.rsplit(".", 1)[-1].isalpha() and len(domain.rsplit(".", 1)[-1]) > 1:
                yield _email(match, local, domain)


def _email(match: re.Match[str], local: str, domain: str) -> Span:
    return Span(match.start(), match.end(), "email", f"{local}@{domain}", _is_example(local, domain))


def _is_login(text: str, match: re.Match[str], local: str) -> bool:
    lead = before(text, match.start(), 80)
    remote = text[match.end() : match.end() + 2] in (":/", ":~")
    return local in _LOGINS or remote or bool(_USERINFO.search(lead) or _LOGIN_COMMAND.search(lead))


def _is_example(local: str, domain: str) -> bool:
    labels = domain.split(".")
    if labels[-1] in _RESERVED or "example" in labels:
        return True
    if _NOWHERE.fullmatch(labels[0]) and _NOBODY.fullmatch(local):
        return True
    return bool(_NOBODY_ANYWHERE.fullmatch(local)) or labels[0] in (
        "yourdomain",
        "mydomain",
        "your-domain",
        "yourcompany",
    )


def _joined(spoken: str) -> str:
    words = spoken.lower().replace(" underscore ", "_").replace(" dash ", "-")
    return re.sub(r"\s*[(\[{<]?\s*\bdot\b\s*[)\]}>]?\s*", ".", words).replace(" ", "")


_V4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d|-\d|/(?:[0-9]|[12]\d|3[01])(?!\d))", re.ASCII)
_V6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,34}(?![\w:]|/(?!128)\d)", re.ASCII)
_NUMBERING = re.compile(
    r"(?:\b(?:v|ver|versions?|release[sd]?|builds?|firmware|driver|kernel|sdk|section|sections|chapter|clause|article|"
    r"figure|table|step|oid|upgraded?|update[ds]?|revision|patch)\b|버전|빌드|펌웨어|릴리스|업데이트|절|조항)"
    r"[^\n]{0,24}$|[A-Za-z]/$|[A-Za-z][-_]$|[=<>~!]=\s?$|\bv\.?$",
    re.IGNORECASE,
)
# Anycast addresses of public resolvers (Google, Cloudflare, Quad9, OpenDNS, AdGuard), and KT's and SK's in Korea.
_RESOLVERS = (
    "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 94.140.14.14 168.126.63.1 "
    "168.126.63.2 210.220.163.82 219.250.36.130 2001:4860:4860::8888 2001:4860:4860::8844 2606:4700:4700::1111 "
    "2606:4700:4700::1001 2620:fe::fe"
)


def ip_addresses(text: str) -> Iterator[Span]:
    """Globally routable addresses of hosts, v4 and v6."""
    for match in _V4.finditer(text):
        low = all(int(octet) < 10 for octet in match[0].split("."))
        if (low and match[0] not in _RESOLVERS.split()) or _NUMBERING.search(before(text, match.start(), 40)):
            continue
        yield from _ip(match)
    for match in _V6.finditer(text):
        yield from _ip(match)


def _ip(match: re.Match[str]) -> Iterator[Span]:
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return
    if address.is_global and not address.is_multicast:
        value = address.compressed
        resolver = value in _RESOLVERS.split()
        yield Span(match.start(), match.end(), "ip_address", value, resolver, resolver)
