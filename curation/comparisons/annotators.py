"""Two responses judged by several people, in the shape of PandaLM's test set: majority vote.

Source: github.com/WeOpenML/PandaLM (Wang et al. 2023, arXiv 2306.05087). `instruction`, `input`, `response1`,
`response2`, and `annotator1` to `annotatorN`, each 1 or 2 for the better response, 0 for a tie, null for no vote. The
verdict is what more than half of the votes say. `cmp_key` names both models ("bloom-7b_llama-7b").
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

from curation.comparisons.fields import answer_text, prompt_of_record
from curation.comparisons.record import Answer, Comparison, Drop, Layout, Record, Sample, Verdict, Votes, share
from curation.ingest.reject import Bad
from curation.ingest.shapes import kind_of

NAME: Final = "annotators"
_RESPONSES: Final = ("response1", "response2")
_ANNOTATOR: Final = re.compile(r"annotator([0-9]+)")
_MODELS: Final = "cmp_key"
_VOTES: Final[dict[int, Verdict]] = {1: "a", 2: "b", 0: "tie"}


def find(sample: Sample) -> Layout | None:
    """The layout where most records have two responses and an annotator."""
    found = layout(sample)
    return found if found.annotators and share(sample, "instruction", *_RESPONSES, found.annotators[0]) > 0.5 else None


def layout(sample: Sample) -> Layout:
    """All annotators that any record of the sample names, by number."""
    keys = {key for record in sample for key in record}
    numbers = sorted((int(match[1]), key) for key in keys if (match := _ANNOTATOR.fullmatch(key)))
    annotators = tuple(key for _, key in numbers)
    return Layout(name=NAME, prompt="instruction", input="input", answers=_RESPONSES, annotators=annotators)


def convert(record: Record, layout: Layout) -> Comparison:
    """Raises Drop as no_majority (value: votes of the largest group), Bad where a response or a vote is no such."""
    prompt = prompt_of_record(record, layout)
    names = _names(record.get(_MODELS), layout.policy)
    texts = [answer_text(record, key) for key in layout.answers]
    answers = tuple(Answer(text, name) for text, name in zip(texts, names, strict=True))
    votes = [_vote(record[key], key, layout.typed) for key in layout.annotators if record.get(key) not in (None, "")]
    counts = Counter(votes)
    found = Votes(counts["a"], counts["b"], counts["tie"])
    verdict = next((vote for vote in _VOTES.values() if 2 * counts[vote] > len(votes)), None)
    if verdict is None:
        told = f"{found.a} for the first, {found.b} for the second, {found.tie} ties"
        raise Drop("no_majority", told, max(found))
    return Comparison(prompt, answers, verdict, found)


def _vote(value: Any, key: str, typed: bool) -> Verdict:
    if type(value) is str and not typed:
        value = {"0": 0, "1": 1, "2": 2}.get(value, value)
    if type(value) is not int or value not in _VOTES:
        raise Bad("unknown_vote", f"{key} is the {kind_of(value)} {str(value)[:40]!r}, where 0, 1 and 2 are known")
    return _VOTES[value]


def _names(key: Any, default: str) -> list[str]:
    parts = key.split("_") if type(key) is str else []
    return parts if len(parts) == 2 and all(parts) else [default, default]
