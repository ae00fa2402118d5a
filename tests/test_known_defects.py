"""Thirteen defects of well-known tools that ship wrong data in silence, each looked for in this one, by its number.

Each names the tool it was found in. What is tested is the path that our own data takes; tests of the same thing in more
depth stand beside the tests of their module.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl
import pytest

from curation.generation.deterministic import DeterministicGenerator
from curation.generation.placement import place
from curation.generation.protocol import Measured, Replies, Reply, Request, Sampling
from curation.generation.run import generate
from curation.preference.pairing import pair
from curation.stage import Context
from curation.store import Store
from schemas.profile.generation import Generation
from schemas.profile.preference import Preference
from schemas.records import Message, prompt_id_of
from tests.comparisons.helpers import read as read_comparisons
from tests.helpers import answer, outcome, rows
from tests.ingest.helpers import GOOD, line
from tests.ingest.helpers import read as ingest
from tests.preference.scored import candidate, frame, group, ids, labels, reasons
from tests.scoring.models import bert_folder
from tests.scoring.test_judge_compare import item, judged
from tests.scoring.test_transformers import item as conversation
from tests.scoring.test_transformers import scorer, scores
from tests.training.sets import write_set
from training import data as sets


def test_01_a_judge_that_goes_by_position_decides_nothing(tmp_path: Path):
    """open-instruct: the swap needs two exclusive answers at once, and never fires."""
    compared, asked = judged([item("1", "this one", "that one")], lambda first, second: "first", tmp_path)
    assert sorted(asked) == [("that one", "this one"), ("this one", "that one")]
    assert compared.verdicts.select("verdict", "reason").rows() == [("tie", "inconsistent")]
    assert compared.facts["first_position"] == 1.0


class Echo(DeterministicGenerator):
    """Answers with the prompt; the prompt `long` does not fit."""

    def measure(self, prompts: Sequence[Sequence[Message]]) -> list[Measured]:
        return [Measured(tokens=9999 if prompt[-1]["content"] == "long" else 1) for prompt in prompts]

    def generate(self, requests: Iterable[Request]) -> Replies:
        for request in requests:
            yield Reply(request.request_id, f"on {request.messages[-1]['content']}: {request.index}", "stop", 3)


def test_02_a_prompt_that_is_left_out_shifts_no_answer(tmp_path: Path):
    """open-instruct: long prompts are dropped, then the answers zipped with the list that still has them."""
    asked = rows(*(answer("reference", prompt) for prompt in ("one", "long", "two", "three")))
    settings = Generation(engine="deterministic", candidates=2, max_tokens=16, top_up=0)
    done = generate(Store(tmp_path), asked, settings, Context(), engines=lambda entry: Echo())
    made = done.scan().collect()
    said = [(row["prompt"][-1]["content"], row["text"], row["row_id"]) for row in made.iter_rows(named=True)]
    at = dict(zip(["one", "two", "three"], ["t:000001", "t:000003", "t:000004"], strict=True))
    assert sorted(said) == sorted((p, f"on {p}: {i}", at[p]) for p in at for i in (0, 1))
    # The same on the way from scores to pairs: the first prompt makes none.
    scored = frame(*group("a", [1.0]), *group("b", [3.0, 1.0]), *group("c", [1.0, 2.0]))
    for row in pair(scored, Preference()).pairs.iter_rows(named=True):
        assert row["prompt"][0]["content"] == f"question {row['prompt_id']}"
        assert all(row[side][0]["content"].endswith(f" {row['prompt_id']}") for side in ("chosen", "rejected"))


@pytest.mark.parametrize("stage", ["dedup.exact", "dedup.minhash"])
def test_03_of_two_copies_one_stays(stage: str):
    """distilabel: each member of a duplicate pair is taken for the other's copy, and both are dropped."""
    text = "A ball of hot gas that shines by itself, held together by its own weight, is called a star."
    kept, ledger = outcome(stage, rows(answer(text), answer(text), answer("Something else altogether, about boats.")))
    assert kept["row_id"].to_list() == ["t:000001", "t:000003"]
    assert ledger.filter(kind="dropped").select("row_id", "kept_id").rows() == [("t:000002", "t:000001")]


