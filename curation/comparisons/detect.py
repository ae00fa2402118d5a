"""The shape of a file of preference data, from its first records or from what the profile says."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from curation.comparisons import annotators, chosen_rejected, comparison, hh, replies, solutions
from curation.comparisons.record import Comparison, Layout, Record, Sample, first_of
from curation.ingest.files import default_name
from curation.ingest.shapes import told_keys, usual_kinds
from schemas.errors import UsageError
from schemas.profile.sources import ComparisonColumns, Comparisons

# The first that fits is taken: those before have keys that those behind would do without.
SHAPES: Final[tuple[ModuleType, ...]] = (solutions, annotators, comparison, hh, chosen_rejected, replies)
_BY_NAME: Final = {shape.NAME: shape for shape in SHAPES}
_SYSTEM_KEYS: Final = ("system", "system_prompt")


def convert(record: Record, layout: Layout) -> Comparison:
    """A record of a file in our form. Raises Drop or Bad, as its shape does."""
    found: Comparison = _BY_NAME[layout.name].convert(record, layout)
    return found


def detect(sample: Sample, file: str, typed: bool, entry: Comparisons, source: str) -> Layout:
    """The layout of a file. `typed` is false where the format knows text alone (CSV); `source` is the source's name.

    Raises UsageError, naming the keys seen, where the shape is unknown or not the one that the profile names, or a
    mapped key is not there.
    """
    columns = entry.columns
    layout = _mapped(columns, sample, file) if columns.prompt else _found(entry, sample, file)
    if layout.system is None:
        layout = layout.model_copy(update={"system": first_of(sample, *_SYSTEM_KEYS)})
    usual, held = usual_kinds(sample)
    own_id = next((key for key in ("id", "prompt_id") if first_of(sample, key)), "id")
    policy = (entry.policy or default_name(file)) if layout.name == replies.NAME else source
    single = (layout.verdict, layout.reference)
    read = (*layout.answers, *layout.scores, *layout.policies, *layout.annotators, *(key for key in single if key))
    told = [key for key in (layout.system, layout.messages, layout.prompt, layout.input) if first_of(sample, key or "")]
    return layout.model_copy(
        update={
            "told": f"{layout.name} ({', '.join(map(str, [*told, *layout.answers]))})",
            "id": own_id,
            "ignore": (*layout.ignore, *columns.ignore, *read),
            "policy": policy,
            "policies": () if entry.policy and layout.name == replies.NAME else layout.policies,
            "typed": typed,
            "usual": {key: kind for key, kind in usual.items() if key != own_id},
            "held": tuple(key for key in held if key != own_id),
        }
    )


def _found(entry: Comparisons, sample: Sample, file: str) -> Layout:
    for shape in SHAPES if entry.shape == "auto" else (_BY_NAME[entry.shape],):
        layout: Layout | None = shape.find(sample)
        if layout is None and entry.shape == replies.NAME and (layout := replies.layout(sample)).needed:
            return layout  # replies without scores are not told from other data, but may be said to be such
        if layout is not None:
            return layout
    seen = {key: None for record in sample for key in record}
    wanted = "no known shape" if entry.shape == "auto" else f"another shape than {entry.shape}"
    raise UsageError(
        f"{file}: its records are in {wanted}; {told_keys(seen)}",
        hint="see docs/preference-data.md for the shapes, or name the keys, for instance\n"
        '    [comparisons.columns]\n    prompt = "question"\n    chosen = "better"\n    rejected = "worse"',
    )


def _mapped(columns: ComparisonColumns, sample: Sample, file: str) -> Layout:
    seen = {key: None for record in sample for key in record}
    named = columns.model_dump(exclude={"ignore"}, exclude_none=True)
    missing = [f'{key} = "{name}"' for key, name in named.items() if name not in seen]
    if missing:
        raise UsageError(
            f"{file}: no record has the key that columns names with {', '.join(missing)}; {told_keys(seen)}",
            hint="name keys that the records have, spelt the same way",
        )
    prompt = Layout(name="", prompt=columns.prompt, input=columns.input, system=columns.system)
    if columns.chosen and columns.rejected:
        return prompt.model_copy(update={"name": chosen_rejected.NAME, "answers": (columns.chosen, columns.rejected)})
    answers, scores, policies = ((key,) if key else () for key in (columns.response, columns.score, columns.policy))
    update = {"name": replies.NAME, "answers": answers, "scores": scores, "policies": policies}
    return prompt.model_copy(update=update)
