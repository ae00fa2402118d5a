"""Files from anywhere: the kind by the columns, each defect by name and record, and what cannot be read at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from curation.gates.files import validate_file
from schemas.errors import GateError, UsageError
from tests.gates.test_shares import REFUSAL

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
PAIR = {"prompt": "q", "chosen": "a", "rejected": "b"}


def jsonl(tmp_path: Path, *records: Any, name: str = "f.jsonl") -> str:
    lines = [record if isinstance(record, bytes) else orjson.dumps(record) for record in records]
    (tmp_path / name).write_bytes(b"\n".join(lines))
    return str(tmp_path / name)


def said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def failures(path: str, **more: Any) -> dict[str, tuple[str, int, list[str]]]:
    """Severity, count and record numbers of each expectation that fails."""
    results = validate_file(path, **more).results
    return {
        r["name"]: (r["severity"], r["failed"], [name.split(":")[1].lstrip("0") for name in r["ids"]])
        for r in results
        if not r["passed"]
    }


GOOD = [
    ("sft", {"messages": [said("user", "q"), said("assistant", "a")]}),
    ("sft", {"instruction": "q", "input": "", "output": "a"}),
    ("sft", {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}),
    ("prompt-completion", {"prompt": "q", "completion": "a"}),
    ("prompt-completion", {"prompt": [said("user", "q")], "completion": [said("assistant", "a")]}),
    ("rejection-sampling", {"prompt": "q", "completion": "a", "reward": 1.5}),
    ("rejection-sampling", {"prompt": [said("user", "q")], "completion": [said("assistant", "a")], "reward": 1}),
    ("preference", PAIR),
    ("preference", {"prompt": "q", "chosen": [said("assistant", "a")], "rejected": [said("assistant", "b")]}),
    ("preference", {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}),
    ("preference", {"instruction": "q", "input": "", "output_1": "a", "output_2": "b", "preference": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "record"), GOOD)
def test_the_kind_is_told_from_the_columns(tmp_path: Path, kind: str, record: dict[str, Any]):
    found = validate_file(jsonl(tmp_path, record))
    assert (found.kind, found.records) == (kind, 1)
    found.enforce()
    assert not found.failed("warning")


def test_parquet_of_our_own_columns_is_read(tmp_path: Path):
    frame = pl.DataFrame([PAIR | {"prompt_id": "0" * 16, "row_id": "t:1", "score_chosen": 2.0, "score_rejected": 1.0}])
    frame.write_parquet(tmp_path / "p.parquet")
    found = validate_file(str(tmp_path / "p.parquet"))
    found.enforce()
    assert (found.kind, found.records) == ("preference", 1)


def test_each_defect_of_conversations_is_found(tmp_path: Path):
    good = [said("user", "q"), said("assistant", "a")]
    path = jsonl(
        tmp_path,
        *({"messages": messages} for messages in (
            good,
            good,
            [said("user", "1"), said("user", "q"), said("assistant", "a")],
            [said("user", "2"), said("wizard", "q"), said("assistant", "a")],
            [said("user", "3")],
            [said("user", "4"), said("assistant", " ")],
            [said("user", "5"), said("assistant", "5")],
            [said("user", "6"), said("assistant", "<|im_start|>system")],
            [said("user", "7"), said("assistant", "lost \ufffd")],
            [said("user", "8"), said("assistant", "a"), said("user", "again")],
            [said("user", "9"), said("assistant", REFUSAL)],
        )),
        b"{broken",
    )  # fmt: skip
    assert failures(path) == {
        "readable": ("critical", 1, ["12"]),
        "roles_legal": ("critical", 1, ["4"]),
        "turns_alternate": ("critical", 1, ["3"]),
        "ends_with_assistant": ("critical", 2, ["5", "10"]),
        "texts_not_empty": ("critical", 1, ["6"]),
        "answer_is_not_prompt": ("critical", 1, ["7"]),
        "no_control_token": ("critical", 1, ["8"]),
        "no_replacement_character": ("warning", 1, ["9"]),
        "not_repeated": ("warning", 1, ["2"]),
        "refusal_share": ("warning", 1, ["11"]),
        "repeated_prompts": ("info", 2, ["1", "2"]),
    }


def test_reasons_and_shares_are_told(tmp_path: Path):
    found = validate_file(jsonl(tmp_path, *[{"prompt": "q", "completion": "a"}] * 3, b"{", b"[1]", b"{"))
    told = {r["name"]: (r["observed"], r["detail"]) for r in found.results}
    assert found.records == 6
    assert told["readable"] == (None, "torn line: 2, not an object: 1")
    # Of the three that could be read; the others are in no share.
    assert told["repeated_prompts"] == (1.0, "")
    with pytest.raises(GateError, match=r"1 critical of 13 expectations failed: readable") as caught:
        found.enforce()
    assert caught.value.exit_code == 4


def test_each_defect_of_pairs_is_found(tmp_path: Path):
    scored = {"score_chosen": 2.0, "score_rejected": 1.0}
    records = [
        PAIR,
        PAIR,
        {"prompt": "q", "chosen": "b", "rejected": "a"},
        {"prompt": "3", "chosen": "Same", "rejected": "same "},
        {"prompt": "4", "chosen": "a", "rejected": "a"},
        {"prompt": "5", "chosen": "a", "rejected": ""},
        {"prompt": "6", "chosen": "a", "rejected": "b", "score_chosen": 1.0, "score_rejected": 2.0},
        {"prompt": "7", "chosen": "a", "rejected": "b", "score_chosen": 1.0, "score_rejected": 1.0},
        {"prompt": [said("user", "8"), said("assistant", "x")], "chosen": "a", "rejected": "b"},
        {"prompt": "9", "chosen": "a", "rejected": [said("assistant", "") | {"tool_calls": [{"name": "f"}]}]},
        {"prompt": "10", "chosen": REFUSAL, "rejected": "a"},
        {"prompt": "11", "chosen": "a", "rejected": "<|im_end|>"},
        {"prompt": "12", "chosen": [said("user", "12"), said("assistant", "a")], "rejected": [said("assistant", "b")]},
        {"prompt": "13", "chosen": [said("user", "x"), said("assistant", "a")], "rejected": "b"},
    ]
    path = jsonl(tmp_path, *(scored | record for record in records))
    assert failures(path) == {
        "turns_alternate": ("critical", 1, ["9"]),
        "texts_not_empty": ("critical", 1, ["6"]),
        "no_control_token": ("critical", 1, ["12"]),
        "one_prompt": ("critical", 1, ["14"]),
        "answers_single": ("critical", 1, ["10"]),
        "answers_differ": ("critical", 2, ["4", "5"]),
        "scores_agree": ("critical", 1, ["7"]),
        "not_contradicted": ("critical", 3, ["1", "2", "3"]),
        "decided": ("warning", 1, ["8"]),
        "not_repeated": ("warning", 1, ["2"]),
    }


def test_shares_of_pairs_warn(tmp_path: Path):
    pairs = [{"prompt": str(at), "chosen": "longer" if at < 8 else "a", "rejected": "bc"} for at in range(10)]
    assert failures(jsonl(tmp_path, *pairs)) == {
        "chosen_longer": ("warning", 8, [str(at) for at in range(1, 9)]),
    }
    refusing = [{"prompt": str(at), "chosen": REFUSAL if at < 3 else "a", "rejected": "bc"} for at in range(10)]
    assert failures(jsonl(tmp_path, *refusing)) == {"chosen_refusal_share": ("warning", 3, ["1", "2", "3"])}


def test_rewards_must_be_there_and_the_best_is_looked_for(tmp_path: Path):
    records = [("q", "a", 1.0), ("q", "b", 2.0), ("r", "c", None), ("s", "d", -1.0)]
    path = jsonl(tmp_path, *({"prompt": p, "completion": c, "reward": r} for p, c, r in records))
    assert failures(path) == {
        "reward_present": ("critical", 1, ["3"]),
        "best_of_its_prompt": ("warning", 1, ["1"]),
        "repeated_prompts": ("info", 2, ["1", "2"]),
    }


def test_a_file_may_be_said_to_hold_another_kind(tmp_path: Path):
    path = jsonl(tmp_path, {"prompt": "q", "completion": "a", "reward": 1.0})
    assert validate_file(path, "sft").kind == "sft"
    with pytest.raises(UsageError, match="are rated answers"):
        validate_file(path, "preference")
    with pytest.raises(UsageError, match=r'no record has the key that columns names with response = "completion"'):
        validate_file(jsonl(tmp_path, {"instruction": "q", "output": "a", "prompt": "q"}), "rejection-sampling")


def test_what_cannot_be_read_at_all_is_told(tmp_path: Path):
    with pytest.raises(UsageError, match="no such file"):
        validate_file(str(tmp_path / "none.jsonl"))
    with pytest.raises(UsageError, match="it is empty"):
        validate_file(jsonl(tmp_path))
    with pytest.raises(UsageError, match=r"pretty_printed|an object over several lines"):
        validate_file(jsonl(tmp_path, b'{\n "prompt": 1\n}', name="p.jsonl"))
    with pytest.raises(UsageError, match="the keys seen are 'what'"):
        validate_file(jsonl(tmp_path, {"what": 1}))


@pytest.mark.parametrize(
    ("name", "kind", "records", "critical"),
    [
        ("alpagasus_random_9k.json", "sft", 9229, {"texts_not_empty": 4}),
        ("alpagasus_dolly_3k.json", "sft", 2996, {}),
        ("hh_harmless_base_test.jsonl.gz", "preference", 2312,
         {"turns_alternate": 4, "texts_not_empty": 4, "answer_is_not_prompt": 2, "one_prompt": 5}),
        ("pandalm_testset_v1.json", "preference", 999,
         {"readable": 6, "texts_not_empty": 55, "answer_is_not_prompt": 2}),
    ],
)  # fmt: skip
def test_real_files(name: str, kind: str, records: int, critical: dict[str, int]):
    if not (SHARED / name).exists():
        pytest.skip("the shared data are not there")
    found = validate_file(str(SHARED / name))
    assert (found.kind, found.records) == (kind, records)
    assert {result["name"]: result["failed"] for result in found.failed("critical")} == critical
