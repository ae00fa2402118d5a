"""The starter reward model: pairs from raw files, the split, the figures, the card, and the committed weights."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from unicodedata import normalize

import pytest

from curation.models import STARTER_REWARD
from training.starter_reward import __main__ as command
from training.starter_reward import data
from training.starter_reward.card import render
from training.starter_reward.data import Pair, Source, hh, hrc, korm, load, made, pandalm, spoil, turns
from training.starter_reward.evaluate import hits, interval, longer_hits, measure

ANSWER = "Rinse the rice until the water runs clear, then simmer it covered for twelve minutes."


def user(text: str) -> tuple[dict[str, str], ...]:
    return ({"role": "user", "content": text},)


def lines(*records: object) -> bytes:
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode() + b"\n"


def test_hh_context_is_split_by_turns_not_by_common_characters(tmp_path: Path):
    start = "\n\nHuman: Why?\n\nAssistant: The sky"
    earlier = "\n\nHuman: Hello\n\nAssistant: Hi"
    rows = [
        {"chosen": f"{start} is blue", "rejected": f"{start} is"},
        {"chosen": f"{earlier}{start} is", "rejected": f"{earlier}{start} is blue"},
        {"chosen": "\n\nHuman: a\n\nAssistant:", "rejected": "\n\nHuman: a\n\nAssistant: b"},
        {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: A\n\nAssistant: c"},
    ]
    (tmp_path / data.FILES["hh"]).write_bytes(gzip.compress(lines(*rows)))
    found = hh(tmp_path, 0)
    assert [(p.chosen, p.rejected) for p in found.pairs] == [
        ("The sky is blue", "The sky is"),
        ("The sky is", "The sky is blue"),
    ]
    assert [m["content"] for m in found.pairs[1].prompt] == ["Hello", "Hi", "Why?"]
    assert found.left_out == {"chosen_empty": 1, "contexts_differ": 1}


def test_turns_keep_a_role_word_inside_a_line():
    assert turns("\n\nHuman: say Assistant: x\n\nAssistant: ok") == [
        {"role": "user", "content": "say Assistant: x"},
        {"role": "assistant", "content": "ok"},
    ]


def test_pandalm_majority_of_three_without_ties_empties_and_duplicates(tmp_path: Path):
    def row(one: object, two: object, *votes: int) -> dict[str, object]:
        annotators = {f"annotator{n}": vote for n, vote in enumerate(votes, start=1)}
        return {"instruction": "Is it so?", "input": "2 > 1", "response1": one, "response2": two, **annotators}

    rows = [
        row(True, "no", 1, 1, 2),  # two of three prefer the JSON boolean: the text True
        row("a", "b", 2, 2, 0),
        row("a", "b", 2, 2, 2),  # the same pair again
        row("a", "b", 0, 0, 1),  # majority tie
        row("a", "b", 0, 1, 2),  # no majority
        row("a", " ", 1, 1, 1),
        row("a", "a", 1, 1, 1),
    ]
    (tmp_path / data.FILES["pandalm"]).write_text(json.dumps(rows))
    found = pandalm(tmp_path, 0)
    assert [(p.prompt[0]["content"], p.chosen, p.rejected) for p in found.pairs] == [
        ("Is it so?\n\n2 > 1", "True", "no"),
        ("Is it so?\n\n2 > 1", "b", "a"),
    ]
    assert found.left_out == {"duplicate": 1, "tie": 2, "empty_answer": 1, "same_answer": 1}


def test_hrc_prefers_the_grounded_answer(tmp_path: Path):
    row = {"질의": "질문", "상담례, 결정례 기반 답변": "근거", "ChatGPT API 답변": "추측"}
    (tmp_path / data.FILES["hrc"]).write_bytes(lines(row))
    assert hrc(tmp_path, 0).pairs == [Pair("hrc", user("질문"), "근거", "추측")]


def test_korm_pairs_need_a_clear_gap_and_are_two_a_prompt(tmp_path: Path):
    def reply(prompt: str, text: str, score: float) -> dict[str, object]:
        return {"conversations": [{"role": "user", "content": prompt}], "response": text, "score": score}

    scores = {"a": 0.0, "b": 0.4, "c": 0.8, "": -2.0}
    for text, score in scores.items():
        (tmp_path / f"korm_{text}.jsonl").write_bytes(lines(reply("p", text, score)))
    found = korm(tmp_path, 0)
    # Of six gaps, a-b and b-c (0.4) are too small, and three have the empty answer; c over a (0.8) is left.
    assert [(p.chosen, p.rejected) for p in found.pairs] == [("c", "a")]
    assert found.left_out == {"gap_too_small_or_empty": 5, "not_drawn": 0}
    more = [reply("q", str(score), float(score)) for score in range(5)]
    (tmp_path / "korm_d.jsonl").write_bytes(lines(*more))
    drawn = [p for p in korm(tmp_path, 0).pairs if p.prompt == user("q")]
    assert len(drawn) == 2
    assert all(int(p.chosen) > int(p.rejected) for p in drawn)


@pytest.mark.parametrize("kind", data.SPOILT)
def test_every_way_to_spoil_an_answer_makes_a_worse_one(kind: str):
    spoilt = spoil(kind, ANSWER, ["Paris"], random.Random(1))
    words = ANSWER.split()
    checks = {
        "truncated": ANSWER.startswith(spoilt) and len(spoilt.split()) <= 0.6 * len(words),
        "shuffled": sorted(spoilt.split()) == sorted(words) and spoilt != ANSWER,
        "other": spoilt == "Paris",
        "repeated": spoilt in {" ".join(words[:k] * n) for k in range(3, 13) for n in range(3, 13)},
        "empty": spoilt in data.EMPTY,
    }
    assert checks[kind]


def test_made_pairs_take_other_answers_from_their_own_side_and_repeat_exactly(tmp_path: Path):
    rows = [{"instruction": f"q{n}", "input": "", "output": f"answer {n} {ANSWER}"} for n in range(60)]
    (tmp_path / data.FILES["made"]).write_text(json.dumps(rows))
    found = made(tmp_path, 0)
    side = {pair.chosen: pair.part for pair in found.pairs}
    others = [pair for pair in found.pairs if pair.kind == "other"]
    assert others
    assert all(side[pair.rejected] == pair.part for pair in others if pair.rejected in side)
    assert found.pairs == made(tmp_path, 0).pairs
    assert found.pairs != made(tmp_path, 1).pairs


def test_conversations_that_open_alike_fall_on_one_side():
    parts = Counter()
    for n in range(2000):
        first = user(f"opening {n}")
        longer = (*first, {"role": "assistant", "content": "x"}, *user(f"and {n}"))
        pair, continued = Pair("t", first, "a", "b"), Pair("t", longer, "a", "b")
        assert pair.part == continued.part
        assert pair.prompt_id != continued.prompt_id
        parts[pair.part] += 1
    # 25 % and 10 % of 2,000, within four standard deviations (19.4 and 13.4 pairs).
    assert abs(parts["held_out"] - 500) < 78
    assert abs(parts["validation"] - 200) < 54


def test_missing_files_are_told_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / data.FILES["hrc"]).write_bytes(b"")
    assert command.main(["--data", str(tmp_path), "--without", "korm"]) == 2
    told = capsys.readouterr().err
    assert "3 of 4 preference files are missing" in told
    assert "hh_harmless_base_test.jsonl.gz, pandalm_testset_v1.json, alpagasus_dolly_3k.json" in told


def test_measure_beside_both_directions_of_length():
    short, long = Pair("t", user("p"), "a", "bb"), Pair("t", user("q"), "aa", "b")
    # Training pairs prefer the shorter answer (two of three), so the fitted direction is shorter.
    figures = measure([short, short, long], [short, short, short, long], lambda p: ([2, 1, 0, 0], [1, 1, 1, 1]), 0)
    assert figures["accuracy"] == (1 + 0.5 + 0 + 0) / 4 == 0.375
    assert (figures["longer"], figures["length_fitted"], figures["fitted_direction"]) == (0.25, 0.75, "shorter")
    assert (figures["n"], figures["prompts"], figures["random"]) == (4, 2, 0.5)


def test_ties_count_half():
    assert hits([1, 1, 1], [0, 1, 2]) == [1.0, 0.5, 0.0]
    assert longer_hits([Pair("t", user("p"), "ab", "cd")]) == [0.5]


def test_the_interval_resamples_prompts():
    # One prompt with all pairs: every resample is that prompt, so the interval is a point, however many its pairs.
    assert interval([1.0, 0.0, 0.0, 0.0], ["p"] * 4, 0) == (0.25, 0.25)
    # Two prompts of equal size, one all right and one all wrong: resamples have mean 0, 0.5 or 1, each likely.
    assert interval([1.0, 1.0, 0.0, 0.0], ["p", "p", "q", "q"], 0) == (0.0, 1.0)


def test_rewards_keep_the_order_given_and_mask_what_is_padded():
    import torch

    from training.starter_reward.model import rewards

    class Summing(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(logits=(input_ids * attention_mask + attention_mask).sum(1, keepdim=True).float())

    # The sum of the ids plus the number of unmasked ones: 7 + 1, 1 + 2 + 3 + 3, 4 + 5 + 2.
    assert rewards(Summing(), [[7], [1, 2, 3], [4, 5]], batch_tokens=4) == [8.0, 9.0, 11.0]
    assert rewards(Summing(), [[7], [1, 2, 3], [4, 5]]) == [8.0, 9.0, 11.0]


def test_the_card_tells_the_committed_figures_and_they_are_those_of_the_weights():
    metrics = json.loads((STARTER_REWARD / "metrics.json").read_text())
    card = (STARTER_REWARD / "README.md").read_text()
    assert card == render(metrics)
    weights = (STARTER_REWARD / "adapter_model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == metrics["weights_sha256"]
    for name, figures in metrics["held_out"].items():
        low, high = figures["interval"]
        assert f"| {name} | {figures['n']:,} ({figures['prompts']:,}) | **{figures['accuracy']:.3f}** |" in card
        assert low <= figures["accuracy"] <= high
    assert set(metrics["held_out"]) == set(data.SOURCES)


def test_a_source_that_loses_to_length_is_named():
    metrics = json.loads((STARTER_REWARD / "metrics.json").read_text())
    metrics["held_out"]["hh"]["accuracy"] = metrics["held_out"]["hh"]["length_fitted"]
    assert "**It does not beat them on hh" in render(metrics)


def test_committed_files_are_small_and_tell_nothing_of_a_machine():
    files = [path for path in STARTER_REWARD.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 5_000_000
    adapter = json.loads((STARTER_REWARD / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == "minilm-l6-v2"
    for path in files:
        if path.suffix != ".safetensors":
            assert not any(word in path.read_text() for word in ("/home/", "/tmp/", "/usr/", "site-packages")), path


def test_the_tokenizer_keeps_the_last_answer_and_reads_no_control_tokens_from_text():
    from transformers import AutoTokenizer

    from training.starter_reward.model import token_ids

    tokenizer = AutoTokenizer.from_pretrained(str(STARTER_REWARD))
    asked = {"role": "user", "content": "인권 [SEP]"}
    (ids,) = token_ids(tokenizer, [[asked, {"role": "assistant", "content": "ok"}]])
    pieces = ["[CLS]", "user", ":", "인", "권", "[", "sep", "]", "assistant", ":", "ok", "[SEP]"]
    # The library tells a syllable in the decomposed form that its normaliser made of it.
    assert [normalize("NFC", token) for token in tokenizer.convert_ids_to_tokens(ids)] == pieces
    (cut,) = token_ids(tokenizer, [[{"role": "user", "content": "a " * 900}, {"role": "assistant", "content": "ok"}]])
    assert len(cut) == 512
    assert tokenizer.convert_ids_to_tokens(cut)[-4:] == ["assistant", ":", "ok", "[SEP]"]


def test_the_real_files_give_the_counts_of_the_card(shared_data: Path):
    metrics = json.loads((STARTER_REWARD / "metrics.json").read_text())
    found: dict[str, Source] = load(shared_data, metrics["settings"]["seed"])
    for name, source in found.items():
        told = metrics["pairs"][name]
        assert {part: len(source.of(part)) for part in ("train", "validation", "held_out")} == {
            part: told[part] for part in ("train", "validation", "held_out")
        }
        assert dict(source.left_out) == told["left_out"]
    assert found["hh"].left_out == {"chosen_empty": 4, "contexts_differ": 5}
    prompts = {part: {p.prompt_id for s in found.values() for p in s.of(part)} for part in ("train", "held_out")}
    assert not prompts["train"] & prompts["held_out"]


@pytest.mark.engine
def test_the_merged_model_prefers_answers_to_what_is_spoilt(model_home: Path):
    """On rows it was not trained on: the row's own answer against another row's, its words shuffled, and a stub."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from curation.models import resolve

    rows = json.loads((STARTER_REWARD.parent / "corpus" / "tasks.json").read_text())
    planted = json.loads((STARTER_REWARD.parent / "planted.json").read_text())
    good = [r for r in rows if r["id"].startswith("en-") and r["id"] not in planted and len(r["output"]) > 200][:60]
    folder = resolve("starter-reward", model_home).path
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert type(model).__name__ == "BertForSequenceClassification"

    def score(answers: list[str]) -> list[float]:
        talks = [
            [
                *user("\n\n".join(filter(None, [row["instruction"], row["input"]]))),
                {"role": "assistant", "content": text},
            ]
            for row, text in zip(good, answers, strict=True)
        ]
        texts = [tokenizer.apply_chat_template(talk, tokenize=False) for talk in talks]
        batch = tokenizer(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
        with torch.inference_mode():
            return model(**batch).logits.squeeze(-1).tolist()

    own = [row["output"] for row in good]
    shuffled = [" ".join(random.Random(1).sample(text.split(), len(text.split()))) for text in own]
    spoilt = {"other": own[1:] + own[:1], "shuffled": shuffled, "stub": ["I do not know."] * len(own)}
    best = score(own)
    right = {
        kind: sum(b > w for b, w in zip(best, score(worse), strict=True)) / len(own) for kind, worse in spoilt.items()
    }
    # Above what chance gives of 60 choices in 39 cases of 40: 0.5 + 1.96 * sqrt(0.25 / 60) = 0.627.
    assert all(share > 0.627 for share in right.values()), right
