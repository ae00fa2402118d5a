"""Text normalisation: what each step changes, what it must not touch, and what the ledger tells."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.clean import normalize
from curation.clean.excerpt import EXCERPT, excerpt
from curation.clean.mojibake import SUSPECT, repair
from curation.clean.steps import STEPS, needed
from schemas.records import prompt_id_of
from tests.helpers import answer, outcome, rows


def normalized(text: str) -> tuple[str, list[str]]:
    """The response after normalisation, and the reasons of its edits."""
    kept, ledger = outcome("clean.normalize", rows(answer(text)))
    assert set(ledger["kind"]) <= {"edited"}
    return kept["messages"][0][1]["content"], ledger["reason"].to_list()


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("a\r\nb\rc", "a\nb\nc", "line_endings"),
        ("a\x0bb\x0cc\u2028e\u2029f", "a\nb\nc\ne\nf", "line_endings"),
        ("a\x00b\x07c\x7fd", "abcd", "control_characters"),
        ("a\ufeffb", "ab", "control_characters"),
        ("\x1b[1;31mred\x1b[0m", "red", "control_characters"),
        ("hi\U000e0069\U000e0067", "hi", "control_characters"),
        ("e\u0301", "é", "unicode_normalized"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글", "unicode_normalized"),
        (" \t a \n ", "a", "whitespace"),
        ("\u3000가\u00a0", "가", "whitespace"),
        ("\u200b가\u200d", "가", "zero_width"),
        ("pass\u200bwo\u2060rd", "password", "zero_width"),
        ("co\u00adoperate \u200c a\u200db", "cooperate  ab", "zero_width"),
        ("😀\ufe00\ufe01\ufe05 a\ufe0f", "😀\ufe00 a", "zero_width"),  # bytes hidden in selectors
        ("한\u200b글 문\u200d장", "한글 문장", "zero_width"),
        ("if admin \u202e\u2066# no\u2069\u2066", "if admin # no", "bidi_controls"),
        ("`a\u202eb\u202c`", "`ab`", "bidi_controls"),  # in code above all
        ("a\u200eb\u061c", "ab", "bidi_controls"),
        ("שלום \u202eabc\u202c \u2067x", "שלום abc x", "bidi_controls"),
        ("\n\n  a\nb", "a\nb", "whitespace"),
        ("cafÃ© â€” naÃ¯ve", "café — naïve", "mojibake_repaired"),
        ("ì•ˆë…•í•˜ì„¸ìš”", "안녕하세요", "mojibake_repaired"),
        ("don\x92t\x85", "don’t…", "mojibake_repaired"),  # C1 controls stand for Windows-1252
    ],
)
def test_one_kind_of_change(before: str, after: str, reason: str):
    assert normalized(before) == (after, [reason])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain\n\ttext",
        "x² ½ ﬁ Ａ ① ㅋㅋ ㈜",  # NFKC would change each of them
        "    if x:\n        return 1",  # indentation of code
        "\tx = 1\n\ty = 2",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
        "👩\u200d👩\u200d👧 می\u200cخواهم",  # joiners inside words and emoji
        "👩🏽\u200d💻 ❤\ufe0f\u200d🔥 3\ufe0f\u20e3 葛\U000e0100",
        "क्\u200dष ශ්\u200dරී",  # joiners in Devanagari and Sinhala
        "ภาษา\u200bไทย",  # word breaks of Thai
        "هذا \u2066C++\u2069 جيد \u200f(نعم) \u202bx\u202c.",  # balanced, in a line from right to left
        "```\ns = 'a\u200bb'\n``` and `\u200d`",
        "CAFÉ® São Paulo «à» ÀÂ 25 °C",
        "├── src\n│   └── a.py",
        "Ünïcödé çà et là",
        "`Ã©` and\n```\nâ€”\n```",
        "[ˈtrauŋkaˌjœːkʏtl̥]",
    ],
)
def test_texts_that_stay(text: str):
    assert normalized(text) == (text, [])


def test_mojibake_is_left_where_the_conversation_is_about_it():
    frame = rows([("user", "Why do I see Ã© in UTF-8?"), ("assistant", "Your editor decoded é as cafÃ©.")])
    assert outcome("clean.normalize", frame)[0].equals(frame)


def test_without_the_repair_of_mojibake():
    kept, ledger = outcome("clean.normalize", rows(answer("cafÃ©\x85b")), repair_mojibake=False)
    # U+0085 is then what Unicode says it is, an end of line.
    assert kept["messages"][0][1]["content"] == "cafÃ©\nb"
    assert ledger["reason"].to_list() == ["line_endings"]


def test_a_repair_that_ftfy_itself_finds_bad_is_not_made():
    assert repair("fine é") == "fine é"
    assert repair("cafÃ©\nplain") == "café\nplain"
    assert repair("~~~\ncafÃ©\n~~~ cafÃ©") == "~~~\ncafÃ©\n~~~ café"


def test_only_suspects_are_repaired():
    """Whatever ftfy would change among Latin-1 misreadings of two-byte characters is let through to it."""
    texts = [chr(code).encode().decode("latin-1") for code in (0xE9, 0x3B1, 0x416, 0x5D0, 0xD55C)]
    assert pl.Series(texts).str.contains(SUSPECT).all()
    assert not pl.Series(["한국어 문장", "plain", "日本語", "Привет"]).str.contains(SUSPECT).any()


def test_the_ledger_and_the_prompt_id():
    frame = rows(
        [("system", " Be brief. "), ("user", "a\r\nb "), ("assistant", "ok ")],
        [("user", "a"), ("assistant", " ok")],
        [("user", "a"), ("assistant", "ok")],
        [("user", None), ("assistant", "  ")],
        [],
    )
    kept, ledger = outcome("clean.normalize", frame)
    assert kept.drop("messages", "prompt_id").equals(frame.drop("messages", "prompt_id"))
    assert [[m["content"] for m in messages] for messages in kept["messages"]] == [
        ["Be brief.", "a\nb", "ok"],
        ["a", "ok"],
        ["a", "ok"],
        [None, ""],
        [],
    ]
    # Row 1 has another prompt now; in rows 2 and 4 only the answer changed.
    prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a\nb"}]
    assert kept["prompt_id"][0] == prompt_id_of(prompt) != frame["prompt_id"][0]
    assert kept["prompt_id"][1:].equals(frame["prompt_id"][1:])
    # The value is the number of messages: one with CR LF; three with outer blanks.
    assert ledger.select("row_id", "prompt_id", "kind", "reason", "value").rows() == [
        ("t:000001", kept["prompt_id"][0], "edited", "line_endings", 1.0),
        ("t:000001", kept["prompt_id"][0], "edited", "whitespace", 3.0),
        ("t:000002", kept["prompt_id"][1], "edited", "whitespace", 1.0),
        ("t:000004", kept["prompt_id"][3], "edited", "whitespace", 1.0),
    ]
    assert json.loads(ledger["detail"][0]) == {"message": 1, "before": "a\r\nb ", "after": "a\nb "}
    assert json.loads(ledger["detail"][1]) == {"message": 0, "before": " Be brief. ", "after": "Be brief."}


def test_other_fields_of_a_message_stay():
    frame = rows([("user", "a "), ("tool", "b"), ("assistant", "c")])
    messages = frame["messages"].to_list()
    messages[0][1]["extra"] = '{"name":" x "}'
    frame = frame.with_columns(pl.Series("messages", messages, frame.schema["messages"]))
    made = outcome("clean.normalize", frame)[0]["messages"][0].to_list()
    assert [(m["role"], m["content"], m["extra"]) for m in made] == [
        ("user", "a", None),
        ("tool", "b", '{"name":" x "}'),
        ("assistant", "c", None),
    ]


def test_texts_that_nothing_would_change_are_not_looked_at():
    """`needed` is true of every text that some step changes: of each character alone and beside a plain one."""
    characters = [chr(code) for code in range(0x3000) if not 0xD800 <= code < 0xE000] + list(
        "가一｟ﬀ\ufeff\ufe0f\U000e0001"
    )
    texts = pl.DataFrame({"text": [form for c in characters for form in (f"a{c}b", f"“{c}", f"{c}…", f"a{c}")]})
    steps = pl.col("text")
    for step in STEPS.values():
        steps = step(steps)
    judged = texts.select(
        changed=steps != pl.col("text"), needed=needed(pl.col("text")), bad=pl.col("text").str.contains(SUSPECT)
    )
    assert judged.filter(~pl.col("needed") & (pl.col("changed") | pl.col("bad"))).is_empty()


def test_padded_metadata_is_flagged():
    frame = pl.concat([rows(answer("a"))] * 5).with_columns(
        pl.Series("row_id", list("abcde")),
        pl.Series(
            "metadata", ['{"label":"2   "}', '{"label":"2"}', '{"a":{"b":"x\\n"}}', '{"a":"b: \\" c"}', '{"a":[" x"]}']
        ),
    )
    kept, ledger = outcome("clean.normalize", frame)
    assert kept.equals(frame)
    assert ledger.select("row_id", "kind", "reason", "detail").rows() == [
        ("a", "flagged", "metadata_padded", 'label="2   "'),
        ("c", "flagged", "metadata_padded", 'a.b="x\\n"'),
    ]


def test_excerpts_show_where_two_texts_part():
    before = "x" * 100 + "\r\n" + "y" * 100
    after = before.replace("\r\n", "\n")
    shown = json.loads(excerpt(2, before, after))
    # The texts part at 100: twenty characters before it, eighty in all.
    assert shown == {"message": 2, "before": before[80:160], "after": after[80:160]}
    assert len(shown["before"]) == EXCERPT == 80
    assert json.loads(excerpt(0, "ab ", "ab")) == {"message": 0, "before": "ab ", "after": "ab"}
    assert json.loads(excerpt(0, "a", "b")) == {"message": 0, "before": "a", "after": "b"}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(
            st.sampled_from(
                list(
                    " \t\n\r\x00\x85\u200b\u200d\u2064\u202e\u202c\u2066\u2069\ufe0fא😀"
                    "\ufeff\u0301e한ᄀ\u1161`ab\u2028\x1b[m"
                )
            ),
            max_size=12,
        )
    )
)
def test_what_is_normalised_stays_so(texts: list[str]):
    frame = rows(*(answer(text) for text in texts), answer("a"))
    stage, config = normalize, normalize.Config()
    once = stage.run(frame.lazy(), config, None).kept.collect()  # type: ignore[union-attr, arg-type]
    again = stage.run(once.lazy(), config, None)  # type: ignore[arg-type]
    assert again.edited is not None
    assert again.edited.collect().is_empty()
