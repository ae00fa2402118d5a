r"""HH-RLHF transcripts: `chosen` and `rejected`, each "\n\nHuman: ...\n\nAssistant: ...".

Source: github.com/anthropics/hh-rlhf (Bai et al. 2022, arXiv 2204.05862). The prompt is all turns but the last, and
must be the same in both. Transcripts are split at the marks of turns and compared turn by turn: a common prefix of the
strings would also take in the words with which both answers begin.
"""

from __future__ import annotations

import re
from typing import Final

from curation.comparisons.record import Answer, Comparison, Drop, Layout, Record, Sample, share
from curation.ingest.convert import Message, as_text, value_of
from curation.ingest.reject import Bad

NAME: Final = "hh"
_KEYS: Final = ("chosen", "rejected")
_MARK: Final = re.compile(r"\n\n(Human|Assistant):")
_ROLES: Final = {"Human": "user", "Assistant": "assistant"}


def find(sample: Sample) -> Layout | None:
    """The layout where most records are pairs of transcripts."""
    texts = [record["chosen"] for record in sample if type(record.get("chosen")) is str]
    marked = sum(_MARK.match(text) is not None for text in texts)
    return layout() if share(sample, *_KEYS) > 0.5 and marked > 0.5 * len(sample) else None


def layout() -> Layout:
    """There is one only."""
    return Layout(name=NAME, answers=_KEYS)


def convert(record: Record, layout: Layout) -> Comparison:
    """Raises Drop as contexts_differ where the prompts are not the same, Bad where a text is not a transcript."""
    chosen, rejected = (_turns(record, key) for key in _KEYS)
    if chosen[:-1] != rejected[:-1]:
        differ = f"{len(chosen) - 1} and {len(rejected) - 1} turns before the last"
        raise Drop("contexts_differ", differ)
    answers = tuple(Answer(turns[-1].content, layout.policy) for turns in (chosen, rejected))
    return Comparison(chosen[:-1], answers, "a")


def _turns(record: Record, key: str) -> list[Message]:
    before, *rest = _MARK.split(as_text(value_of(record, key), key))
    if before or not rest:
        raise Bad("not_a_transcript", f"{key} does not begin with a mark of a turn, such as '\\n\\nHuman:'")
    # One space follows each mark and is part of it.
    turns = [Message(_ROLES[name], text.removeprefix(" ")) for name, text in zip(rest[::2], rest[1::2], strict=True)]
    if turns[-1].role != "assistant":
        raise Bad("no_assistant_turn", f"the last turn of {key} is of the human")
    return turns
