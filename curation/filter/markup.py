r"""Find answers that are made of links or markup rather than of text, where neither was asked for.

- `urls`: links take more than `max_url_share` of the characters of the answer, code apart.
- `tags`: HTML tags outside code take more than `max_tag_share`, and the prompt is not about markup or code.
- `ellipses`: more than `max_ellipsis_lines` of the lines end in an ellipsis, and three or more do (0.3 in
  Rae et al. 2021, arXiv:2112.11446, appendix A.1.1, and in datatrove's GopherQualityFilter).
- `leftover_page`: what a web page says to its readers ("accept cookies", "enable JavaScript", "all rights
  reserved"), of the kind that C4 removes line by line (Raffel et al. 2020, arXiv:1910.10683, section 2.2).

For web pages, RefinedWeb (Penedo et al. 2023, arXiv:2306.01116) drops lines that are links; an answer may well be a
link, so the shares are set where little else is left.
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from curation.filter.working import ANSWER, PROMPT, Action, judge, texts, without_code
from curation.stage import Context, Result, Rule, StageConfig

SCOPE = "row"

Share = Annotated[float, Field(gt=0.0, le=1.0)]

_PROSE = "__prose"
_URL = r"(?:https?://|www\.)[^\s<>\")\]]+"
_TAG = r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>\n]*)?/?>|<!--[^\n]*?-->|<!DOCTYPE[^>]*>"
_LINE = r"(?m)^.*\S"
_ELLIPSIS = r"(?m)(?:\.\.\.|…)[ \t]*$"
_PAGE = (
    r"(?i)accept (?:all )?cookies|(?:uses?|use of) cookies|enable javascript|all rights reserved|click here to"
    r"|read more »|terms of (?:use|service) (?:and|\|)|subscribe to our newsletter|share (?:this|on) (?:facebook"
    r"|twitter)"
    r"|무단 ?전재|재배포 ?금지|저작권자 ?[ⓒ(©]|쿠키(?:를|의) (?:사용|허용)|기사 ?제보"
)
_WANTS_LINKS = (
    r"(?i)\burl|https?:|\blinks?\b|website|web ?site|source|reference|where can i|resource|링크|주소|사이트|출처|참고"
)
_WANTS_MARKUP = (
    r"(?i)html|xml|svg|markup|\btags?\b|\bcod(?:e|ing)\b|web ?page|website|\bcss\b|javascript|react|vue|jsx|php|program"
    r"|script|<[a-z/]|form\b|table|template|컴포넌트|태그|코드|웹|마크업|페이지|프로그램|표"
)
_WANTS_PAGES = (
    r"(?i)cookie|javascript|copyright|newsletter|website|web ?page|terms|polic|footer|legal|저작권|쿠키|웹|기사|약관"
)
# Every text that _PAGE may find something in has one of these.
_PAGES = [
    *("cookies", "enable javascript", "all rights reserved", "click here", "read more »", "terms of", "newsletter"),
    *("facebook", "twitter", "무단", "재배포", "저작권자", "쿠키", "기사제보", "기사 제보"),
]


class Config(StageConfig):
    """What becomes of a row on which a rule fires (drop, flag, off), and the shares above which it does."""

    urls: Action = "flag"
    tags: Action = "flag"
    ellipses: Action = "flag"
    leftover_page: Action = "flag"
    max_url_share: Share = 0.5
    max_tag_share: Share = 0.3
    max_ellipsis_lines: Share = 0.3


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: see above; value: the share."""
    frame = rows.collect()
    prompt, answer, prose = pl.col(PROMPT), pl.col(ANSWER), pl.col(_PROSE)
    quick = answer.str.contains_any(
        ["http", "www.", "</", "/>", "<br", "<p>", "<li>", "...\n", "…\n", "... \n", "… \n"]
    )
    ended = answer.str.ends_with("...") | answer.str.ends_with("…")
    suspects = texts(frame).filter(quick | ended | answer.str.contains_any(_PAGES, ascii_case_insensitive=True))
    suspects = suspects.with_columns(without_code(answer).alias(_PROSE))
    page = prose.str.extract(f"({_PAGE})")
    lines = prose.str.count_matches(_LINE)
    open_ended = prose.str.count_matches(_ELLIPSIS)
    ellipses = pl.when(open_ended >= 3).then(open_ended / lines).otherwise(0.0)
    urls, tags = _share(_URL), _share(_TAG)
    rules = {
        "urls": Rule((urls > config.max_url_share) & ~prompt.str.contains(_WANTS_LINKS), urls, config.max_url_share),
        "tags": Rule((tags > config.max_tag_share) & ~prompt.str.contains(_WANTS_MARKUP), tags, config.max_tag_share),
        "ellipses": Rule(ellipses > config.max_ellipsis_lines, ellipses, config.max_ellipsis_lines),
        "leftover_page": Rule(page.is_not_null() & ~prompt.str.contains(_WANTS_PAGES), detail=page),
    }
    return judge(frame, suspects, rules, config.model_dump())


def _share(pattern: str) -> pl.Expr:
    """The share of the prose's characters that are in what the pattern finds; 0 of an empty text."""
    prose = pl.col(_PROSE)
    length = prose.str.len_chars()
    left = prose.str.replace_all(pattern, "").str.len_chars()
    return pl.when(length > 0).then(1 - left / length).otherwise(0.0)
