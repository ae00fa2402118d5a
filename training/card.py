"""The model card of a finished run: what the model is, what it was made of, and how to make it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

TASKS = {"reward": ("text-classification", "AutoModelForSequenceClassification")}
WHAT = {
    "sft": "Supervised fine-tuning on curated conversations; only the assistant's tokens had loss.",
    "rejection_sampling": "Fine-tuning on the best sampled answer of each prompt (rejection sampling); "
    "only the completions had loss.",
    "dpo": "Direct preference optimisation (Rafailov et al. 2023) on pairs of sampled answers.",
    "reward": "A Bradley-Terry reward model: one number for a conversation, higher for the better answer.",
}


def write_card(stage: str, recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Markdown with the Hub's metadata block. All values come from the manifest; nothing of a row is in it."""
    base = _show(facts["base"]["name"])
    task, loader = TASKS.get(stage, ("text-generation", "AutoModelForCausalLM"))
    stages = ", ".join(name.replace("_", " ") for name in [*facts["base"]["stages"], stage])
    sections = [
        f"---\nbase_model: {orjson.dumps(base).decode()}\nlibrary_name: transformers\npipeline_tag: {task}\n"
        f"tags:\n- trl\n- {stage.replace('_', '-')}\n---",
        f"# {base}: {stages}",
        WHAT[stage],
        "```python\nfrom transformers import AutoTokenizer, "
        f'{loader}\n\nmodel = {loader}.from_pretrained("path/to/this/folder/model")\n'
        'tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder/model")\n```',
        "## Data\n\n" + _table(("file", "sha256"), [(d["name"], f"`{d['sha256'][:16]}`") for d in recipe["data"]]),
        "What the trainer made of it:\n\n" + _pairs(facts["preflight"]),
        "## Settings\n\n" + _pairs({**recipe["config"], "seed": recipe["seed"], **facts["device"]}),
        "## Result\n\n" + _pairs(facts["metrics"]),
        "`metrics.jsonl` has every step; `manifest.json` the full digests.",
        "## Versions\n\n" + _pairs(facts["versions"]),
    ]
    return "\n\n".join(sections) + "\n"


def _pairs(values: Mapping[str, Any]) -> str:
    return _table(("name", "value"), [(name, _show(value)) for name, value in values.items()])


def _show(value: Any) -> str:
    """A value for a table; text without what Markdown or HTML would take for markup."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "unset"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "".join(char if char.isalnum() or char in " ._-+/@:" else "-" for char in str(value))


def _table(head: tuple[str, str], rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join([f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])
