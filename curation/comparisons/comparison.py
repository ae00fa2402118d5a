"""Two answers to an instruction, in the shapes of Stanford Alpaca's kin and of LLaMA-Factory.

- Alpaca comparisons (Instruction-Tuning-with-GPT-4, AlpacaFarm: Dubois et al. 2023, arXiv 2305.14387): `instruction`,
  `input`, `output_1`, `output_2`, and `preference`, which is 1 or 2. AlpacaEval writes 0 or 1.5 for a tie.
- LLaMA-Factory ranking sets (its data/README.md): `instruction`, `input`, `chosen`, `rejected`, or `conversations` of
  the prompt with one message under `chosen` and `rejected`.
"""

from __future__ import annotations

from typing import Any, Final

from curation.comparisons import chosen_rejected
from curation.comparisons.fields import answer_text, name_of, prompt_of_record
from curation.comparisons.record import Answer, Comparison, Drop, Layout, Record, Sample, Verdict, first_of, share
from curation.ingest.reject import Bad

NAME: Final = "comparison"
_OUTPUTS: Final = ("output_1", "output_2")
_POLICIES: Final = ("generator_1", "generator_2")
_PREFERENCE: Final = "preference"
_VERDICTS: Final[dict[Any, Verdict]] = {1: "a", 2: "b", 0: "tie", 1.5: "tie"}


def find(sample: Sample) -> Layout | None:
    """The layout where most records have an instruction or a conversation, and two answers."""
    asked = first_of(sample, "instruction", "conversations")
    numbered = share(sample, *_OUTPUTS, _PREFERENCE) > 0.5
    return layout(sample) if asked and (numbered or share(sample, "chosen", "rejected") > 0.5) else None


def layout(sample: Sample) -> Layout:
    """Which of the two it is."""
    if share(sample, "conversations") > 0.5:
        prompt: dict[str, Any] = {"messages": "conversations"}
    else:
        prompt = {"prompt": "instruction", "input": "input"}
    if share(sample, *_OUTPUTS) <= 0.5:
        return chosen_rejected.layout(sample).model_copy(update={"name": NAME, "prompt": None, **prompt})
    policies = _POLICIES if share(sample, *_POLICIES) > 0.5 else ()
    return Layout(name=NAME, **prompt, answers=_OUTPUTS, verdict=_PREFERENCE, policies=policies)


def convert(record: Record, layout: Layout) -> Comparison:
    """Raises Drop where nobody has judged, Bad where the preference is none of those known."""
    if layout.verdict is None:
        return chosen_rejected.convert(record, layout)
    prompt = prompt_of_record(record, layout)
    names = [name_of(record, key, layout.policy) for key in layout.policies] or [layout.policy] * 2
    texts = [answer_text(record, key) for key in layout.answers]
    answers = tuple(Answer(text, name) for text, name in zip(texts, names, strict=True))
    return Comparison(prompt, answers, _verdict(record.get(layout.verdict), layout.typed))


def _verdict(value: Any, typed: bool) -> Verdict:
    if value is None or value == "":
        raise Drop("no_verdict", "preference is null")
    if type(value) is str and not typed:
        value = {"1": 1, "2": 2, "0": 0, "1.0": 1, "2.0": 2, "0.0": 0, "1.5": 1.5}.get(value, value)
    if type(value) not in (int, float) or value not in _VERDICTS:
        raise Bad("unknown_verdict", f"preference is {str(value)[:40]!r}, where 1, 2, 0 and 1.5 are known")
    return _VERDICTS[value]
