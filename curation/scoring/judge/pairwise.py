"""A score for each candidate of a prompt from comparisons with the others, each made in both orders.

    score = (wins + ties / 2) / comparisons

the share of wins: ranking by it is optimal up to constants under far weaker conditions than a fitted model needs, and
does not diverge where a candidate wins all (Shah and Wainwright 2018, JMLR 18(199), arXiv 1512.08949; it is Copeland's
rule where each meets each). A win is one in both orders. Where the orders differ the comparison counts as a tie, as
with Zheng et al. (2023, arXiv 2306.05685, section 3.4); where a reply was no verdict it does not count. A candidate of
which no comparison was settled in both orders has no score: a judge that only goes by the position abstains from all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from curation.generation.protocol import Generator
from curation.scoring.judge import compare
from curation.scoring.judge.asker import Asker
from curation.scoring.judge.compare import Both, CompareConfig
from curation.scoring.judge.replies import WINNERS, Choice
from curation.scoring.judge.schedule import all_pairs, some_rounds
from curation.scoring.protocol import Item, Score
from curation.stage import Context
from schemas.records import prompt_id_of

ALONE: Final = "no_other_candidate"
INCONSISTENT: Final = "judge_inconsistent"
# What a comparison is to a candidate, and its points; anything else is a reason why it is nothing.
_POINTS: Final[Mapping[str, float]] = {"won": 1.0, "tie": 0.5, "unsettled": 0.5, "lost": 0.0}
_CHOICES: Final[Mapping[str, Choice]] = {winner: Choice(winner) for winner in WINNERS}
_SETTLED: Final[Mapping[str | None, tuple[str, str]]] = {
    "a": ("won", "lost"),
    "b": ("lost", "won"),
    "tie": ("tie", "tie"),
}


class PairwiseJudge(Asker):
    """Share of wins among the candidates of a prompt, between 0 and 1."""

    whole_groups = True

    def __init__(self, config: CompareConfig, max_all_pairs: int, rounds: int, context: Context) -> None:
        super().__init__(config, context)
        self._config, self._max_all_pairs, self._rounds = config, max_all_pairs, rounds

    def identity(self) -> dict[str, Any]:
        """What shapes a score."""
        return self._identity("pairwise") | {
            "criterion": self._config.criterion,
            "max_all_pairs": self._max_all_pairs,
            "rounds": self._rounds,
        }

    def facts(self, scores: Sequence[Score]) -> dict[str, Any]:
        """Pairs, how many of them had a verdict in both orders, and `order_facts` of them: consistency, position."""
        read = [_recalled(noted) for score in scores for noted in (score.note or {}).get("pairs", [])]
        verdicts = [both.verdict for both in read if both is not None]
        return {"pairs": len(read), "not_judged": verdicts.count(None), **compare.order_facts(read)}

    def _score(self, batch: Sequence[Item], generator: Generator) -> list[Score]:
        groups: dict[str, list[Item]] = {}
        for item in batch:
            groups.setdefault(prompt_id_of(item.messages[:-1]), []).append(item)
        met = [
            (group[one], group[other])
            for group in groups.values()
            for one, other in self._schedule([_text(item) for item in group])
        ]
        pairs = [compare.Item(f"{at:09d}", a.messages[:-1], _text(a), _text(b)) for at, (a, b) in enumerate(met)]
        read = compare.both_orders(pairs, self._config, generator, self._context)
        results: dict[str, list[str]] = {item.completion_id: [] for item in batch}
        notes: dict[str, list[Any]] = {item.completion_id: [] for item in batch}
        for (a, b), pair in zip(met, pairs, strict=True):
            both = read[pair.item_id]
            notes[a.completion_id].append(_noted(both))
            for candidate, result in zip((a, b), _results(both), strict=True):
                results[candidate.completion_id].append(result)
        return [_share(name, found, {"pairs": notes[name]}) for name, found in results.items()]

    def _schedule(self, texts: Sequence[str]) -> list[tuple[int, int]]:
        if len(texts) <= self._max_all_pairs:
            return all_pairs(len(texts))
        return some_rounds(texts, self._rounds, self._context.seed)


def _text(item: Item) -> str:
    return item.messages[-1]["content"] or ""


def _results(both: Both | None) -> tuple[str, str]:
    """What a comparison is to its first and its second candidate; a reason where there is no verdict."""
    if both is None:
        return "tie", "tie"
    if both.reason is not None:
        return both.reason, both.reason
    return _SETTLED.get(both.verdict, ("unsettled", "unsettled"))


def _share(name: str, results: Sequence[str], note: Mapping[str, Any]) -> Score:
    points = [_POINTS[result] for result in results if result in _POINTS]
    if any(result in ("won", "lost", "tie") for result in results):
        return Score(name, sum(points) / len(points), note=note)
    return Score(name, None, INCONSISTENT if points else next(iter(results), ALONE), note=note)


def _noted(both: Both | None) -> list[str] | None:
    """A comparison in a score's note: a winner by position or a reason, for both orders; None where texts are equal."""
    return None if both is None else [str(choice.winner or choice.reason) for choice in both]


def _recalled(noted: Sequence[str] | None) -> Both | None:
    if noted is None:
        return None
    first, second = (_CHOICES.get(word, Choice(None, word)) for word in noted)
    return Both(first, second)
