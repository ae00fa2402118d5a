"""What becomes of the same prompt, the same answer and the same verdict in several records."""

from __future__ import annotations

import hashlib

from curation.comparisons.tables import completion_id_of
from schemas.records import prompt_id_of
from tests.comparisons.helpers import SKY, judged, read, read_path, reasons

PROMPT_ID = prompt_id_of([{"role": "user", "content": SKY["prompt"]}])


def reply(text: str, score: float | None = None, **more):
    return {"prompt": "Q", "response": text, "score": score} | more


def test_ids_are_made_of_prompt_policy_and_text(tmp_path):
    frame = read([SKY], tmp_path).scan().collect()
    blue, green = (completion_id_of(PROMPT_ID, "s", text) for text in (SKY["chosen"], SKY["rejected"]))
    assert frame["completion_id"].to_list() == sorted([blue, green])
    assert frame["prompt_id"].unique().to_list() == [PROMPT_ID]
    assert frame["row_id"].unique().to_list() == [f"s:{PROMPT_ID}"]
    digest = hashlib.sha256(f'["{PROMPT_ID}","s","It is blue."]'.encode()).hexdigest()
    assert blue == f"{PROMPT_ID}-{digest[:16]}"
    assert completion_id_of(PROMPT_ID, "t", SKY["chosen"]) != blue


def test_an_answer_in_several_pairs_is_one_completion(tmp_path):
    done = read([SKY, SKY | {"rejected": "It is red."}], tmp_path)
    frame = done.scan().collect()
    assert sorted(frame["text"]) == ["It is blue.", "It is green.", "It is red."]
    assert frame.sort("completion_id")["index"].to_list() == [0, 1, 2]
    assert done.table("labels").collect().height == 2
    assert done.table("rows").collect().height == 1


def test_a_copy_of_a_comparison_is_dropped_and_names_the_first(tmp_path):
    done = read([SKY, SKY | {"rejected": "It is red."}, SKY], tmp_path)
    assert reasons(done) == [("s:000003", "duplicate_comparison")]
    assert done.table("decisions").collect()["kept_id"].to_list() == ["s:000001"]
    assert done.manifest.counts == {"in": 3, "kept": 2, "dropped": 1, "quarantined": 0}


def test_contradictions_are_kept_for_the_pair_builder(tmp_path):
    done = read([SKY, {"prompt": SKY["prompt"], "chosen": SKY["rejected"], "rejected": SKY["chosen"]}], tmp_path)
    assert sorted(done.table("labels").collect()["verdict"]) == ["a", "b"]
    assert done.scan().collect().height == 2


def test_the_order_of_a_label_tells_nothing_of_the_verdict(tmp_path):
    """Of 40 pairs in files that have the better answer first, it is a in some labels and b in others."""
    done = read([{"prompt": f"Q{n}", "chosen": "yes", "rejected": "no"} for n in range(40)], tmp_path)
    assert set(done.table("labels").collect()["verdict"]) == {"a", "b"}
    assert judged(done) == sorted((f"Q{n}", "yes", "no") for n in range(40))


def test_the_same_text_of_two_policies_is_two_completions(tmp_path):
    done = read([reply("A", 1, model="m"), reply("A", 2, model="n"), reply("A", 1, model="m")], tmp_path)
    assert sorted(done.scan().collect().select("policy", "given_score").iter_rows()) == [("m", 1.0), ("n", 2.0)]
    assert reasons(done) == [("s:000003", "duplicate_reply")]


def test_scores_that_differ_cancel_each_other(tmp_path):
    done = read([reply("A", 1, model="m"), reply("A", 3.5, model="m"), reply("B", 2, model="m")], tmp_path)
    frame = done.scan().collect()
    assert dict(frame.select("text", "given_score").iter_rows()) == {"A": None, "B": 2.0}
    flag = done.table("decisions").collect().filter(kind="flagged").row(0, named=True)
    assert (flag["row_id"], flag["reason"], flag["value"]) == (
        frame.filter(text="A")["completion_id"][0],
        "scores_differ",
        2.5,
    )


def test_metadata_is_what_the_records_of_a_prompt_agree_on(tmp_path):
    one = SKY | {"topic": "sky", "n": 1, "by": {"x": [1, 2]}}
    two = SKY | {"rejected": "It is red.", "topic": "sky", "n": 2, "by": {"x": [1, 2]}}
    done = read([one, two], tmp_path)
    assert set(done.scan().collect()["metadata"]) == {'{"by":{"x":[1,2]},"topic":"sky"}'}


def test_references_that_differ_are_no_reference(tmp_path):
    one = {"question": "Q", "ground_truth": "1", "m": {"is_correct": True, "solution": "x"}}
    done = read([one, one | {"ground_truth": "2", "m": {"is_correct": True, "solution": "y"}}], tmp_path)
    assert done.scan().collect()["reference"].to_list() == [None, None]
    assert [len(messages) for messages in done.table("rows").collect()["messages"]] == [1]
    assert reasons(done, "flagged") == [(done.table("rows").collect()["row_id"][0], "references_differ")]


def test_the_language_is_that_of_the_prompt(tmp_path):
    korean = {"prompt": "하늘은 무슨 색인가요?", "chosen": "It is blue.", "rejected": "It is green."}
    done = read([korean, SKY], tmp_path)
    assert sorted(done.table("rows").collect()["language"]) == ["en", "ko"]
    assert sorted(done.scan().collect()["language"]) == ["en", "en", "ko", "ko"]


def test_the_order_of_lines_and_files_changes_no_table(tmp_path):
    records = [SKY, SKY | {"rejected": "It is red."}, {"prompt": "Q", "chosen": "yes", "rejected": "no"}, SKY]
    one = read(records, tmp_path, file="a.jsonl")
    other = read(records[::-1], tmp_path, file="b.jsonl")
    for name in ("part-00000", "labels", "rows"):
        assert (one.path / f"{name}.parquet").read_bytes() == (other.path / f"{name}.parquet").read_bytes()
    both = read_path(tmp_path / "raw", tmp_path)
    assert both.scan().collect().equals(one.scan().collect())
    assert both.manifest.counts == {"in": 8, "kept": 3, "dropped": 5, "quarantined": 0}
