"""The model card of a finished run: what the model is, what it was made of, and how to make it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from schemas.profile.training import Training

TASKS = {
    "reward": ("text-classification", "AutoModelForSequenceClassification"),
    "classifier": ("text-classification", "AutoModelForSequenceClassification"),
    "masked_lm": ("fill-mask", "AutoModelForMaskedLM"),
}
# Trained by Transformers' own Trainer.
OF_TRANSFORMERS = ("masked_lm", "classifier")
WHAT = {
    "sft": "Supervised fine-tuning on curated conversations; only the assistant's tokens had loss.",
    "rejection_sampling": "Fine-tuning on the best sampled answer of each prompt (rejection sampling); "
    "only the completions had loss.",
    "dpo": "Direct preference optimisation (Rafailov et al. 2023) on pairs of sampled answers.",
    "rloo": "Online reinforcement learning: sampled answers, rewarded by the pipeline's own scorers.",
    "pretrain": "Continued pre-training on plain text; every token had loss.",
    "masked_lm": "Masked language modelling on plain text (Devlin et al. 2019).",
    "classifier": "A classifier of texts, fine-tuned on labelled ones; a quality filter for `scoring.classifier`.",
    "reward": "A Bradley-Terry reward model: one number for a conversation, higher for the better answer.",
}
LIMITS = {
    "sft": "It learned to write as its data does, whatever is wrong there included.",
    "rejection_sampling": "Its data are the answers that scorers liked best: it inherits their mistakes and biases.",
    "dpo": "The pairs are ordered by the opinion of scorers or people: it inherits their mistakes and biases, a liking "
    "for length among them.",
    "reward": "A reward is an opinion on text like that it was trained on. A policy that is trained on it long enough "
    "finds where it is wrong.",
    "rloo": "It was trained to please the reward; what that does not see may have become worse.",
}
ANY_LIMIT = "Nothing here says that it is better than its base: that takes an evaluation on held-out prompts."


def write_card(stage: str, recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Markdown with the Hub's metadata block. All values come from the manifest; nothing of a row is in it."""
    base = _show(facts["base"]["name"])
    task, loader = TASKS.get(stage, ("text-generation", "AutoModelForCausalLM"))
    tags = "\n".join(f"- {tag}" for tag in (*(() if stage in OF_TRANSFORMERS else ("trl",)), stage.replace("_", "-")))
    stages = ", ".join(name.replace("_", " ") for name in [*facts["base"]["stages"], stage])
    sections = [
        f"---\nbase_model: {orjson.dumps(base).decode()}\nlibrary_name: transformers\npipeline_tag: {task}\n"
        f"license: other\ntags:\n{tags}\n---",
        f"# {base}: {stages}",
        WHAT[stage],
        "```python\nfrom transformers import AutoTokenizer, "
        f'{loader}\n\nmodel = {loader}.from_pretrained("path/to/this/folder/model")\n'
        'tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder/model")\n```',
        "## Data\n\n"
        + _table(("file", "sha256"), [(_show(d["name"]), f"`{d['sha256'][:16]}`") for d in recipe["data"]]),
        *_version(facts["data"]),
        "What the trainer made of it:\n\n" + _pairs(facts["preflight"]),
        "## Licence\n\n" + _licence(facts["data"]),
        "## Settings\n\n" + _pairs({**recipe["config"], "seed": recipe["seed"], **facts["device"]}),
        "## Result\n\n" + _pairs({**facts["metrics"], **_outcome(facts)}),
        "`metrics.jsonl` has every step; `manifest.json` the full digests.",
        "## Limits\n\n" + " ".join([*([LIMITS[stage]] if stage in LIMITS else []), ANY_LIMIT]),
        "## How to make it again\n\n" + _again(stage, recipe, facts),
        "## Versions and hardware\n\n" + _pairs({**_project(facts), **facts["versions"], **facts["hardware"]}),
    ]
    return "\n\n".join(sections) + "\n"


def _version(data: Mapping[str, Any] | None) -> list[str]:
    """The run that made the data, with the digest of each of its stages."""
    if data is None:
        return ["The folder had no record of a run: the digests above are all that is known of the data."]
    rows = [(_show(step["stage"]), f"`{step['key'][:16]}` `{step['digest'][:16]}`") for step in data["stages"]]
    profile = data["profile"]
    return [
        f"Made by the run `{_show(data['run'])}` ({_show(data['set'])}) of the profile {_show(profile['name'])}, "
        f"digest `{profile['digest'][:16]}`:",
        _table(("stage", "key and digest"), rows),
    ]


def _licence(data: Mapping[str, Any] | None) -> str:
    """The licences of the sources, rolled up; they hold beside that of the base model."""
    beside = "The base model's own licence holds as well."
    if data is None:
        return f"That of the data is not known here. {beside}"
    licences = {str(source["licence"]) for source in data["sources"]}
    rolled = f"All sources: {_show(licences.pop())}." if len(licences) == 1 else "The sources differ."
    rows = [(_show(source["name"]), _show(source["licence"])) for source in data["sources"]]
    return f"{rolled} {beside}\n\n" + _table(("source", "licence"), rows)


def _again(stage: str, recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """The command with every setting that is not the default. Strings among them are names from fixed lists."""
    usual = getattr(Training(), stage).model_dump(mode="json")
    said = [
        f" \\\n  --set training.{stage}.{name}={_plain(value)}"
        for name, value in recipe["config"].items()
        if value != usual[name] and value is not None
    ]
    command = f"sieveline train {stage.replace('_', '-')} --data FOLDER --base MODEL{''.join(said)}"
    return (
        f"FOLDER is the hand-over with the files above; MODEL is the base, digest `{facts['base']['digest'][:16]}`; "
        f"the profile has `seed = {recipe['seed']}`.\n\n```sh\n{command}\n```\n\n"
        "With the same versions on the same kind of processor the weights are the same; elsewhere they are close."
    )


def _plain(value: Any) -> str:
    return _show(value) if isinstance(value, str) else orjson.dumps(value).decode()


def _project(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The commit that the code was at."""
    project = facts["project"]
    if project is None:
        return {}
    return {"project commit": project["commit"] + (" with changes" if project["changed"] else "")}


def _outcome(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Figures on held-out examples, and why a run ended before its last step."""
    told = {f"held out: {name}": value for name, value in facts.get("evaluation", {}).items()}
    stopped = facts.get("stopped_early")
    return told | ({f"stopped early: {name}": value for name, value in stopped.items()} if stopped else {})


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
