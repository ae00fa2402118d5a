"""The dataset card of a hand-over: YAML that the Hub and `load_dataset` read, and what a person must know of the data.

The head follows github.com/huggingface/hub-docs (datasetcard.md): license, language, size_categories, task_categories,
tags, configs. The body has the sections of the Hub's card guide that the run can answer from its record; every number
is counted, and what nobody looked at is told as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from curation.handover.licences import licence_name, licence_of, roll_up
from curation.runs import RunRecord

CONFIGS = ("sft", "rejection_sampling", "preference")
CONTROLS = "controls"
PROFILE = "profile.toml"
COLUMNS = {
    "sft": "`messages` (role, content) with `row_id`, `prompt_id`, `source`, `language`, `metadata` and scores",
    "rejection_sampling": "`prompt`, `completion` with `reward` and the statistics of its group of candidates",
    "preference": "`prompt`, `chosen`, `rejected` with `score_chosen`, `score_rejected`, `margin` and both ids",
}
USES = {
    "sft": "supervised fine-tuning (TRL's `SFTTrainer`)",
    "rejection_sampling": "fine-tuning on the best of several answers (TRL's `SFTTrainer`)",
    "preference": "preference training and reward models (TRL's `DPOTrainer`, `RewardTrainer`)",
}
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
         (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"))  # fmt: skip
BEYOND = "100M<n<1B"


@dataclass(frozen=True)
class Told:
    """What a card is made of. `rows` counts each set; an empty set has no configuration. `sources` and `comparisons`
    as in `curation.handover.export`, `funnel` as in `curation.ledger.counts`, `figures` and `languages` as in
    `curation.handover.figures`.
    """

    rows: Mapping[str, int]
    sources: Sequence[Mapping[str, Any]]
    comparisons: Sequence[Mapping[str, Any]] = ()
    funnel: Sequence[Mapping[str, Any]] = ()
    figures: Sequence[tuple[str, str, str]] = ()
    languages: Sequence[tuple[str, str, int]] = ()

    @property
    def licensed(self) -> list[Mapping[str, Any]]:
        """Everything that has a licence."""
        return [*self.sources, *self.comparisons]


def dataset_card(record: RunRecord, told: Told) -> str:
    """The README.md of the hand-over folder."""
    sections = [
        _front_matter(record, told),
        _sets(record, told),
        _figures(told),
        _uses(told),
        _licences(told),
        _provenance(record, told),
        _personal_data(told),
        _contamination(record, told),
        _making(record),
    ]
    return "\n".join(line for section in sections for line in section)


def size_category(rows: int) -> str:
    """The Hub's name for a number of rows."""
    return next((name for limit, name in SIZES if rows < limit), BEYOND)


def _front_matter(record: RunRecord, told: Told) -> list[str]:
    present = [name for name in told.rows if told.rows[name]]
    licence = licence_of(told.licensed)
    lines = ["---", f"license: {quoted(licence)}"]
    if licence == "other":
        lines.append(f"license_name: {quoted(licence_name(told.licensed))}")
    lines.append(f"pretty_name: {quoted(record.profile['name'])}")
    codes = sorted({code for source in told.licensed for code in source["languages"] if len(code) == 2})
    if codes:
        lines += ["language:", *(f"- {quoted(code)}" for code in codes)]
    lines += ["size_categories:", f"- {size_category(sum(told.rows.get(name, 0) for name in CONFIGS))}"]
    lines += ["task_categories:", "- text-generation", "tags:", "- sieveline", "- trl"]
    lines += ["- synthetic"] if _ran(record, "generate") else []
    lines.append("configs:")
    for name in present:
        path = name if name in CONFIGS else f"{CONTROLS}/{name.removeprefix('sft_')}/sft"
        lines += [f"- config_name: {name}", "  data_files:", "  - split: train", f"    path: {path}/train-*.parquet"]
        if name == "sft":
            lines.append("  default: true")
    return [*lines, "---", ""]


