"""Whether a cleaned comparison can be used: a whole prompt, answers that say something, and two that differ."""

from __future__ import annotations

from curation.comparisons.record import Comparison, Drop
from curation.ingest.convert import Message, check_turns, filled, visible


def judged(comparison: Comparison) -> tuple[Comparison, list[str]]:
    """The comparison without empty answers, and the policies whose answers those were.

    An empty answer of a pair drops the pair as empty_answer, as does an empty reply; of several solutions only itself
    is left out. Two answers of one text drop a pair as identical_answers. Raises Drop for these, and Bad as ingest does
    where the turns are no conversation or an answer repeats the prompt.
    """
    for message in comparison.prompt:
        if message.role == "user":
            filled(message.content, "the prompt")
    said = tuple(answer for answer in comparison.answers if visible(answer.text))
    empty = [answer.policy for answer in comparison.answers if not visible(answer.text)]
    if not said or (empty and comparison.verdict is not None):
        raise Drop("empty_answer", f"{len(empty)} of {len(comparison.answers)} answers", len(empty))
    for answer in said:
        check_turns([*comparison.prompt, Message("assistant", answer.text)])
    if comparison.verdict is not None and said[0].text == said[1].text:
        raise Drop("identical_answers", f"both are one text of {len(said[0].text):,} characters")
    return comparison._replace(answers=said), empty
