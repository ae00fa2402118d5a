r"""Find answers and prompts in which something was left to be filled in, in English and Korean.

- `no_answer`: the whole answer is "N/A", "nan", "None", "없음", "..." where the prompt asks for no such thing. Tables
  of instruction data are full of them: what a reader of CSV makes of an empty cell, or what an annotator wrote for
  nothing. The marks of generators, `<nooutput>`, are `filter.empty`'s where they are the whole answer.
- `lorem_ipsum`: filler text that nobody asked for (C4: Raffel et al. 2020, arXiv:1910.10683, section 2.2).
- `placeholder_mark`: `<noinput>` or `<nooutput>` in a prompt or inside an answer (Stanford Alpaca; the pattern of
  AlpacaDataCleaned, tools/tool_inputcheck.py). `clean.leftovers` takes those at the end of prompts out.
- `fill_in`: `[Your Name]`, `<insert name here>`, `[회사명]`, where the prompt asks for no template and has no blank.
- `anonymised_name`: NAME_1, as LMSYS-Chat-1M (Zheng et al. 2023, arXiv:2309.11998) writes for a person's name.
- `template_variable`: `{{name}}`, `${user}`, `{input}` that nobody filled in, outside code and questions about it.

A letter with [Your Name] may be just what was wanted, and such rows are a matter of taste: they are flagged.
"""

from __future__ import annotations

import polars as pl

from curation.clean.leftovers import PLACEHOLDER_INPUT
from curation.filter import placeholder_phrases as phrases
from curation.filter.working import ANSWER, PROMPT, Action, judge, texts, without_code
from curation.stage import Context, Result, Rule, StageConfig

SCOPE = "row"


class Config(StageConfig):
    """What becomes of a row on which a rule fires: drop, flag, off."""

    no_answer: Action = "drop"
    lorem_ipsum: Action = "flag"
    placeholder_mark: Action = "flag"
    fill_in: Action = "flag"
    anonymised_name: Action = "flag"
    template_variable: Action = "flag"


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: see above; detail: what was found."""
    frame = rows.collect()
    prompt, answer = pl.col(PROMPT), pl.col(ANSWER)
    suspects = texts(frame).filter(_suspect())
    prose = without_code(answer)
    asked = prompt.str.replace(PLACEHOLDER_INPUT, "")
    mark = pl.coalesce(prompt.str.extract(f"({phrases.MARK})"), prose.str.extract(f"({phrases.MARK})"))
    blank, variable = prose.str.extract(phrases.BLANK), prose.str.extract(phrases.VARIABLE)
    name = prose.str.extract(f"({phrases.ANONYMISED})")
    wants_blanks = prompt.str.contains(phrases.WANTS_BLANKS) | prompt.str.contains(phrases.BLANK)
    rules = {
        "no_answer": Rule(
            answer.str.contains(phrases.NOTHING) & ~asked.str.contains(phrases.ASKS_FOR_NOTHING), detail=answer
        ),
        "lorem_ipsum": Rule(answer.str.contains(phrases.LOREM) & ~prompt.str.contains(phrases.FILLER)),
        "placeholder_mark": Rule(mark.is_not_null() & ~prompt.str.contains(phrases.ABOUT_MARKS), detail=mark),
        "fill_in": Rule(blank.is_not_null() & ~wants_blanks, detail=blank),
        "anonymised_name": Rule(name.is_not_null(), detail=name),
        "template_variable": Rule(variable.is_not_null() & ~prompt.str.contains(phrases.ABOUT_CODE), detail=variable),
    }
    return judge(frame, suspects, rules, config.model_dump())


def _suspect() -> pl.Expr:
    prompt, answer = pl.col(PROMPT), pl.col(ANSWER)
    short = pl.when(answer.str.len_bytes() <= phrases.SHORT).then(answer)
    return (
        answer.str.contains_any([*phrases.QUICK, *phrases.MARKS], ascii_case_insensitive=True)
        | answer.str.contains(phrases.KO_QUICK)
        | prompt.str.contains_any(phrases.MARKS, ascii_case_insensitive=True)
        | short.str.contains(phrases.NOTHING).fill_null(False)
    )
