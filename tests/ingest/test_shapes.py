"""The known shapes, mapped columns, and what is said where a shape is unknown."""

from __future__ import annotations

import json

import pytest

from curation.stage import Context
from schemas.errors import UsageError
from schemas.records import prompt_id_of
from tests.ingest.helpers import GOOD, facts, line, metadata, put, read, reasons, run, texts, turns

PAIR = [("user", "Name a colour.", None), ("assistant", "Red.", None)]


def lines(*records: dict) -> bytes:
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


PAIRS = {
    "alpaca": {"instruction": "Name a colour.", "input": "", "output": "Red."},
    "alpaca_without_input": {"instruction": "Name a colour.", "output": "Red."},
    "alpaca_null_input": {"instruction": "Name a colour.", "input": None, "output": "Red."},
    "gpteacher": {"instruction": "Name a colour.", "input": "", "response": "Red."},
    "prompt_completion": {"prompt": "Name a colour.", "completion": "Red."},
    "prompt_response": {"prompt": "Name a colour.", "response": "Red."},
    "question_answer": {"question": "Name a colour.", "answer": "Red."},
    "songys": {"Q": "Name a colour.", "A": "Red."},
    "messages": {"messages": [{"role": "user", "content": "Name a colour."}, {"role": "assistant", "content": "Red."}]},
    "sharegpt": {"conversations": [{"from": "human", "value": "Name a colour."}, {"from": "gpt", "value": "Red."}]},
    "sharegpt_with_roles": {
        "conversations": [{"role": "user", "content": "Name a colour."}, {"role": "assistant", "content": "Red."}]
    },
    "conversation_and_response": {
        "conversations": [{"role": "user", "content": "Name a colour."}],
        "response": "Red.",
    },
}


@pytest.mark.parametrize("shape", PAIRS)
def test_known_shape(shape, tmp_path):
    done = read(lines(PAIRS[shape]), tmp_path)
    assert turns(done) == [PAIR]
    assert metadata(done) == [{}]
    row = done.scan().collect().row(0, named=True)
    assert row["prompt_id"] == prompt_id_of([{"role": "user", "content": "Name a colour."}])
    assert row["source"] == "s"
    assert row["language"] is None


def test_alpaca_input_follows_the_instruction(tmp_path):
    done = read(lines({"instruction": "Translate.", "input": "Rot", "output": "Red"}), tmp_path)
    assert texts(done) == [["Translate.\n\nRot", "Red"]]
    assert facts(done)["shape"] == "alpaca"


def test_the_shape_is_told(tmp_path):
    told = []

    class Listener:
        def line(self, text: str) -> None:
            told.append(text)

        def task(self, name, total=None):
            from curation.progress import Silent

            return Silent().task(name, total)

    read(GOOD, tmp_path, context=Context(progress=Listener()))
    assert told[0] == "ingest s: raw.jsonl: jsonl, alpaca (instruction, output)"
    assert told[1].startswith("ingest s  1 -> 1  ")


def test_system_prompts_turns_and_tools_survive(tmp_path):
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
    record = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1 + 2?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "3", "tool_call_id": "c1"},
            {"role": "assistant", "content": "3", "name": None},
            {"role": "user", "content": "Thanks."},
            {"role": "assistant", "content": "Gladly."},
        ],
        "tools": [{"name": "add"}],
    }
    done = read(lines(record), tmp_path)
    assert turns(done) == [
        [
            ("system", "Be brief.", None),
            ("user", "1 + 2?", None),
            ("assistant", "", {"tool_calls": [call]}),
            ("tool", "3", {"tool_call_id": "c1"}),
            ("assistant", "3", None),
            ("user", "Thanks.", None),
            ("assistant", "Gladly.", None),
        ]
    ]
    assert metadata(done) == [{"tools": [{"name": "add"}]}]
    row = done.scan().collect().row(0, named=True)
    # Every turn before the last answer counts, the tool call and its arguments among them.
    assert row["prompt_id"] == prompt_id_of(row["messages"][:-1])


def test_sharegpt_names(tmp_path):
    names = ["system", "human", "function_call", "observation", "gpt", "user", "assistant"]
    record = {"conversations": [{"from": name, "value": f"by {name}", "weight": 1} for name in names]}
    roles = ["system", "user", "assistant", "tool", "assistant", "user", "assistant"]
    expected = [(role, f"by {name}", {"weight": 1}) for role, name in zip(roles, names, strict=True)]
    assert turns(read(lines(record), tmp_path)) == [expected]


def test_a_system_key_beside_the_prompt(tmp_path):
    given = {"prompt": "Name a colour.", "response": "Red."}
    done = read(lines(given | {"system": "Be brief."}, given | {"system": ""}, given), tmp_path)
    assert turns(done) == [[("system", "Be brief.", None), *PAIR], PAIR, PAIR]
    late = read(lines(*[given] * 250, given | {"system": "Be brief."}), tmp_path, name="late.jsonl")
    assert turns(late)[250] == [("system", "Be brief.", None), *PAIR]


def test_ignored_keys_are_no_part_of_the_prompt(tmp_path):
    record = {"instruction": "Name a colour.", "input": "of the sky", "output": "Red.", "system": "Be brief."}
    done = read(lines(record), tmp_path, columns={"ignore": ["system", "input"]})
    assert turns(done) == [PAIR]
    assert metadata(done) == [{}]


