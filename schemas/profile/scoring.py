"""How candidates are scored: one reward model, or several scorers and how they are put together."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from schemas.profile.judging import Judging
from schemas.profile.section import Section
from schemas.profile.verifiable import AnyRule

ScoringEngine = Literal["transformers", "vllm"]
Role = Literal["reward", "monitor"]


class ScorerEntry(Section):
    """What every scorer has. Its column is `reward_<name>`.

    `role` is `reward` for what takes part in the reward, and `monitor` for a column that is only looked at, which drops
    nothing. `required`: a completion that it cannot score is dropped; where it is not, its number is null there.
    """

    name: str = Field(default="", pattern=r"^[a-z][a-z0-9_]*$", description="default: from kind and model")
    weight: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    required: bool = True
    role: Role = "reward"

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("name"):
            return given | {"name": cls.default_name(given)}
        return given

    @classmethod
    def default_name(cls, given: dict[str, Any]) -> str:
        """A name from what the entry says."""
        return str(cls.model_fields["kind"].default)

    @property
    def column(self) -> str:
        """The name of its column."""
        return f"reward_{self.name}"

    @property
    def unit(self) -> str:
        """What its numbers are in. Those of two scorers of one unit may be put together as they are."""
        return str(type(self).model_fields["kind"].default)


class RewardModel(ScorerEntry):
    """Any sequence-classification model with one label: the raw logit. `model`: packaged, a folder or a Hub id."""

    kind: Literal["reward_model"] = "reward_model"
    engine: ScoringEngine = "transformers"
    model: str = Field(default="starter-reward", min_length=1)
    revision: str | None = Field(default=None, description="of a Hub id")
    batch_size: int = Field(default=16, gt=0)
    max_length: int = Field(default=512, gt=0, description="most tokens of a conversation, cut beyond them")

    @classmethod
    def default_name(cls, given: dict[str, Any]) -> str:
        """The last part of the model's name."""
        return as_name(str(given.get("model") or "starter-reward").rstrip("/").rsplit("/", 1)[-1], "reward_model")


class Judge(ScorerEntry, Judging):
    """A language model that rates an answer on a rubric, or that compares the candidates of a prompt in both orders.

    The engine's keys are those of the stage `scoring.judge`.
    """

    kind: Literal["judge"] = "judge"
    mode: Literal["pointwise", "pairwise"] = "pointwise"
    rubric: str = Field(default="helpfulness", description="mode pointwise: a built-in rubric or a TOML file")
    samples: int = Field(default=1, ge=1, description="mode pointwise: replies whose mean is the score")
    criterion: str | None = Field(default=None, min_length=1, description="mode pairwise: what the judge goes by")
    max_all_pairs: int = Field(
        default=8, ge=2, description="mode pairwise: candidates of a prompt up to which each meets each"
    )
    rounds: int = Field(default=4, ge=2, description="mode pairwise: comparisons of a candidate where there are more")

    @model_validator(mode="after")
    def _of_one_mode(self) -> Self:
        if self.mode == "pairwise" and (self.samples > 1 or self.rubric != "helpfulness"):
            raise ValueError("rubric and samples are for mode pointwise")
        pairwise = ("criterion", "max_all_pairs", "rounds")
        idle = [name for name in pairwise if getattr(self, name) != Judge.model_fields[name].default]
        if self.mode == "pointwise" and idle:
            raise ValueError(f"{', '.join(idle)} would do nothing in mode pointwise")
        if self.samples > 1 and self.temperature == 0.0:
            raise ValueError("several samples at temperature 0 are one sample: set temperature, or samples = 1")
        if self.rounds > self.max_all_pairs:
            raise ValueError("rounds is more than max_all_pairs: there are not that many others to meet")
        return self

    @property
    def unit(self) -> str:
        """Points on the rubric's scale, or a share of wins."""
        return f"points of {self.rubric}" if self.mode == "pointwise" else "share of wins"

    @classmethod
    def default_name(cls, given: dict[str, Any]) -> str:
        """By rubric or mode."""
        if given.get("mode") == "pairwise":
            return "judge_pairwise"
        stem = str(given.get("rubric") or "helpfulness").rsplit("/", 1)[-1].removesuffix(".toml")
        return as_name(f"judge_{stem}", "judge")


class Verifiable(ScorerEntry):
    """A rule that an answer keeps or breaks; `options` are those of the rule in `schemas.profile.verifiable`."""

    kind: Literal["verifiable"] = "verifiable"
    rule: Literal["numeric", "pattern", "json", "constraints", "code"]
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_options(self) -> Self:
        try:
            TypeAdapter(AnyRule).validate_python({**self.options, "rule": self.rule})
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
            raise ValueError(f"the options of rule {self.rule} cannot be used: {told}") from None
        return self

    @classmethod
    def default_name(cls, given: dict[str, Any]) -> str:
        """By rule."""
        return as_name(str(given.get("rule") or "verifiable"), "verifiable")


