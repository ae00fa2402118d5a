"""The queue as records of Argilla 2, and the answers that come back, in the JSON of its `Record.to_dict`.

    {"id": ..., "fields": {"prompt", "response_1", "response_2"}, "metadata": {...}, "suggestions": {},
     "responses": {"preference": [{"value": "response_1" | "response_2" | "tie", "user_id": ...}]}, "vectors": {}}

The order of the two responses is a coin that falls by pair, as on the page; `metadata` says which is which by digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from curation.review.items import Item
from curation.review.verdicts import NOTE_CHARACTERS, Choice, Verdict, text_digest
from curation.store import write_file
from schemas.errors import UsageError

QUESTION: Final = "preference"
NOTE: Final = "note"
_SHOWN_BY: Final = "argilla"


def export_records(items: Sequence[Item], run: str, path: Path) -> int:
    """Write one record an item as a JSON list, and return how many."""
    records = [_record(item, run) for item in items]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, orjson.dumps(records, option=orjson.OPT_INDENT_2))
    return len(records)


def _record(item: Item, run: str) -> dict[str, Any]:
    prompt_id, a, b = item.pair
    shown = [("a", item.a), ("b", item.b)]
    if item.first(_SHOWN_BY) == "b":
        shown.reverse()
    turns = [f"{message['role']}: {message['content']}" for message in item.prompt]
    return {
        "id": f"{prompt_id}-{a}-{b}",
        "fields": {
            "prompt": turns[0].removeprefix("user: ") if len(turns) == 1 else "\n\n".join(turns),
            "response_1": shown[0][1],
            "response_2": shown[1][1],
        },
        "metadata": {"prompt_id": prompt_id, "response_1": shown[0][0], "a": a, "b": b, "run": run},
        "suggestions": {},
        "responses": {},
        "vectors": {},
    }


def import_records(path: Path) -> tuple[list[Verdict], int]:
    """Verdicts in a file of records (a JSON list, or a record a line), and how many records had none.

    A value is response_1, response_2, tie or skip. Raises UsageError, with the place, where the file is no list of
    records, a record lacks what the export wrote, or its texts are no longer the exported ones.
    """
    verdicts: list[Verdict] = []
    empty = 0
    for at, record in enumerate(_records(path), start=1):
        where = f"{path}: record {at}"
        try:
            found = _verdicts(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(
                f"{where} is not as it was exported: {type(error).__name__}: {error}",
                hint="import what Argilla's `dataset.records.to_json` wrote of records made by --export",
            ) from error
        verdicts += found
        empty += not found
    return verdicts, empty


def _records(path: Path) -> list[Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="name the JSON file that was exported") from error
    try:
        lines = content.splitlines() if not content.lstrip().startswith(b"[") else []
        whole = [orjson.loads(line) for line in lines if line.strip()] if lines else orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path}: not JSON: {error}", hint="export the records as JSON") from error
    if not isinstance(whole, list):
        raise UsageError(f"{path}: no list of records", hint="export the records as JSON")
    return whole


def _verdicts(record: Any) -> list[Verdict]:
    metadata, fields = record["metadata"], record["fields"]
    first = metadata["response_1"]
    if first not in ("a", "b"):
        raise ValueError(f"metadata.response_1 is {first!r}")
    other = "b" if first == "a" else "a"
    if (text_digest(fields["response_1"]), text_digest(fields["response_2"])) != (metadata[first], metadata[other]):
        raise ValueError("a response is not the exported text")
    said = {"response_1": first, "response_2": other, "tie": "tie", "skip": "skip"}
    notes = {one["user_id"]: str(one["value"]) for one in (record.get("responses") or {}).get(NOTE, [])}
    found = []
    for answer in (record.get("responses") or {}).get(QUESTION, []):
        choice: Choice = said[answer["value"]]
        by = str(answer.get("user_id") or _SHOWN_BY)
        found.append(
            Verdict(
                prompt_id=metadata["prompt_id"],
                a_text=metadata["a"],
                b_text=metadata["b"],
                verdict=choice,
                by=by,
                note=notes.get(answer.get("user_id"), "")[:NOTE_CHARACTERS],
                first=first,
                run=str(metadata.get("run", "")),
            )
        )
    return found
