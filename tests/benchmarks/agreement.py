"""How often scorers agree with people: PandaLM's test set, two answers to a prompt judged by three annotators.

The better answer is the one that two or three of the three prefer. Left out, and counted: responses that the file has
as JSON booleans, pairs whose majority says tie, empty answers, pairs of one answer, and all but the first of pairs with
the same prompt and the same two answers in either order. Intervals are a percentile bootstrap over prompts, since the
pairs of a prompt are alike. A scorer's tie, and a judge's tie or abstention, is half right.

The starter reward model was trained on a part of these prompts; its figure is that of the prompts it never saw.

    python -m tests.benchmarks agreement
    python -m tests.benchmarks.agreement --judge http://localhost:8000/v1 --judge-model NAME   (or --judge vllm)
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from curation.bias.bootstrap import Draws, mean
from curation.bias.figures import Figure
from curation.digest import sha256_value
from curation.generation.engines import make_generator
from curation.models import resolve
from curation.scoring.judge.compare import CompareConfig, compare
from curation.scoring.judge.compare import Item as Compared
from curation.scoring.protocol import Item
from curation.scoring.transformers import TransformersScorer
from curation.stage import Context
from schemas.profile.scoring import RewardModel
from schemas.records import Message, prompt_id_of
from training.starter_reward import data

ROOT: Final = Path(__file__).resolve().parents[2]
DATA: Final = ROOT.parent / "shared" / "data"
FILE: Final = "pandalm_testset_v1.json"
ANNOTATORS: Final = ("annotator1", "annotator2", "annotator3")
RESAMPLES: Final = 10_000


@dataclass(frozen=True)
class Pair:
    """Two answers to a prompt; `first_is_better` is the majority's word. `seen`: the starter model trained on it."""

    pair_id: str
    prompt: tuple[Message, ...]
    answers: tuple[str, str]
    first_is_better: bool
    seen: bool

    @property
    def prompt_id(self) -> str:
        """The prompt's id."""
        return prompt_id_of(self.prompt)

    @property
    def right(self) -> int:
        """The place of the better answer."""
        return 0 if self.first_is_better else 1


def read(records: Sequence[Mapping[str, Any]], seen: Mapping[str, bool]) -> tuple[list[Pair], Counter[str]]:
    """Pairs with a majority, and how many were left out for which reason. `seen` tells of a prompt's text."""
    pairs: list[Pair] = []
    left_out: Counter[str] = Counter()
    known: dict[tuple[str, frozenset[str]], str] = {}
    for record in records:
        texts = [record[name] for name in ("instruction", "input", "response1", "response2")]
        vote, votes = Counter(record[name] for name in ANNOTATORS).most_common(1)[0]
        if not all(isinstance(text, str) for text in texts):
            left_out["response is a JSON boolean"] += 1
            continue
        prompt, answers = "\n\n".join(filter(None, map(str.strip, texts[:2]))), (texts[2].strip(), texts[3].strip())
        content = (prompt, frozenset(answers))
        better = answers[vote - 1] if votes > 1 and vote in (1, 2) else ""
        if not all(answers):
            left_out["an empty answer"] += 1
        elif answers[0] == answers[1]:
            left_out["one answer twice"] += 1
        elif not better:
            left_out["majority says tie, or there is none"] += 1
        elif content in known:
            left_out["duplicate" if known[content] == better else "duplicate with another majority"] += 1
        else:
            known[content] = better
            message = {"role": "user", "content": prompt, "extra": None}
            pairs.append(Pair(str(record["idx"]), (message,), answers, better == answers[0], seen.get(prompt, True)))
    return pairs, left_out


def rewards(pairs: Sequence[Pair], home: Path) -> list[float]:
    """1 where the starter reward of the better answer is the higher one, 0 where it is the lower, half for a tie."""
    settings = RewardModel(model="starter-reward")
    scorer = TransformersScorer(resolve(settings.model, home), settings)
    items = [
        Item(f"{pair.pair_id}-{at}", [*pair.prompt, {"role": "assistant", "content": answer, "extra": None}])
        for pair in pairs
        for at, answer in enumerate(pair.answers)
    ]
    scores = {score.completion_id: score for batch in scorer.batches(items) for score in scorer.score(batch)}
    cut = sum(score.truncated for score in scores.values())
    print(f"starter-reward: {len(scores)} answers scored, {cut} not read whole")
    found = [[scores[f"{pair.pair_id}-{at}"].reward or 0.0 for at in (0, 1)] for pair in pairs]
    return [half(both[pair.right] - both[1 - pair.right]) for pair, both in zip(pairs, found, strict=True)]


def lengths(pairs: Sequence[Pair]) -> list[float]:
    """1 where the better answer is the longer one, in characters."""
    return [half(len(pair.answers[pair.right]) - len(pair.answers[1 - pair.right])) for pair in pairs]


def half(difference: float) -> float:
    """A difference as right, half right, or wrong."""
    return 0.5 if difference == 0 else float(difference > 0)