def test_03_of_two_copies_of_a_pair_one_stays():
    scored = [candidate("a", 0, "good", 3.0), candidate("a", 1, "Good", 2.0), candidate("a", 2, "bad one", 0.0)]
    assert ids(pair(frame(*scored), Preference(policy="all_pairs"))) == [("a-0", "a-2")]


def test_04_a_tie_is_no_pair():
    """distilabel, OpenRLHF: with equal scores one answer comes out as chosen and as rejected."""
    for policy in ("best_worst", "best_random", "max_two_sigma", "all_pairs", "k_pairs"):
        scored = frame(*group("a", [0.7, 0.7, 0.7]))
        assert reasons(scored, Preference(policy=policy)) == {"a": "tie"}
    # Nor where people call it one, whatever the scores.
    found = pair(frame(*group("a", [2.0, 1.0])), Preference(), labels(("a-0", "a-1", "tie", "given")))
    assert found.pairs.is_empty()
    assert found.dropped["reason"].to_list() == ["tie"]


def test_05_a_batch_of_two_is_scored_like_any_other(tmp_path: Path):
    """distilabel: scores are squeezed to one dimension less when the batch is exactly two."""
    engine = scorer(bert_folder(tmp_path), batch_size=2)
    items = [conversation("what is it", text, text) for text in ("word", "word word", "a third one")]
    alone = {one.completion_id: scores(engine, one)[one.completion_id].reward for one in items}
    together = {name: score.reward for name, score in scores(engine, *items[:2]).items()}
    assert together == pytest.approx({name: alone[name] for name in together}, abs=1e-5)
    assert len(set(alone.values())) == 3


@pytest.mark.parametrize("text", ["one", "one two", "one two three four", "짧다"])
def test_06_texts_of_fewer_than_five_tokens_are_compared(text: str):
    """data-juicer: a MinHash that crashes on them."""
    kept, ledger = outcome("dedup.minhash", rows(answer(text), answer(text), answer("one two three four five six")))
    assert kept.height + ledger.height == 3
    assert kept["row_id"].to_list() == ["t:000001", "t:000003"]
    assert ledger["row_id"].to_list() == ["t:000002"]


def test_07_a_length_penalty_is_not_undone():
    """RLHFlow: a pair is chosen on the penalised reward, then turned around on the raw one."""
    # The reward is twice the log of the length, and a quality that is worth less than that.
    scored = [
        candidate(f"p{p:02d}", at, f"{p:02d}{at}".ljust(size, "x"), quality + 2.0 * math.log(size + 1))
        for p in range(20)
        for at, (size, quality) in enumerate([(99, 0.0), (49, 0.6), (24, 0.0), (11, 0.6)])
    ]
    raw = {one["completion_id"]: one["reward"] for one in scored}
    found = pair(frame(*scored), Preference(length_control="residualise", policy="all_pairs")).pairs
    turned = [raw[row["chosen_id"]] < raw[row["rejected_id"]] for row in found.iter_rows(named=True)]
    # The raw reward says the opposite of many pairs, and they stand as they were chosen.
    assert sum(turned) >= 20
    assert (found["margin"] > 0).all()
    assert found["margin"].equals((found["score_chosen"] - found["score_rejected"]).alias("margin"))


def test_08_no_remainder_is_lost_when_work_is_split(tmp_path: Path):
    """RLHFlow: prompts are sharded by integer division, and the last few belong to no shard."""
    sampling = Sampling(0.8, 0.95, 16)
    requests = [Request(f"r{n}", [], f"p{n}", 0, n, sampling) for n in range(7)]
    for engines in (1, 2, 3, 8):
        placed = place(requests, engines)
        assert len(placed) == engines
        assert sorted(one.request_id for share in placed for one in share) == [f"r{n}" for n in range(7)]
    # Seven rows in parts of three.
    done = ingest(b"".join(line(output=f"Answer {n}.") for n in range(7)), tmp_path, part_rows=3)
    assert [pl.read_parquet(part).height for part in done.parts] == [3, 3, 1]
    assert done.scan().select("row_id").collect()["row_id"].n_unique() == 7


