"""The pipeline's own scorers as the reward of online training: what is climbed is what the curation scores with.

Scorers of role `reward` make the reward, put together as in `curation.scoring` where there are several. Those of role
`monitor` are logged beside it as `held_out/<name>`, each the mean over a step's answers, and train nothing: a second
opinion that shows when the first is being gamed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curation.scoring.engines import make_scorer, release
from curation.scoring.ensemble.stored import Calibration, load
from curation.scoring.ensemble.together import put_together
from curation.scoring.protocol import Item, Scorer
from curation.stage import Context
from curation.store import Store
from schemas.errors import UsageError
from schemas.profile.scoring import AnyScorer, Scoring
from schemas.records import Message

HELD_OUT = "held_out/"


class Rewards:
    """A reward function in TRL's sense. Nothing heavy is loaded before the first answers are scored; `close` gives back
    what the scorers hold.

    Raises UsageError for scorers that cannot score an answer that is new: the score that came with the data, and an
    ensemble whose calibration is that of a run's completions.
    """

    __name__ = "scoring"

    def __init__(self, scoring: Scoring, context: Context) -> None:
        entries = scoring.entries()
        given = [entry.name for entry in entries if entry.kind == "given"]
        if given:
            raise UsageError(
                f"the scorer {given[0]!r} is the score that came with the data; an answer sampled now has none",
                hint="leave it out of scoring.scorers for online training",
            )
        self.monitors = [entry for entry in entries if entry.role == "monitor"]
        self._rewarding = [entry for entry in entries if entry.role == "reward"]
        self._ensemble = scoring.ensemble
        self._scorers: dict[str, Scorer] = {entry.name: make_scorer(entry, context) for entry in entries}
        self.identities = {name: scorer.identity() for name, scorer in self._scorers.items()}
        self._calibration = self._fixed_calibration(context.home)

    def fingerprint(self) -> dict[str, Any]:
        """Everything that shapes a reward."""
        return {
            "scorers": [
                entry.model_dump(mode="json", include={"name", "role", "required", "weight"})
                | {"engine": self.identities[entry.name]}
                for entry in (*self._rewarding, *self.monitors)
            ],
            "ensemble": self._ensemble.model_dump(mode="json", exclude={"reference"}),
            "calibration": self._calibration.digest if self._calibration else None,
        }

    def __call__(
        self,
        prompts: Sequence[Sequence[Message]],
        completions: Sequence[Sequence[Message]],
        prompt_id: Sequence[str],
        reference: Sequence[str | None],
        metadata: Sequence[str | None],
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float | None]:
        """A reward an answer, in order; None where the scorers have none or abstain, which moves nothing.

        All lists are of one length: the answers of a batch, each with its prompt.
        """
        rows = zip(prompts, completions, prompt_id, reference, metadata, strict=True)
        items = [
            Item(f"{at:08d}", [*map(_message, prompt), *map(_message, completion)], of, answer, beside)
            for at, (prompt, completion, of, answer, beside) in enumerate(rows)
        ]
        table = pl.DataFrame({"completion_id": [item.completion_id for item in items], "prompt_id": list(prompt_id)})
        table = table.with_columns(
            pl.Series(entry.column, self._numbers(entry, items), pl.Float64)
            for entry in (*self._rewarding, *self.monitors)
        )
        for entry in self.monitors:
            mean = table[entry.column].mean()
            if isinstance(mean, float):
                log_metric(HELD_OUT + entry.name, mean)
        made = put_together(table, self._rewarding, self._ensemble, self._calibration)["reward"]
        log_metric("unscored", made.null_count() / len(made))
        return made.to_list()

    def close(self) -> None:
        """Let go of the scorers."""
        for name in list(self._scorers):
            release(self._scorers, name)

    def _numbers(self, entry: AnyScorer, items: Sequence[Item]) -> list[float | None]:
        """A finite number or None an item, in order."""
        scorer = self._scorers[entry.name]
        scores = [score.finite() for batch in scorer.batches(items) for score in scorer.score(batch)]
        found = {score.completion_id: score.reward for score in scores}
        return [found[item.completion_id] for item in items]

    def _fixed_calibration(self, home: Path) -> Calibration | None:
        if len(self._rewarding) < 2 or not self._ensemble.calibrated:
            return None
        if self._ensemble.reference == "run":
            raise UsageError(
                "several scorers are put together by a calibration on the run's own completions, which online training "
                "does not have: its reward would move with the policy",
                hint="set scoring.ensemble.reference to the calibration that an earlier run stored, or combine to vote",
            )
        found = load(Store(home / "store"), self._ensemble.reference)
        rewarding: Mapping[str, Any] = {entry.name: self.identities[entry.name] for entry in self._rewarding}
        found.check(self._ensemble.calibration, rewarding)
        return found


def _message(message: Message) -> Message:
    return {"role": message["role"], "content": message["content"], "extra": None}
