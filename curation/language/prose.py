"""What of a text is natural language: all but code, addresses, formulas and markup.

Comments and documentation strings in code are prose and stay. So does a line of code that holds letters of other
scripts than Latin: nobody writes keywords in them.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_MARKS: Final = ["`", "$$", "http", "www.", "@", "<", "</"]
_NOT_PROSE: Final = (
    r"(?s)```.*?(?:```|\z)|`[^`\n]+`|\$\$.*?\$\$"
    r"|https?://\S+|www\.\S+|\S+@\S+\.\S+|</?[A-Za-z][^<>\n]{0,200}>|<<[^<>\n]*>>"
)
# Without any of these a text has no line of code.
_SIGNS: Final = [
    ";\n", "{", "}", "()", ");", "def ", "import ", "#include", "SELECT ", "UPDATE ", "DELETE ", "CREATE ", "ALTER ",
    "INSERT ", "==", "=>", "->", "::", "+=", "[i]", "print(", "git ", "docker ", "npm ", "pip ", "sudo ",
    "curl ", "find .",
    "\":", "~/", "./", "):\n", "] = ", "x = ", "a = ", "n = ", "return x", "// ",
]  # fmt: skip
_COMMENT: Final = r"(?m)(?:^|[ \t;{}])(?:#+|//+|--|/\*+)[ \t]+([^\n]*?)(?:\*/)?[ \t]*$"
_DOC: Final = r'"""|\'\'\''
_KEYWORDS: Final = (
    r"(?:if|elif|else|for|while|try|except|finally|with|switch|case|return|yield|raise"
    r"|throw|print|catch|do|match|assert)"
)
_LINE: Final = "|".join(
    (
        r"[\t\x20-\x7E]*[;{}]",
        r"[\t\x20-\x40\x5B-\x60\x7B-\x7E]+",
        r"(?:async )?(?:def|class|fn|func|function|interface|struct|enum|namespace"
        r"|module)\s+[\w.]+\s*[\t\x20-\x7E]*[:{(\)]",
        r"(?:from\s+[\w.]+\s+)?import\s+[\w.*{},]+(?:\s+as\s+\w+)?(?:,\s*[\w.]+(?:\s+as\s+\w+)?)*;?",
        r"#include[\t\x20-\x7E]*|using\s+\w+[\w.:]*;|package\s+[\w.]+;?",
        r"(?:const |let |var |final |static |int |float |double |string "
        r"|auto )*[\w.\[\]'\"]+(?:,\s?\w+)*(?::\s?\w+)?\s*(?:[-+*/%|&]?=|:=|<-)\s*[\t\x20-\x7E]+",
        r"[\w.]+\([\t\x20-\x7E]*\)[;:,]?(?:\.[\t\x20-\x7E]*)?",
        rf"\}}?\s*{_KEYWORDS}\b[\t\x20-\x7E]*[:{{;)\]]",
        r"return\s+[\t\x20-\x7E]*(?:\(|\[|[-+*/<>=%&|]\s|\w+\.\w)[\t\x20-\x7E]*|return \w+",
        r"(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE (?:TABLE|VIEW|INDEX)|ALTER TABLE|DROP TABLE|FROM|WHERE"
        r"|AND|GROUP BY|ORDER BY|LEFT JOIN|INNER JOIN"
        r"|JOIN|HAVING|VALUES|SET|LIMIT)\b[\t\x20-\x7E]*",
        r"(?:\$ )?(?:git|docker|pip3?|npm|yarn|sudo|curl|cd|ls|chmod|kubectl|apt(?:-get)?|python3?|brew|ssh|find"
        r"|grep|echo|cat|mkdir|rm|cp|mv|tar)"
        r"\s[\t\x20-\x7E]*(?:\s-|[/~.]|&&)[\t\x20-\x7E]*",
        r"(?:\$ )?(?:git|docker|npm|pip3?|kubectl)\s[a-z-]+(?:\s[\w./:-]+)?",
        r"[\[{]?\s*\"[\w -]+\"\s*:\s[\t\x20-\x7E]*",
        r"\.[\w-]+\([\t\x20-\x7E]*|@\w+(?:\([\t\x20-\x7E]*\))?",
    )
)
_CODE: Final = rf"(?m-u)^[ \t]*(?:>>> |\.\.\. )?(?:{_LINE})[ \t]*$"
_INLINE: Final = r"SELECT\b[\t\x20-\x7E]{1,200}\bFROM\b[\t\x20-\x7E]*"


def may_have_code(text: pl.Expr) -> pl.Expr:
    """Whether a text has any sign of code, addresses, formulas or markup; false for null."""
    return text.str.contains_any([*_SIGNS, *_MARKS]).fill_null(False)


def prose(texts: pl.Series) -> pl.Series:
    """Each text without what is no natural language; a null stays null."""
    text = pl.col("text")
    cleaned = texts.alias("text").to_frame()
    cleaned = cleaned.with_columns(
        pl.when(text.str.contains_any(_MARKS)).then(text.str.replace_all(_NOT_PROSE, " ")).otherwise(text)
    )
    signs = cleaned.select(text.str.contains_any(_SIGNS).fill_null(False)).to_series()
    if not signs.any():
        return cleaned.to_series()
    at = signs.arg_true()
    return cleaned.to_series().scatter(at, _without_code(cleaned.to_series().gather(at)))


def _without_code(texts: pl.Series) -> pl.Series:
    """Texts without lines of code, their comments kept."""
    text = texts.str.replace_all(_DOC, "\n").str.replace_all(_COMMENT, "\n$1")
    return text.str.replace_all(_CODE, "").str.replace_all(_INLINE, "")
