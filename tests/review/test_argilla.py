"""Out to Argilla's records and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.review.argilla import export_records, import_records
from curation.review.labels import labels
from curation.review.verdicts import standing
from schemas.errors import UsageError
from tests.review.support import ITEMS, TABLE


def exported(tmp_path: Path) -> list[dict]:
    assert export_records(ITEMS, "run-1", tmp_path / "records.json") == 2
    return json.loads((tmp_path / "records.json").read_text())


def answered(records: list[dict], say: dict[str, str], path: Path) -> Path:
    """Records in which user u-1 prefers the given text of each prompt."""
    for record in records:
        wanted = say.get(record["metadata"]["prompt_id"])
        if wanted:
            name = next((n for n in ("response_1", "response_2") if record["fields"][n] == wanted), wanted)
            record["responses"] = {"preference": [{"value": name, "user_id": "u-1"}]}
    path.write_text(json.dumps(records))
    return path


def test_records_are_blind_and_carry_what_brings_them_back(tmp_path: Path):
    one, _ = exported(tmp_path)
    assert set(one) == {"id", "fields", "metadata", "suggestions", "responses", "vectors"}
    assert one["fields"]["prompt"] == "question p"
    assert {one["fields"]["response_1"], one["fields"]["response_2"]} == {"red", "blue"}
    assert "secret-model" not in json.dumps(one)


def test_answers_come_back_as_verdicts_on_the_same_texts(tmp_path: Path):
    file = answered(exported(tmp_path), {"p": "red", "q": "tie"}, tmp_path / "back.json")
    verdicts, empty = import_records(file)
    found = labels(TABLE, standing(verdicts))
    p = found.filter(prompt_id="p").row(0, named=True)
    assert (p[f"{p['verdict']}_id"], p["by"], empty) == ("p-0", "u-1", 0)
    assert found.filter(prompt_id="q")["verdict"].to_list() == ["tie"]


def test_a_record_a_line_and_records_without_an_answer(tmp_path: Path):
    records = exported(tmp_path)
    note = {"value": "x" * 9999, "user_id": "u"}
    records[0]["responses"] = {"preference": [{"value": "response_1", "user_id": "u"}], "note": [note]}
    lines = tmp_path / "lines.jsonl"
    lines.write_text("\n".join(json.dumps(record) for record in records))
    (verdict,), empty = import_records(lines)
    assert (verdict.by, len(verdict.note), empty) == ("u", 2000, 1)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda r: r["fields"].update(response_1="another text"), "not the exported text"),
        (lambda r: r["responses"].update(preference=[{"value": "response_9", "user_id": "u"}]), "response_9"),
        (lambda r: r.pop("metadata"), "metadata"),
        (lambda r: r["metadata"].update(response_1="c"), "response_1"),
    ],
)
def test_what_is_not_as_exported_is_told_with_its_place(tmp_path: Path, spoil, said: str):
    records = exported(tmp_path)
    spoil(records[1])
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(records))
    with pytest.raises(UsageError, match=f"record 2.*{said}|{said}"):
        import_records(file)


@pytest.mark.parametrize("content", ["{", '{"id": 1}\n{', '"text"'])
def test_what_is_no_list_of_records_is_an_error_in_words(tmp_path: Path, content: str):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UsageError):
        import_records(tmp_path / "x.json")
    with pytest.raises(UsageError, match="No such file"):
        import_records(tmp_path / "none.json")
