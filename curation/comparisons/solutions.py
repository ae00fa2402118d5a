"""Solutions of several models to one problem, known to be right or wrong: GSM8K's example_model_solutions.

Source: github.com/openai/grade-school-math (Cobbe et al. 2021, arXiv 2110.14168). `question`, `ground_truth`, and for
each model an object {is_correct, solution}. A solution's score is 1 where it is right and 0 where it is wrong; the
ground truth is the reference.
"""

from __future__ import annotations

from typing import Any, Final

from curation.comparisons.fields import prompt_of_record
from curation.comparisons.record import Answer, Comparison, Layout, Record, Sample, share
from curation.ingest.convert import as_text, filled, value_of
from curation.ingest.reject import Bad
from curation.ingest.shapes import kind_of

NAME: Final = "solutions"
_QUESTION: Final = "question"
_TRUTH: Final = "ground_truth"
_SOLUTION: Final = ("is_correct", "solution")


def find(sample: Sample) -> Layout | None:
    """The layout where most records have a question with its ground truth, and at least one model's solution."""
    found = layout(sample)
    return found if found.answers and share(sample, _QUESTION, _TRUTH) > 0.5 else None


def layout(sample: Sample) -> Layout:
    """All models of which any record of the sample has a solution, by name."""
    models = {key for record in sample for key, value in record.items() if _is_solution(value)}
    return Layout(name=NAME, prompt=_QUESTION, answers=tuple(sorted(models)), reference=_TRUTH)


def _is_solution(value: Any) -> bool:
    return type(value) is dict and all(key in value for key in _SOLUTION)


def convert(record: Record, layout: Layout) -> Comparison:
    """Raises Bad where a solution, its verdict or the ground truth is not of its kind, or no model has one."""
    prompt = prompt_of_record(record, layout)
    truth = filled(value_of(record, _TRUTH), _TRUTH)
    answers = tuple(_answer(record[model], model) for model in layout.answers if record.get(model) is not None)
    if not answers:
        raise Bad("missing_text", "no model has a solution")
    return Comparison(prompt, answers, reference=truth)


def _answer(value: Any, model: str) -> Answer:
    if type(value) is not dict:
        raise Bad("not_an_object", f"{model} is a {kind_of(value)}")
    right = value_of(value, "is_correct", model)
    if type(right) is not bool:
        raise Bad("is_correct_not_boolean", f"is_correct of {model} is a {kind_of(right)}")
    return Answer(as_text(value_of(value, "solution", model), f"solution of {model}"), model, float(right))
