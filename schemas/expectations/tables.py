"""The suites of the five tables of a run, made of the tables' schemas and the profile's thresholds."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.expectations.expectation import (
    Expectation,
    Suite,
    alternating,
    count,
    of_schema,
    present,
    share,
    true,
    unique,
)
from schemas.expectations.shares import drift, pair_shares, row_shares
from schemas.profile.gates import Gates
from schemas.profile.preference import Preference


def _not_held_out(gates: Gates) -> tuple[Expectation, ...]:
    """Nothing where the profile names no held-out set."""
    if gates.held_out is None:
        return ()
    near = f"no prompt is in a cluster of near duplicates ({gates.held_out_threshold:g}) with a held-out one"
    return (
        true("prompt_not_held_out", "no prompt_id is that of a held-out prompt"),
        true("text_not_held_out", "no prompt's text is that of a held-out prompt after normalisation"),
        true("near_not_held_out", near),
    )


_OF_THE_RUN = (
    true("row_resolves", "row_id is that of a row of this run"),
    true("prompt_id_matches", "prompt_id is the digest of the prompt"),
)


def ingested(gates: Gates) -> Suite:
    """Rows as read: ids unique, roles legal, content present."""
    return Suite(
        place="ingested",
        key="row_id",
        expectations=(
            *of_schema("row_id", ("prompt_id", "source"), gates.min_rows),
            true("has_messages", "every row has at least one message"),
            true("roles_legal", "every role is system, user, assistant or tool"),
            true("contents_present", "no message's content is null"),
        ),
    )


def curated(gates: Gates) -> Suite:
    """The curated set: trainable conversations, nothing empty, nothing held out."""
    return Suite(
        place="curated",
        key="row_id",
        expectations=(
            *of_schema("row_id", ("prompt_id", "source"), gates.min_rows),
            true("roles_legal", "every role is system, user, assistant or tool"),
            alternating(),
            true("ends_with_assistant", "the last message is the assistant's"),
            true("prompt_not_empty", "the prompt has visible text"),
            true("response_not_empty", "the response has visible text, or calls a tool"),
            true("prompt_id_matches", "prompt_id is the digest of the row's own prompt"),
            *_not_held_out(gates),
            *row_shares(gates.shares),
            *drift("curated", gates.drift),
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
            *of_schema("completion_id", ("prompt_id",), gates.min_candidates),
            *_OF_THE_RUN,
            true("origin_legal", "origin is on_policy, off_policy or given"),
            true("reward_finite", "reward is a finite number, or null"),
            true("rewards_finite", "what each scorer says is a finite number, or null"),
            true("abstention_without_reward", "where the scorers abstain there is no reward"),
            share("unscored", "share of candidates with a text that got no number", gates.max_unscored),
            *(share(f"flips_{name}", f"{name}: {flips}", gates.max_judge_flips) for name in judges),
        ),
    )


def rejection_sampling(gates: Gates) -> Suite:
    """The rejection-sampling set: finished answers of this run, word for word, with the reward they got."""
    return Suite(
        place="rejection_sampling",
        key="completion_id",
        expectations=(
            count(gates.min_samples),
            unique("completion_id"),
            present("completion_id"),
            *_OF_THE_RUN,
            true("answer_resolves", "completion_id is a completion of this run, of this prompt and with this text"),
            true("answer_finished", "the completion ended by itself"),
            true("answer_not_empty", "the answer has visible text"),
            true("no_control_token", "no answer holds a control token of a chat template"),
            true("reward_matches", "the reward is the one in the scored table"),
            *_not_held_out(gates),
            *drift("rejection_sampling", gates.drift),
        ),
    )


def _scores(preference: Preference) -> Expectation:
    """Where pairs go by something that was made of the reward, or by a check, by what is told beside them."""
    missing = "a person's verdict needs none"
    if preference.length_control == "residualise" or preference.policy == "verified":
        return true("scores_as_paired", f"both scores are those that the pairs went by; {missing}")
    return true("scores_match", f"both scores are the rewards in the scored table; {missing}")


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
            *of_schema("pair_id", ("prompt_id",), gates.min_pairs),
            *_OF_THE_RUN,
            true("label_legal", "label is reward, human or given"),
            true("answers_single", "chosen and rejected are one assistant message each"),
            true("chosen_resolves", "chosen_id is a completion of this run, of this prompt and with this text"),
            true("rejected_resolves", "rejected_id is a completion of this run, of this prompt and with this text"),
            true("texts_differ", "chosen and rejected differ as they stand"),
            true("answers_differ", "chosen and rejected differ after normalisation"),
            *((true("seen_answers_differ", seen),) if truncated else ()),
            true("not_contradicted", "no other pair has the same two answers the other way round"),
            true("answers_not_empty", "chosen and rejected have visible text"),
            true("no_control_token", "no answer holds a control token of a chat template"),
            true("scores_finite", "both scores are finite numbers; without a reward as label they may be null"),
            _scores(preference),
            true("margin_is_difference", "margin is score_chosen minus score_rejected, null where one of them is"),
            Expectation(
                name="margin_at_least",
                description=f"every margin by reward is at least {preference.min_margin:g}",
                kind="margin",
                column="margin_by_reward",
                low=preference.min_margin,
            ),
            *_not_held_out(gates),
            *pair_shares(gates.shares),
            *drift("pairs", gates.drift),
        ),
    )
