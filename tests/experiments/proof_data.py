"""The data of the proof: one set parted by prompt, and the pairs that the second opinion is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson
import polars as pl

from curation.embedding.cache import embed
from curation.embedding.encoder import load_encoder
from curation.embedding.search import best_matches
from curation.generation.ids import seed_of
from curation.ingest import ingest
from curation.models import resolve
from curation.progress import Terminal
from curation.stage import Context
from curation.store import Store, temporary
from curation.text import response, visible
from schemas.profile.sources import Ingest, Source

# Prompts that are this much alike may have one answer between them.
MOST_ALIKE = 0.95
# Of the rows for the second opinion, the share that it is tested on.
TESTED = 1 / 3
MADE = "settings.json"


class Sizes(Protocol):
    """What this reads of the settings."""

    @property
    def data(self) -> str:
        """File, folder or hf: id."""

    @property
    def home(self) -> Path:
        """Where everything goes."""

    @property
    def held_out(self) -> int:
        """Held-out prompts."""

    @property
    def references(self) -> int:
        """How many of those have their reference's loss measured."""

    @property
    def opinion(self) -> int:
        """Rows for the second opinion."""

    @property
    def rows(self) -> int:
        """Rows to train on."""

    @property
    def model(self) -> str:
        """The base model."""


def split(settings: Sizes) -> None:
    """Write `data/`, whole or not at all: JSON lines of held_out, raw, opinion and opinion_test, no prompt in two of
    them, and references, the first of held_out.

    The order of prompts is that of a digest, so the parts do not depend on the order of the rows. Raises SystemExit
    where the parts are there already, of other data or sizes, or there are too few rows.
    """
    out = settings.home / "data"
    asked = {name: getattr(settings, name) for name in ("data", "held_out", "references", "opinion", "rows")}
    if out.exists():
        if orjson.loads((out / MADE).read_bytes()) != asked:
            raise SystemExit(f"{out} was made with other settings: set HOME_FOLDER to another folder")
        return
    context = Context(home=settings.home, progress=Terminal())
    source = Source(path=settings.data, name="data")
    done = ingest(source, Ingest(), Store(settings.home / "store"), context)
    rows = done.scan().with_columns(response().alias("response")).filter(visible(pl.col("response"))).collect()
    rows = rows.sort("row_id").unique("prompt_id", keep="first", maintain_order=True)
    order = pl.Series([seed_of(0, prompt_id, 0) for prompt_id in rows["prompt_id"]])
    rows = rows.with_columns(order.alias("order")).sort("order", "prompt_id")
    tested = round(settings.opinion * TESTED)
    sizes = {"held_out": settings.held_out, "raw": settings.rows, "opinion": settings.opinion, "opinion_test": tested}
    start, parts = 0, {}
    for name, size in sizes.items():
        parts[name] = rows.slice(start, size)
        start += size
    if start > rows.height:
        raise SystemExit(f"{settings.data}: {rows.height:,} prompts with an answer, and {start:,} are asked for")
    with temporary(out) as scratch:
        folder = scratch / "made"
        folder.mkdir()
        parts["references"] = parts["held_out"].head(settings.references)
        for name in ("held_out", "references", "raw"):
            wanted = parts[name].select("row_id", "messages").iter_rows()
            _write(folder / f"{name}.jsonl", [{"id": key, "messages": _plain(messages)} for key, messages in wanted])
        pairs = spoilt(parts["opinion"], settings.home)
        _write(folder / "opinion.jsonl", [{k: pair[k] for k in ("prompt", "chosen", "rejected")} for pair in pairs])
        sides = [
            {"id": f"{pair['id']}-{side}", "messages": [*pair["prompt"], *pair[side]]}
            for pair in spoilt(parts["opinion_test"], settings.home)
            for side in ("chosen", "rejected")
        ]
        _write(folder / "opinion_test.jsonl", sides)
        (folder / MADE).write_bytes(orjson.dumps(asked))
        folder.rename(out)


def spoilt(rows: pl.DataFrame, home: Path) -> list[dict[str, Any]]:
    """Pairs: each row's prompt with its own answer, and with the answer of the row whose prompt is the most similar one
    below MOST_ALIKE. Both are whole answers of the same writer, so neither length nor style tells them apart.
    """
    asked = rows.select(
        pl.col("messages").list.slice(0, pl.col("messages").list.len() - 1).list.eval(pl.element().struct["content"])
    ).select(pl.col("messages").list.join("\n"))
    made = embed(asked.to_series(), load_encoder("minilm-l6-v2", home), home)
    vectors = made.vectors[made.at]
    at, found = best_matches(vectors, vectors, k=min(8, rows.height))
    pairs: list[dict[str, Any]] = []
    for i, (key, messages) in enumerate(rows.select("row_id", "messages").iter_rows()):
        near = [j for j, like in zip(at[i], found[i], strict=True) if j != i and like < MOST_ALIKE]
        other = [rows["messages"][int(j)].to_list()[-1] for j in near]
        answer = messages[-1]
        wrong = next((one for one in other if one["content"].strip() != answer["content"].strip()), None)
        if wrong is not None:
            prompt, chosen, rejected = _plain(messages[:-1]), _plain([answer]), _plain([wrong])
            pairs.append({"id": key, "prompt": prompt, "chosen": chosen, "rejected": rejected})
    return pairs


def base(settings: Sizes) -> Path:
    """The folder of the base model."""
    return Path(resolve(settings.model, settings.home).path)


def opinion(settings: Sizes) -> Path:
    """The folder of the reward model that gives the second opinion."""
    return settings.home / "sets" / "opinion" / "models" / "reward" / "model"


def _plain(messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def _write(file: Path, rows: Sequence[object]) -> None:
    file.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
