"""Does curated data make a model better? Base, SFT with its controls, rejection sampling, DPO and RLOO, compared.

    make proof

One public instruction set is parted by prompt into rows to train on, held-out prompts, and rows for a second opinion.
Everything after that is the command line, a step at a time: `sieveline curate`, `train`, `evaluate`, `compare`.

- raw, curated, random, longest: SFT of the base model on sets of TOKENS tokens each. `raw` is drawn from the rows as
  they are; `curated` is chosen by IFD and reward among SCORED rows that are left after cleaning and deduplication; the
  other two are its controls, from the same SCORED.
- sampled, dpo, rloo: a second stage, each from the model of `curated` and on its prompts: SFT on the best of CANDIDATES
  sampled answers, DPO on pairs of the best and the worst of them, and online RLHF.

Two rewards see all answers. The proxy is the profile's scorer (REWARD), which chose rows, answers and pairs and is what
RLOO climbs. The held-out reward, which the win rates go by, is trained here on rows of neither side, to prefer a row's
answer to the one of the row with the most similar prompt: whether an answer fits its question, and nothing else. Two
more measures need no reward model: the loss on the reference answers, and the cosine of answer and reference.

A step that is done is not done again, and one that was stopped goes on where the command it calls can. Everything is in
HOME_FOLDER; the tables are in its `tables.md`, the figures in `compared/comparison.json`. `--quick` is all of it with a
handful of rows, to see that it works; its figures mean nothing.

Environment: DATA, MODEL, REWARD, ENCODER (what the second opinion starts from), ENGINE, and the sizes in `Settings`. At
full size on a GPU:

    LOCK=requirements-gpu.lock DATA=hf:databricks/databricks-dolly-15k MODEL=Qwen/Qwen2.5-1.5B-Instruct \\
    REWARD=Skywork/Skywork-Reward-V2-Qwen3-0.6B ENCODER=answerdotai/ModernBERT-base HELD_OUT=600 PROMPTS=500 \\
    OPINION=4000 ROWS=9000 SCORED=6000 TOKENS=500000 SAMPLED=2000 CANDIDATES=16 MAX_TOKENS=512 ONLINE_STEPS=300 \\
    make proof
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from curation.digest import sha256_file, sha256_value
from curation.store import write_file
from tests.experiments import proof_data, proof_tables

ALPACA = Path(__file__).resolve().parents[3] / "shared" / "data" / "alpagasus_random_9k.json"
CONTROLS = ("random", "longest")
SUPERVISED = ("raw", "curated", *CONTROLS)
# The stages that clean: those of the profile `best-1000` before its scores.
CLEANING = (
    "clean.normalize", "clean.leftovers", "filter.control_tokens", "filter.empty", "filter.length",
    "filter.conversation", "filter.placeholders", "filter.echo", "filter.missing_context", "filter.answer_form",
    "filter.markup", "filter.truncation", "filter.repetition", "filter.refusal", "language.identify",
    "language.mismatch", "dedup.exact", "dedup.minhash",
)  # fmt: skip


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name, str(default)))


@dataclass(frozen=True)
class Settings:
    """What the environment sets. Sizes are rows, prompts, tokens or steps."""

    data: str = os.environ.get("DATA", str(ALPACA) if ALPACA.exists() else "starter")
    model: str = os.environ.get("MODEL", "smollm2-135m-instruct")
    reward: str = os.environ.get("REWARD", "starter-reward")
    encoder: str = os.environ.get("ENCODER", "minilm-l6-v2")
    engine: str = os.environ.get("ENGINE", "vllm")
    held_out: int = _number("HELD_OUT", 150)
    prompts: int = _number("PROMPTS", 120)
    references: int = _number("REFERENCES", 40)
    distances: int = _number("DISTANCES", 32)
    opinion: int = _number("OPINION", 500)
    rows: int = _number("ROWS", 260)
    scored: int = _number("SCORED", 120)
    tokens: int = _number("TOKENS", 5_000)
    sampled: int = _number("SAMPLED", 40)
    candidates: int = _number("CANDIDATES", 4)
    max_tokens: int = _number("MAX_TOKENS", 64)
    opinion_length: int = _number("OPINION_LENGTH", 192)
    online_steps: int = _number("ONLINE_STEPS", 8)
    home: Path = field(default_factory=lambda: Path(os.environ.get("HOME_FOLDER", ".sieveline/experiments/proof")))

    def quick(self) -> Settings:
        """The same with a handful of rows."""
        return replace(
            self, held_out=8, prompts=6, references=4, distances=4, opinion=40, rows=80, scored=40, tokens=1_500,
            sampled=6, candidates=3, max_tokens=12, opinion_length=96, online_steps=1,
            home=self.home.with_name(f"{self.home.name}-quick"),
        )  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One command: its name here, and the arguments of `sieveline`."""

    name: str
    arguments: tuple[str, ...]


