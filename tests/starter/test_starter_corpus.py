"""The starter corpus keeps its promises: sizes, shapes, and defects that are what `planted.json` says they are."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

STARTER = Path(__file__).resolve().parents[2] / "curation" / "starter"

MINIMUM = {
    "exact_duplicate": 12,
    "near_duplicate": 14,
    "empty": 6,
    "truncated": 10,
    "refusal": 8,
    "mojibake": 4,
    "personal_data": 6,
    "special_token": 3,
    "contaminated": 8,
    "repetition": 4,
    "prompt_echo": 2,
}
PLACEHOLDERS = {"", "<noinput>", "n/a", "nan"}
HANGUL = re.compile(r"[가-힣]")
SPECIAL_TOKEN = re.compile(r"<\|\w+\|>|</?s>|\[/?INST\]")
PERSONAL_DATA = re.compile(
    r"[\w.+-]+@[\w-]+\.\w+|\b\d{3}[-. ]\d{3,4}[-. ]\d{4}\b|\b555-\d{4}\b|\b\d{6}-\d{7}\b|\b1[568]\d\d-\d{4}\b"
)
REFUSAL = re.compile(
    r"(?i)\bas an ai\b|language model|^(i'm sorry|i apologi[sz]e),? (but )?.*\b(can't|cannot)\b|^죄송.*AI 언어 모델"
)
# A unit of one to ten words, said at least five times in a row.
REPETITION = re.compile(r"(\b(?:[^\W_]+\W+){1,10}?)\1{4,}")


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def shingles(text: str) -> set[tuple[str, ...]]:
    tokens = words(text)
    return {tuple(tokens[at : at + 5]) for at in range(max(1, len(tokens) - 4))}


def jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other)


def normalised(text: str) -> str:
    return " ".join(text.lower().split())


def flat(text: str) -> str:
    """Words alone, a space on either side of each, so that `in` finds whole words."""
    return f" {' '.join(words(text))} "


class Row:
    """A row of either file: its messages, its prompt (all before the last answer) and its last answer."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.id: str = raw["id"]
        if "messages" in raw:
            self.messages: list[dict[str, Any]] = raw["messages"]
        else:
            asked = "\n\n".join(part for part in (raw["instruction"], raw["input"]) if part)
            self.messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": raw["output"]}]
        self.prompt = "\n".join(m["content"] for m in self.messages[:-1])
        self.answer: str = self.messages[-1]["content"]
        self.text = f"{self.prompt}\n{self.answer}"


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


CONVERSATIONS = read_jsonl(STARTER / "corpus" / "conversations.jsonl")
TASKS: list[dict[str, Any]] = json.loads((STARTER / "corpus" / "tasks.json").read_text(encoding="utf-8"))
BENCHMARK = {item["id"]: item for item in read_jsonl(STARTER / "benchmark.jsonl")}
PLANTED: dict[str, dict[str, str]] = json.loads((STARTER / "planted.json").read_text(encoding="utf-8"))
ORDERED = [Row(raw) for raw in [*CONVERSATIONS, *TASKS]]
ROWS = {row.id: row for row in ORDERED}
GOOD = [row for row in ORDERED if row.id not in PLANTED]


def planted(defect: str) -> Iterator[tuple[Row, dict[str, str]]]:
    return ((ROWS[row_id], mark) for row_id, mark in PLANTED.items() if mark["defect"] == defect)


def test_ids_are_unique_and_carry_their_language() -> None:
    assert len(ROWS) == len(CONVERSATIONS) + len(TASKS)
    assert all(re.fullmatch(r"(en|ko)-\d{4}", row_id) for row_id in ROWS)
    assert [row.id for row in GOOD if row.id.startswith("ko") and not HANGUL.search(row.text)] == []


def test_conversations_alternate_and_end_with_an_answer() -> None:
    for raw in CONVERSATIONS:
        assert set(raw) - {"tools"} == {"id", "messages", "task"}, raw["id"]
        roles = " ".join(m["role"] for m in raw["messages"])
        assert re.fullmatch(r"(system )?(user (assistant tool )*assistant ?)+", roles), raw["id"]
        calls_tool = any(m["role"] == "tool" for m in raw["messages"])
        assert calls_tool == ("tools" in raw) == any("tool_calls" in m for m in raw["messages"]), raw["id"]


def test_tasks_have_the_alpaca_columns() -> None:
    for raw in TASKS:
        assert set(raw) == {"id", "instruction", "input", "output", "task"}, raw["id"]
        assert all(isinstance(value, str) for value in raw.values()), raw["id"]


def test_there_are_as_many_good_rows_as_promised() -> None:
    by_language = Counter(row.id[:2] for row in GOOD)
    assert by_language["en"] >= 300
    assert by_language["ko"] >= 80
    roles = [[m["role"] for m in row.messages] for row in GOOD]
    assert sum(r.count("user") > 1 for r in roles) >= 50
    assert sum(r[0] == "system" for r in roles) >= 20
    assert sum("tool" in r for r in roles) >= 3