class Length(ScorerEntry):
    """The length of an answer: what a reward has to beat.

    `count`: `words` are English words' worth of letters, in which a text and its Korean translation are equally long.
    """

    kind: Literal["length"] = "length"
    count: Literal["characters", "words"] = "characters"

    @property
    def unit(self) -> str:
        """What is counted."""
        return self.count


class Format(ScorerEntry):
    """The marks of layout in an answer (lists, headings, bold, code): what a reward has to beat."""

    kind: Literal["format"] = "format"


class Given(ScorerEntry):
    """The score that came with the data."""

    kind: Literal["given"] = "given"


AnyScorer = Annotated[RewardModel | Judge | Verifiable | Length | Format | Given, Field(discriminator="kind")]


class Ensemble(Section):
    """How the scorers of role `reward` become one number, where there are several (docs/ensembles.md).

    `calibration` brings their numbers to one unit by a reference: `run`, the completions of this run, or the key or
    file of a calibration that an earlier run stored. A vote needs none: it goes by ranks within a prompt.
    """

    model_config = ConfigDict(populate_by_name=True)

    combine: Literal["mean", "mean_minus_sigma", "worst", "vote"] = "mean"
    lambda_: float = Field(default=1.0, gt=0.0, alias="lambda", allow_inf_nan=False)
    calibration: Literal["none", "rank", "robust_z"] = "rank"
    reference: str = Field(default="run", min_length=1)
    max_disagreement: float | None = Field(default=None, gt=0.0, description="standard deviation of the scorers")

    @model_validator(mode="after")
    def _of_use(self) -> Self:
        if self.combine != "mean_minus_sigma" and self.lambda_ != 1.0:
            raise ValueError(f"lambda is for combine mean_minus_sigma, and combine is {self.combine}")
        if self.combine == "vote" and (self.calibration != "rank" or self.reference != "run"):
            raise ValueError("a vote goes by ranks within a prompt: leave out calibration and reference")
        if self.calibration == "none" and self.reference != "run":
            raise ValueError("calibration none has no reference")
        return self

    @property
    def calibrated(self) -> bool:
        """Whether numbers are brought to one unit before they are put together."""
        return self.combine != "vote" and self.calibration != "none"


class Scoring(Section):
    """One reward model, named here, or several `scorers`; then they alone count."""

    engine: ScoringEngine = "transformers"
    model: str = "starter-reward"
    batch_size: int = Field(default=16, gt=0)
    max_length: int = Field(default=512, gt=0)
    scorers: tuple[AnyScorer, ...] = ()
    ensemble: Ensemble = Ensemble()

    @model_validator(mode="after")
    def _usable(self) -> Self:
        flat = ("engine", "model", "batch_size", "max_length")
        idle = [name for name in flat if getattr(self, name) != Scoring.model_fields[name].default]
        if self.scorers and idle:
            raise ValueError(f"{', '.join(idle)} would do nothing beside scorers: say it in an entry of them")
        names = Counter(entry.name for entry in self.entries())
        twice = sorted(name for name, count in names.items() if count > 1)
        if twice:
            raise ValueError(f"two scorers have the name {twice[0]!r}: set name")
        if "truncated" in names:
            raise ValueError("a scorer cannot have the name 'truncated': the column reward_truncated is another thing")
        if any(entry.role == "monitor" and (entry.weight != 1.0 or not entry.required) for entry in self.scorers):
            raise ValueError("a monitor has no weight and is never required: leave out both")
        rewarding = [entry for entry in self.entries() if entry.role == "reward"]
        if not rewarding:
            raise ValueError("no scorer has the role reward: there would be no reward")
        if len(rewarding) > 1:
            self._combinable(rewarding)
        elif self.ensemble != Ensemble() or rewarding[0].weight != 1.0:
            raise ValueError("an ensemble and a weight need two scorers of role reward, and there is one")
        return self

    def _combinable(self, rewarding: list[AnyScorer]) -> None:
        chosen = self.ensemble
        units = sorted({entry.unit for entry in rewarding})
        if chosen.combine != "vote" and not chosen.calibrated and len(units) > 1:
            raise ValueError(
                f"the scorers' numbers are of different kinds ({', '.join(units)}) and cannot be put together as they "
                "are: set calibration to rank or robust_z, or combine to vote"
            )
        if chosen.combine == "worst" and any(entry.weight != 1.0 for entry in rewarding):
            raise ValueError("the worst of several has no weights: leave out weight")

    def entries(self) -> tuple[AnyScorer, ...]:
        """The scorers in order; where none are listed, the one reward model named here."""
        one = RewardModel(engine=self.engine, model=self.model, batch_size=self.batch_size, max_length=self.max_length)
        return self.scorers or (one,)


def as_name(text: str, otherwise: str) -> str:
    """A text in lower case with underscores for all but letters and digits, as a scorer's name."""
    found = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return found if re.match(r"[a-z]", found) else f"{otherwise}_{found}".rstrip("_")
