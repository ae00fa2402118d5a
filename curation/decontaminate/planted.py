"""Known leaks, made of a benchmark's own items, that are looked for beside the data by the code that looks at the data.

verbatim, recased, repunctuated, rewrapped    a question as the whole of a user message
inside                                        a question between other words, in any role
answer                                        an answer between other words
renamed_code                                  a Python item with other names in code and documentation, and laid
                                              out anew from its syntax tree, without comments and annotations
"""

from __future__ import annotations

import ast
import random
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator

import polars as pl

from curation.canaries import PREFIX, Canary, scrambled
from curation.decontaminate.index import Index
from curation.decontaminate.items import Item
from schemas.records import MESSAGES

EACH = 5
# Of HumanEval's items that have enough code, 97 % are found; those of other benchmarks may be shorter.
RENAMED = 0.9
_SPOKEN = ("item", "value", "data", "left", "right", "part", "step", "state", "entry", "total")
_BETWEEN = "Somebody wrote this down a while ago, and nobody knows any more what it was for:"
_SAMPLE = 200  # rows to take words from


def measure(
    rows: pl.LazyFrame, index: Index, find: Callable[[pl.DataFrame], pl.DataFrame], seed: int
) -> dict[str, Canary]:
    """Plant a few leaks of each kind that the index has items for, and count those that `find` finds.

    Which items are chosen hangs on the first of `rows`, some of whose words are put around what is planted.
    """
    sample = rows.select("row_id", "messages").head(_SAMPLE).collect()
    texts = sample["messages"].explode(empty_as_null=False).struct.field("content")
    chance = random.Random(f"{seed}:{next(iter(sample['row_id']), '')}")  # noqa: S311 - repeatable, not secret
    around = scrambled(texts, 2 * EACH, chance.getrandbits(32)) or [_BETWEEN]
    planted = list(_leaks(index, around, chance))
    leaks = pl.DataFrame(
        {
            "row_id": [f"{PREFIX}{kind}:{at}" for at, (kind, _, _) in enumerate(planted)],
            "messages": [[{"role": role, "content": text, "extra": None}] for _, role, text in planted],
        },
        schema={"row_id": pl.String, "messages": MESSAGES},
    )
    found = find(leaks)["row_id"].str.strip_prefix(PREFIX).str.split(":").list.first().to_list()
    kinds = dict.fromkeys(kind for kind, _, _ in planted)
    return {
        kind: Canary(
            sum(kind == other for other, _, _ in planted), found.count(kind), RENAMED if kind == "renamed_code" else 1.0
        )
        for kind in kinds
    }


def _leaks(index: Index, around: list[str], chance: random.Random) -> Iterator[tuple[str, str, str]]:
    """Kind, role and text of each."""
    whole = index.entries.select("entry", "text").join(index.whole, on="entry", how="semi").sort("entry")
    long = index.entries.join(index.whole.filter(~pl.col("short")), on="entry", how="semi").sort("entry")
    for kind, change, texts in (
        ("verbatim", str, whole),
        ("recased", recased, whole),
        ("repunctuated", repunctuated, long),
        ("rewrapped", rewrapped, whole),
    ):
        yield from ((kind, "user", change(text)) for text in _some(texts["text"], chance))
    for kind, layer in (("inside", "question"), ("answer", "answer")):
        entries = index.entries.filter(pl.col("layer") == layer, pl.col("threshold").is_not_null())
        for text in _some(entries["text"], chance):
            role = chance.choice(["user", "assistant"]) if kind == "inside" else "assistant"
            yield kind, role, f"{chance.choice(around)}\n{text}\n{chance.choice(around)}"
    code = index.entries.filter(pl.col("layer") == "code", pl.col("threshold").is_not_null())
    programs = (program_of(index.items[at]) for at in _shuffled(code["item"].unique().sort(), chance))
    changed = filter(None, (renamed(program, chance) for program in programs))
    yield from (("renamed_code", "assistant", text) for _, text in zip(range(EACH), changed, strict=False))


def recased(text: str) -> str:
    """In capitals, or unchanged where they are not the same text any more (the capital of `ß` is two letters)."""
    upper = text.upper()
    same = _folded(upper) == _folded(text)
    return upper if same else text


def repunctuated(text: str) -> str:
    """With other punctuation at the ends of words, and quotation marks around it."""
    return "“" + re.sub(r"[.,:;!?]+(?=\s|$)", " --", text) + "”"


def rewrapped(text: str) -> str:
    """With line breaks for spaces."""
    return re.sub(r"[ \t]+", "\r\n", text)


def reworded(texts: pl.Series, seed: int) -> list[str]:
    """Some of the texts, with every fifth word left out, so that no n-gram of words is left."""
    chance = random.Random(f"{seed}:{len(texts)}")  # noqa: S311 - repeatable, not secret
    return [" ".join(word for at, word in enumerate(text.split()) if at % 5 != 3) for text in _some(texts, chance)]


def program_of(item: Item) -> str:
    """The code of a question and of the first answer, one behind the other, as a benchmark of completions means it."""
    return "".join([*item.code[:1], *item.solutions[:1]])


def renamed(program: str, chance: random.Random) -> str | None:
    """A Python program with other names and another layout; None where it is none, or has no names of its own."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that are none
            tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError):
        return None
    own = sorted(set(_own_names(tree)) - {"self", "cls"})
    names = {name: f"{chance.choice(_SPOKEN)}_{at}" for at, name in enumerate(own)}
    text = ast.unparse(_Renamer(names).visit(tree)) if names else ""
    return re.sub(r"^(?: {4})+", lambda indent: "\t" * (len(indent[0]) // 4), text, flags=re.MULTILINE) or None


def _own_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


class _Renamer(ast.NodeTransformer):
    """Exchanges names, in documentation too, and takes annotations away."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(arg=self.names.get(node.arg, node.arg))

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(id=self.names.get(node.id, node.id), ctx=node.ctx)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and "\n" in node.value:
            node.value = re.sub(r"\w+", lambda word: self.names.get(word[0], word[0]), node.value)
        return node


def _some(texts: pl.Series, chance: random.Random) -> list[str]:
    return [texts[at] for at in chance.sample(range(len(texts)), min(EACH, len(texts)))]


def _shuffled(values: pl.Series, chance: random.Random) -> list[int]:
    listed: list[int] = values.to_list()
    return chance.sample(listed, len(listed))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()
