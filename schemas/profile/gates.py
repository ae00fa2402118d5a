"""Thresholds that stop a run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.profile.section import Section

# `critical` stops a run; `warning` and `info` are told in the log, the report and the Data Docs.
Severity = Literal["critical", "warning", "info"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class BiasLimits(Section):
    """Limits on figures of the bias panel; one that is not set is not checked.

    A figure is an estimate, so a limit is broken only where the whole 95 % interval lies beyond it: a small sample
    does not fail by chance. docs/bias.md says what each figure is.
    """

    max_chosen_longer: float | None = Field(default=None, gt=0.0, lt=1.0, description="share of pairs")
    max_length_accuracy: float | None = Field(
        default=None, gt=0.0, lt=1.0, description="how often the longer answer is the chosen one, equal lengths as half"
    )
    max_cohens_d: float | None = Field(
        default=None, gt=0.0, description="size of d_s, either way, of length and of each count of the format"
    )
    max_cut_candidates: float | None = Field(
        default=None, ge=0.0, lt=1.0, description="share of the candidates that ended at max_tokens"
    )
    min_scorer_agreement: float | None = Field(
        default=None, gt=0.0, le=1.0, description="share of pairs whose order each scorer agrees with, ties aside"
    )


class Shares(Section):
    """Limits on shares of the curated set and of the pairs; one that is not set is not checked."""

    severity: Severity = "warning"
    max_refusals: Share | None = Field(default=0.05, description="share of answers that refuse in full")
    max_chosen_refusals: Share | None = Field(
        default=0.2, description="share of pairs whose chosen answer refuses in full where the rejected one does not"
    )
    max_repeated_prompts: Share | None = Field(
        default=0.2, description="share of rows whose prompt another row has as well"
    )
    max_source: Share | None = Field(default=None, description="share of the rows that come from the largest source")
    min_languages: dict[str, Share] = Field(default={}, description="least share by language code, such as ko = 0.1")


class DriftLimits(Section):
    """Limits on how far a set may be from the version of it that was published last.

    A PSI up to 0.10 is read as no change, beyond 0.25 as a large one (Siddiqi, Credit Risk Scorecards, 2006). What two
    samples of these sizes show by chance is taken off first; docs/gates.md says how.
    """

    severity: Severity = "warning"
    max_psi: float | None = Field(
        default=0.25, gt=0.0, description="population stability index of lengths, languages, sources and rewards"
    )
    max_ks: float | None = Field(
        default=None, gt=0.0, le=1.0, description="Kolmogorov-Smirnov statistic of lengths and rewards"
    )


class Gates(Section):
    """Thresholds of the gates on the ingested rows, the curated set, the scores and what is made of them.

    `max_unscored` is of the candidates that have a text. A judge that tossed a coin twice would contradict itself in
    half of the pairs, so at `max_judge_flips` it tells nothing.
    """

    min_rows: int = Field(default=1, ge=1)
    min_candidates: int = Field(default=1, ge=0)
    min_samples: int = Field(default=1, ge=0, description="rows of the rejection-sampling set")
    min_pairs: int = Field(default=1, ge=0)
    max_unscored: float = Field(
        default=0.05, ge=0.0, le=1.0, description="share of candidates for which no scorer gave a number"
    )
    max_judge_flips: float = Field(
        default=0.5, ge=0.0, le=1.0, description="share of pairs on which a judge contradicts itself in the other order"
    )
    held_out: str | None = Field(default=None, description="file or folder of rows that must not be trained on")
    held_out_threshold: float = Field(
        default=0.8, ge=0.3, le=1.0, description="Jaccard similarity from which on two prompts are one"
    )
    bias: BiasLimits = BiasLimits()
    shares: Shares = Shares()
    drift: DriftLimits = DriftLimits()
