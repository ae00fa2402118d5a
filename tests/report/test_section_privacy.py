"""Finds are counted by stage, kind, source and outcome, and none is shown."""

from __future__ import annotations

from pathlib import Path

import orjson

from curation.report.sections import privacy
from tests.helpers import answer, rows
from tests.report.made import add, new_run, opened


def decision(row: int, stage: str, reason: str, kind: str, value: float | None) -> dict[str, object]:
    return {
        "stage": stage, "row_id": f"t:{row:06d}", "kind": kind, "reason": reason, "value": value,
        "detail": "kim@naver.com",
    }  # fmt: skip


def gathered(home: Path) -> privacy.Figures | None:
    """Four rows, of which the last is dropped for a token; the first holds a number that the profile keeps."""
    talks = rows(*(answer(f"Answer {n}") for n in range(4)))
    runs, record = new_run(home)
    add(runs, record, "ingest", "ingest", talks)
    private = "privacy.personal_data"
    decisions = [
        decision(1, private, "email", "edited", 2.0),
        decision(1, private, "phone", "flagged", 1.0),
        decision(2, private, "email", "edited", 3.0),
        decision(3, private, "phone", "flagged", 1.0),
    ]
    add(runs, record, "curate", private, talks, decisions=decisions, facts={"examples": {"email": 4}})
    secrets = [decision(2, "privacy.secrets", "github_token", "edited", 1.0)]
    add(runs, record, "curate", "privacy.secrets", talks, decisions=secrets)
    refused = [decision(3, "filter.refusal", "refusal", "dropped", 0.9)]
    add(runs, record, "curate", "filter.refusal", talks[[0, 1, 3]], decisions=refused)
    facts = {"scores": {"score_toxicity": {"scored": 3, "not_scored": 0}}}
    add(runs, record, "curate", "scoring.classifier", talks[[0, 1, 3]], facts=facts)
    bounds = [
        decision(4, "select.threshold", "score_toxicity_too_high", "dropped", 0.8),
        decision(2, "select.threshold", "score_other_too_low", "dropped", 0.1),
    ]
    add(runs, record, "curate", "select.threshold", talks[[0]], decisions=bounds)
    return privacy.gather(opened((runs, record)))


def test_counts_are_those_of_the_ledger(tmp_path: Path):
    found = gathered(tmp_path)
    assert found is not None
    assert found["stages"] == ["privacy.personal_data", "privacy.secrets"]
    # The first row alone is in the set; the number in the third went with its row.
    told = [(e["reason"], e["source"], e["outcome"], e["rows"], e["values"], e["in_set"]) for e in found["found"]]
    assert told == [
        ("email", "t", "edited", 2, 5, 1),
        ("phone", "t", "flagged", 2, 2, 1),
        ("github_token", "t", "edited", 1, 1, 0),
    ]
    assert found["examples"] == [{"stage": "privacy.personal_data", "kind": "email", "values": 4}]
    # A threshold on a score that no classifier made says nothing of safety, and a share is no count.
    safety = [(e["stage"], e["reason"], e["rows"], e["values"], e["in_set"]) for e in found["safety"]]
    assert safety == [
        ("filter.refusal", "refusal", 1, None, 0),
        ("select.threshold", "score_toxicity_too_high", 1, None, 0),
    ]


def test_what_is_left_in_the_set_and_secrets_are_findings_without_a_value(tmp_path: Path):
    found = gathered(tmp_path)
    assert found is not None
    assert [(one["key"], one["values"]) for one in found["findings"]] == [
        ("privacy.finding_left", {"rows": 1}),
        ("privacy.finding_secrets", {"values": 1}),
    ]
    assert b"naver" not in orjson.dumps(found)


def test_a_run_that_does_not_look_has_no_section(tmp_path: Path):
    runs, record = new_run(tmp_path)
    add(runs, record, "ingest", "ingest", rows(answer("a")))
    assert privacy.gather(opened((runs, record))) is None
