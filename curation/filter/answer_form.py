r"""Find answers whose form is not what the prompt asks for: a word for an essay, a list for a story.

- `too_short`: the prompt asks for something that takes sentences (an essay, a story, an explanation, a description, a
  comparison), and the answer has at most `max_words` words and no sentence.
- `list_only`: the prompt asks for prose (an essay, a story, a paragraph, a letter), and at least `max_list_lines` of
  the lines of the answer are list items: 0.9 in Rae et al. 2021 (arXiv:2112.11446, appendix A.1.1) and in datatrove's
  GopherQualityFilter, of three items or more.

AlpacaGasus (Chen et al. 2023, arXiv:2307.08701) and LIMA (Zhou et al. 2023, arXiv:2305.11206) rate such rows low with a
model or by hand; here only what the words of the prompt settle is looked at. Where it asks for a word, a name, a
number, a class, a title, yes or no, a short answer is right; where it asks for steps, points or a list, so is a list.
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from curation import text
from curation.filter.working import ANSWER, PROMPT, Action, judge, texts
from curation.stage import Context, Result, Rule, StageConfig

SCOPE = "row"

_ASKED = "__asked"
_HEAD = 300  # characters of the request in which its form is said
_BRIEF = 120  # bytes; a longer answer has more words than any sensible `max_words`

_WRITE = r"(?:write|compose|create|generate|draft|prepare|produce|give me|craft|pen|tell)\b[^.?!\n]"
_KIND = (
    r"(?:essay|story|stories|article|blog post|report|speech|paragraphs?|letter|e-?mail|review|proposal|biography"
    r"|dialogue|argument|tutorial|guide)(?:\.|,|:|\?|!|$| (?:about|on|of|to|for|that|describing|explaining|with|from))"
)
_LONG = (
    rf"(?i)\b{_WRITE}{{0,60}}\b{_KIND}|\btell me (?:a story|about)|\bin detail\b"
    r"|(?:\A|[.!?\n]\s*|\bplease |\byou |\bme )(?:explain|describe|discuss|elaborate|compare|justify|argue"
    r"|summari[sz]e)\b"
    r"|(?:에세이|이야기|소설|기사|글|보고서|연설문?|문단|편지|이메일|시|후기|리뷰|제안서|대본)[을를] ?(?:하나 |한 편 )?"
    r"(?:써|작성|지어|만들)|(?:설명|묘사|서술|비교|요약)해 ?(?:주|줘|봐|보)|논해|논하시오|자세히"
)
_BRIEF_WANTED = (
    r"(?i)\b(?:words?|phrase|term|name|username|address|title|headline|slogan|tagline|label|class|classif|categor"
    r"|keyword"
    r"|number|how many|how much|yes or no|true or false|which|who|when|where|whether|identify|choose|select|pick"
    r"|fill in"
    r"|blank|complete|correct|rewrite|edit|convert|translat|calculat|solve|short|brief|concise|emoji|hashtag|adjective"
    r"|synonym|antonym|sentiment|emotion|season|tone|mood|type of|subject line|equation|formula|code|function|command"
    r"|query|regex|rearrange|acronym|what|output|signature|symbol|equal|values)\w*"
    r"|단어|이름|제목|숫자|몇|분류|골라|고르|선택|예 ?(?:또는|혹은|/) ?아니|누구|언제|어디|어느|짧게|간단히|한마디"
    r"|번역|계산"
    r"|해시태그|이모지|코드|함수|명령어|수식|빈칸|추출"
)
_PROSE = (
    rf"(?i)\b{_WRITE}{{0,40}}\b(?:essay|story|article|speech|paragraph|letter|biography)\b"
    r"|(?:에세이|이야기|소설|기사|연설문?|문단|편지)[을를] ?(?:하나 |한 편 )?(?:써|작성|지어|들려)"
)
_LIST_WANTED = (
    r"(?i)\b(?:lists?|bullet\w*|points?|steps?|outline|ideas|tips|ways|items|plan|titles|prompts|topics|headlines|facts"
    r"|examples|questions|dialogue|script|\d+|two|three|four|five|several|some|stories)\b"
    r"|목록|단계|개요|방법들|항목|아이디어|나열|가지|개의|\d+ ?개|\d+ ?편"
)
_ITEM = r"(?m)^[ \t]*(?:[-*•–▪●]|\d{1,2}[.)]|[a-z]\)|[①-⑳])[ \t]*\S"
_FIRST_ITEM = r"\A\s*(?:[-*•–▪●]|\d{1,2}[.)]|[a-z]\)|[①-⑳])[ \t]*\S"
_SENTENCE = r"[.!?。]\s*\z|://|<[^>]*>"


class Config(StageConfig):
    """What becomes of a row on which a rule fires (drop, flag, off), and the measures from which it does."""

    too_short: Action = "flag"
    list_only: Action = "flag"
    max_words: int = Field(default=3, ge=1)
    max_list_lines: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: see above; value: words of the answer, share of its lines."""
    frame = rows.collect()
    answer, asked = pl.col(ANSWER), pl.col(_ASKED)
    request = frame.select(text.last_user().fill_null("").str.slice(0, _HEAD).alias(_ASKED)).to_series()
    brief = answer.str.len_bytes() <= _BRIEF
    suspects = texts(frame).with_columns(request).filter(brief | answer.str.contains(_FIRST_ITEM))
    words = answer.str.count_matches(r"\S+")
    items = answer.str.count_matches(_ITEM)
    share = items / answer.str.count_matches(r"(?m)^.*\S")
    short = (words <= config.max_words) & ~answer.str.contains(_SENTENCE) & (words > 0)
    wants_more = asked.str.contains(_LONG) & ~pl.col(PROMPT).str.contains(_BRIEF_WANTED)
    wants_prose = asked.str.contains(_PROSE) & ~asked.str.contains(_LIST_WANTED)
    rules = {
        "too_short": Rule(short & wants_more, words, config.max_words),
        "list_only": Rule((items >= 3) & (share >= config.max_list_lines) & wants_prose, share, config.max_list_lines),
    }
    return judge(frame, suspects, rules, config.model_dump())
