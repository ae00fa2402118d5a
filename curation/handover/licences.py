"""Licences of sources, rolled up: one for the card's head, and what the strictest of them asks for.

Identifiers are those of the Hugging Face Hub (huggingface.co/docs/hub/repositories-licenses), which refuses others in
a card. The classes are the usual reading of what a licence is about; they are a help to find the text that has to be
read, and no advice in law.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

UNKNOWN: Final = "unknown"
# From the freest to the strictest.
CLASSES: Final = (
    ("public domain", ("cc0-1.0", "pddl", "unlicense", "wtfpl", "0bsd")),
    (
        "attribution",
        (
            "mit", "apache-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "isc", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0",
            "cc-by-4.0", "odc-by", "cdla-permissive-1.0", "cdla-permissive-2.0", "afl-3.0", "bsl-1.0", "zlib",
        ),
    ),
    (
        "share alike",
        (
            "cc-by-sa-3.0", "cc-by-sa-4.0", "odbl", "cdla-sharing-1.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0",
            "agpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0", "mpl-2.0",
        ),
    ),
    ("no derivatives", ("cc-by-nd-4.0",)),
    ("no commercial use", ("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0")),
    ("no commercial use, share alike", ("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0")),
    ("no commercial use, no derivatives", ("cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0")),
)  # fmt: skip
CLASS_OF: Final = {name: told for told, names in CLASSES for name in names}
RANK: Final = {told: rank for rank, (told, _) in enumerate(CLASSES)}


def identifier(licence: str) -> str:
    """A licence as the Hub writes it: lower case, dashes for spaces."""
    return re.sub(r"\s+", "-", licence.strip().lower())


def licence_of(sources: Sequence[Mapping[str, Any]]) -> str:
    """One licence where all sources agree on one that the Hub knows, else `other`; the card says which is which."""
    told = {identifier(source["licence"]) for source in sources}
    return told.pop() if len(told) == 1 and told <= CLASS_OF.keys() else "other"


def licence_name(sources: Sequence[Mapping[str, Any]]) -> str:
    """What stands behind `other`: the one licence that there is, or all of them."""
    return " and ".join(sorted({str(source["licence"]) for source in sources}))


def roll_up(sources: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """`strictest`: licences of the strictest class and, last, its name; `unknown`: sources with none told; `unclassed`:
    licences that are in no class here.
    """
    told = {identifier(source["licence"]): str(source["licence"]) for source in sources}
    classes = [CLASS_OF[name] for name in told if name in CLASS_OF]
    strictest = max(classes, key=RANK.__getitem__, default=None)
    named = sorted(text for name, text in told.items() if strictest and CLASS_OF.get(name) == strictest)
    return {
        "strictest": [*named, strictest] if strictest else [],
        "unknown": [str(source["name"]) for source in sources if identifier(source["licence"]) == UNKNOWN],
        "unclassed": sorted(text for name, text in told.items() if name not in CLASS_OF and name != UNKNOWN),
    }
