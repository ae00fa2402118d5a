"""How `sieveline why` tells a row's story on a terminal. Row text is printed as it is, never as markup."""

from __future__ import annotations

from typing import Any

from rich.console import Console


def tell_why(console: Console, told: dict[str, Any]) -> None:
    """Print a row's way through a run: where it came from, what was decided, what was made of its prompt."""

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    say(f"{told['row_id']}  in run {told['run']}")
    if told["source"]:
        say(f"  source {told['source']}, prompt {', '.join(told['prompt_ids'])}")
    for message in told["messages"] or []:
        say(f"  {message['role']}: {short(message['content'])}")
    if told["seen"]:
        say(f"  came out of: {', '.join(told['seen'])}")
    for event in told["events"]:
        say("  " + _event(event, told["row_id"]))
    for loser in told["kept_instead_of"]:
        value = f" ({loser['value']:.3f})" if loser["value"] is not None else ""
        say(f"  {loser['stage']}: kept instead of {loser['row_id']}, {loser['reason']}{value}")
    for completion in told["completions"]:
        reward = completion.get("reward")
        scored = f"reward {reward:.3f}" if reward is not None else "not scored"
        told_of = f"{completion['completion_id']} ({scored}, {completion['finish_reason']})"
        say(f"  candidate {told_of}: {short(completion['text'])}")
    for best in told["rejection_sampling"]:
        say(f"  rejection sampling kept {best['completion_id']}, reward {best['reward']:.3f}")
    for pair in told["pairs"]:
        why = f"margin {pair['margin']:.3f}" if pair["margin"] is not None else f"by a {pair['label']} label"
        say(f"  pair: {pair['chosen_id']} over {pair['rejected_id']}, {why}")


def _event(event: dict[str, Any], row_id: str) -> str:
    whose = "" if event["row_id"] == row_id else f" {event['row_id']}"
    told = f"{event['stage']}: {event['kind']}{whose}, {event['reason']}"
    if event["value"] is not None:
        told += f", value {event['value']:.4g}"
    if event["threshold"] is not None:
        told += f", threshold {event['threshold']:.4g}"
    if event["kept_id"]:
        told += f", kept instead: {event['kept_id']}"
    return told + (f", {short(event['detail'], 200)}" if event["detail"] else "")


def short(text: str, length: int = 110) -> str:
    """One line of at most `length` characters, control characters shown as escapes."""
    line = "".join(c if c.isprintable() else " " if c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    return line if len(line) <= length else line[: length - 1] + "…"
