"""What the stages of personal data and of secrets do with what their finders find.

A row is looked at as a whole: every message's content, and the strings, keys and whole numbers of every message's
`extra` and of the row's `metadata`, which are parsed, also where a string is itself JSON (the arguments of a tool
call), and written again in canonical form only where something in them changed. What was found once is then looked for
literally in all of the row, so that a value whose context stands in another message is not left behind.

A placeholder is `[KIND_n]`: the same value has the same number in all of the row, another value another one, counted
from the row's first message on and above any such placeholder that the row has already.

Nothing here puts a found value, or text beside it, in the ledger, in facts or in an error.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import orjson
import polars as pl

from curation.privacy.spans import Span, apart
from curation.stage import Result
from schemas.records import MESSAGES, canonical_json, prompt_id_of, prompt_of

Action = Literal["keep", "redact", "drop"]
Find = Callable[[str], list[Span]]

_SHOWN = 20  # entries of a decision's detail
_SHORTEST = 6  # characters of a value that is looked for literally
_PLACEHOLDER = re.compile(r"\[([A-Z][A-Z_]*)_(\d{1,6})\]")
_ROW = "__row"


class Place(NamedTuple):
    """Where in a row: the message's index, None for the row's metadata, and which of its texts."""

    message: int | None
    part: Literal["content", "extra", "metadata"]


class Policy(NamedTuple):
    """What to do with each kind, and with examples of any."""

    actions: Mapping[str, Action]
    examples: Literal["keep", "treat"]

    def of(self, span: Span) -> Action:
        if span.public or (span.example and self.examples == "keep"):
            return "keep"
        return self.actions[span.kind]


@dataclass
class Row:
    """One row's finds, and its texts as they are to be."""

    placeholders: dict[tuple[str, str], str] = field(default_factory=dict)
    found: list[tuple[Place, Span, Action]] = field(default_factory=list)

    @property
    def dropped(self) -> bool:
        return any(action == "drop" for _, _, action in self.found)


def treat(rows: pl.LazyFrame, suspect: pl.Expr, find: Find, policy: Policy) -> Result:
    """Look into the rows of `suspect`, an expression over `text`, and keep, redact or drop by what `find` finds.

    The ledger has a decision for each row and kind: `reason` is the kind, `value` how many were found, `detail` where,
    their lengths and placeholders. A dropped row has one decision, for the first kind in the order of the policy that
    drops; an edited one has the row's new `prompt_id`.
    """
    frame = rows.collect().with_row_index(_ROW)
    at = _suspects(frame, suspect)
    some = frame[at].select(_ROW, "row_id", "prompt_id", "messages", "metadata")
    ledger: dict[str, list[dict[str, Any]]] = {"dropped": [], "edited": [], "flagged": []}
    mended: list[tuple[int, Any, Any, Any]] = []
    facts = _Facts()
    for row, row_id, prompt_id, messages, metadata in some.iter_rows():
        outcome, texts = _look(messages or [], metadata, find, policy)
        facts.add(outcome)
        if outcome.dropped:
            ledger["dropped"].append(_dropped(row_id, prompt_id, outcome, policy))
            mended.append((row, None, None, None))
        elif outcome.found:
            new, new_metadata = _with_texts(messages or [], metadata, texts)
            before = prompt_of(messages or [])
            new_id = prompt_id if prompt_of(new) == before else prompt_id_of(prompt_of(new))
            ledger["edited"] += _remarks(row_id, new_id, outcome, policy, "redact")
            ledger["flagged"] += _remarks(row_id, new_id, outcome, policy, "keep")
            mended.append((row, new, new_metadata, new_id))
    kept = _mend(frame, mended)
    dropped, edited, flagged = (_decisions(found) for found in ledger.values())
    return Result(dropped, kept.lazy(), edited, flagged, facts=facts.told())


def _suspects(frame: pl.DataFrame, suspect: pl.Expr) -> list[int]:
    """Numbers of the rows that have a suspect text."""
    some = frame.select(_ROW, "messages").filter(pl.col("messages").list.len() > 0)
    turns = some.explode("messages").unnest("messages")
    some_text = pl.col("text").str.len_bytes() > 2  # not `{}`
    texts = [
        turns.select(_ROW, pl.col("content").alias("text")),
        turns.select(_ROW, pl.col("extra").alias("text")).filter(some_text),
        frame.select(_ROW, pl.col("metadata").alias("text")).filter(some_text),
    ]
    found = [text.lazy().filter(suspect).select(_ROW) for text in texts]
    return pl.concat(pl.collect_all(found))[_ROW].unique().sort().to_list()


