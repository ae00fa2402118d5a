"""Find personal data by form and check digits, in English and Korean, and redact it, drop its row, or flag it.

Kinds, in the order in which they are looked for (a find of one is no find of another): `email`, `iban`, `credit_card`,
`resident_number`, `foreigner_number`, `driver_licence`, `ssn`, `passport_number`, `phone`, `ip_address`,
`postal_address`. What counts as each is said in `curation.privacy.contact`, `phone`, `identity` and `address`.

By default all are redacted: a row stays useful with `[EMAIL_1]` in the place of an address, and a model learns that
there is one. Examples that identify nobody (user@example.com, 555-0142, 4111 1111 1111 1111) are treated like any
other, since a model cannot tell them apart either; with `examples = "keep"` they are kept and flagged. So are always
numbers and addresses that anybody is meant to use: toll-free and other service numbers, public name servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

import polars as pl
from pydantic import Field

from curation.privacy.address import addresses
from curation.privacy.contact import emails, ip_addresses
from curation.privacy.identity import credit_cards, ibans, licences, passports, resident_numbers, ssns
from curation.privacy.phone import phones
from curation.privacy.redact import Action, Policy, treat
from curation.privacy.spans import Finder, Span, find_with
from curation.stage import Context, Result, StageConfig

SCOPE = "row"

Kind = Literal[
    "email",
    "iban",
    "credit_card",
    "resident_number",
    "foreigner_number",
    "driver_licence",
    "ssn",
    "passport_number",
    "phone",
    "ip_address",
    "postal_address",
]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]

_NUMBERS: tuple[Finder, ...] = (ibans, credit_cards, resident_numbers, licences, ssns, phones)
# The least of them has seven digits, a local telephone number.
_SEVEN_DIGITS = re.compile(r"\d(?:[-. ()/]{0,4}\d){6}")

# A text without any of these has nothing that a finder could find. Written for Rust's regex: what starts with literals,
# or needs a digit early, is fast on text of any script.
_DIGIT = "[0-9\uff10-\uff19]"
_HIDDEN_AT = r"[(\[{<] ?(?:at|AT|At|@|골뱅이)| dot "
_KOREAN_ADDRESS = r"(?:시|군|구|세종)\s[^\n]{0,40}(?:로|길|동|리|가)\s?(?:산\s?)?(?:지하\s?)?[0-9]"
_V6 = r"[23][0-9A-Fa-f]{3}:[0-9A-Fa-f]{0,4}:"
_MANY_DIGITS = "|".join(
    [
        rf"{_DIGIT}(?:[-. ()/\u00a0\u2010-\u2015\u2212\uff0d\u00ad\u200b-\u200d\u2060\ufeff]{{0,4}}{_DIGIT}){{8}}",
        r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
        r"[MSRGDO][0-9]{3}[0-9A-Z][0-9]{3}",
        r"[ :(\x22][2-9][0-9]{2}[-.][0-9]{4}|1[568][0-9]{2}[- ][0-9]{4}",
        r"(?:[A-Z]{2}|[a-z]{3})[.,]{0,2} [0-9]{5}(?:[^0-9,]|$)",
        r"[0-9][A-Z]? (?:[NSEW][A-Za-z.]{0,5} )?(?:[A-Z0-9][A-Za-z0-9'.]* ){0,4}(?:Street|St|Avenue|Ave|Road|Rd|"
        r"Boulevard|Blvd|"
        r"Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way|Terrace|Ter|Circle|Cir|Parkway|Pkwy|Highway|Hwy|Square|Sq|Trail|Trl|"
        r"Loop|"
        r"Alley|Row|Pike|Crescent|Cove|Plaza|Walk|Run|Path)[ .,\n]",
    ]
)


class Config(StageConfig):
    """`actions` changes what is done with some kinds; `examples`: `keep` only flags what identifies nobody."""

    actions: Mapping[Kind, Action] = Field(default_factory=dict)
    examples: Literal["keep", "treat"] = "treat"


DEFAULTS: Mapping[str, Action] = MappingProxyType(dict.fromkeys(KINDS, "redact"))


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: the kinds; value: how many; detail: JSON with the place, length and placeholder of each."""
    policy = Policy({kind: config.actions.get(kind, DEFAULTS[kind]) for kind in KINDS}, config.examples)
    return treat(rows, _suspect(), find, policy)


def find(text: str) -> list[Span]:
    """Personal data in a text, examples among it, none overlapping another, in characters of the text."""
    return find_with(_finders, text)


def _finders(text: str) -> Iterator[Span]:
    yield from emails(text)
    if _SEVEN_DIGITS.search(text):
        for finder in _NUMBERS:
            yield from finder(text)
    for finder in (passports, ip_addresses, addresses):
        yield from finder(text)


def _suspect() -> pl.Expr:
    text = pl.col("text")
    at = (
        text.str.contains("@", literal=True) | text.str.contains("\uff20", literal=True) | text.str.contains(_HIDDEN_AT)
    )
    numbers = text.str.contains(_MANY_DIGITS)
    return at | numbers | text.str.contains(_KOREAN_ADDRESS) | text.str.contains(_V6)