@pytest.mark.parametrize("rows_in", [1, 4, 11])
def test_09_a_selection_is_as_large_as_it_is_asked_to_be(rows_in: int):
    """Superfiltering: the number to select is that of one data set."""
    given = rows(*(answer(f"Answer number {n}.", f"Question {n}?") for n in range(rows_in)))
    assert outcome("select.random", given, rows=3)[0].height == min(3, rows_in)
    assert outcome("select.random", given, share=0.5)[0].height == max(1, rows_in // 2)


def test_10_the_question_is_looked_at_and_so_are_short_items(tmp_path: Path):
    """datatrove: neither the question is, nor an item shorter than the n-gram."""
    river = "Which river runs through the old town of Bern on its way to the Rhine?"
    items = [
        {"id": "long", "question": river, "answer": "Aare"},
        {"id": "short", "question": "What is 17 + 5?", "answer": "22"},
    ]
    bench = tmp_path / "bench.jsonl"
    bench.write_text("\n".join(json.dumps(one) for one in items))
    given = rows(
        answer("No idea.", river),
        answer("It is 22.", "What is 17 + 5?"),
        answer("It is 9.", "What is 4 + 5?"),
    )
    kept, ledger = outcome("decontaminate", given, benchmarks=(str(bench),))
    assert kept["row_id"].to_list() == ["t:000003"]
    assert [json.loads(detail)["item"] for detail in ledger["detail"]] == ["long", "short"]


def test_11_a_bad_byte_costs_its_line_and_no_other(tmp_path: Path):
    """datatrove: it drops the rest of the file, while the shard is marked as complete."""
    bad = b'{"instruction": "Name a colour.", "output": "Re\xe9"}\n'
    done = ingest(GOOD + bad + line(output="Blue.") + line(output="Green."), tmp_path)
    answers = [messages[-1]["content"] for messages in done.scan().collect()["messages"]]
    assert answers == ["Red.", "Blue.", "Green."]
    lost = done.table("quarantine").collect().row(0, named=True)
    assert (lost["reason"], lost["line"]) == ("invalid_utf8", 2)
    assert done.manifest.counts["in"] == 4


def test_12_conversations_that_open_alike_are_different_prompts():
    """distilabel: the prompt's id is made of the first user turn only."""

    def asked(*turns: tuple[str, str]) -> str:
        return prompt_id_of([{"role": role, "content": content, "extra": None} for role, content in turns])

    hello = [("user", "Hello"), ("assistant", "Hi."), ("user", "And the weather?")]
    other = [("user", "Hello"), ("assistant", "Hi."), ("user", "And the time?")]
    kinds = [hello, other, hello[:1], [("system", "Be brief."), *hello], [("user", "Hello"), ("assistant", "Yes?")]]
    assert len({asked(*turns) for turns in kinds}) == 5
    assert rows([*hello, ("assistant", "x")], [*other, ("assistant", "x")])["prompt_id"].n_unique() == 2


def test_13_words_that_both_answers_begin_with_are_not_taken_for_the_prompt(tmp_path: Path):
    """TRL: the prompt of a pair is its common prefix, "The sky is" of "The sky is blue" and "The sky is green"."""
    texts = {"chosen": "The sky is blue", "rejected": "The sky is"}
    asked = [{"role": "user", "content": "What colour?"}]
    inside = {side: [*asked, {"role": "assistant", "content": text}] for side, text in texts.items()}
    beside = {"prompt": "What colour?", **texts}
    for number, record in enumerate((inside, beside)):
        done = read_comparisons([record] * 3 + [beside], tmp_path / str(number), shape="chosen_rejected")
        assert set(done.scan().collect()["text"]) == set(texts.values())
    # From our own pairs to what the trainer is given: an explicit prompt, and whole answers.
    scored = frame(candidate("a", 0, texts["chosen"], 2.0), candidate("a", 1, texts["rejected"], 1.0))
    made = pair(scored, Preference(max_similarity=1.0)).pairs
    write_set(tmp_path, "preference", **{name: made[name].to_list() for name in ("prompt", "chosen", "rejected")})
    given = sets.pairs(sets.scan(tmp_path, "preference")).collect().row(0, named=True)
    assert given["prompt"] == [{"role": "user", "content": "question a"}]
    assert {side: given[side][0]["content"] for side in texts} == texts