def main() -> None:
    """Run what is not done yet, and print the tables."""
    settings = Settings().quick() if "--quick" in sys.argv[1:] else Settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    proof_data.split(settings)
    write_profiles(settings)
    for step in steps(settings):
        run(step, settings)
    text = proof_tables.tables(settings)
    write_file(settings.home / "tables.md", text.encode())
    print(text)


def models(settings: Settings) -> dict[str, Path]:
    """The trained models in the order of the table, by name."""
    sets = settings.home / "sets"
    curated, second = sets / "curated" / "models", sets / "sampled" / "models"
    return {
        "raw": sets / "raw" / "models" / "sft",
        "curated": curated / "sft",
        **{name: sets / "curated" / "controls" / name / "models" / "sft" for name in CONTROLS},
        "sampled": second / "rejection_sampling",
        "dpo": second / "dpo",
        "rloo": second / "rloo",
    }


def steps(settings: Settings) -> Iterator[Step]:
    """All commands in order."""
    home, places = settings.home, models(settings)
    sets, data = home / "sets", home / "data"
    at = _home(settings)
    raw = ("--source", str(data / "raw.jsonl"))
    yield _curate("opinion", settings, *raw, "--comparisons", str(data / "opinion.jsonl"))
    yield _train("reward", "opinion", sets / "opinion", settings)
    yield _curate("raw", settings, *raw)
    yield _curate("curated", settings, *raw)
    yield _train("sft", "raw", sets / "raw", settings)
    yield _train("sft", "curated", sets / "curated", settings)
    for name in CONTROLS:
        yield _train("sft", name, sets / "curated" / "controls" / name, settings)
    yield _curate("sampled", settings, *raw)
    start = ("--base", str(places["curated"] / "model"))
    yield _train("rejection-sampling", "sampled", sets / "sampled", settings, *start)
    yield _train("dpo", "dpo", sets / "sampled", settings, *start)
    climbed = f'{{kind = "reward_model", model = "{settings.reward}"}}'
    watched = f'{{kind = "reward_model", name = "fit", model = "{proof_data.opinion(settings)}", role = "monitor"}}'
    scorers = ("--set", f"scoring.scorers=[{climbed}, {watched}]")
    yield _train("rloo", "rloo", sets / "sampled", settings, *start, *scorers)
    told = (
        "evaluate", *(f"{name}={folder}" for name, folder in places.items()),
        "--held-out", str(data / "held_out.jsonl"), "--previous", f"curated={places['curated']}",
        "--ancestor", str(places["curated"]), "--profile", _profile(settings, "evaluation"), *at,
    )  # fmt: skip
    yield Step("evaluate", (*told, "--out", str(home / "evaluated"), "--set", "evaluation.kl=false"))
    yield Step("compare", ("compare", str(home / "evaluated"), "--out", str(home / "compared"), *at))
    # Two more passes over all answers are dear: the distance is measured on the first of the same prompts.
    some = f"evaluation.prompts={settings.distances}"
    yield Step("distance", (*told, "--out", str(home / "distances"), "--set", some))
    tuned = {name: places[name] / "model" for name in SUPERVISED}
    for name, model in {"base": proof_data.base(settings), **tuned}.items():
        yield _stage(f"loss-{name}", "scoring.perplexity", data / "references.jsonl", model, settings)
    yield _stage("opinion-test", "scoring.reward", data / "opinion_test.jsonl", proof_data.opinion(settings), settings)


def run(step: Step, settings: Settings) -> None:
    """Run a command unless it has been run, and note what it took; its output goes to a log of its own.

    `steps/<name>.json` is written once the command has ended well. Raises SystemExit where it has not.
    """
    place = settings.home / "steps"
    done, log = place / f"{step.name}.json", place / f"{step.name}.log"
    digest = sha256_value([step.arguments, [sha256_file(Path(one)) for one in step.arguments if one.endswith(".toml")]])
    if done.exists() and orjson.loads(done.read_bytes())["digest"] == digest:
        return
    print(f"{step.name} ...", flush=True)
    place.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("ab") as out:
        child = subprocess.Popen([sys.executable, "-m", "flows.cli", *step.arguments], stdout=out, stderr=out)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if child.returncode:
        sys.exit(f"{step.name} ended with {child.returncode}: {log}\n{log.read_text(errors='replace')[-2000:]}")
    told = {"digest": digest, "seconds": seconds, "processor_seconds": usage.ru_utime + usage.ru_stime}
    write_file(done, orjson.dumps(told | {"arguments": step.arguments}, option=orjson.OPT_INDENT_2))
    print(f"{step.name}  {seconds:,.0f} s", flush=True)


