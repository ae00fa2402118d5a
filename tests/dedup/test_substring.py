"""Repeated spans: what is cut, what is left, what the ledger says, and what must not make a difference."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.canaries import PREFIX
from curation.dedup import substring, texts
from curation.dedup.substring import spans
from curation.dedup.substring.spans import Measure
from curation.runner import execute
from curation.stage import Context, Result
from curation.store import write_table
from curation.text import TextOf
from schemas.errors import CanaryError
from schemas.records import prompt_id_of, prompt_of
from tests.helpers import Turn, answer, outcome, reasons, rows

SHORT = {"min_words": 5, "min_chars": 10, "min_rows": 2}
SPAN = "As a model I cannot know."


def run(frame: pl.DataFrame, **options: object) -> Result:
    return substring.run(frame.lazy(), substring.Config(**(SHORT | options)), Context())  # type: ignore[arg-type]


def answers(frame: pl.DataFrame) -> list[str]:
    return [messages[-1]["content"] for messages in frame["messages"]]


def cut(*given: str, **options: object) -> list[str]:
    kept, _ = outcome("dedup.substring", rows(*(answer(text) for text in given)), **(SHORT | options))
    return answers(kept)


def test_the_smallest_case():
    frame = rows(
        answer(f"{SPAN} It is blue."), answer(f"Well. {SPAN.upper()}"), answer("Well. It is blue, as a model.")
    )
    kept, ledger = outcome("dedup.substring", frame, **SHORT)
    assert answers(kept) == ["It is blue.", "Well.", "Well. It is blue, as a model."]
    told = ledger.select("row_id", "prompt_id", "kind", "reason", "value", "threshold").rows()
    prompt_id = frame["prompt_id"][0]
    assert told == [(f"t:00000{at}", prompt_id, "edited", "repeated_span", 6.0, 5.0) for at in (1, 2)]
    detail = json.loads(ledger["detail"][1])
    digest = hashlib.sha256(b"as a model i cannot know").hexdigest()[:16]
    assert detail == {
        "message": 1,
        "before": f"Well. {SPAN.upper()}",
        "after": "Well.",
        "spans": [{"digest": digest, "message": 1, "begin": 6, "length": 25, "rows": 2}],
    }
    assert json.loads(ledger["detail"][0])["spans"][0]["digest"] == digest


def own(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices([f"w{at}" for at in range(400)], k=words)).capitalize() + "."


def test_a_preamble_in_thirty_of_a_hundred_rows_is_cut_and_nothing_else_changes():
    draw = random.Random(1)
    preamble = " ".join(f"p{at}" for at in range(55)) + "."
    plain = [own(draw, draw.randrange(1, 90)) for _ in range(100)]
    placed = [
        text if at % 10 > 2 else f"{preamble}\n\n{text}" if at % 2 else f"{text} {preamble}"
        for at, text in enumerate(plain)
    ]
    frame = rows(*(answer(text) for text in placed))
    kept, ledger = outcome("dedup.substring", frame)
    assert answers(kept) == plain
    assert kept.drop("messages").equals(frame.drop("messages"))
    assert ledger["row_id"].to_list() == [f"t:{at + 1:06d}" for at in range(100) if at % 10 <= 2]
    assert set(ledger["value"]) == {55.0}
    assert all(json.loads(detail)["spans"][0]["rows"] == 30 for detail in ledger["detail"])


def test_words_that_fewer_rows_go_on_with_are_their_own():
    # All six rows hold the span; two of them go on with "They say", which no boundary tells from it.
    span = "here is a text of words"
    after = ["they say no", "they say yes", "one", "two", "three", "four"]
    assert cut(*(f"{span} {word}" for word in after)) == after
    # Of three rows two are more than half, and "they say" goes with them.
    assert cut(*(f"{span} {word}" for word in after[:3])) == ["no", "yes", "one"]


def test_a_korean_signature_whatever_its_spacing():
    signature = "궁금한 점이 있으시면 언제든지 다시 물어봐 주세요. 오늘도 좋은 하루 보내세요!"
    given = [
        f"별은 뜨거운 가스 덩어리예요.\n\n{signature}",
        f"서울은 한국의 수도입니다. {signature.replace(' ', '')}",
        "물은 섭씨 백 도에서 끓어요.",
    ]
    # 32 syllables.
    assert cut(*given, min_chars=32) == ["별은 뜨거운 가스 덩어리예요.", "서울은 한국의 수도입니다.", given[2]]
    assert cut(*given, min_chars=33) == given
    assert cut(*given, hangul_characters=False) == given


def test_scripts_without_spaces_are_counted_by_characters():
    span = "何か質問があれば聞いてください。"  # 15 characters
    given = [f"東京です。{span}", f"{span}大阪です。"]
    assert cut(*given, min_chars=15) == ["東京です。", "大阪です。"]
    assert cut(*given, min_chars=16) == given


def test_a_span_crosses_neither_messages_nor_rows_nor_fenced_code():
    turns: list[Turn] = [("user", "one two three"), ("assistant", "four five six")]
    given = rows(turns, turns)
    assert run(given, compare="both").dropped.collect().is_empty()
    assert run(given, compare="both").edited.collect().is_empty()  # type: ignore[union-attr]
    code = "See:\n```\none two three four five six\n```\nend"
    assert cut(code, code + " here") == [code, code + " here"]
    around = "one two three.\n```\ncode\n```\nfour five six"
    assert cut(around, around) == [around, around]
    beside = "One two three four five.\n```\ncode\n```\nMine."
    assert cut(beside, beside + " a") == ["```\ncode\n```\nMine.", "```\ncode\n```\nMine. a"]


def test_overlapping_spans_are_cut_as_one():
    # 1 and 2 share a to f, 2 and 3 share d to i, so that all of 2 goes, and the row with it.
    given = [answer("a b c d e f x"), answer("a b c d e f g h i"), answer("y d e f g h i")]
    kept, ledger = outcome("dedup.substring", rows(*given), **SHORT)
    assert answers(kept) == ["x", "y"]
    assert reasons(ledger) == {1: "repeated_span", 2: "nothing_left", 3: "repeated_span"}
    assert ledger.filter(kind="dropped").select("row_id", "value", "threshold").rows() == [("t:000002", 0.0, 1.0)]


def test_how_many_rows_and_how_many_words():
    given = [f"{SPAN} {word}." for word in ("A", "B")]
    assert cut(*given, min_rows=3) == given
    assert cut(*given, min_words=7) == given
    # Twice in one row is one row.
    assert cut(f"{SPAN} And. {SPAN}", "Other.") == [f"{SPAN} And. {SPAN}", "Other."]


def test_the_first_row_may_keep_it():
    given = [f"{SPAN} A.", f"{SPAN} B.", f"C. {SPAN}"]
    assert cut(*given, keep_first=True) == [given[0], "B.", "C."]


def test_rows_may_be_dropped_instead():
    frame = rows(answer(f"{SPAN} A."), answer("B."), answer(f"{SPAN} C."))
    kept, ledger = outcome("dedup.substring", frame, action="drop", **SHORT)
    assert kept["row_id"].to_list() == ["t:000002"]
    assert ledger.select("kind", "reason", "value", "threshold").unique().rows() == [
        ("dropped", "repeated_span", 6.0, 5.0)
    ]
    kept, _ = outcome("dedup.substring", frame, action="drop", keep_first=True, **SHORT)
    assert kept["row_id"].to_list() == ["t:000001", "t:000002"]


def test_a_row_with_too_little_left_is_dropped():
    kept, ledger = outcome("dedup.substring", rows(answer(f"{SPAN} A b."), answer(f"{SPAN} C.")), min_left=2, **SHORT)
    assert answers(kept) == ["A b."]
    assert reasons(ledger) == {1: "repeated_span", 2: "nothing_left"}


def test_prompts_may_be_cut_and_get_another_id():
    def asked(question: str) -> list[Turn]:
        return [("system", SPAN), ("user", f"{SPAN} {question}"), ("assistant", f"{SPAN} Yes.")]

    kept, ledger = outcome("dedup.substring", rows(asked("Why?"), asked("How?")), compare="prompt", **SHORT)
    turns = [[(turn["role"], turn["content"]) for turn in messages] for messages in kept["messages"]]
    assert turns == [[("user", question), ("assistant", f"{SPAN} Yes.")] for question in ("Why?", "How?")]
    expected = [prompt_id_of(prompt_of(messages)) for messages in kept["messages"]]
    assert kept["prompt_id"].to_list() == ledger["prompt_id"].to_list() == expected


@pytest.mark.parametrize(
    ("which", "expected"), [("prompt", [0, 1, 2]), ("response", [3]), ("both", [0, 1, 2, 3]), ("last_user", [2])]
)
def test_which_messages_are_compared(which: TextOf, expected: list[int]):
    frame = rows(
        [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("tool", "e")], [("user", "f")], []
    )
    found = frame.select(spans.compared(which).alias("m"))["m"].to_list()
    alone = {"response": [], "last_user": [0]}.get(which, [0])
    assert found == [expected, alone, []]


def test_what_a_cut_brings_together_is_looked_at_again():
    inner = "P q r s t."
    given = [f"One two three. {inner} Four five six."] * 2 + [f"{inner} {own}." for own in ("W", "X", "Y", "Z")]
    result = run(rows(*(answer(text) for text in given)))
    # What stands beside the span of six rows in two of them is shorter than a span, until the cut joins it.
    assert result.facts["passes"] == 2
    told = result.dropped.collect()
    assert told.select("row_id", "reason").rows() == [("t:000001", "nothing_left"), ("t:000002", "nothing_left")]
    assert json.loads(told["detail"][0])["spans"][0]["rows"] == 6


def test_a_collision_of_hashes_makes_no_span(monkeypatch: pytest.MonkeyPatch):
    draw = random.Random(5)
    given = [own(draw, 30) for _ in range(20)]
    whole = spans.windows
    monkeypatch.setattr(spans, "fingerprints", lambda units, measure: _narrow(*FINGERPRINTS(units, measure)))
    monkeypatch.setattr(spans, "windows", lambda units, measure: _narrow(*whole(units, measure)))
    monkeypatch.setattr(substring.canaries, "scrambled", lambda texts, count, seed: [])
    assert cut(*given) == given
    # What is the same as the first window of its hash is still found, and nothing but that is cut.
    again = cut(*given, given[0])
    assert again[1:20] == given[1:]
    assert len(again[0]) < len(given[0])


FINGERPRINTS = spans.fingerprints


def _narrow(hashes, second):  # type: ignore[no-untyped-def]
    return hashes % 7, second


def test_planted_rows_are_found_and_not_seen():
    draw = random.Random(2)
    frame = rows(*(answer(own(draw, 40)) for _ in range(60)))
    result = run(frame, min_rows=3)
    assert result.facts["canaries"] == {"repeated_span": {"planted": 12, "found": 12}}
    assert result.dropped.collect().is_empty()
    assert result.replaced.collect().is_empty()  # type: ignore[union-attr]
    assert run(frame, min_rows=3, keep_first=True).facts["canaries"]["repeated_span"]["planted"] == 8


def test_a_stage_that_misses_planted_spans_fails(monkeypatch: pytest.MonkeyPatch):
    draw = random.Random(2)
    frame = rows(*(answer(own(draw, 40)) for _ in range(60)))
    monkeypatch.setattr(spans, "_counted", lambda batches, min_rows, total: COUNTED(batches, 99, total))
    with pytest.raises(CanaryError, match="repeated_span: 0 of 8 found"):
        run(frame)


COUNTED = spans._counted


def test_no_rows_and_rows_without_text():
    assert outcome("dedup.substring", rows(answer("a")).clear())[1].is_empty()
    kept, ledger = outcome("dedup.substring", rows(answer(None), answer(" "), [("user", "q")]), **SHORT)
    assert (kept.height, ledger.height) == (3, 0)


words = st.lists(st.sampled_from(["a", "b", "c.", "d\n", "e", "한국", "f"]), max_size=14).map(" ".join)


@given(st.lists(words, min_size=2, max_size=8), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_and_repetition_change_nothing(batch: list[str], keep_first: bool, draw: random.Random):
    frame = rows(*(answer(text) for text in batch))
    once = run(frame, keep_first=keep_first)
    order = list(range(len(batch)))
    draw.shuffle(order)
    shuffled = run(frame[order], keep_first=keep_first)
    for part in ("dropped", "edited", "replaced"):
        assert getattr(shuffled, part).collect().equals(getattr(once, part).collect())
    kept = frame.join(once.dropped.collect(), on="row_id", how="anti").update(once.replaced.collect(), on="row_id")  # type: ignore[union-attr]
    again = run(kept, keep_first=keep_first)
    assert again.dropped.collect().is_empty()
    assert again.edited.collect().is_empty()  # type: ignore[union-attr]


@given(st.lists(words, min_size=2, max_size=8))
@settings(max_examples=40, deadline=None)
def test_no_span_that_could_be_cut_is_left(batch: list[str]):
    """Brute force over all windows of what is left: none is in two rows but where a cut would part two sentences."""
    frame = rows(*(answer(text.replace(".", "").replace("\n", "")) for text in batch))
    result = run(frame)
    kept = frame.join(result.dropped.collect(), on="row_id", how="anti")
    kept = kept.update(result.replaced.collect(), on="row_id")  # type: ignore[union-attr]
    units = spans.units_of(pl.Series(answers(kept), dtype=pl.String), Measure("response", 5, 10, True))
    hashes, lengths = spans.windows(units, Measure("response", 5, 10, True))
    held = {(h, text) for h, n, text in zip(hashes.tolist(), lengths, units.text.tolist(), strict=True) if n}
    assert len({h for h, _ in held}) == len(held)


@pytest.mark.parametrize(("batch_rows", "threads"), [(7, 1), (50, 4)])
def test_batches_threads_and_parts_change_nothing(
    batch_rows: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    draw = random.Random(4)
    given = [own(draw, 60) for _ in range(100)]
    given = [f"{own(random.Random(at % 4), 55)} {text}" if at % 3 else text for at, text in enumerate(given)]
    frame = rows(*(answer(text) for text in given))
    _, expected = outcome("dedup.substring", frame)
    assert expected.height == 66
    monkeypatch.setattr(texts, "BATCH_ROWS", batch_rows)
    monkeypatch.setattr(pl, "thread_pool_size", lambda: threads)
    files = [tmp_path / f"part-{at}.parquet" for at in range(0, 100, 30)]
    for at, file in zip(range(0, 100, 30), files, strict=True):
        write_table(frame[at : at + 30], file)
    made = tmp_path / "made"
    made.mkdir()
    execute(substring, "dedup.substring", substring.Config(), files, made, Context())  # type: ignore[arg-type]
    ledger = pl.read_parquet(made / "decisions.parquet")
    assert ledger.equals(expected)
    assert not any(PREFIX in row_id for row_id in ledger["row_id"])
