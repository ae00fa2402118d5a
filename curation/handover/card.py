"""The dataset card of a hand-over: YAML that `load_dataset` reads, and what a person must know of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from curation.runs import RunRecord

CONFIGS = ("sft", "rejection_sampling", "preference")
CONTROLS = "controls"
COLUMNS = {
    "sft": "`messages` (role, content) with `row_id`, `prompt_id`, `source`, `language`, `metadata` and scores",
    "rejection_sampling": "`prompt`, `completion` with `reward` and the statistics of its group of candidates",
    "preference": "`prompt`, `chosen`, `rejected` with `score_chosen`, `score_rejected`, `margin` and both ids",
}


def dataset_card(
    record: RunRecord,
    rows: Mapping[str, int],
    sources: Sequence[Mapping[str, Any]],
    comparisons: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The README.md of the hand-over folder. `rows` counts each set; an empty set has no configuration."""
    front = _front_matter(rows, [*sources, *comparisons])
    return "\n".join([*front, *_body(record, rows, sources, comparisons), ""])


def licence_of(sources: Sequence[Mapping[str, Any]]) -> str:
    """One licence where all sources agree, else `other`; the table of sources says which is which."""
    told = {str(source["licence"]).lower() for source in sources}
    return told.pop() if len(told) == 1 and "unknown" not in told else "other"


def _front_matter(rows: Mapping[str, int], sources: Sequence[Mapping[str, Any]]) -> list[str]:
    present = [name for name in rows if rows[name]]
    lines = ["---", f"license: {quoted(licence_of(sources))}", "tags:", "- sieveline", "- trl"]
    languages = sorted({code for source in sources for code in source["languages"] if len(code) == 2})
    if languages:
        lines += ["language:", *(f"- {quoted(code)}" for code in languages)]
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


def _body(
    record: RunRecord,
    rows: Mapping[str, int],
    sources: Sequence[Mapping[str, Any]],
    comparisons: Sequence[Mapping[str, Any]],
) -> list[str]:
    profile = record.profile
    used = ", ".join(f"`{entry['use']}`" for entry in profile["stages"])
    table = [
        [cell(s["name"]), cell(s["licence"]), f"{s['read']:,}", f"{s['kept']:,}", cell(", ".join(s["languages"]))]
        for s in sources
    ]
    lines = [
        f"# {profile['name']}: curated instruction and preference data",
        "",
        f"Made by Sieveline, run `{record.run}`, seed {profile['seed']}. `report.html` shows what was kept and what",
        "was dropped and why; `run.json` holds the profile, the versions and the digest of every stage.",
        "",
        "| set | rows | columns |",
        "|---|---|---|",
        *(f"| `{name}` | {rows.get(name, 0):,} | {COLUMNS[name]} |" for name in CONFIGS),
        *(f"| `{name}` | {count:,} | as `sft` |" for name, count in rows.items() if name not in CONFIGS),
        "",
        *_on_controls(rows),
        "```python",
        "from datasets import load_dataset",
        "",
        'sft = load_dataset("path/to/this/folder", "sft", split="train")',
        "```",
        "",
        "## Sources",
        "",
        "| source | licence | rows read | rows in the SFT set | languages |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(cells)} |" for cells in table),
        "",
        *_on_comparisons(comparisons),
        "A source whose licence is `unknown` was not given one in the profile: settle it before the data is shared.",
        "",
        "## How it was made",
        "",
        f"Curation: {used}.",
        "",
        *_on_candidates(profile),
        "To reproduce it, save the `profile` of `run.json` as TOML and run `sieveline curate --profile FILE` on the",
        "same inputs.",
    ]
    return lines


def _on_comparisons(comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    if not comparisons:
        return []
    rows = [
        [cell(c["name"]), cell(c["licence"]), f"{c['read']:,}", f"{c['kept']:,}", f"{c['pairs']:,}"]
        for c in comparisons
    ]
    return [
        "Preference data that was there already:",
        "",
        "| entry | licence | records read | kept | pairs made of it |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(cells)} |" for cells in rows),
        "",
    ]


def _on_candidates(profile: Mapping[str, Any]) -> list[str]:
    generation, scoring = profile["generation"], profile["scoring"]
    told = []
    if generation["engine"] != "none":
        models = sorted(
            {policy["model"] or generation["model"] for policy in generation["policies"]} or {generation["model"]}
        )
        told.append(f"Candidates were generated by {', '.join(f'`{cell(model)}`' for model in models)}.")
    if generation["engine"] == "none" and not profile["comparisons"]:
        return []
    scorers = [str(entry["name"]) for entry in scoring["scorers"]] or [scoring["model"]]
    scored = f"Candidates were scored by {', '.join(f'`{cell(name)}`' for name in scorers)}."
    return [
        *told,
        scored,
        "Rewards are opinions, and the pairs inherit their biases: the report's bias panel says how far.",
        "",
    ]


def _on_controls(rows: Mapping[str, int]) -> list[str]:
    names = [name for name in rows if name not in CONFIGS]
    if not names:
        return []
    return [
        f"{' and '.join(f'`{name}`' for name in names)}: controls of the selection, of the same size and from the same",
        "candidates. What is claimed of the SFT set is worth what it is worth beside them.",
        "",
    ]


def cell(text: str) -> str:
    """Text for a Markdown table cell: no pipe, no line break, no markup."""
    return "".join(
        c if c.isalnum() or c in " ._-,:/@+()" else "\\" + c if c.isascii() and c.isprintable() else " " for c in text
    )
