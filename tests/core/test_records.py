"""Prompt ids cover the whole prompt."""

from __future__ import annotations

from schemas.records import prompt_id_of, prompt_of


def turn(role: str, content: str, extra: str | None = None) -> dict[str, str | None]:
    return {"role": role, "content": content, "extra": extra}


def test_prompt_is_everything_before_the_last_assistant_turn():
    talk = [turn("system", "s"), turn("user", "a"), turn("assistant", "b"), turn("user", "c"), turn("assistant", "d")]
    assert prompt_of(talk) == talk[:4]
    assert prompt_of(talk[:2]) == talk[:2]


def test_conversations_with_one_opening_do_not_collide():
    """Defect 12 of the field: an id of the first user turn alone."""
    first = [turn("user", "hi"), turn("assistant", "hello"), turn("user", "tell me a joke")]
    second = [turn("user", "hi"), turn("assistant", "hello"), turn("user", "what is DNA?")]
    assert prompt_id_of(first) != prompt_id_of(second)


def test_roles_and_tool_calls_are_part_of_the_prompt():
    assert prompt_id_of([turn("user", "x")]) != prompt_id_of([turn("system", "x")])
    assert prompt_id_of([turn("user", "x")]) != prompt_id_of([turn("user", "x", '{"name":"t"}')])
    assert len(prompt_id_of([turn("user", "x")])) == 16


def test_a_prompt_cannot_be_moved_across_a_turn_boundary():
    assert prompt_id_of([turn("user", "ab"), turn("user", "c")]) != prompt_id_of(
        [turn("user", "a"), turn("user", "bc")]
    )
