"""The derived columns of a file's records: booleans by id, null where a record was refused before it could be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from curation import text
from curation.gates.files.read import Records
from curation.gates.integrity import clean
from curation.gates.measures import alternates, ends_with_assistant, roles_legal, roles_of
from curation.gates.pairs import not_contradicted
from curation.gates.shares import Measures, chosen_refusals, refuses
from curation.preference.messages import as_answer
from curation.preference.sameness import normal
from curation.text import visible
from schemas.expectations import Suite

# Readers refuse a record for the first thing that is wrong with it. Where an expectation is of just that, the record
# fails it; for any other reason it is not readable.
_FAILS: Final = {
    "unknown_role": "roles_legal",
    "role_repeated": "turns_alternate",
    "no_user_turn": "turns_alternate",
    "no_assistant_turn": "ends_with_assistant",
    "prompt_equals_response": "answer_is_not_prompt",
    "text_empty": "texts_not_empty",
    "text_invisible": "texts_not_empty",
    "empty_answer": "texts_not_empty",
    "identical_answers": "answers_differ",
    "contexts_differ": "one_prompt",
    "answer_of_several_turns": "answers_single",
    "answer_calls_tool": "answers_single",
    "verdict_against_scores": "scores_agree",
    "no_majority": "decided",
    "no_verdict": "decided",
}
_LOST: Final = "\ufffd"


def measure(suite: Suite, records: Records) -> Measures:
    """The measures that a file's suite speaks of, a row a record in the order of the ids, with reasons as details."""
    if suite.place == "preference":
        frame = _pairs(records.table)
    elif records.compared:
        frame = _rewarded(records.table)
    else:
        frame = _conversations(records.table)
    named = sorted({expectation.column for expectation in suite.expectations if expectation.column})
    refused, details = _refused(records.refused, named)
    kept = frame.with_columns(pl.lit(True).alias(name) for name in named if name not in frame.columns)
    both = pl.concat([kept.select("row_id", *named), refused])
    # A record's place in its file is the number that ends its id.
    place = pl.col("row_id").str.extract(r"(\d+)$").cast(pl.Int64)
    return Measures(both.sort(pl.col("row_id").str.replace(r"\d+$", ""), place, maintain_order=True), details)


def _refused(refused: pl.DataFrame, named: Sequence[str]) -> tuple[pl.DataFrame, dict[str, str]]:
    """Refused records with false for what they failed and null for all else, and the reasons of each column."""
    fails = {reason: name for reason, name in _FAILS.items() if name in named}
    failed = refused.with_columns(failed=pl.col("reason").replace_strict(fails, default="readable"))
    frame = failed.select(
        "row_id", *(pl.when(pl.col("failed") == name).then(pl.lit(False)).alias(name) for name in named)
    ).with_columns(readable=pl.col("readable").fill_null(True))
    counts = failed.group_by("failed", "reason").len().sort("len", "reason", descending=[True, False])
    details: dict[str, str] = {}
    for name, reason, count in counts.iter_rows():
        told = f"{reason.replace('_', ' ')}: {count:,}"
        details[name] = f"{details[name]}, {told}" if name in details else told
    return frame.select("row_id", *named), details


def _conversations(rows: pl.DataFrame) -> pl.DataFrame:
    """Measures of conversations (ROWS)."""
    roles = roles_of()
    answers = rows.select(text.response()).to_series()
    return rows.select(
        "row_id",
        roles_legal(roles),
        alternates(roles).alias("turns_alternate"),
        ends_with_assistant(roles),
        (visible(text.last_user()) & (visible(text.response()) | text.calls_tool())).alias("texts_not_empty"),
        _asked(roles.list.get(-2, null_on_oob=True)),
        clean(answers).alias("no_control_token"),
        _whole(_contents("messages")).alias("no_replacement_character"),
        _said("messages").is_first_distinct().alias("not_repeated"),
        refuses(rows["messages"]).alias("refusal_share"),
        pl.col("prompt_id").is_duplicated().alias("repeated_prompts"),
    )


def _rewarded(answers: pl.DataFrame) -> pl.DataFrame:
    """Measures of prompts with one answer each (ANSWERS), as of conversations, and of the rewards."""
    joined = answers.with_columns(messages=pl.concat_list("prompt", as_answer("a")))
    best = pl.col("score_a").max().over("prompt_id")
    return _conversations(joined).with_columns(
        joined.select(
            pl.col("score_a").is_not_null().alias("reward_present"),
            (pl.col("score_a").is_null() | (pl.col("score_a") >= best)).alias("best_of_its_prompt"),
        ).get_columns()
    )


def _pairs(answers: pl.DataFrame) -> pl.DataFrame:
    """Measures of pairs (ANSWERS); what is asked of the two sides is null where neither is preferred."""
    decided = pl.col("verdict").is_in(["a", "b"]).fill_null(False)
    first = pl.col("verdict") == "a"
    frame = answers.with_columns(
        decided.alias("decided"),
        pl.when(decided).then(pl.when(first).then("a").otherwise("b")).alias("chosen_text"),
        pl.when(decided).then(pl.when(first).then("b").otherwise("a")).alias("rejected_text"),
    ).with_columns(
        same_chosen=normal(pl.col("chosen_text")),
        same_rejected=normal(pl.col("rejected_text")),
        chosen=as_answer("chosen_text"),
        rejected=as_answer("rejected_text"),
        messages=pl.concat_list("prompt", as_answer("a")),
    )
    roles = roles_of()
    longer = pl.col("chosen_text").str.len_chars() > pl.col("rejected_text").str.len_chars()
    measured = frame.select(
        "row_id",
        "decided",
        roles_legal(roles),
        alternates(roles).alias("turns_alternate"),
        _asked(roles_of("prompt").list.last()),
        visible(text.last_user()).alias("texts_not_empty"),
        (pl.col("same_chosen") != pl.col("same_rejected")).alias("answers_differ"),
        (_whole(_contents("prompt")) & _whole(pl.col("a")) & _whole(pl.col("b"))).alias("no_replacement_character"),
        pl.struct("prompt_id", "same_chosen", "same_rejected").is_first_distinct().alias("not_repeated"),
        longer.alias("chosen_longer"),
    )
    undecided = ~frame["decided"]
    by_pair = frame.with_row_index("at")
    return measured.with_columns(
        (clean(frame["a"]) & clean(frame["b"].fill_null(""))).alias("no_control_token"),
        _null(not_contradicted(by_pair), undecided).alias("not_contradicted"),
        _null(measured["not_repeated"], undecided).alias("not_repeated"),
        _null(chosen_refusals(frame), undecided).alias("chosen_refusal_share"),
    )


def _null(values: pl.Series, where: pl.Series) -> pl.Series:
    """The values, null in some places."""
    return values.set(where, None)


def _asked(role: pl.Expr) -> pl.Expr:
    """Whether the last one to speak before the answer is the user, or a tool."""
    return role.is_in(["user", "tool"]).fill_null(False).alias("prompt_ends_with_user")


def _contents(messages: str) -> pl.Expr:
    return pl.col(messages).list.eval(pl.element().struct.field("content")).list.join("\n", ignore_nulls=True)


def _whole(texts: pl.Expr) -> pl.Expr:
    return ~texts.str.contains(_LOST, literal=True).fill_null(False)


def _said(messages: str) -> pl.Expr:
    """Roles, contents and whatever else the messages carry, as one text."""
    parts = [pl.element().struct.field(name).fill_null("") for name in ("role", "content", "extra")]
    return pl.col(messages).list.eval(pl.concat_str(parts, separator="\x1f")).list.join("\x1e")
