"""Whether the code in an answer parses. It is parsed only, never executed or imported.

Python is read by `ast.parse` of the Python that runs this, JSON strictly, TOML by `tomllib`. A block in any other
language has no verdict. That code parses does not say that it is right, or that it does anything: comments alone are no
code, but a lone word of prose is an expression of Python.
"""

from __future__ import annotations

import ast
import tomllib
import warnings
from collections.abc import Callable
from typing import Final

from curation.scoring.verifiable.fences import Block, blocks_in
from curation.scoring.verifiable.json_valid import is_json
from curation.scoring.verifiable.verdict import RIGHT, WRONG, Verdict, Verdicts, either
from schemas.profile.verifiable import CodeRule

VERDICTS: Final[Verdicts] = {
    "parses": RIGHT,
    "does_not_parse": WRONG,
    "unclosed_block": WRONG,
    "no_code": WRONG,
    "unknown_language": None,
    "too_long": None,
}
# Longer code is not parsed: a syntax tree takes about a hundred times the memory of its text.
MOST_CHARACTERS: Final = 200_000


def judge(text: str, reference: str | None, metadata: str | None, rule: CodeRule) -> Verdict:
    """The verdict on an answer, of VERDICTS: right if every block parses; no_code has the score that the rule says.

    An answer without blocks is code as a whole where the rule names a language, and has none elsewhere. Blocks in
    languages that are not known are left aside if others are known.
    """
    if len(text) > MOST_CHARACTERS:
        return Verdict(None, "too_long")
    blocks, _ = blocks_in(text)
    if not blocks and rule.language:
        blocks = [Block(rule.language, text, True)]
    if not blocks:
        return either(Verdict(WRONG, "no_code"), rule.unanswered)
    named = [(block, _PARSERS.get(block.language or rule.language or "")) for block in blocks]
    known = [(block, parse) for block, parse in named if parse]
    if not known:
        return Verdict(None, "unknown_language")
    if not all(block.closed for block, _ in known):
        return Verdict(WRONG, "unclosed_block")
    found = [parse(block.text) for block, parse in known]
    if None in found:
        return Verdict(WRONG, "does_not_parse")
    return Verdict(RIGHT, "parses") if any(found) else either(Verdict(WRONG, "no_code"), rule.unanswered)


def _python(code: str) -> bool | None:
    """Whether there is a statement; None where it does not parse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bool(ast.parse(code).body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _json(code: str) -> bool | None:
    return True if is_json(code) else None


def _toml(code: str) -> bool | None:
    try:
        return bool(tomllib.loads(code))
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


_PARSERS: Final[dict[str, Callable[[str], bool | None]]] = {
    "python": _python,
    "python3": _python,
    "py": _python,
    "json": _json,
    "toml": _toml,
}
