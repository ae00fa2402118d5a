"""Which of two answers is better, asked in both orders: a side wins only where both orders say so.

Judges prefer a position (Zheng et al. 2023, arXiv 2306.05685, section 3.4), so one order proves little. Both orders are
always asked, each is read by itself, and only then are they put together: where they differ, the verdict is a tie and
the pair counts as inconsistent. How often the first position won is told with the verdicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import polars as pl
from pydantic import Field

from curation.generation.protocol import Generator
from curation.scoring.judge.prompts import comparison_prompt
from curation.scoring.judge.questions import question_id, replies_to
from curation.scoring.judge.replies import Choice, count_outcomes, read_winner, winner_schema
from curation.scoring.judge.settings import Settings
from curation.stage import Context
from schemas.errors import UsageError
from schemas.records import Message

INCONSISTENT: Final = "inconsistent"
SAME_ANSWERS: Final = "same_answers"
# In a column `winner_*`: which answer won in that order, by its name and not by its place.
VERDICTS: Final = pl.Schema(
    {
        "item_id": pl.String,
        "winner_ab": pl.String,
        "winner_ba": pl.String,
        "verdict": pl.String,
        "reason": pl.String,
    }
)
_AB: Final = {"first": "a", "second": "b", "tie": "tie"}
_BA: Final = {"first": "b", "second": "a", "tie": "tie"}


class CompareConfig(Settings):
    """`criterion` is what the judge is told to go by."""

    criterion: str = Field(
        default="Which response is better? Consider the helpfulness, relevance, accuracy, depth and level of detail of "
        "the responses. Neither the order in which they are shown nor their length may influence you.",
        min_length=1,
    )


@dataclass(frozen=True)
class Item:
    """Two answers to one prompt."""

    item_id: str
    prompt: Sequence[Message]
    answer_a: str
    answer_b: str


class Both(NamedTuple):
    """What was chosen with a first, and with b first."""

    first: Choice
    second: Choice

    @property
    def reason(self) -> str | None:
        """Why there is no verdict, None where both replies are one."""
        return self.first.reason or self.second.reason

    @property
    def verdict(self) -> str | None:
        """a, b or tie where both orders say so, inconsistent where they differ, None where one says nothing."""
        if self.first.winner is None or self.second.winner is None:
            return None
        ab, ba = _AB[self.first.winner], _BA[self.second.winner]
        return ab if ab == ba else INCONSISTENT


@dataclass(frozen=True)
class Compared:
    """A row an item, by item_id, and figures of the whole.

    `verdict` is a, b, tie, or null where a reply was no verdict (`reason`: judge_unparsable, judge_cut, ...). A tie has
    the reason inconsistent where the orders differ, same_answers where nothing was asked, and none where both orders
    say tie. Facts: items, verdicts, how many were not judged, and those of `order_facts`.
    """

    verdicts: pl.DataFrame
    facts: dict[str, Any]


def compare(items: Sequence[Item], config: CompareConfig, generator: Generator, context: Context) -> Compared:
    """Ask about each item in both orders; replies are journalled under the same keys whatever else is asked.

    Raises UsageError where an item_id comes twice, EngineError where the engine fails or too many requests do.
    """
    read = both_orders(items, config, generator, context)
    rows = [_verdict(item.item_id, read[item.item_id]) for item in sorted(items, key=lambda item: item.item_id)]
    verdicts = pl.DataFrame(rows, schema=VERDICTS, orient="row")
    found = Counter(verdicts["verdict"])
    facts = {
        "items": verdicts.height,
        "verdicts": {name: found[name] for name in ("a", "b", "tie")},
        "not_judged": found[None],
        **order_facts(list(read.values())),
    }
    return Compared(verdicts, facts)


def both_orders(
    items: Sequence[Item], config: CompareConfig, generator: Generator, context: Context
) -> dict[str, Both | None]:
    """What was chosen of each item as (a first, b first), by item_id; None where the answers are the same.

    Raises UsageError where an item_id comes twice, EngineError where the engine fails or too many requests do.
    """
    if len({item.item_id for item in items}) != len(items):
        raise UsageError("an item_id comes twice among the pairs to compare")
    asked = {item.item_id: _both_orders(item, config) for item in items if item.answer_a != item.answer_b}
    questions = {question_id(question): question for both in asked.values() for question in both}
    schema = winner_schema(reasoning=config.reasoning)
    replies = replies_to(questions, schema, config, generator, context)
    choices = {name: read_winner(reply, config.reply) for name, (reply,) in replies.items()}
    read = {name: Both(choices[question_id(ab)], choices[question_id(ba)]) for name, (ab, ba) in asked.items()}
    return {item.item_id: read.get(item.item_id) for item in items}


def order_facts(read: Sequence[Both | None]) -> dict[str, Any]:
    """How far a judge goes by the order, over pairs.

    `consistent` is the share of the pairs judged in both orders on which the orders agree, `flips` the share of those
    on which they do not, `first_position` the share of wins of the first position, `wins` wins by position in those
    pairs, `replies` what became of the replies, two a pair that was asked about. A share of nothing is None.
    """
    asked = [both for both in read if both is not None]
    judged = [both for both in asked if both.first.winner and both.second.winner]
    places = Counter(choice.winner for both in judged for choice in both)
    decided = places["first"] + places["second"]
    inconsistent = sum(both.verdict == INCONSISTENT for both in judged)
    return {
        "inconsistent": inconsistent,
        "same_answers": len(read) - len(asked),
        "consistent": 1 - inconsistent / len(judged) if judged else None,
        "flips": inconsistent / len(judged) if judged else None,
        "wins": {"first": places["first"], "second": places["second"], "tie": places["tie"]},
        "first_position": places["first"] / decided if decided else None,
        "replies": count_outcomes(asked),
    }


def _both_orders(item: Item, config: CompareConfig) -> tuple[list[Message], list[Message]]:
    def ask(first: str, second: str) -> list[Message]:
        return comparison_prompt(config.criterion, item.prompt, first, second, config.reply, reasoning=config.reasoning)

    return ask(item.answer_a, item.answer_b), ask(item.answer_b, item.answer_a)


def _verdict(item_id: str, both: Both | None) -> tuple[str | None, ...]:
    if both is None:
        return item_id, None, None, "tie", SAME_ANSWERS
    ab, ba = (order[choice.winner] if choice.winner else None for order, choice in zip((_AB, _BA), both, strict=True))
    if both.reason is not None:
        return item_id, ab, ba, None, both.reason
    return (item_id, ab, ba, "tie", INCONSISTENT) if both.verdict == INCONSISTENT else (item_id, ab, ba, ab, None)
