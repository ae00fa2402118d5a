"""Characters that nobody sees: bidirectional controls and zero-width padding.

Bidirectional controls reorder what is shown, so that a text reads otherwise than it is (CVE-2021-42574, "Trojan
Source", Boucher and Anderson 2021, arXiv:2111.00169). Their effect ends with the line (UAX 9, rule X8), so a line is
judged by itself: overrides go everywhere; embeddings, isolates and marks stay in a line that has letters written from
right to left and in which each is closed.

Zero-width characters hide words from filters and carry hidden text (a run of variation selectors can encode any
bytes). Joiners stay between letters of scripts that are shaped by them and between emoji (UTS 51), the zero-width
space stays beside scripts that are written without spaces, and one variation selector stays behind a base that can
have one. Code fences and inline code keep their zero-width characters, since there they may be what it is about.
"""

from __future__ import annotations

import re
from typing import Final

from curation.clean.mojibake import CODE

BIDI: Final = "\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c"
ZERO_WIDTH: Final = "\u00ad\u200b-\u200d\u2060-\u2064\u180e\ufe00-\ufe0f\U000e0100-\U000e01ef"

_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u05ff\u0600-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_OPENS_EMBEDDING = "\u202a\u202b\u202d\u202e"
_OVERRIDES = "\u202d\u202e"
_OPENS_ISOLATE = "\u2066\u2067\u2068"
_POPS_EMBEDDING, _POPS_ISOLATE = "\u202c", "\u2069"
_ANY_BIDI = re.compile(f"[{BIDI}]")

# Blocks of scripts whose letters join or change their form: Arabic, Syriac, N'Ko, Mandaic, the Indic scripts, Sinhala,
# Tibetan, Myanmar, Khmer, Mongolian, Javanese and others.
_SHAPED = (
    "\u0600-\u061b\u061d-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u180d\u180f-\u18af\u1a20-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    "\U00010a00-\U00011fff"
)
# Thai, Lao, Tibetan, Myanmar, Khmer, Tai and Javanese set no spaces between words.
_SPACELESS = "\u0e00-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua980-\ua9df\uaa60-\uaaff"
_EMOJI = "\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u27bf\u2900-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_KEPT_OR_NOT = re.compile(
    f"(?<=[{_SHAPED}])[\u200c\u200d]+(?=[{_SHAPED}])"
    f"|(?<=[{_SHAPED}])\u200d+(?=[\\s{_SHAPED}]|$)"  # a joiner at the end of a word shapes its last letter
    f"|(?:(?<=[{_EMOJI}])|(?<=[{_EMOJI}]\ufe0f))\u200d(?=[{_EMOJI}])"
    f"|(?<=[{_SPACELESS}])\u200b|\u200b(?=[{_SPACELESS}])"
    "|(?<=[\u1800-\u180d\u1820-\u18af])\u180e"
    "|(?<=[0-9#*\u00ae\u00a9\u203c-\u205e\u2070-\ufdff\U00010000-\U000e00ff])[\ufe0e\ufe0f]"
    "|(?<=[\u1000-\u180a\u1810-\u1fff\u2070-\ufdff\U00010000-\U000e00ff])[\ufe00-\ufe0d\U000e0100-\U000e01ef]"
    f"|([{ZERO_WIDTH}])"
)


def without_bidi(text: str) -> str:
    """The text without bidirectional controls that do not belong to writing from right to left."""
    return "\n".join(_line_without_bidi(line) for line in text.split("\n"))


def without_zero_width(text: str) -> str:
    """The text without zero-width padding outside code."""
    pieces = CODE.split(text)
    return "".join(
        piece if at % 2 else _KEPT_OR_NOT.sub(lambda m: "" if m.group(1) else m.group(), piece)
        for at, piece in enumerate(pieces)
    )


def _line_without_bidi(line: str) -> str:
    if not _ANY_BIDI.search(line):
        return line
    if not _RIGHT_TO_LEFT.search(line):
        return _ANY_BIDI.sub("", line)
    gone, embeddings, isolates = set(), [], []
    for at, character in enumerate(line):
        if character in _OPENS_EMBEDDING:
            embeddings.append(at)
        elif character in _OPENS_ISOLATE:
            isolates.append(at)
        elif character == _POPS_EMBEDDING:
            opened = embeddings.pop() if embeddings else None
            if opened is None or line[opened] in _OVERRIDES:
                gone |= {at, opened}
        elif character == _POPS_ISOLATE and not (isolates and isolates.pop() is not None):
            gone.add(at)
    gone.update(embeddings, isolates)
    return "".join(character for at, character in enumerate(line) if at not in gone)
