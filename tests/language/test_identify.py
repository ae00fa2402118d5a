"""Which language a row is in: the script rule, the detector, and what is undetermined."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from curation.language import identify
from curation.language.detector import model_digest
from curation.language.english import is_english
from curation.language.languages import languages as languages_of
from curation.language.prose import prose
from curation.language.scripts import dominant, only_script
from curation.stage import Context
from tests.helpers import answer, outcome, rows

KNOWN = [
    ("API key가 뭐예요?", "ko"),
    ("ㅋㅋㅋㅋ", "ko"),
    ("ㅎ", "ko"),
    ("Python 설치", "ko"),
    ("GPT-4 Turbo API 가격 알려줘", "ko"),
    ("한국의 歷史를 알려 주세요", "ko"),
    ("The Korean word for love is 사랑.", "en"),
    ("HELLO HOW ARE YOU TODAY MY FRIEND", "en"),
    ("Explain the theory of relativity in simple terms.", "en"),
    ("これは日本語の文章です。", "ja"),
    ("東京都に行きたい", "ja"),
    ("カタカナ", "ja"),
    ("我想去北京", "zh"),
    ("Что такое любовь?", "ru"),
    ("Що таке любов і як її знайти?", "uk"),
    ("مرحبا كيف حالك اليوم", "ar"),
    ("سلام، حال شما چطور است؟", "fa"),
    ("नमस्ते आप कैसे हैं", "hi"),
    ("Γειά σου κόσμε", "el"),
    ("שלום עולם", "he"),
    ("สวัสดีชาวโลก", "th"),
    ("Bonjour, comment allez-vous aujourd'hui ?", "fr"),
    ("¿Dónde está la biblioteca más cercana?", "es"),
    ("Wie geht es dir heute, mein Freund?", "de"),
    ("Xin chào, bạn có khỏe không?", "vi"),
]
UNKNOWN = ["", "   ", "OK", "Yes", "1 + 1 = 2", "😀😀", "`rm -rf /tmp/some/where`", "https://example.com/some/page"]


def languages(texts: list[str | None], **options: object) -> list[str]:
    frame = rows(*(answer(text, prompt="") for text in texts))
    return outcome("language.identify", frame, **options)[0]["language"].to_list()


def test_known_languages():
    assert dict(zip(KNOWN, languages([text for text, _ in KNOWN]), strict=True)) == {pair: pair[1] for pair in KNOWN}


def test_too_little_text_is_undetermined():
    assert languages([*UNKNOWN, None]) == ["und"] * (len(UNKNOWN) + 1)


def test_min_letters_holds_where_the_script_does_not_decide():
    assert languages(["Wo ist das Haus", "네"], min_letters=13) == ["und", "ko"]  # 12 letters
    assert languages(["Wo ist das Haus", "네"], min_letters=12) == ["de", "ko"]


def test_a_few_words_that_are_mostly_english_function_words_are_english():
    assert languages(["Yes, it is.", "idk what to do", "Not my cat", "Bonjour"], min_letters=8) == [
        "en",
        "en",
        "en",
        "und",
    ]


def test_what_is_looked_at():
    frame = rows(answer("def f(x): pass # This is the answer in English, as you can see.", prompt="코드를 써 주세요"))
    for which, language in {"prompt": "ko", "response": "en", "last_user": "ko"}.items():
        assert outcome("language.identify", frame, text=which)[0]["language"].to_list() == [language]


def test_code_does_not_decide():
    code = "```python\n" + "for item in the_list_of_things: print(item)\n" * 20 + "```"
    assert languages([f"이렇게 하세요.\n{code}", f"Machen Sie es bitte so, wie hier gezeigt wird:\n{code}"]) == [
        "ko",
        "de",
    ]


def test_keep():
    frame = rows(
        answer("한국어 문장입니다", prompt=""), answer("This is a sentence in English.", prompt=""), answer("3", "")
    )
    kept, ledger = outcome("language.identify", frame, keep=("ko", "und"))
    assert kept["language"].to_list() == ["ko", "und"]
    assert ledger.select("row_id", "reason", "detail", "kind").rows() == [
        ("t:000002", "language_not_kept", "en", "dropped")
    ]
    assert 0.5 < ledger["value"][0] <= 1.0
    _, ledger = outcome("language.identify", frame, keep=("en",))
    # The script decides for row 1: all of its letters are Hangul. Nothing speaks for any language in row 3.
    assert ledger.select("detail", "value").rows() == [("ko", 1.0), ("und", 0.0)]
    with pytest.raises(ValidationError, match="pattern"):
        identify.Config(keep=("Korean",))


def test_the_column_is_filled_for_every_kind_of_row():
    frame = rows(
        [
            ("system", "너는 조수다"),
            ("user", "안녕"),
            ("assistant", "네"),
            ("user", "고마워"),
            ("assistant", "천만에요"),
        ],
        [("assistant", "안녕하세요")],
        [("user", "안녕하세요"), ("user", "여보세요")],
        [],
    ).with_columns(pl.lit("xx").alias("language"))
    kept, ledger = outcome("language.identify", frame)
    assert ledger.is_empty()
    assert kept["language"].to_list() == ["ko", "ko", "ko", "und"]
    assert kept.drop("language").equals(frame.drop("language"))
    assert kept.schema == frame.schema


def test_facts_count_rows_before_the_drop():
    frame = rows(answer("안녕하세요", prompt=""), answer("네", prompt=""), answer("3", prompt=""))
    result = identify.run(frame.lazy(), identify.Config(keep=("en",)), Context())
    assert dict(result.facts) == {"language_ko": 2, "language_und": 1, "script_Hangul": 2, "mixed_scripts": 0}


def test_facts_of_scripts():
    # Of the first, 10 of 16 is Hangul (four syllables of 2.5, six Latin letters): below nine tenths, so mixed.
    frame = rows(answer("API key가 뭐예요?", prompt=""), answer("This is it, my friend.", prompt=""))
    result = identify.run(frame.lazy(), identify.Config(), Context())
    assert {name: count for name, count in result.facts.items() if not name.startswith("language")} == {
        "script_Hangul": 1,
        "script_Latin": 1,
        "mixed_scripts": 1,
    }


def test_script_shares_by_hand():
    found = dominant(pl.Series(["API key가 뭐예요?", "abc", "1", None, "漢字とかな"]))
    # Six Latin letters; four syllables of weight 2.5 are 10 of 16. Two Han of weight 3 and three kana of 1.5, all ja.
    assert found.rows() == [
        ("Hangul", 10 / 16, 10),
        ("Latin", 1.0, 3),
        (None, 0.0, 0),
        (None, 0.0, 0),
        ("Kana", 1.0, 5),
    ]


def test_the_threshold_of_a_script():
    # One syllable (2.5) beside seven letters is 2.5 of 9.5, above a quarter; beside eight it is 2.5 of 10.5, below.
    assert dominant(pl.Series(["가abcdefg", "가abcdefgh"]))["script"].to_list() == ["Hangul", "Latin"]


def test_letters_of_other_scripts_are_left_out_for_the_detector():
    own = only_script(pl.Series(["사랑 is love", "API ключ", "漢字"]), pl.Series(["Latin", "Cyrillic", "Han"]))
    assert own.to_list() == [" is love", " ключ", "漢字"]


def test_the_model_is_part_of_the_key():
    assert identify.fingerprint(identify.Config(), Context()) == model_digest()
    assert len(model_digest()) == 64


LABELLED = Path(__file__).parent / "labelled_language.jsonl"


@pytest.mark.parametrize(
    ("kind", "least"), [("english", 0.99), ("korean", 0.99), ("code", 0.95), ("mixed", 0.95), ("other", 0.95)]
)
def test_labelled_set(kind: str, least: float):
    labelled = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    chosen = [record for record in labelled if record["kind"] == kind]
    assert len(labelled) >= 200
    assert len(chosen) >= 30
    wrong = {
        record["text"]: told
        for record, told in zip(chosen, languages([record["text"] for record in chosen]), strict=True)
        if told != record["language"]
    }
    assert 1 - len(wrong) / len(chosen) >= least, wrong


def test_code_alone_is_undetermined_and_its_comments_decide():
    code = "def add(a, b):\n    {}\n    return a + b\n"
    assert languages(
        [code.format("pass"), code.format("# 두 수를 더한다"), code.format("# the sum of both of these")]
    ) == [
        "und",
        "ko",
        "en",
    ]


def test_prose_is_what_is_left_of_a_text():
    text = "Use it like this:\nx = f(3)\nif x > 2:\n    print(x)  # larger than two\nThat is all."
    kept = " ".join(prose(pl.Series([text]))[0].split())
    assert kept == "Use it like this: larger than two That is all."
    assert prose(pl.Series([None, "See `f(x)` at https://example.com/a or <b>ask</b>."])).to_list() == [
        None,
        "See   at   or  ask .",
    ]


def test_plain_english_is_told_by_three_function_words_in_ten():
    frame = pl.DataFrame({"text": ["the cat and the dog", "the cat and a dog", "the and with " + "mot " * 30, None]})
    # Three of five; two; three of 33 words, below a tenth; nothing is said of a null.
    assert frame.select(is_english(pl.col("text")))["text"].to_list() == [True, False, False, None]


def test_english_with_korean_words_and_korean_with_english_words():
    texts = [
        "What does 안녕하세요 mean in English?",
        "pandas DataFrame merge 질문",
        "Seoul 사람 said that the 국밥 was good",
    ]
    assert languages(texts) == ["en", "ko", "en"]


def test_confidence_and_share():
    found = languages_of(pl.Series(["This is what they have.", "한국어", None, "12 + 3"]))
    assert found.rows() == [
        ("en", 1.0, "Latin", 1.0),
        ("ko", 1.0, "Hangul", 1.0),
        ("und", 0.0, None, 0.0),
        ("und", 0.0, None, 0.0),
    ]
