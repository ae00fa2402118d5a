"""Time of `sieveline stage decontaminate` beside the reading of the file, and recall by kind of planted leak.

The time is of whole processes, on 100,000 rows of instruction data with the seven benchmark sets beside the repository.
Reading is `sieveline stage filter.empty` on the same file, which does next to nothing with the rows; the limit is 1.5
times that and two seconds. Recall is over all items that the kind can be made of, not a sample.
"""

from __future__ import annotations

import ast
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import polars as pl

from curation.decontaminate import Config
from curation.decontaminate.index import Index, build
from curation.decontaminate.items import Item
from curation.decontaminate.match import find
from curation.decontaminate.planted import program_of, recased, renamed, repunctuated, rewrapped
from curation.decontaminate.sources import read
from schemas.records import MESSAGES

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ROWS = 100_000
TURN = ("Solve this for me, please, and take your time.\n", "\nThat is all there is to say about it.")
Change = Callable[[Item], str | None]


def main(rounds: int = 2) -> None:
    """Both measurements; needs the data beside the repository."""
    benchmarks = sorted(map(str, DATA.glob("bench_*")))
    if not benchmarks:
        sys.exit(f"{DATA}: no benchmark sets there")
    timing(benchmarks, rounds)
    recall(benchmarks)


def timing(benchmarks: Sequence[str], rounds: int) -> None:
    """Wall time of both processes in turn, and the limit."""
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Path(scratch) / "corpus.jsonl"
        write_corpus(corpus)
        for at in range(rounds):
            reading = _seconds("filter.empty", corpus, Path(scratch) / f"r{at}")
            own = _seconds("decontaminate", corpus, Path(scratch) / f"d{at}", f"benchmarks={json.dumps(benchmarks)}")
            limit = 1.5 * reading + 2
            print(f"round {at + 1}: reading {reading:.2f} s, decontaminate {own:.2f} s, limit {limit:.2f} s")


def write_corpus(path: Path) -> None:
    """100,000 rows with the lengths of the instruction sets: their own rows, with other words from row to row."""
    pairs = [
        (record["instruction"], record.get("output") or record.get("response") or "")
        for name in ("alpagasus_random_9k.json", "alpagasus_dolly_3k.json", "gpteacher_roleplay.json")
        for record in json.loads((DATA / name).read_text())
    ]
    chance = random.Random(0)
    with path.open("w") as handle:
        for at in range(ROWS):
            asked, told = pairs[at % len(pairs)]
            words = told.split(" ")
            if at >= len(pairs):
                chance.shuffle(words)
            record = {"instruction": f"{asked} ({at})", "input": "", "output": " ".join(words) or "-"}
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")


def _seconds(stage: str, corpus: Path, out: Path, *settings: str) -> float:
    options = [option for setting in settings for option in ("--set", setting)]
    command = [str(Path(sys.executable).with_name("sieveline")), "stage", stage, str(corpus), "--out", str(out)]
    started = time.perf_counter()
    subprocess.run([*command, *options], check=True, capture_output=True)
    return time.perf_counter() - started


def recall(benchmarks: Sequence[str]) -> None:
    """One line a benchmark and kind: planted, found."""
    for path in benchmarks:
        items = read((path,))
        index = build(items, Config(benchmarks=(path,)))
        for kind, texts in planted(items):
            found = found_of(texts, index)
            print(f"{items[0].benchmark:36} {kind:24} {len(texts):6} planted  {found / len(texts):.3f} found")


def found_of(texts: Sequence[tuple[str, str]], index: Index) -> int:
    """How many of some (prompt, response) rows are found."""
    messages = [
        [{"role": role, "content": text, "extra": None} for role, text in zip(("user", "assistant"), pair, strict=True)]
        for pair in texts
    ]
    schema = {"row_id": pl.String, "messages": MESSAGES}
    frame = pl.DataFrame({"row_id": [str(at) for at in range(len(texts))], "messages": messages}, schema=schema)
    return sum(find(batch, index).height for batch in frame.iter_slices(8192))


def planted(items: Sequence[Item]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each kind of leak with the rows made of all items, each the whole of a turn or between other words."""
    words: dict[str, Change] = {
        "verbatim": lambda item: item.questions[0],
        "re-cased": lambda item: recased(item.questions[0]),
        "re-punctuated": lambda item: repunctuated(item.questions[0]),
        "rewrapped": lambda item: rewrapped(item.questions[0]),
    }
    for kind, change in words.items():
        made = [text for item in items if (text := change(item))]
        yield kind, [(text, "Here it is.") for text in made]
        yield f"{kind}, inside", [(f"{TURN[0]}{text}{TURN[1]}", "Here it is.") for text in made]
    code: dict[str, Change] = {
        "docstring only": documentation,
        "code relaid": partial(program, names=False, documented=True),
        "code renamed": partial(program, names=True, documented=True),
        "... without docstring": partial(program, names=True, documented=False),
        "... and docstring renamed": lambda item: renamed(program_of(item), random.Random(item.item)),
    }
    for kind, change in code.items():
        made = [text for item in items if item.code and (text := change(item))]
        if made:
            yield kind, [(TURN[0], f"```python\n{text}\n```\n{TURN[1]}") for text in made]


def documentation(item: Item) -> str | None:
    """The docstring in the prose of a request."""
    found: list[str] = re.findall(r'"""(.*?)"""', item.code[0], re.DOTALL)
    return " ".join(found[-1].split()) if found else None


def program(item: Item, names: bool, documented: bool) -> str | None:
    """A program laid out anew from its tree, with other names or not, and with its documentation as it was or without.

    The documentation is put in after the names are changed, so that it is left as it is.
    """
    try:
        tree = ast.parse(program_of(item))
    except SyntaxError:
        return None
    told: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None and len(node.body) > 1:
            told.append(ast.get_docstring(node) or "")
            node.body = node.body[1:]
    text = ast.unparse(tree)
    changed = renamed(text, random.Random(item.item)) if names else text.replace("    ", "  ")
    return "\n".join([*(told if documented else []), changed or text])


if __name__ == "__main__":
    main()
