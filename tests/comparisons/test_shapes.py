"""Each shape as its makers write it: prompt, answers, verdict, scores, policies, votes."""

from __future__ import annotations

import pytest

from curation.comparisons.detect import detect
from schemas.errors import UsageError
from schemas.profile.sources import Comparisons
from tests.comparisons.helpers import SKY, judged, read, read_path, reasons


def scores(done) -> dict[str, float | None]:
    return dict(done.scan().collect().select("text", "given_score").iter_rows())


def policies(done) -> dict[str, str]:
    return dict(done.scan().collect().select("text", "policy").iter_rows())


ULTRA = {
    "prompt": "Q",
    "prompt_id": "f0e1",
    "chosen": [{"content": "Q", "role": "user"}, {"content": "good", "role": "assistant"}],
    "rejected": [{"content": "Q", "role": "user"}, {"content": "bad", "role": "assistant"}],
    "messages": [{"content": "Q", "role": "user"}, {"content": "good", "role": "assistant"}],
    "score_chosen": 8.5,
    "score_rejected": 3,
}


def test_ultrafeedback_binarized(tmp_path):
    done = read([ULTRA], tmp_path)
    assert judged(done) == [("Q", "good", "bad")]
    assert scores(done) == {"good": 8.5, "bad": 3.0}
    # The set's own id of the prompt is kept under the name that ingest gives it.
    assert done.table("rows").collect()["metadata"].to_list() == ['{"id":"f0e1"}']


def test_equal_scores_make_a_tie_and_contrary_ones_no_label(tmp_path):
    tie = ULTRA | {"score_chosen": 3}
    contrary = ULTRA | {"score_chosen": 2, "prompt_id": "f0e2"}
    done = read([tie, contrary], tmp_path)
    assert judged(done) == [("=Q", "bad", "good")]
    assert reasons(done) == [("s:000002", "verdict_against_scores")]


def test_argilla_names_models_and_ratings(tmp_path):
    record = SKY | {"chosen_model": "m1", "rejected_model": "m2", "chosen_rating": 5, "rejected_rating": 1}
    done = read([record], tmp_path)
    assert policies(done) == {"It is blue.": "m1", "It is green.": "m2"}
    assert scores(done) == {"It is blue.": 5.0, "It is green.": 1.0}


ALPACA = {"instruction": "Name it.", "input": "a dog", "output_1": "Rex", "output_2": "Cat"}


@pytest.mark.parametrize(
    ("preference", "verdict"),
    [
        (1, ("Name it.\n\na dog", "Rex", "Cat")),
        (2, ("Name it.\n\na dog", "Cat", "Rex")),
        (2.0, ("Name it.\n\na dog", "Cat", "Rex")),
        (1.5, ("=Name it.\n\na dog", "Cat", "Rex")),
        (0, ("=Name it.\n\na dog", "Cat", "Rex")),
    ],
)
def test_alpaca_comparisons(preference, verdict, tmp_path):
    assert judged(read([ALPACA | {"preference": preference}], tmp_path)) == [verdict]


@pytest.mark.parametrize(
    ("preference", "reason"),
    [(None, "no_verdict"), (3, "unknown_verdict"), ("1", "unknown_verdict"), (True, "unknown_verdict")],
)
def test_alpaca_preferences_that_are_none(preference, reason, tmp_path):
    done = read([ALPACA | {"preference": 1}, ALPACA | {"preference": preference, "input": ""}], tmp_path)
    assert reasons(done) == [("s:000002", reason)]


def test_preferences_in_csv_are_texts(tmp_path):
    data = b"instruction,input,output_1,output_2,preference\nQ,,yes,no,2\n"
    assert judged(read(data, tmp_path, file="given.csv")) == [("Q", "no", "yes")]


def test_llama_factory_rankings(tmp_path):
    alpaca = {"instruction": "Q", "input": "", "chosen": "yes", "rejected": "no"}
    sharegpt = {
        "conversations": [{"from": "human", "value": "Q"}],
        "chosen": {"from": "gpt", "value": "yes"},
        "rejected": {"from": "gpt", "value": "no"},
    }
    for record in (alpaca, sharegpt):
        done = read([record], tmp_path)
        assert judged(done) == [("Q", "yes", "no")]
        assert done.manifest.facts["files"][0]["shape"] == "comparison"


PANDA = {"instruction": "Q", "input": "", "response1": "one", "response2": "two", "cmp_key": "llama_opt"}


def vote(*votes):
    return PANDA | {f"annotator{at}": given for at, given in enumerate(votes, 1)}


