r"""Remove what formats and generators leave behind in a text, and record each kind of change.

The steps, in order, each under the reason it has in the ledger:

- `newline_marks`: `<[!newline]>`, which some Korean models write for a line break, becomes one.
- `html_entities`: `&quot;`, `&amp;lt;` become the characters they stand for, outside code, and only in conversations
  that have no markup and are not about it.
- `placeholder_input`: a last line of a user's message that says there is no input (`<noinput>`, "No input required.",
  "N/A" as a paragraph of its own, "입력 없음"), with its label where it has one. Stanford Alpaca has hundreds, and
  AlpacaDataCleaned (github.com/gururise/AlpacaDataCleaned, tools/tool_inputcheck.py) removes them likewise. A message
  that is nothing else stays.
- `trailing_markers`: end-of-text tokens, and the marker of a turn that nobody took ("\nHuman:", "### Instruction:"),
  at the end of an answer. A token stays where another one stands in the answer: the row is for
  `filter.control_tokens` to judge. A turn that was taken is for `filter.conversation`.

Only `content` is touched. An answer that was nothing but a marker becomes empty, for `filter.empty` to judge.
"""

from __future__ import annotations

import html
import re
from typing import Final

import polars as pl

from curation.clean.edits import ROW, Step, edit, on_content
from curation.clean.mojibake import CODE
from curation.stage import Context, Result, StageConfig

SCOPE = "row"

NEWLINE_MARK: Final = "<[!newline]>"

_ENTITY = (
    r"&(?:amp;)*(?:amp|lt|gt|quot|apos|nbsp|hellip|mdash|ndash|[lr][sd]quo|middot|bull|#\d{2,5}|#x[0-9A-Fa-f]{2,4});"
)
_ABOUT_MARKUP = (
    r"(?i)</?[a-z!][^<>]*>|\b(?:x?html|xml|svg|rss|php|jsx|css|javascript|markup|entity|entities|url)\b"
    r"|\bescap|encod|['\"]&|태그|엔티티|이스케이프|인코딩|마크업"
)

_LABEL = r"(?:(?:#{1,4} ?)?(?:Input|Context|입력|맥락) ?: *\n*)?"
_NO_INPUT = r"no[ _-]?inputs?(?: (?:is )?(?:required|needed|necessary|provided|given|available))?"
_KO_NO_INPUT = r"(?:별도의? )?(?:입력|인풋)(?:값|문)?[은이]? ?(?:필요 ?)?없(?:음|습니다)"
PLACEHOLDER_INPUT: Final = (
    rf"(?i)(?:\A|\n)[ \t]*{_LABEL}[ \t]*"
    rf"[\\<\[(`\"'*]*[ \t]*(?:{_NO_INPUT}|{_KO_NO_INPUT})[ \t]*[\\>\])`\"'*]*[ \t]*[.,;]?\s*\z"
    rf"|\n[ \t]*\n[ \t]*{_LABEL}<?(?:N/A|n\.a\.|None|null|nan|해당 ?없음|없음)>?\.?\s*\z"
)

# Ends of turns and texts as the widely used chat templates write them (ChatML, Llama, Phi, Gemma, EXAONE, DeepSeek).
_END = (
    r"<\|(?:endoftext|im_end|eot_id|end_of_text|end|eos|endofturn|return|END_OF_TURN_TOKEN)\|>|</s>|<eos>"
    r"|<end_of_turn>|\[\|endofturn\|\]|<｜end▁of▁sentence｜>"
)
_ROLE = r"Human|User|Assistant|AI|사용자|어시스턴트|유저|인간"
_HEADING = r"Instruction|Input|Response|Human|User|Assistant|System|명령어|지시|입력|응답|질문|답변"
_MARKER = rf"\n[ \t]*(?:\*\*)?(?:(?:{_ROLE}) ?:|#{{2,4}} ?(?:{_HEADING}) ?:?)(?:\*\*)?"
_TRAILING = rf"(?:\s*(?:{_END})|\s*{_MARKER})+\s*\z"
_ANOTHER = r"<\||<s[\s>]|<[a-z_]*(?:turn|eos)>|\[\||<｜"


class Config(StageConfig):
    """Nothing to set."""


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Drops nothing. Edits: see `curation.clean.edits.edit`."""
    steps: dict[str, Step] = {
        "newline_marks": on_content(_newlines),
        "html_entities": _entities,
        "placeholder_input": _placeholders,
        "trailing_markers": _trailing,
    }
    return edit(rows.collect(), _needed, steps)


def _needed(text: pl.Expr) -> pl.Expr:
    marked = text.str.contains(NEWLINE_MARK, literal=True) | text.str.contains(_ENTITY)
    # Both patterns are held to the end of the text, and are matched backwards from there.
    return marked | text.str.contains(PLACEHOLDER_INPUT) | text.str.contains(_TRAILING)


def _newlines(text: pl.Expr) -> pl.Expr:
    marked = text.str.contains(NEWLINE_MARK, literal=True)
    return (
        pl.when(marked)
        .then(text.str.replace_all(NEWLINE_MARK, "\n", literal=True).str.strip_chars("\n"))
        .otherwise(text)
    )


def _entities(turns: pl.DataFrame) -> pl.Series:
    texts = turns["content"]
    suspect = texts.str.contains(_ENTITY).fill_null(False)
    whole = turns.filter(turns[ROW].is_in(turns.filter(suspect)[ROW].implode()))
    about = whole.filter(pl.col("content").str.contains(_ABOUT_MARKUP))[ROW]
    at = (suspect & ~turns[ROW].is_in(about.implode())).arg_true()
    return texts.clone().scatter(at, [_unescaped(text) for text in texts.gather(at)]) if len(at) else texts


def _unescaped(text: str) -> str:
    pieces = CODE.split(text)
    return "".join(
        piece if at % 2 else re.sub(_ENTITY, lambda m: _character(m.group()), piece) for at, piece in enumerate(pieces)
    )


def _character(entity: str) -> str:
    """The character of an entity, however often it was escaped; a plain space for one that does not break."""
    while (plain := html.unescape(entity)) != entity:
        entity = plain
    return " " if plain == "\xa0" else plain


def _placeholders(turns: pl.DataFrame) -> pl.Series:
    shorter = pl.col("content").str.replace(PLACEHOLDER_INPUT, "").str.strip_chars_end()
    placed = (pl.col("role") == "user") & pl.col("content").str.contains(PLACEHOLDER_INPUT)
    return turns.select(pl.when(placed & (shorter != "")).then(shorter).otherwise("content")).to_series()


def _trailing(turns: pl.DataFrame) -> pl.Series:
    shorter = pl.col("content").str.replace(_TRAILING, "")
    ended = (pl.col("role") == "assistant") & pl.col("content").str.contains(_TRAILING)
    return turns.select(pl.when(ended & ~shorter.str.contains(_ANOTHER)).then(shorter).otherwise("content")).to_series()