def annotators(records: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[str]]:
    """Each annotator against the two others where these prefer the same answer, and the prompts of those."""
    right, prompts = [], []
    for record in records:
        votes = [record[name] for name in ANNOTATORS]
        for at, vote in enumerate(votes):
            others = {other for place, other in enumerate(votes) if place != at}
            if len(others) == 1 and others < {1, 2}:
                right.append(0.5 if vote == 0 else float(vote in others))
                prompts.append(f"{record['instruction']}\n\n{record['input']}")
    return right, prompts


def judged(pairs: Sequence[Pair], engine: Mapping[str, Any], context: Context) -> list[float]:
    """A verdict in both orders: right, wrong, or half right where there is none. Prints the facts."""
    config = CompareConfig(**engine)
    items = [Compared(pair.pair_id, pair.prompt, *pair.answers) for pair in pairs]
    with make_generator(config.generation(), ROOT / ".sieveline") as generator:
        compared = compare(items, config, generator, context)
    print(f"judge {config.model}: {json.dumps(compared.facts)}")
    verdicts = dict(compared.verdicts.select("item_id", "verdict").iter_rows())
    points = {"a": (1.0, 0.0), "b": (0.0, 1.0)}
    return [points.get(verdicts[pair.pair_id], (0.5, 0.5))[pair.right] for pair in pairs]


def line(name: str, right: Sequence[float], prompts: Sequence[str], shorter: Sequence[bool] | None = None) -> str:
    """A row of the table: agreement with its interval, and on the pairs whose better answer is the shorter."""
    numbers = {prompt: at for at, prompt in enumerate(dict.fromkeys(prompts))}
    found = share(right, [numbers[prompt] for prompt in prompts])
    against = [one for one, is_shorter in zip(right, shorter, strict=True) if is_shorter] if shorter is not None else []
    told = f"{np.mean(against):.3f} ({len(against)})" if against else ""
    interval = f"{found['low']:.3f} to {found['high']:.3f}"
    return f"| {name} | {len(right)} ({len(numbers)}) | {found['value']:.3f} | {interval} | {told} |"


def share(points: Sequence[float], groups: Sequence[int]) -> Figure:
    """The mean of points that are multiples of a half, with its interval over prompts."""
    draws = Draws(np.array(groups), 0, RESAMPLES)
    return draws.figure(mean(draws.sums([np.array([round(2 * one) for one in points])]), 1) / 2)


def rows(name: str, points: Sequence[float], pairs: Sequence[Pair], at: Sequence[int] | None = None) -> str:
    """A row of pairs, or of those among them at some places."""
    chosen = range(len(pairs)) if at is None else at
    shorter = [len(pairs[i].answers[pairs[i].right]) < len(pairs[i].answers[1 - pairs[i].right]) for i in chosen]
    return line(name, [points[i] for i in chosen], [pairs[i].prompt_id for i in chosen], shorter)


def judge_rows(wanted: argparse.Namespace, pairs: Sequence[Pair]) -> list[str]:
    """The judge, and length on the same pairs."""
    served = {"engine": "vllm"} if wanted.judge == "vllm" else {"engine": "openai", "base_url": wanted.judge}
    engine = {"model": wanted.judge_model, "max_tokens": 128, "max_failed": 1.0, **served}
    with TemporaryDirectory() as home:
        right = judged(pairs, engine, Context(home=Path(home)))
    told = f"judge {wanted.judge_model}, both orders"
    return [rows(told, right, pairs), rows("longer answer, the same pairs", lengths(pairs), pairs)]


def main(arguments: Sequence[str] = ()) -> None:
    """Print what was left out and the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.agreement")
    parser.add_argument("--judge", help="base URL of a server, or vllm for the engine of this machine")
    parser.add_argument("--judge-model", default="smollm2-135m-instruct")
    parser.add_argument("--judge-pairs", type=int, default=0, help="so many prompts, a pair each; 0: all pairs")
    wanted = parser.parse_args(arguments)
    records = json.loads((DATA / FILE).read_text(encoding="utf-8"))
    trained = data.pandalm(DATA, 0).pairs
    pairs, left_out = read(records, {pair.prompt[0]["content"] or "": pair.part != "held_out" for pair in trained})
    print(f"{len(records)} records; left out: {dict(left_out)}")
    unseen = [at for at, pair in enumerate(pairs) if not pair.seen]
    reward, length = rewards(pairs, ROOT / ".sieveline"), lengths(pairs)
    gain = [one - other for one, other in zip(reward, length, strict=True)]
    table = [
        line("one annotator, where the two others agree", *annotators(records)),
        rows("longer answer, all prompts", length, pairs),
        rows("longer answer, prompts not trained on", length, pairs, unseen),
        rows("starter-reward, prompts not trained on", reward, pairs, unseen),
        rows("starter-reward minus longer answer", gain, pairs, unseen),
        *(judge_rows(wanted, sample(pairs, wanted.judge_pairs)) if wanted.judge else []),
    ]
    print("| | pairs (prompts) | agreement | 95 % interval | where the shorter is better |")
    print("|---|---:|---:|---:|---:|")
    print("\n".join(table))


def sample(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """One pair a prompt for `most` prompts, drawn by digest; all pairs where it is 0."""
    if not most:
        return list(pairs)
    one = {pair.prompt_id: pair for pair in reversed(pairs)}
    return [one[name] for name in sorted(one, key=sha256_value)[:most]]


if __name__ == "__main__":
    main(sys.argv[1:])