@pytest.mark.parametrize(
    ("votes", "verdict", "counts"),
    [
        ((1, 1, 2), ("Q", "one", "two"), {"one": 2, "two": 1, "tie": 0}),
        ((2, 2, 2), ("Q", "two", "one"), {"one": 0, "two": 3, "tie": 0}),
        ((0, 0, 1), ("=Q", "one", "two"), {"one": 1, "two": 0, "tie": 2}),
        ((1, 1, None), ("Q", "one", "two"), {"one": 2, "two": 0, "tie": 0}),
    ],
)
def test_the_majority_of_the_annotators_decides(votes, verdict, counts, tmp_path):
    done = read([vote(*votes)], tmp_path)
    assert judged(done) == [verdict]
    label = done.table("labels").collect().row(0, named=True)
    text = dict(done.scan().collect().select("completion_id", "text").iter_rows())
    assert {
        text[label["a_id"]]: label["votes_a"],
        text[label["b_id"]]: label["votes_b"],
        "tie": label["votes_tie"],
    } == counts
    assert policies(done) == {"one": "llama", "two": "opt"}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (vote(0, 1, 2), "no_majority"),
        (vote(1, 1, 2, 2), "no_majority"),
        (vote(None, None, None), "no_majority"),
        (vote(1, 1, 3), "unknown_vote"),
        (vote(1, True, 1), "unknown_vote"),
        (vote(1, 1, 1) | {"response2": False}, "text_is_boolean"),
        (vote(1, 1, 1) | {"response2": ""}, "empty_answer"),
        (vote(1, 1, 1) | {"response2": "one"}, "identical_answers"),
    ],
)
def test_judgements_that_cannot_be_used(record, reason, tmp_path):
    done = read([vote(1, 1, 1), record], tmp_path, shape="annotators")
    assert reasons(done) == [("s:000002", reason)]


def test_the_ledger_has_the_votes_where_there_is_no_majority(tmp_path):
    row = read([vote(0, 1, 2)], tmp_path).table("decisions").collect().row(0, named=True)
    assert (row["value"], row["detail"]) == (1.0, "1 for the first, 1 for the second, 1 ties")


KORM = {"conversations": [{"role": "user", "content": "Q"}], "response": "Fine.", "score": 1.5}


def test_replies_of_several_files_join_by_prompt(tmp_path):
    read([KORM], tmp_path, file="alpha.jsonl")
    done = read([KORM | {"response": "Well.", "score": -2}], tmp_path, file="beta-1.3B.jsonl", name="x")
    assert policies(done) == {"Well.": "beta-1.3B"}
    both = read_path(tmp_path / "raw" / "*.jsonl", tmp_path)
    frame = both.scan().collect()
    assert frame["prompt_id"].n_unique() == 1
    assert sorted(frame.select("policy", "given_score").iter_rows()) == [("alpha", 1.5), ("beta-1.3B", -2.0)]
    assert both.table("labels").collect().height == 0


@pytest.mark.parametrize(
    ("record", "policy"),
    [(KORM, "given"), (KORM | {"model": "m"}, "m"), (KORM | {"generator": "g"}, "g")],
)
def test_who_wrote_a_reply(record, policy, tmp_path):
    assert policies(read([record], tmp_path)) == {"Fine.": policy}
    assert policies(read([record], tmp_path, policy="told")) == {"Fine.": "told"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"score": "1.5"}, "score_not_number"),
        ({"score": True}, "score_not_number"),
        ({"response": " "}, "empty_answer"),
        ({"response": None}, "text_is_null"),
        ({"conversations": []}, "no_messages"),
        ({"conversations": [{"role": "narrator", "content": "Q"}]}, "unknown_role"),
        ({"response": "Q"}, "prompt_equals_response"),
        ({"id": "../../x"}, "unsafe_id"),
        ({"row_id": "x"}, "reserved_key"),
    ],
)
def test_replies_that_cannot_be_used(change, reason, tmp_path):
    done = read([KORM, KORM | {"response": "Bad."}, KORM | change], tmp_path)
    assert reasons(done) == [("s:000003", reason)]


def test_a_reply_within_its_conversation(tmp_path):
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    done = read([{"messages": turns, "reward": 2}], tmp_path)
    assert scores(done) == {"A": 2.0}
    assert [m["content"] for m in done.scan().collect()["prompt"][0]] == ["Q"]


def test_replies_without_scores_have_to_be_called_so(tmp_path):
    with pytest.raises(UsageError, match="no known shape"):
        read([{"prompt": "Q", "response": "A"}], tmp_path)
    assert scores(read([{"prompt": "Q", "response": "A"}], tmp_path, shape="replies")) == {"A": None}


def test_sampling_and_finish_reason_come_along(tmp_path):
    cut = KORM | {"gen_args": {"top_p": 0.9, "max_new_tokens": 5}, "finish_reason": "length"}
    row = read([cut], tmp_path).scan().collect().row(0, named=True)
    assert (row["sampling"], row["finish_reason"]) == ('{"max_new_tokens":5,"top_p":0.9}', "length")


def test_a_reply_that_looks_cut_off_counts_as_cut(tmp_path):
    cut = "These are the reasons why the plan did not work out: first of all, the"
    done = read([KORM | {"response": cut}, KORM], tmp_path)
    found = dict(done.scan().collect().select("text", "finish_reason").iter_rows())
    assert found == {cut: "length", "Fine.": "stop"}
    assert [reason for _, reason in reasons(done, "flagged")] == ["looks_truncated"]


