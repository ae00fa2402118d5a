"""One reply a record, with a score: what reward models and judges write beside the replies of a model.

`conversations` or `messages` that end with the user and a `response`, or that end with the reply itself; or `prompt`,
`question` or `instruction` (with `input`) and `response`, `completion` or `output`. The score is under `score` or
`reward`. The files of several models, read together, join by prompt.

Who wrote a reply is, in this order, what the profile says, what the record says under `policy`, `model` or `generator`,
and the name of the file. How it was sampled is kept where the record has an object `gen_args` or `sampling`.
"""

from __future__ import annotations

from typing import Any, Final

from curation.comparisons.fields import answer_text, answer_turns, name_of, prompt_of_record, score_of, text_of_answer
from curation.comparisons.record import POLICY_KEYS, Answer, Comparison, Layout, Record, Sample, first_of
from curation.ingest.convert import Message
from schemas.records import canonical_json

NAME: Final = "replies"
_CONVERSATIONS: Final = ("conversations", "messages")
_PROMPTS: Final = ("prompt", "question", "instruction")
_REPLIES: Final = ("response", "completion", "output")
_SCORES: Final = ("score", "reward")
_SAMPLING: Final = ("gen_args", "sampling")
_FINISH: Final = "finish_reason"


def find(sample: Sample) -> Layout | None:
    """The layout where most records have a prompt, a reply and a score."""
    found = layout(sample)
    return found if found.scores and (found.messages or (found.prompt and found.answers)) else None


def layout(sample: Sample) -> Layout:
    """The first of the known keys that most records have."""
    messages = first_of(sample, *_CONVERSATIONS)
    prompt = None if messages else first_of(sample, *_PROMPTS)
    reply, score = first_of(sample, *_REPLIES), first_of(sample, *_SCORES)
    named = next((key for key in POLICY_KEYS if _is_text(sample, key)), None)
    return Layout(
        name=NAME,
        messages=messages,
        prompt=prompt,
        input="input" if prompt == "instruction" else None,
        answers=(reply,) if reply else (),
        scores=(score,) if score else (),
        policies=(named,) if named else (),
        ignore=(*_SAMPLING, _FINISH),
    )


def _is_text(sample: Sample, key: str) -> bool:
    return sum(type(record.get(key)) is str for record in sample) > 0.5 * len(sample)


def convert(record: Record, layout: Layout) -> Comparison:
    """A comparison with one answer. Raises as `answer_turns` does."""
    if layout.answers:
        prompt, text = prompt_of_record(record, layout), answer_text(record, layout.answers[0])
    else:
        prompt, text = _apart(record, str(layout.messages), layout)
    policy = name_of(record, layout.policies[0], layout.policy) if layout.policies else layout.policy
    score = score_of(record, layout.scores[0], layout.typed) if layout.scores else None
    finish = record.get(_FINISH)
    return Comparison(prompt, (Answer(text, policy, score, _finish(finish), _sampling(record)),))


def _apart(record: Record, key: str, layout: Layout) -> tuple[list[Message], str]:
    """The prompt and the reply of a conversation that ends with it."""
    system = prompt_of_record(record, layout.model_copy(update={"messages": None}))
    *before, reply = answer_turns(record, key)
    return system + before, text_of_answer(reply, key)


def _finish(value: Any) -> str | None:
    """`length` for what was cut at a limit; any other reason that is given is an end of the model's own."""
    return None if type(value) is not str else "length" if value == "length" else "stop"


def _sampling(record: Record) -> str | None:
    found = next((record[key] for key in _SAMPLING if type(record.get(key)) is dict), None)
    return canonical_json(found).decode() if found else None