def _mend(frame: pl.DataFrame, mended: Sequence[tuple[int, Any, Any, Any]]) -> pl.DataFrame:
    """The rows that are kept, with their new messages, metadata and prompt ids."""
    columns = frame.drop(_ROW).columns
    if not mended:
        return frame.select(columns)
    schema = {_ROW: frame.schema[_ROW], "__messages": MESSAGES, "__metadata": pl.String, "__id": pl.String}
    new = pl.DataFrame(mended, schema=schema, orient="row")
    gone = new.filter(pl.col("__messages").is_null())
    kept = frame.join(gone, on=_ROW, how="anti", maintain_order="left")
    return (
        kept.join(new, on=_ROW, how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("__messages", "messages").alias("messages"),
            pl.coalesce("__metadata", "metadata").alias("metadata"),
            pl.coalesce("__id", "prompt_id").alias("prompt_id"),
        )
        .select(columns)
    )


def _look(
    messages: Sequence[Mapping[str, Any]], metadata: str | None, find: Find, policy: Policy
) -> tuple[Row, dict[Place, str]]:
    """What is in a row, and the texts that change."""
    texts: dict[Place, str] = {}
    for at, message in enumerate(messages):
        for part in ("content", "extra"):
            if message[part]:
                texts[Place(at, part)] = message[part]  # type: ignore[arg-type]
    if metadata and metadata != "{}":
        texts[Place(None, "metadata")] = metadata
    finds: dict[tuple[str, str], list[Span]] = {}
    known: dict[str, Span] = {}
    for place, text in texts.items():
        _visit(text, place, _collector(find, finds, known))
    row = Row()
    if not known:
        return row, {}
    counts = _highest_numbers(texts.values())
    again = _literally(known)
    changed = {}
    for place, text in texts.items():
        new = _visit(text, place, _replacer(row, place, finds, again, policy, counts))
        if new != text:
            changed[place] = new
    return row, changed


def _collector(
    find: Find, finds: dict[tuple[str, str], list[Span]], known: dict[str, Span]
) -> Callable[[str, str], str]:
    """A visitor that notes what is found; the key of a JSON object is read as if it stood before its value."""

    def visit(text: str, key: str) -> str:
        if (text, key) not in finds:
            lead = f"{key}: " if key else ""
            spans = [s._replace(start=s.start - len(lead), end=s.end - len(lead)) for s in find(lead + text)]
            finds[text, key] = [span for span in spans if span.start >= 0]
            for span in finds[text, key]:
                known.setdefault(text[span.start : span.end], span)
        return text

    return visit


def _literally(known: Mapping[str, Span]) -> Find:
    """Finds again, wherever they stand, the values that were found."""
    some = sorted((text for text in known if len(text) >= _SHORTEST), key=lambda text: (-len(text), text))
    if not some:
        return lambda text: []
    pattern = re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(map(re.escape, some))})(?![0-9A-Za-z])")
    return lambda text: [known[m[0]]._replace(start=m.start(), end=m.end()) for m in pattern.finditer(text)]


def _replacer(
    row: Row,
    place: Place,
    finds: Mapping[tuple[str, str], list[Span]],
    again: Find,
    policy: Policy,
    counts: Counter[str],
) -> Callable[[str, str], str]:
    """A visitor that puts placeholders in, and notes every find in `row`."""

    def visit(text: str, key: str) -> str:
        pieces, end = [], 0
        for span in apart([*finds.get((text, key), []), *again(text)]):
            action = policy.of(span)
            row.found.append((place, span, action))
            if action == "redact":
                pieces += [text[end : span.start], _placeholder(row, span, counts)]
                end = span.end
        return "".join([*pieces, text[end:]])

    return visit


def _placeholder(row: Row, span: Span, counts: Counter[str]) -> str:
    label = span.kind.upper()
    if (span.kind, span.value) not in row.placeholders:
        counts[label] += 1
        row.placeholders[span.kind, span.value] = f"[{label}_{counts[label]}]"
    return row.placeholders[span.kind, span.value]