def test_an_answer_that_people_judged_is_not_looked_at(tmp_path):
    cut = "These are the reasons why the plan did not work out: first of all, the"
    done = read([SKY | {"rejected": cut}], tmp_path)
    assert set(done.scan().collect()["finish_reason"]) == {"stop"}


GSM = {
    "question": "1 + 1?",
    "ground_truth": "A: 2",
    "small": {"is_correct": False, "solution": "A: 3"},
    "large": {"is_correct": True, "solution": "Two. A: 2"},
}


def test_solutions_have_scores_and_a_reference(tmp_path):
    done = read([GSM], tmp_path)
    frame = done.scan().collect().sort("policy")
    assert frame.select("policy", "text", "given_score", "reference").rows() == [
        ("large", "Two. A: 2", 1.0, "A: 2"),
        ("small", "A: 3", 0.0, "A: 2"),
    ]
    messages = done.table("rows").collect()["messages"][0]
    assert [(m["role"], m["content"]) for m in messages] == [("user", "1 + 1?"), ("assistant", "A: 2")]


def test_an_empty_solution_is_left_out_by_itself(tmp_path):
    done = read([GSM | {"small": {"is_correct": False, "solution": ""}}], tmp_path)
    assert done.scan().collect()["policy"].to_list() == ["large"]
    assert done.manifest.counts["kept"] == 1
    assert reasons(done, "flagged") == [("s:000001", "empty_answer")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"small": {"is_correct": "no", "solution": "A: 3"}}, "is_correct_not_boolean"),
        ({"small": {"is_correct": True}}, "missing_text"),
        ({"small": None, "large": None}, "missing_text"),
        ({"small": "A: 3"}, "not_an_object"),
        ({"ground_truth": ""}, "text_empty"),
    ],
)
def test_solutions_that_cannot_be_used(change, reason, tmp_path):
    done = read([GSM, GSM | {"question": "2 + 2?"} | change], tmp_path)
    assert reasons(done) == [("s:000002", reason)]


def test_columns_name_the_keys_of_any_other_set(tmp_path):
    pairs = [{"질의": "Q", "좋은 답": "yes", "나쁜 답": "no", "종류": "x"}]
    columns = {"prompt": "질의", "chosen": "좋은 답", "rejected": "나쁜 답"}
    done = read(pairs, tmp_path, columns=columns)
    assert judged(done) == [("Q", "yes", "no")]
    assert done.table("rows").collect()["metadata"].to_list() == ['{"종류":"x"}']
    rated = [{"q": "Q", "a": "yes", "stars": 4, "who": "m"}]
    done = read(
        rated, tmp_path, columns={"prompt": "q", "response": "a", "score": "stars", "policy": "who"}, file="r.jsonl"
    )
    assert done.scan().collect().select("policy", "given_score").row(0) == ("m", 4.0)


def test_columns_that_are_not_there_are_told(tmp_path):
    with pytest.raises(UsageError, match='no record has the key that columns names with chosen = "better"'):
        read([SKY], tmp_path, columns={"prompt": "prompt", "chosen": "better", "rejected": "rejected"})


@pytest.mark.parametrize(
    ("columns", "shape", "told"),
    [
        ({"chosen": "c"}, "auto", "chosen and rejected go together"),
        ({"chosen": "c", "rejected": "r"}, "auto", "name the prompt and its answers together"),
        ({"prompt": "p"}, "auto", "name the prompt and its answers together"),
        ({"prompt": "p", "chosen": "c", "rejected": "r", "score": "s"}, "auto", "name either"),
        ({"prompt": "p", "chosen": "c", "rejected": "r"}, "hh", "keys of the shape chosen_rejected"),
    ],
)
def test_columns_that_make_no_sense_are_refused(columns, shape, told):
    with pytest.raises(ValueError, match=told):
        Comparisons(path="x", columns=columns, shape=shape)


def test_a_shape_that_the_file_does_not_have_is_told(tmp_path):
    with pytest.raises(UsageError, match="another shape than hh; the keys seen are 'prompt', 'chosen', 'rejected'"):
        read([SKY], tmp_path, shape="hh")


@pytest.mark.parametrize(
    ("record", "shape"),
    [
        ({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}, "hh"),
        (SKY, "chosen_rejected"),
        (ULTRA, "chosen_rejected"),
        (ALPACA | {"preference": 1}, "comparison"),
        (vote(1, 1, 2), "annotators"),
        (KORM, "replies"),
        ({"instruction": "Q", "output": "A", "generator": "m", "reward": 1.0}, "replies"),
        (GSM, "solutions"),
    ],
)
def test_the_shape_is_told_from_the_keys(record, shape):
    assert detect([record], "f.jsonl", True, Comparisons(path="f.jsonl"), "s").name == shape
