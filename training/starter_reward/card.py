"""The model card and metrics.json, both from one set of figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from curation.store import write_file

ABOUT: Final[Mapping[str, str]] = {
    "hh": "Anthropic HH harmless-base, test file (MIT): people's choice between two last turns, English",
    "pandalm": "PandaLM test set v1 (Apache-2.0): majority of three people, English",
    "hrc": "Human Rights Corpus (CC BY-SA 4.0): a grounded answer over ChatGPT's ungrounded one, Korean",
    "korm": "ko-rm-judge replies (MIT; prompts translate AlpacaEval, CC BY-NC 4.0): **the label is a model's**, Korean",
    "made": "databricks-dolly, AlpaGasus subset (CC BY-SA 3.0): a written answer over a spoilt one, English",
}


def write_card(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write metrics.json and README.md."""
    write_file(folder / "metrics.json", orjson.dumps(metrics, option=orjson.OPT_INDENT_2) + b"\n")
    write_file(folder / "README.md", render(metrics).encode())


def render(metrics: Mapping[str, Any]) -> str:
    """The card's Markdown; a function of the figures alone."""
    settings = metrics["settings"]
    return CARD.format(
        languages="\n".join(f"- {code}" for code in ("en", "ko")),
        data=_data(metrics["pairs"]),
        results=_results(metrics["held_out"]),
        verdict=_verdict(metrics["held_out"]),
        kinds=_kinds(metrics["made_by_kind"]),
        syllables=metrics["hangul_syllables"],
        weights=metrics["weights_sha256"],
        best=metrics["training"]["best_step"],
        note=metrics.get("note", ""),
        steps=metrics["training"]["steps"],
        **{name: settings[name] for name in ("lora_r", "learning_rate", "epochs", "batch_pairs", "max_tokens", "seed")},
    )


def _data(pairs: Mapping[str, Any]) -> str:
    rows = ["| source | what it is | pairs | trained on | held out |", "|---|---|---:|---:|---:|"]
    for name, counts in pairs.items():
        total = counts["train"] + counts["validation"] + counts["held_out"]
        rows.append(f"| {name} | {ABOUT[name]} | {total:,} | {counts['trained_on']:,} | {counts['held_out']:,} |")
    return "\n".join(rows)


def _results(held_out: Mapping[str, Any]) -> str:
    rows = [
        "| source | pairs (prompts) | accuracy | 95 % interval | longer is better | length, fitted | random |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, r in held_out.items():
        low, high = r["interval"]
        rows.append(
            f"| {name} | {r['n']:,} ({r['prompts']:,}) | **{r['accuracy']:.3f}** | {low:.3f} to {high:.3f} "
            f"| {r['longer']:.3f} | {r['length_fitted']:.3f} ({r['fitted_direction']}) | {r['random']:.3f} |"
        )
    return "\n".join(rows)


def _verdict(held_out: Mapping[str, Any]) -> str:
    """Where the model beats its baselines, where it is not shown to, and where it does not; every source is named."""
    worse: list[str] = []
    unclear: list[str] = []
    better: list[str] = []
    for name, r in held_out.items():
        best = max(r["longer"], r["length_fitted"], r["random"])
        shown = r["gain_over_length_interval"][0] > 0 and r["interval"][0] > best
        (worse if r["accuracy"] <= best else better if shown else unclear).append(name)
    told = []
    if better:
        told.append(f"It beats length and chance on {_and(better)}.")
    if unclear:
        told.append(
            f"On {_and(unclear)} its figure is above both, but the sample is too small to tell the gain from chance."
        )
    if worse:
        told.append(f"**It does not beat them on {_and(worse)}.**")
    return " ".join(told)


def _kinds(kinds: Mapping[str, Any]) -> str:
    return "; ".join(f"{kind} {r['accuracy']:.3f} (n {r['n']:,})" for kind, r in kinds.items()) or "not trained on"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


CARD: Final = """---
license: cc-by-sa-4.0
base_model: sentence-transformers/all-MiniLM-L6-v2
library_name: peft
pipeline_tag: text-classification
language:
{languages}
tags:
- reward-model
- lora
- trl
---

# Starter reward model

A LoRA adapter for all-MiniLM-L6-v2 (Apache-2.0) as a sequence classifier with one label, trained on preference pairs
with the Bradley-Terry loss of TRL's RewardTrainer. It lets the first run score answers with no download. It is small
and weak; a run that matters should name a stronger reward model (`[scoring] model`).

Weights: `adapter_model.safetensors` (float16), sha256 `{weights}`.

## Held-out accuracy

The share of pairs whose chosen answer gets the higher reward; a tie counts half. No prompt, nor any conversation that
opens alike, is on both sides of the split. Intervals are bootstrapped over prompts. Length is in characters of the
answer; its fitted direction is the one that is right more often on the source's training side.

{results}

{verdict}

Of the made pairs, by what was done to the worse answer: {kinds}.

## Data

{data}

- hh: pairs with an empty chosen reply or with differing contexts are left out. The text is offensive by design.
- pandalm: ties, empty answers and exact duplicates are left out; few prompts carry all pairs. Its prompts are those of
  Self-Instruct's 252 user-oriented instructions, which asks not to be trained on, and which AlpacaEval contains.
  **Nothing scored with this model may be evaluated on Self-Instruct-252, AlpacaEval or PandaLM.**
- hrc: nine grounded answers in ten are the longer ones.
- korm: five models' replies to the Korean translation of AlpacaEval, two pairs a prompt with a score gap of at least
  0.5. The score is that of another reward model (`heegyu/ko-reward-model-helpful-1.3b-v0.2`): this source measures
  agreement with that model, not with people. The English originals of some prompts are pandalm's.
- made: the worse answer is the better one truncated, with its words shuffled, its opening repeated, replaced by
  another question's answer, or next to empty.

Counts of what was left out, by reason, are in `metrics.json`.

## Licence

Two sources are share-alike (CC BY-SA 3.0, whose later versions are admitted, and CC BY-SA 4.0), so the adapter is
under CC BY-SA 4.0. The prompts of korm translate a CC BY-NC 4.0 set; whether that reaches weights is unsettled. Where
it matters, train without it: `make reward-model DATA=path ARGS="--without korm"`. Attribution: the sources named above.

## Not for

- safety decisions, moderation, or a check of facts: it has seen too little to know either;
- the only reward of online RL, which will find its gaps within a few hundred steps;
- a comparison of rewards across prompts: the loss saw differences within one prompt only;
- ranking or publishing models, above all on the benchmarks named above;
- code, mathematics, tool calls, and languages other than English and Korean.

## Input

Turns as lines with role words (`chat_template.jinja`); special tokens are the tokenizer's. At most 512 tokens, cut from
the left, so that the last answer stays. MiniLM's vocabulary is uncased English: it splits a Hangul syllable into two or
three jamo and turns about a fifth of Korean words into `[UNK]`. {syllables} frequent syllables are therefore tokens of
their own here, each with the mean embedding of its jamo; Korean comes out about half as long, but the body was never
pretrained on Korean, and knows of it what these pairs taught it.

## Made with

LoRA rank {lora_r} on every linear layer of the upper four of six layers, pooler and head trained whole; learning rate
{learning_rate}, {batch_pairs} pairs a step, {epochs} epochs ({steps} steps; the weights of step {best} were the best on
validation prompts), training pairs of at most {max_tokens} tokens a side, seed {seed}. On the CPU, in float32. {note}

To train it anew, with the files named in `training/starter_reward/data.py` in one folder:

    make reward-model DATA=path
"""
