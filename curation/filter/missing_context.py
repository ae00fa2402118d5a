r"""Find rows that refer to something they do not have: a text, an image, a file, the content of a link.

- `asks_for_input`: the answer opens by asking for what is missing ("Please provide the text", "본문을 알려 주세요") or
  by saying that it is not there.
- `missing_text`: the prompt refers to a text ("the following paragraph", "다음 문장을") and ends without one.
- `missing_image`: the prompt is about an image, chart or video that it refers to as given.
- `missing_file`: the prompt is about an attached or uploaded file.
- `link_alone`: the prompt asks what can be told only from behind a link: to summarise, translate or read it.

A model that is trained on answers to such prompts learns to make things up: AlpacaDataCleaned lists them as the first
defect of Stanford Alpaca ("Hallucinations", with these three examples: a link to an article, `<Picture Attached>`, a
headline for a URL). Whatever stands in the prompt behind the reference may be the thing itself, or a description of it,
so a reference counts only where hardly anything else is left.
"""

from __future__ import annotations

import polars as pl

from curation.filter import missing_context_phrases as phrases
from curation.filter.working import ANSWER, PROMPT, Action, judge, texts
from curation.stage import Context, Result, Rule, StageConfig

SCOPE = "row"

_BARE, _HEAD, _SEES, _LINKED = "__bare", "__head", "__sees", "__linked"
_OPENING = 160  # characters in which an answer must ask
_LONG = 600  # characters; a longer answer says more than that something is missing
_SHORT = 220  # characters; a longer prompt has something in it


class Config(StageConfig):
    """What becomes of a row on which a rule fires: drop, flag, off."""

    asks_for_input: Action = "flag"
    missing_text: Action = "flag"
    missing_image: Action = "flag"
    missing_file: Action = "flag"
    link_alone: Action = "drop"


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: see above; detail: the words that refer or ask."""
    frame = rows.collect()
    answer, bare = pl.col(ANSWER), pl.col(_BARE)
    opening, sees, linked = pl.col(_HEAD), pl.col(_SEES), pl.col(_LINKED)
    asks = pl.coalesce(opening.str.extract(f"({phrases.ASKS})"), opening.str.extract(f"({phrases.KO_ASKS})"))
    piece = pl.coalesce(
        bare.str.extract(phrases.TEXT), bare.str.extract(phrases.ENDS_SO), bare.str.extract(phrases.KO_TEXT)
    )
    both = pl.when(sees.is_not_null()).then(bare)
    shown = pl.coalesce(both.str.extract(phrases.IMAGE), both.str.extract(phrases.KO_IMAGE))
    marked = pl.when(sees.str.contains_any(phrases.MARKED, ascii_case_insensitive=True)).then(sees)
    image = pl.coalesce(marked.str.extract(phrases.PICTURE_MARK), _unless_made(shown))
    file = _unless_made(bare.str.extract(f"({phrases.FILE})"))
    link, rest = linked.str.extract(f"({phrases.URL})"), linked.str.replace_all(phrases.URL, "")
    little = pl.when(rest.str.len_chars() <= _SHORT).then(rest)
    alone = (
        pl.when(~little.str.contains_any(phrases.TOOLS, ascii_case_insensitive=True))
        .then(little)
        .str.contains(phrases.ABOUT_LINK)
    )
    rules = {
        "asks_for_input": Rule(asks.is_not_null() & (answer.str.len_chars() <= _LONG), detail=asks),
        "missing_text": Rule(piece.is_not_null(), detail=piece),
        "missing_image": Rule(image.is_not_null(), detail=image),
        "missing_file": Rule(file.is_not_null(), detail=file),
        "link_alone": Rule(alone.fill_null(False) & link.is_not_null(), detail=link),
    }
    return judge(frame, _prepared(texts(frame)), rules, config.model_dump())


def _prepared(pairs: pl.DataFrame) -> pl.DataFrame:
    """The suspects, and what each rule looks at in them, null where it need not look: a null is quickly answered."""
    prompt, answer, bare = pl.col(PROMPT), pl.col(ANSWER), pl.col(_BARE)
    linked = pl.when(prompt.str.contains_any(["http", "www."])).then(prompt)
    short = pl.when(prompt.str.len_chars() <= _SHORT).then(prompt)
    suspects = _suspects(pairs).with_columns(short.alias(_BARE), answer.str.slice(0, _OPENING).alias(_HEAD))
    return suspects.with_columns(
        pl.when(~bare.str.contains(phrases.MORE)).then(bare).alias(_BARE),
        pl.when(prompt.str.contains_any(phrases.SEEN, ascii_case_insensitive=True)).then(prompt).alias(_SEES),
        linked.str.replace_all(phrases.BEHIND_WORD, "]").alias(_LINKED),
    )


def _unless_made(found: pl.Expr) -> pl.Expr:
    """What was found in a prompt, null where the prompt asks to make such a thing or how to."""
    prompt = pl.when(found.is_not_null()).then(pl.col(PROMPT))
    return pl.when(~prompt.str.contains(phrases.MAKES)).then(found)


def _suspects(pairs: pl.DataFrame) -> pl.DataFrame:
    """The rows that have a word of the rules where it counts."""
    prompt = pl.col(PROMPT)
    head = pl.when(prompt.str.len_bytes() <= 3 * _SHORT).then(prompt)
    return pairs.filter(
        head.str.contains_any(phrases.WORDS, ascii_case_insensitive=True).fill_null(False)
        | prompt.str.contains_any(["http", "www."])
        | pl.col(ANSWER).str.slice(0, _OPENING).str.contains_any(phrases.OPENS, ascii_case_insensitive=True)
    )
