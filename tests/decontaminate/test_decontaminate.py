"""Which rows give a benchmark away: leaks of each kind are found, coincidences are not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation import decontaminate
from curation.decontaminate import hash_table
from curation.stage import Context, stage_names
from tests.helpers import Turn, answer, outcome, rows

QUESTION = (
    "A carpenter has twelve boards of three metres each and cuts every one of them into pieces of forty "
    "centimetres. How many whole pieces does she get, and how much wood is left over in total?"
)
SOLUTION = (
    "Each board gives seven pieces because seven times forty is two hundred and eighty, which leaves twenty "
    "centimetres. Twelve boards give eighty-four pieces and two hundred and forty centimetres of waste."
)
NOISE = "Let us talk about something else entirely, for instance about the weather on the coast in early spring."


@pytest.fixture
def benchmark(tmp_path: Path) -> str:
    items = [
        {"id": "boards", "question": QUESTION, "answer": SOLUTION},
        {"id": "short", "question": "What is 17 + 5?", "answer": "22"},
        {"id": "sky", "question": "하늘은 왜 파란가요?", "answer": "산란 때문입니다."},
        {"id": "han", "question": "東京都の人口は何人ですか、また面積はどのくらいですか。", "answer": "1400万人"},
    ]
    path = tmp_path / "bench.jsonl"
    path.write_text("\n".join(json.dumps(item) for item in items))
    return str(path)


def found(benchmark: str, *conversations: list[Turn], **options: Any) -> dict[int, tuple[str, str, float]]:
    """Item, layer and share by the number of the row."""
    kept, ledger = outcome("decontaminate", rows(*conversations), benchmarks=(benchmark,), **options)
    assert kept.height + ledger.height == len(conversations)
    result = {}
    for row in ledger.iter_rows(named=True):
        assert (row["kind"], row["reason"], row["kept_id"]) == ("dropped", "contaminated", None)
        assert row["prompt_id"]
        detail = json.loads(row["detail"])
        assert detail["benchmark"] == "bench"
        result[int(row["row_id"][2:])] = (detail["item"], detail["layer"], round(row["value"], 3))
    return result


def test_it_is_a_stage():
    assert "decontaminate" in stage_names()


@pytest.mark.parametrize(
    "text",
    [
        QUESTION,
        QUESTION.upper(),
        QUESTION.replace(" ", "\n"),
        QUESTION.replace(",", " --").replace(".", ";").rstrip("?"),
        QUESTION.replace("A carpenter", "Ａ ｃａｒｐｅｎｔｅｒ"),
    ],
)
def test_rewrapped_recased_and_repunctuated_questions(benchmark: str, text: str):
    assert found(benchmark, answer("84", text)) == {1: ("boards", "exact", 1.0)}


def test_the_question_is_looked_at_and_so_are_items_shorter_than_the_ngram(benchmark: str):
    """Regression: a decontaminator that looked at answers alone, and passed over items shorter than its n-gram."""
    leaks = [answer("x", QUESTION), answer("x", "what is 17 + 5"), answer("x", "하늘은 왜 파란가요")]
    assert found(benchmark, *leaks) == {
        1: ("boards", "exact", 1.0),
        2: ("short", "exact", 1.0),
        3: ("sky", "exact", 1.0),
    }


def test_the_symbols_of_a_short_question_count(benchmark: str):
    assert found(benchmark, answer("12", "What is 17 - 5?"), answer("22", "What is 17 + 5 ?!")) == {
        2: ("short", "exact", 1.0)
    }


def test_a_short_question_inside_a_longer_text_is_not_evidence(benchmark: str):
    assert found(benchmark, answer("What is 17 + 5?", "Give me a sum."), answer("22", "Tell me: what is 17 + 5?")) == {}


def test_a_question_inside_a_prompt_a_response_or_an_earlier_turn(benchmark: str):
    inside = f"{NOISE} {QUESTION} {NOISE}"
    conversations = [
        answer("84", inside),
        answer(inside),
        [
            ("system", "Be brief."),
            ("user", inside),
            ("assistant", "84"),
            ("user", "Thanks."),
            ("assistant", "Welcome."),
        ],
        answer(NOISE),
    ]
    assert found(benchmark, *conversations) == dict.fromkeys((1, 2, 3), ("boards", "question", 1.0))


def test_an_answer_of_its_own(benchmark: str):
    assert found(benchmark, answer(SOLUTION.upper(), "Boards?")) == {1: ("boards", "answer", 1.0)}
    assert found(benchmark, answer(SOLUTION, "Boards?"), min_answer_words=40) == {}  # it has 32 words


def test_the_share_is_of_words_covered(benchmark: str):
    # The question has 36 words. With word 17 changed, words 1-16 and 18-36 still lie in shared 8-grams: 35 of 36,
    # though 8 of its 29 8-grams are broken. With every eighth word changed no 8-gram is left.
    words = QUESTION.split()
    assert len(words) == 36
    once = " ".join([*words[:16], "changed", *words[17:]])
    often = " ".join("changed" if at % 8 == 7 else word for at, word in enumerate(words))
    assert found(benchmark, answer("x", once), answer("x", often)) == {1: ("boards", "question", round(35 / 36, 3))}


def test_a_row_that_holds_less_than_the_share_is_kept(benchmark: str):
    first = " ".join(QUESTION.split()[:20])  # 20 of 36 words are .556
    assert found(benchmark, answer("x", first)) == {}
    assert found(benchmark, answer("x", first), min_share=0.5) == {1: ("boards", "question", 0.556)}


def test_one_word_makes_another_question_of_a_short_one(tmp_path: Path):
    item = {"id": "1980", "question": "Who was the president of the United States in 1980?"}
    (tmp_path / "bench.jsonl").write_text(json.dumps(item))
    asked = [answer("x", f"Tell me: who was the president of the United States in {year}?") for year in (1960, 1980)]
    assert found(str(tmp_path / "bench.jsonl"), *asked) == {2: ("1980", "question", 1.0)}


def test_pieces_in_several_messages_of_one_row_add_up(benchmark: str):
    words = QUESTION.split()
    halves = [
        ("user", " ".join(words[:17])),
        ("assistant", "Go on."),
        ("user", " ".join(words[17:])),
        ("assistant", "84"),
    ]
    assert found(benchmark, halves) == {1: ("boards", "question", 1.0)}


def test_unsegmented_scripts_are_matched_by_character(benchmark: str):
    text = "質問です。東京都の人口は何人ですか、\nまた面積はどのくらいですか?"
    assert found(benchmark, answer("x", text)) == {1: ("han", "question", 1.0)}


def test_an_ngram_of_many_items_is_a_phrase_and_does_not_count(tmp_path: Path):
    # Twelve items share a preamble of 20 words; each has 10 words of its own.
    preamble = " ".join(f"p{at}" for at in range(20))
    own = [" ".join(f"own{item}x{at}" for at in range(10)) for item in range(12)]
    path = tmp_path / "bench.jsonl"
    path.write_text(
        "\n".join(json.dumps({"id": str(at), "question": f"{preamble} {text}"}) for at, text in enumerate(own))
    )
    conversations = [
        answer("x", preamble + " and a question that is none of them"),
        answer("x", f"Well: {preamble} {own[3]}"),
    ]
    # Countable are the n-grams that reach into the 10 own words: 17 words, all of them in the second row.
    assert found(str(path), *conversations) == {2: ("3", "question", 1.0)}
    # As evidence the preamble alone would be 20 of 30 words.
    assert found(str(path), *conversations, common=12, min_share=0.6)[1] == ("0", "question", round(20 / 30, 3))


def test_the_ledger_shows_the_longest_run_of_at_most_120_characters(benchmark: str):
    text = f"{NOISE}\n{QUESTION.upper()}"
    _, ledger = outcome("decontaminate", rows(answer("x", text)), benchmarks=(benchmark,))
    detail = json.loads(ledger["detail"][0])
    assert detail["span"] == QUESTION.upper()[:120]
    assert ledger["threshold"].to_list() == [0.8]


def test_of_several_items_the_row_shows_the_most_of_one_is_named(tmp_path: Path):
    words = [f"w{at}" for at in range(20)]
    items = [
        {"id": "half", "question": " ".join([*words[:16], "x", "y"])},
        {"id": "whole", "question": " ".join(words)},
    ]
    (tmp_path / "bench.jsonl").write_text("\n".join(map(json.dumps, items)))
    leak = answer("x", "Please: " + " ".join(words))
    assert found(str(tmp_path / "bench.jsonl"), leak) == {1: ("whole", "question", 1.0)}


def test_a_changed_benchmark_file_is_read_again_and_changes_the_key(benchmark: str):
    config = decontaminate.Config(benchmarks=(benchmark,))
    before = decontaminate.fingerprint(config, Context())
    assert found(benchmark, answer("x", "What is 18 + 5?")) == {}
    Path(benchmark).write_text(json.dumps({"id": "new", "question": "What is 18 + 5?"}))
    assert decontaminate.fingerprint(config, Context()) != before
    assert found(benchmark, answer("x", "What is 18 + 5?")) == {1: ("new", "exact", 1.0)}


def test_facts_count_by_layer(benchmark: str):
    frame = rows(answer("x", QUESTION), answer(SOLUTION), answer("x", f"{NOISE} {QUESTION}"), answer(NOISE))
    facts = decontaminate.run(frame.lazy(), decontaminate.Config(benchmarks=(benchmark,)), Context()).facts
    assert {name: count for name, count in facts.items() if name != "canaries"} == {
        "contaminated_exact": 1,
        "contaminated_question": 1,
        "contaminated_answer": 1,
        "contaminated_code": 0,
        "contaminated_paraphrase": 0,
    }


def test_no_rows_and_rows_without_text(benchmark: str):
    assert found(benchmark, [("user", None), ("assistant", None)], [("user", ""), ("assistant", "!")]) == {}
    kept, ledger = outcome("decontaminate", rows(answer("a")).clear(), benchmarks=(benchmark,))
    assert kept.is_empty()
    assert ledger.is_empty()


@given(st.permutations(range(6)))
@settings(max_examples=10, deadline=None)
def test_order_does_not_matter_and_twice_is_as_once(order: list[int]):
    leak = "What is the sum of the first 40 positive even numbers?"
    frame = rows(*(answer(str(at), leak if at % 2 else f"{NOISE} {at}") for at in range(6)))
    config = decontaminate.Config()
    result = decontaminate.run(frame[order].lazy(), config, Context())
    assert sorted(result.dropped.collect()["row_id"]) == ["t:000002", "t:000004", "t:000006"]
    assert result.kept is not None
    assert decontaminate.run(result.kept, config, Context()).dropped.collect().is_empty()


def test_planted_leaks_of_the_starter_corpus_and_nothing_else():
    folder = Path(decontaminate.__file__).resolve().parents[1] / "starter"
    planted = json.loads((folder / "planted.json").read_text())
    leaks = {row_id: mark["of"] for row_id, mark in planted.items() if mark["defect"] == "contaminated"}
    lines = (folder / "corpus" / "conversations.jsonl").read_text().splitlines()
    records = [*map(json.loads, lines), *json.loads((folder / "corpus" / "tasks.json").read_text())]
    conversations = [
        [(turn["role"], turn["content"]) for turn in record["messages"]]
        if "messages" in record
        else answer(record["output"], "\n\n".join(filter(None, [record["instruction"], record["input"]])))
        for record in records
    ]
    _, ledger = outcome("decontaminate", rows(*conversations))
    ids = {f"t:{at:06d}": record["id"] for at, record in enumerate(records, start=1)}
    told = {ids[row["row_id"]]: json.loads(row["detail"])["item"] for row in ledger.iter_rows(named=True)}
    assert told == leaks


def test_gsm8k_train_shares_phrases_with_its_test_but_no_item(shared_data: Path):
    lines = (shared_data / "gsm8k_train.jsonl").read_text().splitlines()
    conversations = [answer(record["answer"], record["question"]) for record in map(json.loads, lines)]
    benchmark = str(shared_data / "bench_gsm8k_test.jsonl")
    _, ledger = outcome("decontaminate", rows(*conversations), benchmarks=(benchmark,))
    assert ledger.is_empty()
    _, ledger = outcome("decontaminate", rows(*conversations), benchmarks=(benchmark,), min_share=0.6)
    # The nearest: a train for a plane (twice) and Bella's stamps for Max's, all with other numbers.
    assert sorted(round(value, 2) for value in ledger["value"]) == [0.62, 0.76, 0.76]


def test_the_94_gsm8k_training_rows_that_share_a_phrase_are_told_from_copies(shared_data: Path):
    """The rows are found by sets of word 8-grams, and given to the stage with a copy of each one's test question."""
    sets = [shared_data / name for name in ("gsm8k_train.jsonl", "bench_gsm8k_test.jsonl")]
    train, test = ([json.loads(line)["question"] for line in path.read_text().splitlines()] for path in sets)
    owners: dict[tuple[str, ...], int] = {}
    for at, question in enumerate(test):
        owners |= dict.fromkeys(_eights(question), at)
    shared = {question: owners[gram] for question in train for gram in _eights(question) if gram in owners}
    assert len(shared) == 94
    copies = [f"Q: {test[at].upper()}".replace(" ", "\n").replace(",", "") for at in shared.values()]
    frame = rows(*(answer("x", text) for text in [*shared, *copies]))
    kept, ledger = outcome("decontaminate", frame, benchmarks=(str(sets[1]),))
    assert kept.height == ledger.height == 94
    assert min(int(row_id[2:]) for row_id in ledger["row_id"]) == 95
    assert ledger["value"].min() == 1.0


