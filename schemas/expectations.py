"""What each table must be, as plain data. The library that checks it is behind one module elsewhere.

Expectations speak of derived columns (lengths, booleans, ids), never of texts, so that no row's text can reach a
result page. A suite that could pass on an empty table or on nulls would be no gate: every suite states a row count
and that what it measures is not null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.profile.gates import Gates
from schemas.profile.preference import Preference

Place = Literal["ingested", "curated", "scored", "rejection_sampling", "pairs"]


class Expectation(BaseModel):
    """One named expectation. `kind` says how `column`, `low` and `high` are read.

    `between` is of each value, `mean` of the column's mean: with a boolean or constant column, a share.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    description: str
    kind: Literal["row_count", "unique", "not_null", "true", "between", "mean"]
    column: str | None = None
    low: float | None = None
    high: float | None = None


class Suite(BaseModel):
    """The expectations of one place in the pipeline; `key` is the id column to look failing rows up by."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    place: Place
    key: str
    expectations: tuple[Expectation, ...]


def _count(low: int) -> Expectation:
    return Expectation(name="row_count", description=f"at least {low:,} rows", kind="row_count", low=low)


def _unique(column: str) -> Expectation:
    return Expectation(name=f"{column}_unique", description=f"no {column} twice", kind="unique", column=column)


def _present(column: str) -> Expectation:
    return Expectation(name=f"{column}_present", description=f"{column} is never null", kind="not_null", column=column)


def _true(column: str, description: str) -> Expectation:
    return Expectation(name=column, description=description, kind="true", column=column)


def _share(column: str, description: str, high: float) -> Expectation:
    return Expectation(
        name=column, description=f"{description}, at most {high:g}", kind="mean", column=column, high=high
    )


def _not_held_out(gates: Gates) -> tuple[Expectation, ...]:
    """Nothing where the profile names no held-out set."""
    if gates.held_out is None:
        return ()
    near = f"no prompt is in a cluster of near duplicates ({gates.held_out_threshold:g}) with a held-out one"
    return (
        _true("prompt_not_held_out", "no prompt_id is that of a held-out prompt"),
        _true("text_not_held_out", "no prompt's text is that of a held-out prompt after normalisation"),
        _true("near_not_held_out", near),
    )


_OF_THE_RUN = (
    _true("row_resolves", "row_id is that of a row of this run"),
    _true("prompt_id_matches", "prompt_id is the digest of the prompt"),
)


def ingested(gates: Gates) -> Suite:
    """Rows as read: ids unique, roles legal, content present."""
    return Suite(
        place="ingested",
        key="row_id",
        expectations=(
            _count(gates.min_rows),
            _unique("row_id"),
            _present("row_id"),
            _present("prompt_id"),
            _present("source"),
            _true("has_messages", "every row has at least one message"),
            _true("roles_legal", "every role is system, user, assistant or tool"),
            _true("contents_present", "no message's content is null"),
        ),
    )


def curated(gates: Gates) -> Suite:
    """The curated set: trainable conversations, nothing empty, nothing held out."""
    return Suite(
        place="curated",
        key="row_id",
        expectations=(
            _count(gates.min_rows),
            _unique("row_id"),
            _present("row_id"),
            _present("prompt_id"),
            _true("roles_legal", "every role is system, user, assistant or tool"),
            _true("turns_alternate", "system first if at all; no user after user, no assistant after assistant"),
            _true("ends_with_assistant", "the last message is the assistant's"),
            _true("prompt_not_empty", "the prompt has visible text"),
            _true("response_not_empty", "the response has visible text, or calls a tool"),
            _true("prompt_id_matches", "prompt_id is the digest of the row's own prompt"),
            *_not_held_out(gates),
        ),
    )


def scored(gates: Gates, judges: Sequence[str] = ()) -> Suite:
    """Candidates with rewards: numbers or nothing, few left without one, judges that do not contradict themselves.

    `judges` are the scorers that were asked in both orders.
    """
    flips = "share of pairs on which the judge contradicts itself when the order is swapped"
    return Suite(
        place="scored",
        key="completion_id",
        expectations=(
            _count(gates.min_candidates),
            _unique("completion_id"),
            _present("completion_id"),
            _present("prompt_id"),
            *_OF_THE_RUN,
            _true("origin_legal", "origin is on_policy, off_policy or given"),
            _true("reward_finite", "reward is a finite number, or null"),
            _true("rewards_finite", "what each scorer says is a finite number, or null"),
            _true("abstention_without_reward", "where the scorers abstain there is no reward"),
            _share("unscored", "share of candidates with a text that got no number", gates.max_unscored),
            *(_share(f"flips_{name}", f"{name}: {flips}", gates.max_judge_flips) for name in judges),
        ),
    )


def rejection_sampling(gates: Gates) -> Suite:
    """The rejection-sampling set: finished answers of this run, word for word, with the reward they got."""
    return Suite(
        place="rejection_sampling",
        key="completion_id",
        expectations=(
            _count(gates.min_samples),
            _unique("completion_id"),
            _present("completion_id"),
            *_OF_THE_RUN,
            _true("answer_resolves", "completion_id is a completion of this run, of this prompt and with this text"),
            _true("answer_finished", "the completion ended by itself"),
            _true("answer_not_empty", "the answer has visible text"),
            _true("no_control_token", "no answer holds a control token of a chat template"),
            _true("reward_matches", "the reward is the one in the scored table"),
            *_not_held_out(gates),
        ),
    )


def _scores(preference: Preference) -> Expectation:
    """Where pairs go by something that was made of the reward, or by a check, by what is told beside them."""
    missing = "a person's verdict needs none"
    if preference.length_control == "residualise" or preference.policy == "verified":
        return _true("scores_as_paired", f"both scores are those that the pairs went by; {missing}")
    return _true("scores_match", f"both scores are the rewards in the scored table; {missing}")


def pairs(gates: Gates, preference: Preference, *, truncated: bool = False) -> Suite:
    """Preference pairs: two different answers of this run to one prompt, with the scores and the margin they got.

    `truncated`: the gate is given what the trainer will see of the answers. Scores and margins are asked of pairs made
    by reward; pairs that a person made may have none.
    """
    seen = "chosen and rejected differ in what the trainer sees of them"
    return Suite(
        place="pairs",
        key="pair_id",
        expectations=(
            _count(gates.min_pairs),
            _unique("pair_id"),
            _present("pair_id"),
            _present("prompt_id"),
            *_OF_THE_RUN,
            _true("label_legal", "label is reward, human or given"),
            _true("answers_single", "chosen and rejected are one assistant message each"),
            _true("chosen_resolves", "chosen_id is a completion of this run, of this prompt and with this text"),
            _true("rejected_resolves", "rejected_id is a completion of this run, of this prompt and with this text"),
            _true("texts_differ", "chosen and rejected differ as they stand"),
            _true("answers_differ", "chosen and rejected differ after normalisation"),
            *((_true("seen_answers_differ", seen),) if truncated else ()),
            _true("not_contradicted", "no other pair has the same two answers the other way round"),
            _true("answers_not_empty", "chosen and rejected have visible text"),
            _true("no_control_token", "no answer holds a control token of a chat template"),
            _true("scores_finite", "both scores are finite numbers; without a reward as label they may be null"),
            _scores(preference),
            _true("margin_is_difference", "margin is score_chosen minus score_rejected, null where one of them is"),
            Expectation(
                name="margin_at_least",
                description=f"every margin by reward is at least {preference.min_margin:g}",
                kind="between",
                column="margin_by_reward",
                low=preference.min_margin,
            ),
            *_not_held_out(gates),
        ),
    )