def test_readme_tells_the_counts_of_the_files() -> None:
    readme = (STARTER / "README.md").read_text(encoding="utf-8")
    told = {name: int(count) for name, count in re.findall(r"^\| `?([\w.]+)`? \| (\d+) \|", readme, flags=re.M)}
    found = Counter(mark["defect"] for mark in PLANTED.values())
    files = {"conversations.jsonl": len(CONVERSATIONS), "tasks.json": len(TASKS), "benchmark.jsonl": len(BENCHMARK)}
    assert told == {**files, **found}


def test_benchmark_is_mixed_and_without_copies() -> None:
    questions = [item["question"] for item in BENCHMARK.values()]
    assert all(set(item) == {"id", "question", "answer"} and item["answer"] for item in BENCHMARK.values())
    assert len({normalised(q) for q in questions}) == len(questions) >= 40
    assert sum(bool(HANGUL.search(q)) for q in questions) >= 8
    assert sum(len(words(q)) < 8 for q in questions) >= 3


def test_every_mark_points_at_rows_that_exist() -> None:
    assert set(PLANTED) <= set(ROWS)
    counts = Counter(mark["defect"] for mark in PLANTED.values())
    assert set(counts) == set(MINIMUM)
    assert {defect: n for defect, n in MINIMUM.items() if counts[defect] < n} == {}
    known = {row.id for row in GOOD} | set(BENCHMARK)
    assert {mark["of"] for mark in PLANTED.values() if "of" in mark} <= known


def test_defects_are_spread_over_both_files() -> None:
    for file in (CONVERSATIONS, TASKS):
        places = [at / len(file) for at, raw in enumerate(file) if raw["id"] in PLANTED]
        quarters = Counter(int(place * 4) for place in places)
        assert min(quarters[q] for q in range(4)) >= 3


def test_exact_duplicates_are_equal_up_to_case_and_spaces() -> None:
    for row, mark in planted("exact_duplicate"):
        assert normalised(row.text) == normalised(ROWS[mark["of"]].text), row.id


def test_near_duplicates_are_close_but_not_equal() -> None:
    for row, mark in planted("near_duplicate"):
        original = ROWS[mark["of"]]
        assert normalised(row.text) != normalised(original.text), row.id
        assert 0.85 <= jaccard(shingles(row.text), shingles(original.text)) < 1, row.id


def test_a_duplicate_comes_after_its_original() -> None:
    place = {row_id: at for at, row_id in enumerate(ROWS)}
    copies = {i: mark["of"] for i, mark in PLANTED.items() if mark["defect"].endswith("_duplicate")}
    assert [i for i, original in copies.items() if place[i] < place[original]] == []


def test_contaminated_rows_hold_their_question() -> None:
    for row, mark in planted("contaminated"):
        assert flat(BENCHMARK[mark["of"]]["question"]) in flat(row.prompt), row.id


def test_mojibake_can_be_undone() -> None:
    for row, mark in planted("mojibake"):
        mended = row.answer.encode(mark["codec"]).decode("utf-8")
        assert len(mended) < len(row.answer), row.id
        assert bool(HANGUL.search(mended)) == row.id.startswith("ko"), row.id


@pytest.mark.parametrize(
    ("defect", "pattern"),
    [
        ("refusal", REFUSAL),
        ("personal_data", PERSONAL_DATA),
        ("special_token", SPECIAL_TOKEN),
        ("repetition", REPETITION),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pattern_finds_the_marked_rows_and_no_good_one(defect: str, pattern: re.Pattern[str]) -> None:
    for row, _ in planted(defect):
        text = row.answer if defect in ("refusal", "repetition") else row.text
        assert pattern.search(text), row.id
    assert [row.id for row in GOOD for m in row.messages if pattern.search(m["content"])] == []


def test_empty_and_echoed_answers() -> None:
    assert all(row.answer.strip().lower() in PLACEHOLDERS for row, _ in planted("empty"))
    assert all(normalised(row.answer) == normalised(row.prompt) for row, _ in planted("prompt_echo"))
    assert [row.id for row in GOOD if row.answer.strip().lower() in PLACEHOLDERS] == []
    assert [row.id for row in GOOD if normalised(row.answer) == normalised(row.prompt)] == []


def test_truncated_answers_stop_in_mid_sentence() -> None:
    for row, _ in planted("truncated"):
        assert re.search(r"[\w,]$", row.answer), row.id
        assert len(words(row.answer)) >= 15, row.id
    assert [row.id for row in GOOD for m in row.messages if m["content"].count("```") % 2] == []


def test_good_rows_are_unlike_one_another() -> None:
    holders: dict[tuple[str, ...], list[str]] = {}
    sets = {row.id: shingles(row.text) for row in GOOD}
    for row_id, grams in sets.items():
        for gram in grams:
            holders.setdefault(gram, []).append(row_id)
    pairs = {pair for ids in holders.values() for pair in combinations(ids, 2)}
    assert [(a, b) for a, b in pairs if jaccard(sets[a], sets[b]) >= 0.3] == []
    openings = Counter(normalised(next(m["content"] for m in r.messages if m["role"] == "user")) for r in GOOD)
    assert [text for text, count in openings.items() if count > 1] == []


def test_good_rows_hold_no_benchmark_question() -> None:
    questions = {item_id: flat(item["question"]) for item_id, item in BENCHMARK.items()}
    texts = {row.id: flat(row.text) for row in GOOD}
    assert [(row, item) for row, text in texts.items() for item, asked in questions.items() if asked in text] == []
