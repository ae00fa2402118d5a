"""Pairs of which the trainer would see the same text twice."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation.models import resolve
from curation.preference.pairing import pair
from curation.preference.truncation import Truncation, truncation
from schemas.profile.preference import Preference
from tests.generation.tokenizers import byte_tokenizer
from tests.preference.scored import candidate, frame

SAME = "the same beginning, "
REFUSES = "{{ raise_exception('no') }}"


def cut(max_length: int, template: str | None = None) -> Truncation:
    """One token a byte. The prompt `question a` and its answer's opening take 38 tokens."""
    tokenizer = byte_tokenizer(template) if template else byte_tokenizer()
    return Truncation(tokenizer, max_length, {"max_length": max_length})


def pairs() -> pl.LazyFrame:
    return frame(candidate("a", 0, SAME + "then apples", 2.0), candidate("a", 1, SAME + "then pears", 1.0))


def start() -> int:
    """Where the answer of `pairs` begins."""
    # <|im_start|> user \n question a <|im_end|> \n <|im_start|> assistant \n
    return 1 + len("user\n") + len("question a") + 2 + 1 + len("assistant\n")


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (0, "nothing_left_after_truncation"),
        (len(SAME), "identical_after_truncation"),
        (len(SAME) + len("then "), "identical_after_truncation"),
        (len(SAME) + len("then p"), None),
        (500, None),
    ],
)
def test_answers_are_compared_on_what_the_trainer_leaves(left: int, reason: str | None):
    found = pair(pairs(), Preference(max_similarity=0.99), truncate=cut(start() + left))
    assert found.dropped["reason"].to_list() == ([reason] if reason else [])


def test_what_is_nearly_the_same_after_truncation_is_dropped_with_its_similarity():
    # What is left, `the same beginning, then a` and `... p`, has 22 5-grams each, all but one of them shared: 21 / 23.
    found = pair(pairs(), Preference(max_similarity=0.9), truncate=cut(start() + len(SAME) + len("then p")))
    row = found.dropped.row(0, named=True)
    assert (row["reason"], row["value"]) == ("near_identical_after_truncation", pytest.approx(21 / 23))


def test_a_conversation_that_the_template_refuses_makes_no_pair():
    assert pair(pairs(), Preference(), truncate=cut(500, REFUSES)).dropped["reason"].to_list() == ["template_refused"]


def test_what_is_left_is_matched_by_id():
    class Shuffled(Truncation):
        def __call__(self, pairs: pl.DataFrame) -> pl.DataFrame:
            return super().__call__(pairs).reverse()

    # The answers to b are told apart at once.
    both = pl.concat([pairs(), frame(candidate("b", 0, "one", 2.0), candidate("b", 1, "two", 1.0))])
    told = pair(both, Preference(max_similarity=0.99), truncate=Shuffled(byte_tokenizer(), start() + 20, {}))
    assert told.pairs["prompt_id"].to_list() == ["b"]
    assert told.dropped["prompt_id"].to_list() == ["a"]


@pytest.mark.engine
def test_the_tokenizer_of_a_model_and_the_trainer_leave_the_same(model_home: Path):
    """Against the rule of TRL's DPO trainer: ids of prompt and answer, less the prompt's prefix, up to the maximum."""
    made = truncation(resolve("smollm2-135m-instruct", model_home), 48)
    answer = "Plain words, then **bold** ones, and so on for a while. " * 3
    row = {
        "pair_id": "x",
        "prompt": [{"role": "user", "content": "What is a star?", "extra": None}],
        "chosen": [{"role": "assistant", "content": answer, "extra": None}],
        "rejected": [{"role": "assistant", "content": "No.", "extra": None}],
    }
    left = made(pl.DataFrame([row])).row(0, named=True)
    bare = [{"role": "user", "content": "What is a star?"}]
    whole = made.tokenizer.apply_chat_template([*bare, {"role": "assistant", "content": answer}])["input_ids"]
    prompt = made.tokenizer.apply_chat_template(bare, add_generation_prompt=True)["input_ids"]
    assert left["chosen"] == made.tokenizer.decode(whole[len(prompt) : 48])
    assert left["rejected"].strip() == "No."
    assert made.identity["max_length"] == 48
