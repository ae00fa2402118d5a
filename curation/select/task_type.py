"""What kind of task a row's last request is, by its own words, in English and Korean.

The kinds are those of InstructGPT's prompts (Ouyang et al. 2022, arXiv 2203.02155, table 1), with mathematics, code
and translation apart. It is a coarse sorting for quotas and tables, not a label to train on. Of several kinds that fit
the first in TASKS counts; a request that fits none is open question answering where it asks, else `other`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from curation import text

READ: Final = 400  # characters of a request that are read: what is to be done stands first, a passage after it

TASKS: Final = {
    "translation": r"(?i)\btranslat(?:e|ion)\b|번역|(?:영어|한국어|일본어|중국어|영문|국문)로\s*(?:옮|바꾸|바꿔|써|적)",
    "code": r"(?i)```|\b(?:python|javascript|java|c\+\+|sql|html|css|regex|bash|rust|golang|php)\b"
    r"|\b(?:function|program|script|code|query|algorithm)\b.{0,40}\b(?:that|to|for|which)\b"
    r"|파이썬|자바스크립트|코드를|함수를\s*(?:작성|구현|만들)|알고리즘",
    "mathematics": r"(?i)\b(?:calculate|compute|solve|how many|how much|what is the (?:sum|product|area|average))\b.*\d"
    r"|\d\s*[-+*/×÷^=]\s*\d|\bequation\b|\bintegral\b|방정식|계산(?:해|하)|몇\s*(?:개|명|원|시간|퍼센트)",
    "summarization": r"(?i)\bsummar(?:y|ize|ise)|\btl;?dr\b|\bkey (?:points|takeaways)\b|\bin one sentence\b|요약|간추",
    "classification": r"(?i)\bclassif|\bcategori[sz]e|\blabel (?:the|each|this)|\bsentiment\b"
    r"|\bidentify (?:the|which|whether)\b"
    r"|\bwhich (?:of|one)\b|\btrue or false\b|분류|감정(?:을)?\s*분석|참(?:인지)?\s*거짓",
    "extraction": r"(?i)\bextract\b|\bfind (?:all|the) .{0,30}\bin the\b"
    r"|\b(?:given|based on|according to|from) (?:the|this) "
    r"(?:passage|text|paragraph|article|reference)|추출|다음\s*(?:글|지문|문단|기사)",
    "rewriting": r"(?i)\brewrite\b|\brephrase\b|\bparaphras|\bedit (?:the|this)\b|\bcorrect the\b|\bproofread"
    r"|\bconvert\b"
    r"|\bimprove (?:the|this)\b|\bfix the\b|고쳐|바꿔\s*(?:줘|주세요|쓰)|다듬|교정",
    "brainstorming": r"(?i)\bbrainstorm|\b(?:list|name|give me|suggest|come up with|provide|generate)\b.{0,30}"
    r"\b(?:ideas?|ways?|reasons?|examples?|names?|tips?|suggestions?|list|\d+|two|three|four|five|ten)\b"
    r"|아이디어|추천해|나열|가지(?:만|를)?\s*(?:알려|말해|제시|추천|들어)",
    "generation": r"(?i)\b(?:write|compose|draft|create|design|generate|craft)\b"
    r"|\b(?:poem|story|essay|letter|email|e-mail|speech|slogan|haiku|song|dialogue)\b"
    r"|(?:시|소설|이야기|편지|이메일|글|에세이|기사|대본|연설문|자기소개서)(?:를|을)?\s*(?:써|쓰|작성|지어|만들)"
    r"|작성해",
}
_ASKS: Final = (
    r"(?i)\?|^\s*(?:what|who|when|where|why|how|which|is|are|can|does|do|did|should|explain|describe|define|tell)\b"
    r"|(?:무엇|누구|언제|어디|왜|어떻게|어떤|설명|알려|인가요|나요|까요|니까|습니까|뭐)"
)
NAMES: Final = (*TASKS, "question_answering", "other")


def task_type() -> pl.Expr:
    """The task type of a row's last user turn, one of NAMES; `other` where there is no such turn."""
    request = text.last_user().fill_null("").str.slice(0, READ)
    kinds = [pl.when(_has(request, pattern)).then(pl.lit(name)) for name, pattern in TASKS.items()]
    asks = pl.when(_has(request, _ASKS)).then(pl.lit("question_answering"))
    return pl.coalesce(*kinds, asks, pl.lit("other"))


def _has(request: pl.Expr, pattern: str) -> pl.Expr:
    """Whether a pattern is found. Its word edges are those of Latin letters: "Python으로" has the word Python.

    It is many times as fast, too: the engine needs no tables of Unicode for it.
    """
    return request.str.contains(pattern.replace(r"\b", r"(?-u:\b)"))
