"""The starter reward model's pairs: read from raw files, made worse, split by conversation."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from training.starter_reward import __main__ as command
from training.starter_reward import data
from training.starter_reward.data import Pair, bloated, evasive, hh, hrc, korm, made, made_ko, pandalm, turns
from training.starter_reward.spoilt import EMPTY, EVASIONS, LENGTHENED, SPOILT, lengthen, spoil

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
    (tmp_path / data.FILES["hh"][0]).write_bytes(gzip.compress(lines(*rows)))
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
    (tmp_path / data.FILES["pandalm"][0]).write_text(json.dumps(rows))
    found = pandalm(tmp_path, 0)
    assert [(p.prompt[0]["content"], p.chosen, p.rejected) for p in found.pairs] == [
        ("Is it so?\n\n2 > 1", "True", "no"),
        ("Is it so?\n\n2 > 1", "b", "a"),
    ]
    assert found.left_out == {"duplicate": 1, "tie": 2, "empty_answer": 1, "same_answer": 1}


def test_hrc_prefers_the_grounded_answer(tmp_path: Path):
    row = {"질의": "질문", "상담례, 결정례 기반 답변": "근거", "ChatGPT API 답변": "추측"}
    (tmp_path / data.FILES["hrc"][0]).write_bytes(lines(row))
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


@pytest.mark.parametrize("kind", SPOILT)
def test_every_way_to_spoil_an_answer_makes_a_worse_one(kind: str):
    spoilt = spoil(kind, ANSWER, ["Paris"], random.Random(1))
    words = ANSWER.split()
    checks = {
        "truncated": ANSWER.startswith(spoilt) and len(spoilt.split()) <= 0.6 * len(words),
        "shuffled": sorted(spoilt.split()) == sorted(words) and spoilt != ANSWER,
        "other": spoilt == "Paris",
        "repeated": spoilt in {" ".join(words[:k] * n) for k in range(3, 13) for n in range(3, 13)},
        "empty": spoilt in EMPTY,
    }
    assert checks[kind]


@pytest.mark.parametrize("kind", LENGTHENED)
def test_every_way_to_lengthen_an_answer_makes_a_longer_and_worse_one(kind: str):
    others = [
        ANSWER,
        "Paris",
        "The moon turns once a month about the earth, and so shows us the same face at all times.",
    ]
    foreign = ["예", "쌀은 물이 맑아질 때까지 씻고 뚜껑을 덮어 십이 분 동안 약한 불에서 끓이면 됩니다. " * 3]
    longer = lengthen(kind, ANSWER, others, foreign, random.Random(1))
    assert len(longer) > len(ANSWER)
    checks = {
        "padded": longer in {f"{ANSWER}\n\n{text}" for text in others[1:]},
        "echo": longer in {"\n\n".join([ANSWER] * n) for n in (2, 3, 4)},
        "longer_other": longer == f"{ANSWER}\n\n{others[1]}" or longer in others[1:],
        "rambling": set(longer.split()) <= {word for text in others for word in text.split()},
        "language": longer == foreign[1],
    }
    assert checks[kind]
    if kind == "rambling":
        assert not any(text in longer for text in (others[0], others[2]))
        assert 1.3 * len(ANSWER) <= len(longer) + 1


def test_where_no_other_answer_is_long_enough_the_answer_is_padded():
    for kind in ("longer_other", "language"):
        assert lengthen(kind, ANSWER, ["Paris"], ["예"], random.Random(1)) == f"{ANSWER}\n\nParis"


def test_bloated_pairs_prefer_the_shorter_answer_in_both_languages(tmp_path: Path):
    english = [{"instruction": f"q{n}", "input": "", "output": f"answer {n} {ANSWER}"} for n in range(40)]
    korean = [
        {
            "질의": f"질문 {n}",
            "상담례, 결정례 기반 답변": f"{n} 결정례에 따르면 차별에 해당합니다. " * 8,
            "ChatGPT API 답변": "추측",
        }
        for n in range(40)
    ]
    (tmp_path / data.FILES["made"][0]).write_text(json.dumps([*english, {**english[0], "output": "short"}]))
    (tmp_path / data.FILES["hrc"][0]).write_bytes(lines(*korean))
    found = bloated(tmp_path, 0)
    assert {pair.kind for pair in found.pairs} == {f"{kind}_{code}" for kind in LENGTHENED for code in ("en", "ko")}
    assert all(len(pair.chosen) < len(pair.rejected) for pair in found.pairs)
    assert found.left_out == {"too_short_or_long": 1}
    of_language = [pair for pair in found.pairs if pair.kind == "language_en"]
    assert of_language
    assert all("결정례" in pair.rejected for pair in of_language)
    spoilt = made_ko(tmp_path, 0)
    assert {(pair.source, pair.kind) for pair in spoilt.pairs} == {("made_ko", kind) for kind in SPOILT}


def test_evasive_pairs_prefer_a_long_answer_to_a_sentence_that_answers_nothing(tmp_path: Path):
    def korean(answer: str) -> dict[str, str]:
        return {"질의": "질문", "상담례, 결정례 기반 답변": answer, "ChatGPT API 답변": "추측"}

    english = [{"instruction": "q", "input": "", "output": ANSWER}]
    (tmp_path / data.FILES["made"][0]).write_text(json.dumps(english))
    (tmp_path / data.FILES["hrc"][0]).write_bytes(
        lines(korean("결정례에 따르면 차별에 해당합니다. " * 8), korean("예"))
    )
    found = evasive(tmp_path, 0)
    assert [(pair.kind, pair.rejected in EVASIONS[pair.kind]) for pair in found.pairs] == [("en", True), ("ko", True)]
    assert found.pairs[0].chosen == ANSWER
    assert found.left_out == {"too_short_or_long": 1}


def test_made_pairs_take_other_answers_from_their_own_side_and_repeat_exactly(tmp_path: Path):
    rows = [{"instruction": f"q{n}", "input": "", "output": f"answer {n} {ANSWER}"} for n in range(60)]
    (tmp_path / data.FILES["made"][0]).write_text(json.dumps(rows))
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
    # 25 % and 20 % of 2,000, within four standard deviations (19.4 and 17.9 pairs).
    assert abs(parts["held_out"] - 500) < 78
    assert abs(parts["validation"] - 400) < 72


def test_missing_files_are_told_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / data.FILES["hrc"][0]).write_bytes(b"")
    assert command.main(["--data", str(tmp_path), "--without", "korm"]) == 2
    told = capsys.readouterr().err
    assert "3 of 4 preference files are missing" in told
    assert "hh_harmless_base_test.jsonl.gz, pandalm_testset_v1.json, alpagasus_dolly_3k.json" in told