def write_profiles(settings: Settings) -> None:
    """A profile a set: they differ in their stages and in whether answers are sampled."""
    cleaning = "\n".join(f'[[stages]]\nuse = "{name}"' for name in CLEANING)
    chosen = f"""
[[stages]]
use = "select.random"
rows = {settings.scored}
[[stages]]
use = "scoring.perplexity"
model = "{settings.model}"
[[stages]]
use = "scoring.reward"
model = "{settings.reward}"
[[stages]]
use = "select.best"
tokens = {settings.tokens}
tokenizer = "{settings.model}"
scores = {{ score_ifd = 1.0, score_reward = 1.0 }}
diversity = "novelty"
model = "minilm-l6-v2"
"""
    drawn = f'[[stages]]\nuse = "select.random"\ntokens = {settings.tokens}\ntokenizer = "{settings.model}"'
    answers = (
        f'engine = "{settings.engine}"\nmodel = "{models(settings)["curated"] / "model"}"\n'
        f"prompts = {settings.sampled}\ncandidates = {settings.candidates}\nmax_tokens = {settings.max_tokens}\n"
        "temperature = 1.0\ntop_p = 0.95"
    )
    none = 'engine = "none"'
    empty = '[[stages]]\nuse = "filter.empty"'
    for name, stages, generation in (
        ("opinion", empty, none),
        ("evaluation", f"{empty}\n{_evaluation(settings)}", none),
        ("raw", drawn, none),
        ("curated", cleaning + chosen, none),
        ("sampled", cleaning + chosen, answers),
    ):
        text = f'name = "{name}"\n{stages}\n[generation]\n{generation}\n{_shared(settings)}'
        write_file(Path(_profile(settings, name)), text.encode())


def _shared(settings: Settings) -> str:
    """The sections that all profiles have."""
    return f"""
[[sources]]
path = "starter"
name = "data"
licence = "see the data set"
[scoring]
model = "{settings.reward}"
[rejection_sampling]
min_quantile = 0.0
[preference]
min_margin = 0.05
[training]
model = "{settings.model}"
reward_model = "{settings.encoder}"
[training.sft]
per_device_train_batch_size = 4
learning_rate = 5e-5
max_length = 512
[training.rejection_sampling]
per_device_train_batch_size = 4
learning_rate = 5e-5
max_length = 512
[training.dpo]
per_device_train_batch_size = 4
learning_rate = 1e-5
max_length = 512
[training.rloo]
max_steps = {settings.online_steps}
per_device_train_batch_size = 8
num_generations = 4
learning_rate = 1e-5
max_completion_length = {settings.max_tokens}
[training.reward]
per_device_train_batch_size = 16
num_train_epochs = 3
learning_rate = 1e-4
max_length = {settings.opinion_length}
"""


def _evaluation(settings: Settings) -> str:
    return f"""
[evaluation]
engine = "{settings.engine}"
prompts = {settings.prompts}
max_tokens = {settings.max_tokens}
on_leak = "leave_out"
[evaluation.proxy]
model = "{settings.reward}"
[[evaluation.scoring.scorers]]
kind = "reward_model"
name = "fit"
model = "{proof_data.opinion(settings)}"
"""


def _home(settings: Settings) -> tuple[str, str]:
    return ("--home", str(settings.home))


def _profile(settings: Settings, name: str) -> str:
    return str(settings.home / "profiles" / f"{name}.toml")


def _curate(name: str, settings: Settings, *more: str) -> Step:
    out = settings.home / "sets" / name
    return Step(
        f"curate-{name}", ("curate", "--profile", _profile(settings, name), "--out", str(out), *more, *_home(settings))
    )


def _train(stage: str, name: str, data: Path, settings: Settings, *more: str) -> Step:
    return Step(f"train-{name}", ("train", stage, "--data", str(data), *more, *_home(settings)))


def _stage(name: str, stage: str, read: Path, model: Path, settings: Settings) -> Step:
    out = settings.home / "scores" / name
    return Step(name, ("stage", stage, str(read), "--out", str(out), "--set", f"model={model}"))


if __name__ == "__main__":
    main()