def _eights(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return [tuple(words[at : at + 8]) for at in range(len(words) - 7)]


def test_gsm8k_test_questions_are_found_rewrapped(shared_data: Path):
    path = shared_data / "bench_gsm8k_test.jsonl"
    questions = [json.loads(line)["question"] for line in path.read_text().splitlines()]
    conversations = [
        answer("x", "Solve this: " + text.upper().replace(" ", "\n").replace(".", " ;")) for text in questions
    ]
    _, ledger = outcome("decontaminate", rows(*conversations), benchmarks=(str(path),))
    assert ledger.height == len(questions)


@given(st.sets(st.integers(0, 2**64 - 1), max_size=200), st.lists(st.integers(0, 2**64 - 1), max_size=50))
@settings(max_examples=50, deadline=None)
def test_the_hash_table_is_a_dictionary(known: set[int], others: list[int]):
    keys = [*sorted(known)]
    slots, numbers = hash_table.number(np.array(keys, np.uint64))[:2]
    asked = [*others, *keys[::2], 0]
    where, number = hash_table.lookup(np.array(asked, np.uint64), slots, numbers)
    expected = [(at, keys.index(key)) for at, key in enumerate(asked) if key in known]
    assert list(zip(where.tolist(), number.tolist(), strict=True)) == expected


def test_hashes_that_fall_on_one_slot_are_told_apart():
    same = np.array([1 << 32, 2 << 32, 3 << 32, 0], np.uint64)  # the lower bits, which choose the slot, are all zero
    slots, numbers = hash_table.number(same)[:2]
    where, number = hash_table.lookup(np.array([3 << 32, 5 << 32, 0, 1 << 32], np.uint64), slots, numbers)
    assert (where.tolist(), number.tolist()) == ([0, 2, 3], [2, 3, 0])


def test_covered_words_are_counted_once():
    from curation.decontaminate.index import covered

    # n-grams of 8 at words 0, 1 and 20 of one text cover 0-8 and 20-27; at word 3 of the next 3-10.
    gained = covered(np.array([0, 0, 0, 1]), np.array([0, 1, 20, 3]), 8)
    assert gained.tolist() == [8, 1, 8, 8]


def test_countable_words_of_an_index(benchmark: str):
    config = decontaminate.Config(benchmarks=(benchmark,))
    index = decontaminate._index(config, tuple(map(tuple, decontaminate.fingerprint(config, Context()))))
    long = index.entries.filter(pl.col("countable") > 0)
    assert long.select("item", "layer", "countable").rows() == [
        (0, "question", 36),
        (0, "answer", 32),
        (3, "question", 25),
    ]
