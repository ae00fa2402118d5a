"""How each tool reads its rows, as its source says: the least of it that shows what would be trained on.

Every loader returns canonical conversations: a list of (role, text), where a tool call is ("call", name, arguments),
so that what was written can be compared to what is read, whatever the tool's own names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from datasets import load_dataset

Turn = tuple[Any, ...]


def rows_of(file: Path, cache: Path) -> list[dict[str, Any]]:
    """Rows by `load_dataset`, as all of these tools load local files."""
    kind = "json" if file.suffix == ".jsonl" else "parquet"
    return list(load_dataset(kind, data_files=str(file), split="train", cache_dir=str(cache)))


def called(calls: list[dict[str, Any]]) -> list[Turn]:
    """Tool calls, their arguments decoded where they are text."""
    told = []
    for call in calls:
        function = call.get("function", call)
        given = function["arguments"]
        told.append(("call", function["name"], json.loads(given) if isinstance(given, str) else given))
    return told


def openai(messages: list[dict[str, Any]]) -> list[Turn]:
    """Messages of role and content with tool calls, as chat templates read them."""
    told: list[Turn] = []
    for message in messages:
        calls = called(message.get("tool_calls") or [])
        told += [(message["role"], message["content"])] if message["content"] or not calls else []
        told += calls
    return told


def llama_factory(folder: Path, name: str, cache: Path) -> list[tuple[Any, ...]]:
    """src/llamafactory/data: parser.py takes columns and tags from dataset_info.json; converter.py skips a row whose
    roles are not at their places or whose number of messages is not even (odd for ranking).
    """
    info = json.loads((folder / "dataset_info.json").read_text())[name]
    assert set(info) <= {"file_name", "formatting", "ranking", "columns", "tags"}
    assert info["formatting"] == "sharegpt"
    columns, tags, ranking = info["columns"], info["tags"], info.get("ranking", False)
    role, content = tags["role_tag"], tags["content_tag"]
    roles = {tags["user_tag"]: "user", tags["assistant_tag"]: "assistant", tags["observation_tag"]: "tool"}
    accepted = ((tags["user_tag"], tags["observation_tag"]), (tags["assistant_tag"], tags["function_tag"]))
    told = []
    for row in rows_of(folder / info["file_name"], cache):
        messages = row[columns["messages"]]
        system = messages[0][content] if messages[0][role] == tags["system_tag"] else ""
        messages = messages[1:] if system else messages
        assert all(message[role] in accepted[at % 2] for at, message in enumerate(messages)), "broken data"
        assert len(messages) % 2 == (1 if ranking else 0), "invalid message count"
        turns: list[Turn] = [("system", system)] if system else []
        for message in messages:
            if message[role] == tags["function_tag"]:
                calls = json.loads(message[content])
                turns += called(calls if isinstance(calls, list) else [calls])
            else:
                turns.append((roles[message[role]], message[content]))
        tools = json.loads(row[columns["tools"]] or "[]") if "tools" in columns else []
        sides = [row[columns[side]] for side in ("chosen", "rejected")] if ranking else []
        assert all(side[role] in accepted[1] for side in sides)
        told.append((turns, *(side[content] for side in sides)) if ranking else (turns, tools))
    return told


def openrlhf(folder: Path, name: str, cache: Path) -> list[tuple[Any, ...]]:
    """openrlhf/datasets: with apply_chat_template and no output key, input_key[:-1] is the prompt; with a prompt key
    the sides are appended to it.
    """
    words = next(line for line in (folder / "arguments.txt").read_text().splitlines() if f"{name}." in line).split()
    arguments = {word: words[at + 1] for at, word in enumerate(words[:-1]) if not words[at + 1].startswith("--")}
    assert "--data.apply_chat_template" in words
    rows = rows_of(folder / arguments["--data.dataset"], cache)
    if name != "preference":
        key = arguments["--data.input_key"]
        assert all(row[key][-1]["role"] == "assistant" for row in rows)
        return [(openai(row[key]), []) for row in rows]
    prompt, *sides = (arguments[f"--data.{key}_key"] for key in ("prompt", "chosen", "rejected"))
    joined = [[openai(row[prompt] + row[side]) for side in sides] for row in rows]
    return [(chosen[:-1], chosen[-1][1], rejected[-1][1]) for chosen, rejected in joined]


def axolotl(folder: Path, name: str, cache: Path) -> list[tuple[Any, ...]]:
    """prompt_strategies/chat_template.py parses arguments and tools that are text; dpo/chat_template.py `default` maps
    roles of the messages, and takes a side that is a dict as the message.
    """
    config = yaml.safe_load((folder / f"{name}.yaml").read_text())
    (entry,) = config["datasets"]
    assert entry["ds_type"] == "parquet"
    rows = rows_of(folder / entry["path"], cache)
    names = entry["message_property_mappings"]
    if name != "preference":
        assert entry["type"] == "chat_template"
        tools = [json.loads(row[entry["field_tools"]]) if "field_tools" in entry else [] for row in rows]
        messages = [row[entry["field_messages"]] for row in rows]
        return [(openai(each), schema) for each, schema in zip(messages, tools, strict=True)]
    assert (config["rl"], entry["type"]) == ("dpo", "chat_template.default")
    roles = {"user": "user", "assistant": "assistant", "system": "system", "tool": "tool"}
    told = []
    for row in rows:
        turns = [(roles[m[names["role"]]], m[names["content"]]) for m in row[entry["field_messages"]]]
        sides = [row[entry[f"field_{side}"]] for side in ("chosen", "rejected")]
        assert all(roles[side[names["role"]]] == "assistant" for side in sides)
        told.append((turns, *(side[names["content"]] for side in sides)))
    return told


def ms_swift(folder: Path, name: str, cache: Path) -> list[tuple[Any, ...]]:
    """swift/dataset/preprocessor/core.py refuses other roles, content that is null, and a rejected response that is the
    last message's; swift/template/template_inputs.py puts the rejected response behind the last user's message.
    """
    line = next(line for line in (folder / "arguments.txt").read_text().splitlines() if f"{name}." in line)
    told: list[tuple[Any, ...]] = []
    for row in rows_of(folder / line.split()[1], cache):
        turns: list[Turn] = []
        for message in row["messages"]:
            assert message["role"] in {"system", "user", "tool_call", "tool_response", "assistant"}
            assert message["content"] is not None
            call = message["role"] == "tool_call"
            role = "tool" if message["role"] == "tool_response" else message["role"]
            turns += called([json.loads(message["content"])]) if call else [(role, message["content"])]
        if name == "preference":
            assert row["rejected_response"] != turns[-1][1]
            last = max(at for at, turn in enumerate(turns) if turn[0] == "user")
            assert len(turns) == last + 2, "one answer behind the last user's message"
            told.append((turns[:-1], turns[-1][1], row["rejected_response"]))
        else:
            told.append((turns, json.loads(row.get("tools") or "[]")))
    return told


def trl(folder: Path, name: str, cache: Path) -> list[tuple[Any, ...]]:
    """huggingface.co/docs/trl/dataset_formats: language modelling, prompt-completion, preference."""
    rows = rows_of(folder / f"{name}.parquet", cache)
    if name == "preference":
        assert all(set(row) <= {"prompt", "chosen", "rejected", "tools"} for row in rows)
        return [(openai(r["prompt"]), openai(r["chosen"])[0][1], openai(r["rejected"])[0][1]) for r in rows]
    return [(openai(r.get("messages") or r["prompt"] + r["completion"]), r.get("tools") or []) for r in rows]


def sharegpt(folder: Path, name: str, cache: Path) -> list[tuple[Any, ...]]:
    """Conversations of from and value, with the roles of ms-swift's MessagesPreprocessor for them."""
    roles = {"human": "user", "gpt": "assistant", "system": "system", "observation": "tool"}
    told = []
    for row in rows_of(folder / f"{name}.jsonl", cache):
        turns: list[Turn] = []
        for turn in row["conversations"]:
            calls = json.loads(turn["value"]) if turn["from"] == "function_call" else None
            listed = calls if isinstance(calls, list) else [calls]
            turns += called(listed) if calls else [(roles[turn["from"]], turn["value"])]
        sides = [row[side]["value"] for side in ("chosen", "rejected")] if name == "preference" else []
        told.append((turns, *sides) if sides else (turns, json.loads(row.get("tools") or "[]")))
    return told


def alpaca(folder: Path, name: str, cache: Path) -> list[tuple[Any, ...]]:
    """The prompt is the instruction, with a line break and the input where there is one; `system` as ms-swift's
    AlpacaPreprocessor has it.
    """
    told = []
    for row in rows_of(folder / f"{name}.jsonl", cache):
        asked = "\n".join(part for part in (row["instruction"], row["input"]) if part)
        turns = [*([("system", row["system"])] if row["system"] else []), ("user", asked)]
        if name == "preference":
            told.append((turns, row["chosen"], row["rejected"]))
        else:
            told.append(([*turns, ("assistant", row["output"])], []))
    return told


LOADERS = {
    "trl": trl,
    "alpaca": alpaca,
    "sharegpt": sharegpt,
    "llama-factory": llama_factory,
    "openrlhf": openrlhf,
    "axolotl": axolotl,
    "ms-swift": ms_swift,
}