def _highest_numbers(texts: Iterable[str]) -> Counter[str]:
    """The highest number of each label among the placeholders that stand in the texts."""
    highest: Counter[str] = Counter()
    for text in texts:
        for label, number in _PLACEHOLDER.findall(text):
            highest[label] = max(highest[label], int(number))
    return highest


def _visit(text: str, place: Place, visit: Callable[[str, str], str]) -> str:
    """The text after `visit`: whole where it is content, string by string where it is JSON."""
    return visit(text, "") if place.part == "content" else _visit_json(text, "", visit)


def _visit_json(text: str, key: str, visit: Callable[[str, str], str]) -> str:
    """JSON text with its strings visited; unchanged to the byte where no string changes; other text as one string."""
    try:
        value = orjson.loads(text) if text[:1] in "{[" else text
    except orjson.JSONDecodeError:
        value = text
    if isinstance(value, str):
        return visit(text, key)
    new = _walk(value, "", visit)
    return text if new == value else canonical_json(new).decode()


def _walk(value: Any, key: str, visit: Callable[[str, str], str]) -> Any:
    """A JSON value with every string, key and whole number visited; a number that changes becomes a string."""
    if isinstance(value, str):
        return _visit_json(value, key, visit)
    if isinstance(value, dict):
        return {visit(name, ""): _walk(item, name, visit) for name, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, key, visit) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        written = str(value)
        shown = visit(written, key)
        return value if shown == written else shown
    return value


def _with_texts(
    messages: Sequence[Mapping[str, Any]], metadata: str | None, texts: Mapping[Place, str]
) -> tuple[list[dict[str, Any]], str | None]:
    new = [dict(message) for message in messages]
    for place, text in texts.items():
        if place.message is not None:
            new[place.message][place.part] = text
    return new, texts.get(Place(None, "metadata"), metadata)


def _dropped(row_id: str, prompt_id: str, row: Row, policy: Policy) -> dict[str, Any]:
    kinds = {span.kind for _, span, action in row.found if action == "drop"}
    return _decision(row_id, prompt_id, row, next(kind for kind in policy.actions if kind in kinds), "drop")


def _remarks(row_id: str, prompt_id: str, row: Row, policy: Policy, action: Action) -> list[dict[str, Any]]:
    kinds = {span.kind for _, span, taken in row.found if taken == action}
    return [_decision(row_id, prompt_id, row, kind, action) for kind in policy.actions if kind in kinds]


def _decision(row_id: str, prompt_id: str, row: Row, kind: str, action: Action) -> dict[str, Any]:
    """Where each find is, how long it was and what stands there now; never what it was, nor the text beside it."""
    entries = []
    for place, span, taken in row.found:
        if span.kind == kind and taken == action:
            where: dict[str, Any] = {} if place.part == "content" else {"in": place.part}
            if place.message is not None:
                where["message"] = place.message
            if action == "redact":
                where["placeholder"] = row.placeholders[span.kind, span.value]
            if span.example:
                where["example"] = True
            entries.append(where | {"length": span.end - span.start})
    told: dict[str, Any] = {"found": entries[:_SHOWN]}
    if len(entries) > _SHOWN:
        told["more"] = len(entries) - _SHOWN
    return {
        "row_id": row_id,
        "prompt_id": prompt_id,
        "reason": kind,
        "value": float(len(entries)),
        "detail": canonical_json(told).decode(),
    }


def _decisions(found: Sequence[Mapping[str, Any]]) -> pl.LazyFrame:
    schema = {
        "row_id": pl.String,
        "prompt_id": pl.String,
        "reason": pl.String,
        "value": pl.Float64,
        "detail": pl.String,
    }
    return pl.DataFrame(list(found), schema=schema).lazy()


class _Facts:
    """Rows and values of each kind; examples apart."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.values: Counter[str] = Counter()
        self.examples: Counter[str] = Counter()

    def add(self, row: Row) -> None:
        personal = [span.kind for _, span, _ in row.found if not span.example]
        self.rows.update(set(personal))
        self.values.update(personal)
        self.examples.update(span.kind for _, span, _ in row.found if span.example)

    def told(self) -> dict[str, dict[str, int]]:
        counts = {"rows": self.rows, "values": self.values, "examples": self.examples}
        return {name: dict(sorted(count.items())) for name, count in counts.items()}