def quoted(text: str) -> str:
    """A YAML scalar that is what it is: JSON strings are YAML."""
    return orjson.dumps(text).decode()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table and an empty line; nothing where there are no rows. Cells are Markdown already."""
    if not rows:
        return []
    lines = [head, ["---"] * len(head), *rows]
    return [*(f"| {' | '.join(cells)} |" for cells in lines), ""]


def _sets(record: RunRecord, told: Told) -> list[str]:
    rows = told.rows
    made = [[f"`{name}`", f"{rows.get(name, 0):,}", COLUMNS[name]] for name in CONFIGS]
    siblings = [name for name in rows if name not in CONFIGS]
    made += [[f"`{name}`", f"{rows[name]:,}", "as `sft`"] for name in siblings]
    first = next((name for name in CONFIGS if rows.get(name)), "sft")
    lines = [
        f"# {cell(record.profile['name'])}: curated instruction and preference data",
        "",
        f"Made by Sieveline, run `{record.run}`, seed {record.profile['seed']}. The run's report (`report.html`) shows",
        "what was kept and what was dropped and why; its record (`run.json`) holds every stage with its digest.",
        "",
        *table(["set", "rows", "columns"], made),
    ]
    if siblings:
        lines += [
            f"{' and '.join(f'`{name}`' for name in siblings)}: controls of the selection, of the same size and from",
            "the same candidates. What is claimed of the SFT set is worth what it is worth beside them.",
            "",
        ]
    code = f'data = load_dataset("path/to/this/folder", "{first}", split="train")'
    return [*lines, "```python", "from datasets import load_dataset", "", code, "```", ""]


def _figures(told: Told) -> list[str]:
    made = [[f"`{name}`", figure, value] for name, figure, value in told.figures]
    by_language = [[f"`{name}`", cell(code), f"{count:,}"] for name, code, count in told.languages]
    if not made and not by_language:
        return []
    lines = ["## Statistics", "", "Lengths are in characters.", "", *table(["set", "figure", "value"], made)]
    return [*lines, *table(["set", "language", "rows"], by_language)]


def _uses(told: Told) -> list[str]:
    uses = [f"- `{name}`: {USES[name]}." for name in CONFIGS if told.rows.get(name)]
    lines = ["## Intended use", "", *uses, "", "## Out of scope", ""]
    lines += [
        "- Measuring models: this is training data, and what was trained on it must be measured on something else.",
        "- Looking up facts: answers are as true as their sources and models; the pipeline does not verify them.",
    ]
    codes = sorted({code for _, code, _ in told.languages if len(code) == 2})
    if codes:
        lines.append(f"- Languages other than {', '.join(f'`{code}`' for code in codes)}.")
    if told.rows.get("preference"):
        lines.append(
            "- Taking a margin for a measure of quality: rewards are opinions, and pairs inherit their biases;"
        )
        lines.append("  the report's bias panel says how far.")
    if roll_up(told.licensed)["unknown"]:
        lines.append("- Sharing the data before the licences that are `unknown` below are settled.")
    return [*lines, ""]


def _licences(told: Told) -> list[str]:
    rows = [
        [cell(s["name"]), cell(s["licence"]), f"{s['read']:,}", f"{s['kept']:,}", cell(", ".join(s["languages"]))]
        for s in told.sources
    ]
    given = [
        [cell(c["name"]), cell(c["licence"]), f"{c['read']:,}", f"{c['kept']:,}", f"{c['pairs']:,}"]
        for c in told.comparisons
    ]
    lines = ["## Sources", ""]
    lines += table(["source", "licence", "rows read", "rows in the SFT set", "languages"], rows)
    if given:
        lines += ["Preference data that was there already:", ""]
        lines += table(["entry", "licence", "records read", "kept", "pairs made of it"], given)
    rolled = roll_up(told.licensed)
    if rolled["strictest"]:
        *names, kind = rolled["strictest"]
        lines.append(f"The strictest licence that is told: {', '.join(cell(name) for name in names)} ({kind}).")
    if rolled["unclassed"]:
        names = [cell(name) for name in rolled["unclassed"]]
        lines.append(f"Not compared to others, read for themselves: {', '.join(names)}.")
    if rolled["unknown"]:
        names = [cell(name) for name in rolled["unknown"]]
        lines.append(f"A source whose licence is `unknown` was not given one in the profile: {', '.join(names)}.")
    return [*lines, ""]


def _provenance(record: RunRecord, told: Told) -> list[str]:
    read = [step for step in record.steps if step.phase in ("ingest", "comparisons", "held_out")]
    files = [
        [cell(file["file"]), f"{file['bytes']:,}", f"`{file['sha256']}`"]
        for step in read
        for file in step.facts.get("files", [])
    ]
    stages = [
        [f"`{entry['stage']}`", f"{entry['in']:,}", f"{entry['kept']:,}", f"{entry['dropped']:,}", f"`{step.digest}`"]
        for entry, step in zip(told.funnel, record.steps, strict=False)
        if entry["phase"] in ("curate", "prefer")
    ]
    versions = ", ".join(f"{name} {cell(version)}" for name, version in record.versions.items())
    lines = ["## Provenance", "", *table(["input file", "bytes", "sha256"], files)]
    lines += table(["stage", "in", "kept", "dropped", "digest of what it kept"], stages)
    return [*lines, f"Versions: {versions}.", ""]


def _personal_data(told: Told) -> list[str]:
    looked = [entry for entry in told.funnel if entry["stage"].startswith("privacy.")]
    lines = ["## Personal data and credentials", ""]
    if not looked:
        return [*lines, "No stage of this run looked for personal data or credentials.", ""]
    lines += _found(looked)
    return [
        *lines,
        "",
        "The stages find forms (addresses, numbers, keys), not people: what they did not find may be there. They",
        "looked at the rows that were read; answers that a model gave afterwards went through the gates alone.",
        "",
    ]


def _contamination(record: RunRecord, told: Told) -> list[str]:
    looked = [entry for entry in told.funnel if entry["stage"] == "decontaminate"]
    held_out = sum(step.counts["kept"] for step in record.steps if step.phase == "held_out")
    lines = ["## Contamination", ""]
    lines += _found(looked) if looked else ["No stage of this run compared the rows to benchmarks."]
    if held_out:
        lines += ["", f"The gates compared the sets to {held_out:,} held-out rows."]
    return [*lines, ""]


def _found(looked: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"- `{entry['stage']}` looked at {entry['in']:,} {entry['unit']} and dropped {entry['dropped']:,}: "
        + (", ".join(f"{count:,} {cell(reason)}" for reason, count in entry["reasons"].items()) or "nothing found")
        + "."
        for entry in looked
    ]


def _making(record: RunRecord) -> list[str]:
    profile = record.profile
    used = ", ".join(f"`{entry['use']}`" for entry in profile["stages"])
    lines = ["## How it was made", "", f"Curation: {used}.", ""]
    if _ran(record, "generate"):
        policies = {policy["model"] or profile["generation"]["model"] for policy in profile["generation"]["policies"]}
        models = sorted(policies or {profile["generation"]["model"]})
        lines.append(f"Candidates were generated by {', '.join(f'`{cell(model)}`' for model in models)}.")
    if _ran(record, "score"):
        scorers = [str(entry["name"]) for entry in profile["scoring"]["scorers"]] or [profile["scoring"]["model"]]
        lines += [f"Candidates were scored by {', '.join(f'`{cell(name)}`' for name in scorers)}.", ""]
    if _ran(record, "review"):
        lines += ["Reviewers' verdicts are among the inputs: some pairs are made of them.", ""]
    return [
        *lines,
        f"To reproduce it from the same inputs, with the `{PROFILE}` that lies beside this file in the hand-over:",
        "",
        "```sh",
        f"sieveline curate --profile {PROFILE}",
        "```",
        "",
    ]


def _ran(record: RunRecord, stage: str) -> bool:
    return any(step.stage == stage for step in record.steps)


def cell(text: str) -> str:
    """Text for Markdown, in a table's cell too: no pipe, no line break, no markup."""
    return "".join(
        c if c.isalnum() or c in " ._-,:/@+()" else "\\" + c if c.isascii() and c.isprintable() else " " for c in text
    )
