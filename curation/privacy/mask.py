"""Personal data and secrets hidden in texts that are shown: ledgers, quarantine, reports.

What is hidden here is shown as `[KIND]`. An excerpt may begin or end in the middle of a secret, where no form gives it
away, so long runs that look drawn by chance are hidden as well.
"""

from __future__ import annotations

import re

import polars as pl

# What any find has: an @, seven digits, a long run without spaces, a word that announces a secret or an address.
_SUSPECT = (
    r"[@\x{FF20}]|[0-9\x{FF10}-\x{FF19}](?:[-. ()/]{0,4}[0-9\x{FF10}-\x{FF19}]){6}|[A-Za-z0-9+/_-]{20}"
    r"|(?i)pass|pwd|secret|token|key|auth|bearer|credential|비밀|암호|골뱅이|[(\[]at[)\]]| dot "
    r"|[0-9] [A-Z]|[로길동리가] ?[0-9]"
    r"|[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[23][0-9A-Fa-f]{3}:"
)
# Digests and ids are hexadecimal in one case; what has both cases and digits was drawn from a larger alphabet.
_RUN = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")


def masked(text: str) -> str:
    """A text with `[KIND]` in the place of personal data and secrets; examples that identify nobody stay."""
    # Imported here: the metadata of all countries' numbers is worth loading only where something may be found.
    from curation.privacy import personal_data, secrets
    from curation.privacy.spans import apart

    spans = apart([*secrets.find(text), *(span for span in personal_data.find(text) if not span.example)])
    for span in reversed(spans):
        text = f"{text[: span.start]}[{span.kind.upper()}]{text[span.end :]}"
    return _RUN.sub(lambda run: "[SECRET]" if _is_drawn(run.group()) else run.group(), text)


def masked_series(texts: pl.Series) -> pl.Series:
    """Each of a column of texts, masked; nulls stay. Only texts that may hold something are looked at."""
    at = texts.str.contains(_SUSPECT).fill_null(False).arg_true()
    return texts.clone().scatter(at, [masked(text) for text in texts.gather(at)]) if len(at) else texts


def _is_drawn(run: str) -> bool:
    return any(map(str.isupper, run)) and any(map(str.islower, run)) and sum(map(str.isdigit, run)) >= 3
