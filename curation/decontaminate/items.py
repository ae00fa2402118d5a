"""Items of benchmarks, from records in their common shapes.

    question | prompt | instruction | problem | query     GSM8K, HumanEval, IFEval, MATH ...; `input` or the inputs of
                                                          `instances` are put behind an instruction
    turns: [...]                                          MT-bench; every turn is a question
    choices | A, B, C, D with answer                      MMLU, ARC; also as CSV without a header line

Where a question or an answer defines a function or a class, the item is one of code: its texts are also compared as
code, and what the documentation in the question says is a wording of the question by itself, with and without the
examples that follow it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LETTERS = tuple("ABCDEFGHIJ")
QUESTION = ("question", "prompt", "instruction", "problem", "query")
_ID = ("task_id", "question_id", "id", "key", "idx")
_ANSWER = ("answer", "canonical_solution", "solution", "output", "response", "reference", "answers")
_CALCULATION = re.compile(r"<<.*?>>")  # GSM8K's calculator annotations, which most copies have lost
_DEFINITION = re.compile(
    r"^[ \t]*(?:(?:export|default|public|private|protected|static|async|pub|final|inline)[ \t]+)*"
    r"(?:(?:def|class|fn|func|function|fun|interface|struct)[ \t]+\w+[ \t]*[(:{<]"  # Python, Rust, Go, JavaScript
    r"|[\w:<>\[\]*&]+[ \t]+\w+\([^;{}()\n]*\)\s*\{)",  # C, C++, Java
    re.MULTILINE,
)
_DOCUMENTATION = re.compile(r'"""(.*?)"""|\'\'\'(.*?)\'\'\'|/\*+(.*?)\*/', re.DOTALL)
_EXAMPLES = re.compile(r"^[ \t*]*(?:>>>|(?:for )?examples?\b)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Item:
    """One item of a benchmark: the texts any of which gives its question away, and those that give its answer away.

    code, solutions: questions and answers that are to be compared as code too
    """

    benchmark: str
    item: str
    questions: tuple[str, ...]
    answers: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    solutions: tuple[str, ...] = ()


def item_of(record: Any, benchmark: str, number: str) -> Item | None:
    """The item of a record, or None where it has no question."""
    if not isinstance(record, Mapping):
        return None
    fields = {str(name).lower(): value for name, value in record.items()}
    questions, answers = _questions(fields), _answers(fields)
    if not questions:
        return None
    name = next((str(fields[key]) for key in _ID if isinstance(fields.get(key), (str, int))), number)
    if not any(map(_is_code, [*questions, *answers])):
        return Item(benchmark, name, tuple(questions), tuple(answers))
    told = [told for question in questions for told in _documentation(question)]
    return Item(benchmark, name, (*questions, *told), tuple(answers), tuple(questions), tuple(answers))


def _is_code(text: str) -> bool:
    return "(" in text and _DEFINITION.search(text) is not None


def _documentation(question: str) -> Iterator[str]:
    """What the last docstring or block comment of a question says, whole and up to its examples."""
    found = [next(filter(None, groups), "") for groups in _DOCUMENTATION.findall(question)]
    for text in found[-1:]:
        examples = _EXAMPLES.search(text)
        wordings = [text, *([text[: examples.start()]] if examples else [])]
        yield from (wording.strip() for wording in wordings if wording.strip())


def _questions(fields: Mapping[str, Any]) -> list[str]:
    turns = _texts(fields.get("turns"))
    question = next((text for key in QUESTION for text in _texts(fields.get(key))), None)
    if turns or question is None:
        return turns
    inputs = _texts(fields.get("input")) + [text for each in _instances(fields) for text in _texts(each.get("input"))]
    if inputs:
        return [f"{question}\n\n{text}" for text in inputs]
    choices = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, _choices(fields), strict=False)]
    return [question, "\n".join([question, *choices])] if choices else [question]


def _answers(fields: Mapping[str, Any]) -> list[str]:
    answer = next((fields[key] for key in _ANSWER if fields.get(key) is not None), None)
    choices = _choices(fields)
    if choices and isinstance(answer, int) and answer < len(choices):
        answer = choices[answer]
    elif choices and isinstance(answer, str) and answer.strip().upper() in LETTERS[: len(choices)]:
        answer = choices[LETTERS.index(answer.strip().upper())]
    answers = _texts(answer) + [text for each in _instances(fields) for text in _texts(each.get("output"))]
    return answers + [_CALCULATION.sub("", text) for text in answers if "<<" in text]


def _texts(value: Any) -> list[str]:
    """The texts of a field that holds one, or a list of them; blank ones left out."""
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str) and text.strip()]


def _instances(fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    instances = fields.get("instances")
    return [each for each in instances if isinstance(each, Mapping)] if isinstance(instances, list) else []


def _choices(fields: Mapping[str, Any]) -> list[str]:
    choices = fields.get("choices", fields.get("options"))
    if isinstance(choices, Mapping):  # ARC: {"text": [...], "label": [...]}
        choices = choices.get("text")
    if not isinstance(choices, list):
        choices = [fields[letter] for letter in "abcd" if isinstance(fields.get(letter), str)]
    return [str(choice) for choice in choices]
