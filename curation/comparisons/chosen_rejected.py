"""TRL's preference formats and their kin: `chosen` and `rejected`, with a `prompt` beside or within them.

Source: TRL, docs/source/dataset_formats.md. Prompt and answers are texts or messages. UltraFeedback-binarized
(HuggingFaceH4) has the prompt both beside the answers and within them, and `score_chosen`, `score_rejected`; sets made
by Argilla and distilabel have the prompt under `instruction` or `input`, ratings and the models' names.

Where answers are conversations, the prompt is all turns but the last, compared turn by turn. A pair of texts without a
prompt cannot be read, since nothing tells where the prompt ends: a common prefix also takes in the words with which
both answers begin ("The sky is" of "The sky is blue" and "The sky is green").
"""

from __future__ import annotations

from typing import Final

from curation.comparisons.fields import agreed, answer_turns, name_of, prompt_of_record, score_of, text_of_answer
from curation.comparisons.record import Answer, Comparison, Drop, Layout, Record, Sample, first_of, share
from curation.ingest.convert import Message
from curation.ingest.reject import Bad

NAME: Final = "chosen_rejected"
_KEYS: Final = ("chosen", "rejected")
_PROMPTS: Final = ("prompt", "question", "input")
_SCORES: Final = (
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen_rating", "rejected_rating"),
    ("chosen-rating", "rejected-rating"),
)
_POLICIES: Final = (("chosen_model", "rejected_model"), ("chosen-model", "rejected-model"))


def find(sample: Sample) -> Layout | None:
    """The layout where most records have both keys, and a prompt beside or within them."""
    if share(sample, *_KEYS) <= 0.5:
        return None
    found = layout(sample)
    within = sum(type(record.get("chosen")) is list for record in sample) > 0.5 * len(sample)
    return found if found.prompt or within else None


def layout(sample: Sample) -> Layout:
    """What there is beside the two keys."""
    scores, policies = (next((p for p in known if share(sample, *p) > 0.5), ()) for known in (_SCORES, _POLICIES))
    # `messages` is the chosen conversation once more.
    return Layout(
        name=NAME,
        prompt=first_of(sample, *_PROMPTS),
        answers=_KEYS,
        scores=scores,
        policies=policies,
        ignore=("messages",),
    )


def convert(record: Record, layout: Layout) -> Comparison:
    """Raises Drop where the prompts within the answers differ, or the scores contradict; Bad where there is none."""
    asked = prompt_of_record(record, layout)
    chosen, rejected = (_whole(record, key, asked) for key in layout.answers)
    prompt = chosen[:-1]
    if prompt != rejected[:-1]:
        raise Drop("contexts_differ", f"{len(prompt)} and {len(rejected) - 1} turns before the last")
    if not prompt:
        raise Bad("missing_text", "the record has no prompt, beside its answers or within them")
    scores = [score_of(record, key, layout.typed) for key in layout.scores] or [None, None]
    names = [name_of(record, key, layout.policy) for key in layout.policies] or [layout.policy] * 2
    answers = tuple(
        Answer(text_of_answer(turns[-1], key), name, score)
        for turns, key, name, score in zip((chosen, rejected), layout.answers, names, scores, strict=True)
    )
    return Comparison(prompt, answers, agreed("a", *scores))


def _whole(record: Record, key: str, asked: list[Message]) -> list[Message]:
    """The conversation that ends with the answer: the prompt beside it goes before it where it is not within it."""
    turns = answer_turns(record, key)
    system = [turn for turn in asked if turn.role == "system"]
    spoken = asked[len(system) :]
    if turns[0].role == "assistant":
        return asked + turns
    if any(turn not in turns[:-1] for turn in spoken):
        raise Drop("contexts_differ", f"the prompt is not the one within {key}")
    return turns if turns[0].role == "system" else system + turns
