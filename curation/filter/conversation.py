"""Find faults in the form of a conversation: who speaks, in which order, and in whose name.

Ingest refuses unknown roles, two user or assistant turns in a row and conversations without an answer; earlier stages
and tables of our own may leave such rows all the same, and these faults ingest does not see:

- `empty_turn`: a user or assistant turn before the last answer that says nothing and calls no tool.
- `role_repeated`: two user turns or two assistant turns in a row.
- `unanswered`: the conversation does not end with the assistant.
- `starts_with_answer`: the first turn, system turns apart, is the assistant's (as shared ChatGPT logs are cut).
- `user_repeated`: an assistant turn is a user turn of the same conversation, word for word.
- `other_speaker`: an answer goes on to speak for the user, on a line of its own ("Human: ...", "### Instruction:",
  "사용자: ..."), and neither the prompt nor the answer is a dialogue. Samples that ran past their end look so.
- `system_repeated`: an answer gives away the system prompt, 40 characters and more of it.
"""

from __future__ import annotations

import polars as pl

from curation import text
from curation.filter.working import ANSWER, PROMPT, Action, judge, texts
from curation.stage import Context, Result, Rule, StageConfig

SCOPE = "row"

_LEAKED = 40  # characters at the beginning of a system prompt
_TURNS = "messages"
_SPEAKER = r"(?:Human|User|사용자|유저|인간)"
_SPEAKS = (
    rf"\n[ \t]*(?:\*\*)?{_SPEAKER} ?:(?:\*\*)?[ \t]*\S"
    r"|\n[ \t]*#{2,4} ?(?:Instruction|Input|Human|User|명령어|질문|지시|사용자) ?:[ \t]*\n"
)
_DIALOGUE = (
    r"(?i)dialog|conversation|chat|script|transcript|interview|role.?play|scene|\bplay\b|skit|screenplay|\bbot\b"
    r"|assistant|discussion|exchange|debate|대화|대본|인터뷰|챗봇|상담|역할|연극|토론|채팅|시나리오"
)
_QUICK = ["Human", "User", "###", "사용자", "유저", "인간"]


class Config(StageConfig):
    """What becomes of a row on which a rule fires: drop, flag, off."""

    empty_turn: Action = "drop"
    role_repeated: Action = "drop"
    unanswered: Action = "flag"
    starts_with_answer: Action = "flag"
    user_repeated: Action = "drop"
    other_speaker: Action = "drop"
    system_repeated: Action = "flag"


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: see above; detail: the line that another speaks, the beginning of what was repeated."""
    frame = rows.collect()
    working = texts(frame).with_columns(frame[_TURNS])
    answer, prompt = pl.col(ANSWER), pl.col(PROMPT)
    suspects = working.filter(_unusual() | answer.str.contains_any(_QUICK))
    line = answer.str.extract(f"({_SPEAKS}[^\n]*)").str.strip_chars()
    dialogue = prompt.str.contains(_DIALOGUE) | prompt.str.contains(rf"(?:\A|\n)[ \t]*{_SPEAKER} ?:")
    opens_so = answer.str.contains(rf"\A\s*(?:\*\*)?(?:{_SPEAKER}|Assistant|AI|Bot|어시스턴트) ?:")
    repeated, leaked = _repeated(), _leaked()
    rules = {
        "empty_turn": Rule(_empty_turn()),
        "role_repeated": Rule(_role_repeated()),
        "unanswered": Rule(_role(-1) != "assistant"),
        "starts_with_answer": Rule(_others().list.first() == "assistant"),
        "user_repeated": Rule(repeated.is_not_null(), detail=repeated.str.slice(0, 80)),
        "other_speaker": Rule(line.is_not_null() & ~dialogue & ~opens_so, detail=line.str.slice(0, 80)),
        "system_repeated": Rule(leaked.is_not_null(), detail=leaked),
    }
    return judge(frame, suspects, rules, config.model_dump())


def _role(at: int) -> pl.Expr:
    return pl.col(_TURNS).list.get(at, null_on_oob=True).struct.field("role")


def _unusual() -> pl.Expr:
    """All but a user's turn and an answer: whatever has another number of turns or another order."""
    usual = (pl.col(_TURNS).list.len() == 2) & (_role(0) == "user") & (_role(1) == "assistant")
    return ~usual.fill_null(False)


def _others() -> pl.Expr:
    """The roles of all turns but those of the system."""
    role = pl.element().struct.field("role")
    return pl.col(_TURNS).list.eval(role.filter(role != "system"))


def _empty_turn() -> pl.Expr:
    """The last answer is not looked at: that is `filter.empty`'s."""
    turn = pl.element().struct
    said = text.visible(turn.field("content")) | turn.field("extra").str.contains('"tool_calls":[{', literal=True)
    empty = turn.field("role").is_in(["user", "assistant"]) & ~said.fill_null(False)
    return pl.col(_TURNS).list.head(pl.col(_TURNS).list.len() - 1).list.eval(empty).list.any()


def _role_repeated() -> pl.Expr:
    role = pl.element().struct.field("role")
    return pl.col(_TURNS).list.eval((role == role.shift(1)) & role.is_in(["user", "assistant"])).list.any()


def _contents(*roles: str) -> pl.Expr:
    turn = pl.element().struct
    said = turn.field("content").filter(turn.field("role").is_in(list(roles)) & text.visible(turn.field("content")))
    return pl.col(_TURNS).list.eval(said.str.strip_chars())


def _repeated() -> pl.Expr:
    """The first assistant turn that a user turn is too."""
    return _contents("assistant").list.set_intersection(_contents("user")).list.first()


def _leaked() -> pl.Expr:
    """The beginning of the system prompt where the answer has it and no user turn does."""
    system = _contents("system").list.first()
    start = pl.when(system.str.len_chars() >= _LEAKED).then(system.str.slice(0, _LEAKED))
    by_user = _contents("user").list.join("\n").str.contains(start, literal=True)
    return pl.when(pl.col(ANSWER).str.contains(start, literal=True) & ~by_user).then(start)
