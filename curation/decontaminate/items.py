"""Benchmark files in their common shapes, read into items.

    question | prompt | instruction | problem | query     GSM8K, HumanEval, IFEval, MATH ...; `input` or the inputs of
                                                          `instances` are put behind an instruction
    turns: [...]                                          MT-bench; every turn is a question
    choices | A, B, C, D with answer                      MMLU, ARC; also as CSV without a header line

in JSON Lines, JSON, CSV, TSV, Parquet or Arrow, plain, compressed, or inside a zip archive.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from curation.digest import sha256_file
from curation.ingest.files import is_data
from curation.ingest.probe import probe
from curation.ingest.read import batches
from curation.ingest.reject import Bad
from curation.ingest.streams import read_chunks
from schemas.errors import UsageError

STARTER = Path(__file__).resolve().parents[1] / "starter" / "benchmark.jsonl"
_LETTERS = tuple("ABCDEFGHIJ")
_ID = ("task_id", "question_id", "id", "key", "idx")
_QUESTION = ("question", "prompt", "instruction", "problem", "query")
_ANSWER = ("answer", "canonical_solution", "solution", "output", "response", "reference", "answers")
_CALCULATION = re.compile(r"<<.*?>>")  # GSM8K's calculator annotations, which most copies have lost
_MAX_RECORD = 64 << 20
_MAX_EXPANSION = 200


@dataclass(frozen=True)
class Item:
    """One item of a benchmark: the texts any of which gives its question away, and those that give its answer away."""

    benchmark: str
    item: str
    questions: tuple[str, ...]
    answers: tuple[str, ...] = ()


def files(path: str) -> list[Path]:
    """The files a benchmark path means: `starter`, a file, or all data files and zip archives of a folder.

    Raises UsageError where there is none.
    """
    place = STARTER if path == "starter" else Path(path).expanduser()
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise UsageError(
            f"{path}: no such benchmark file or folder", hint="the path is taken from the folder you run in"
        )
    found = sorted(p for p in place.rglob("*") if p.is_file() and _wanted(p.relative_to(place).as_posix()))
    if not found:
        raise UsageError(
            f"{path}: a folder without benchmark files", hint="they end in .jsonl, .json, .csv, ... or .zip"
        )
    return found


def digests(paths: tuple[str, ...]) -> list[list[str]]:
    """Name and sha256 of every benchmark file."""
    return [[file.name, sha256_file(file)] for path in paths for file in files(path)]


def read(paths: tuple[str, ...]) -> list[Item]:
    """All items of all benchmarks. Raises UsageError, naming file and record, where one cannot be read."""
    items: list[Item] = []
    for path in paths:
        for file in files(path):
            benchmark = path if path == "starter" else re.sub(r"(\.[A-Za-z0-9]+)+$", "", file.name)
            items += _file(file, benchmark, "")
    return items


def _wanted(name: str) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    return not hidden and (is_data(name) or name.lower().endswith(".zip"))


def _file(file: Path, benchmark: str, inside: str) -> list[Item]:
    if file.suffix.lower() == ".zip":
        return _archive(file, benchmark)
    name = f"{file.name}({inside})" if inside else str(file)
    try:
        records = list(_records(file))
    except (OSError, Bad, UnicodeDecodeError, csv.Error) as error:
        told = error.detail or error.reason if isinstance(error, Bad) else str(error)
        raise UsageError(f"{name}: cannot be read as a benchmark: {told}", hint="mend or remove the file") from error
    items = []
    for number, record in enumerate(records, start=1):
        item = item_of(record, benchmark, f"{inside}:{number}" if inside else str(number))
        if item is None:
            shown = ", ".join(map(str, record)) if isinstance(record, Mapping) else str(record)
            raise UsageError(
                f"{name}: record {number} has no question; it holds {shown[:200]}",
                hint=f"a question is a text named {', '.join(_QUESTION)} or turns",
            )
        items.append(item)
    return items


def _archive(file: Path, benchmark: str) -> list[Item]:
    items: list[Item] = []
    try:
        with zipfile.ZipFile(file) as archive, TemporaryDirectory() as folder:
            for member in sorted(name for name in archive.namelist() if _wanted(name) and not name.endswith(".zip")):
                unpacked = Path(archive.extract(member, folder))
                items += _file(unpacked, benchmark, member)
    except zipfile.BadZipFile as error:
        raise UsageError(f"{file}: not a readable zip archive: {error}", hint="fetch it again") from error
    return items


def _records(file: Path) -> Iterator[Any]:
    source = probe(file, _MAX_RECORD, _MAX_EXPANSION).source
    if source.kind == "csv":
        data = b"".join(read_chunks(file, source.compression, _MAX_EXPANSION))[source.skip :]
        yield from _table(list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=source.delimiter)))
        return
    for batch in batches(source):
        refused = batch.rejects[0] if batch.rejects else None
        if refused:
            raise Bad(refused.reason, f"record {refused.position}: {refused.detail or refused.reason}")
        for position, value in zip(batch.positions, batch.values, strict=True):
            if isinstance(value, Bad):
                raise Bad(value.reason, f"record {position}: {value.detail or value.reason}")
            yield value


def _table(lines: list[list[str]]) -> Iterator[Any]:
    lines = [line for line in lines if line]
    if lines and any(name.strip().lower() in _QUESTION for name in lines[0]):
        header = [name.strip() for name in lines[0]]
        yield from (dict(zip(header, line, strict=False)) for line in lines[1:])
        return
    for line in lines:  # MMLU: question, A, B, C, D, letter
        letters = _LETTERS[: len(line) - 2]
        mmlu = len(line) > 3 and line[-1].strip().upper() in letters
        yield {"question": line[0], "choices": line[1:-1], "answer": line[-1]} if mmlu else line


def item_of(record: Any, benchmark: str, number: str) -> Item | None:
    """The item of a record, or None where it has no question."""
    if not isinstance(record, Mapping):
        return None
    fields = {str(name).lower(): value for name, value in record.items()}
    questions = _questions(fields)
    if not questions:
        return None
    name = next((str(fields[key]) for key in _ID if isinstance(fields.get(key), (str, int))), number)
    return Item(benchmark, name, tuple(questions), tuple(_answers(fields)))


def _questions(fields: Mapping[str, Any]) -> list[str]:
    turns = _texts(fields.get("turns"))
    question = next((text for key in _QUESTION for text in _texts(fields.get(key))), None)
    if turns or question is None:
        return turns
    inputs = _texts(fields.get("input")) + [text for each in _instances(fields) for text in _texts(each.get("input"))]
    if inputs:
        return [f"{question}\n\n{text}" for text in inputs]
    choices = [f"{letter}. {choice}" for letter, choice in zip(_LETTERS, _choices(fields), strict=False)]
    return [question, "\n".join([question, *choices])] if choices else [question]


def _answers(fields: Mapping[str, Any]) -> list[str]:
    answer = next((fields[key] for key in _ANSWER if fields.get(key) is not None), None)
    choices = _choices(fields)
    if choices and isinstance(answer, int) and answer < len(choices):
        answer = choices[answer]
    elif choices and isinstance(answer, str) and answer.strip().upper() in _LETTERS[: len(choices)]:
        answer = choices[_LETTERS.index(answer.strip().upper())]
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
