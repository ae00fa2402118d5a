"""The suites of files from anywhere, by what they hold."""

from __future__ import annotations

from typing import Final

from schemas.expectations.expectation import Expectation, FileKind, Suite, alternating, count, share, true
from schemas.profile.gates import Severity

_WARNING: Final[Severity] = "warning"

_ANY: Final = (
    count(1),
    true("readable", "every record could be read and is of the shape of the others"),
    true("roles_legal", "every role is system, user, assistant or tool"),
    alternating(),
    true("ends_with_assistant", "the last message is the assistant's"),
    true("texts_not_empty", "prompts and answers have visible text, or call a tool"),
    true("answer_is_not_prompt", "no answer is the prompt once more"),
    true("no_control_token", "no answer holds a control token of a chat template"),
    true("no_replacement_character", "no text holds U+FFFD, which stands for bytes that were lost", _WARNING),
)
_ASKED: Final = true("prompt_ends_with_user", "the prompt ends with the user's turn, or a tool's")
_OF_ROWS: Final = (
    true("not_repeated", "no conversation twice", _WARNING),
    share("refusal_share", "share of answers that refuse in full", 0.05, "refusal_share", _WARNING),
    share("repeated_prompts", "share of rows whose prompt another row has as well", 0.2, "share", "info"),
)
_REWARDED: Final = (
    true("reward_present", "every answer has a reward, which is a finite number"),
    true("best_of_its_prompt", "no other answer to the same prompt in the file has a higher reward", _WARNING),
)
_OF_PAIRS: Final = (
    _ASKED,
    true("one_prompt", "chosen and rejected answer one prompt"),
    true("answers_single", "chosen and rejected are one message with text each"),
    true("answers_differ", "chosen and rejected differ after normalisation"),
    true("scores_agree", "where both answers have scores, chosen has the higher one"),
    true("not_contradicted", "no other pair has the same two answers the other way round"),
    true("decided", "every record says which answer is preferred: no tie, no missing verdict", _WARNING),
    true("not_repeated", "no pair twice", _WARNING),
    share("chosen_longer", "share of pairs whose chosen answer is the longer one", 0.7, severity=_WARNING),
    share(
        "chosen_refusal_share",
        "share of pairs whose chosen answer refuses in full where the rejected one does not",
        0.2,
        "refusal_share",
        _WARNING,
    ),
)
_OWN: Final[dict[FileKind, tuple[Expectation, ...]]] = {
    "sft": _OF_ROWS,
    "prompt-completion": (_ASKED, *_OF_ROWS),
    "rejection-sampling": (_ASKED, *_REWARDED, *_OF_ROWS),
    "preference": _OF_PAIRS,
}


def of_file(kind: FileKind) -> Suite:
    """What a file of this kind must be.

    Shares are warnings: a set may be made like that. docs/gates.md has figures of public sets beside the limits.
    """
    return Suite(place=kind, key="row_id", expectations=(*_ANY, *_OWN[kind]))