def test_conversations_that_are_whole_keep_response_as_metadata(tmp_path):
    whole = PAIRS["sharegpt"] | {"response": "unused"}
    done = read(lines(whole), tmp_path)
    assert turns(done) == [PAIR]
    assert metadata(done) == [{"response": "unused"}]


def test_the_shape_most_records_have_wins(tmp_path):
    stray = {"messages": "from the log", "question": "Why?", "answer": "Because."}
    done = read(lines(*[{"question": "Why?", "answer": "Because."}] * 9, stray), tmp_path)
    assert facts(done)["shape"] == "question/answer"
    assert metadata(done)[9] == {"messages": "from the log"}


def test_mapped_columns(tmp_path):
    record = {"guid": 7, "ask": "Translate.", "text": "Rot", "say": "Red", "sys": "Be brief.", "row_id": 1, "tag": "t"}
    columns = {
        "prompt": "ask",
        "input": "text",
        "response": "say",
        "system": "sys",
        "id": "guid",
        "ignore": ["row_id"],
    }
    done = read(lines(record), tmp_path, columns=columns)
    assert turns(done) == [
        [("system", "Be brief.", None), ("user", "Translate.\n\nRot", None), ("assistant", "Red", None)]
    ]
    assert metadata(done) == [{"id": 7, "tag": "t"}]


def test_mapped_messages(tmp_path):
    done = read(lines({"chat": PAIRS["messages"]["messages"], "n": 1}), tmp_path, columns={"messages": "chat"})
    assert turns(done) == [PAIR]
    assert metadata(done) == [{"n": 1}]


def test_an_unknown_shape_names_its_keys_and_shows_the_way_out(tmp_path):
    with pytest.raises(UsageError) as caught:
        read(lines({"질의": "왜?", "답변": "그래서."}), tmp_path)
    assert "raw.jsonl: its records are in no known shape; the keys seen are '질의', '답변'" in str(caught.value)
    assert '[sources.columns]\n    prompt = "질의"\n    response = "답변"' in str(caught.value)


def test_a_mapped_key_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r'prompt = "Ask"; the keys seen are') as caught:
        read(lines({"ask": "Why?", "say": "So."}), tmp_path, columns={"prompt": "Ask", "response": "say"})
    assert "say" not in str(caught.value).split(";")[0]


def test_keys_of_later_records_count_for_detection(tmp_path):
    """The first record is a lone prompt; the union of keys of the sample tells the shape."""
    done = read(b'{"prompt": "Name a colour."}\n' + lines(PAIRS["prompt_completion"]), tmp_path)
    assert reasons(done) == [(1, "missing_text")]
    assert turns(done) == [PAIR]


def test_pandalm_booleans_are_refused_wherever_they_stand(tmp_path):
    good = {"instruction": "Is it?", "input": "", "response1": "Yes.", "response2": "No."}
    records = [good | {"response1": f"Yes, {i}."} for i in range(100)]
    records[40] = good | {"response1": True}
    records[60] = good | {"response2": True}
    done = read(lines(*records), tmp_path, columns={"prompt": "instruction", "input": "input", "response": "response1"})
    assert reasons(done) == [(41, "text_is_boolean"), (61, "type_changed")]


def test_an_empty_system_prompt_and_tool_result_are_kept(tmp_path):
    record = {
        "messages": [
            {"role": "system", "content": ""},
            {"role": "user", "content": "Run it."},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]},
            {"role": "tool", "content": ""},
            {"role": "assistant", "content": "Done."},
        ]
    }
    assert [content for _, content, _ in turns(read(lines(record), tmp_path))[0]] == ["", "Run it.", "", "", "Done."]


def test_limit_counts_kept_rows_over_all_files(tmp_path):
    put(tmp_path / "raw", "a.jsonl", GOOD + b"null\n" + GOOD + b"null\n")
    put(tmp_path / "raw", "b.jsonl", GOOD * 5)
    put(tmp_path / "raw", "c.jsonl", GOOD)
    done = run(tmp_path / "raw", tmp_path, limit=4)
    assert [(file["kept"], file["quarantined"]) for file in done.manifest.facts["files"]] == [(2, 2), (2, 0), (0, 0)]
    assert facts(done, 1)["warnings"] == ["read no further: the limit of rows was reached"]
    assert facts(done, 2)["warnings"] == ["not read: the limit of rows was reached"]


def test_a_limit_stops_before_what_comes_after(tmp_path):
    done = run(put(tmp_path, "a.jsonl", GOOD + b"null\n" + GOOD + b"null\n" + GOOD), tmp_path, limit=2)
    assert reasons(done) == [(2, "not_an_object")]
    assert done.manifest.counts["kept"] == 2
    one_line = run(put(tmp_path, "a.json", b"[%s, 1, %s, 2, %s]" % ((GOOD[:-1],) * 3)), tmp_path, limit=2)
    assert one_line.manifest.counts == {"in": 3, "kept": 2, "dropped": 0, "quarantined": 1}


def test_scores_must_be_numbers_where_a_format_has_numbers(tmp_path):
    assert metadata(read(line(score=1.5) + line(score=None) + line(score="high"), tmp_path)) == [
        {"score": 1.5},
        {"score": None},
        {"score": "high"},
    ]
    csv = b"Q,A,score\nWhy?,So.,1.5\n"
    assert metadata(read(csv, tmp_path, "raw.csv")) == [{"score": "1.5"}]
