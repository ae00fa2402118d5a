"""Consistency within a row, JSON in `extra` and `metadata`, repeatability, and that no found value gets out."""

from __future__ import annotations

import logging
import re
from typing import Any

import orjson
import polars as pl
import pytest

from curation.privacy import personal_data
from curation.stage import Context
from schemas.records import canonical_json, prompt_id_of, prompt_of
from tests.helpers import answer, outcome, rows
from tests.privacy.test_personal_data import SAMPLES

STAGE = "privacy.personal_data"
MAIL, OTHER, PHONE = "mira.kestrel@postbox.ch", "jon@postbox.ch", "(415) 867-2291"


def with_extra(frame: pl.DataFrame, extras: list[Any], metadata: Any = None) -> pl.DataFrame:
    """The one row of a frame with these `extra` values, one a message, and this metadata."""
    row = frame.to_dicts()[0]
    for message, extra in zip(row["messages"], extras, strict=True):
        message["extra"] = None if extra is None else canonical_json(extra).decode()
    row["metadata"] = canonical_json(metadata or {}).decode()
    row["prompt_id"] = prompt_id_of(prompt_of(row["messages"]))
    return pl.DataFrame([row], schema=frame.schema)


def test_one_value_has_one_placeholder_in_all_messages_and_another_another():
    frame = rows(
        [
            ("user", f"I am {MAIL}, not {OTHER}; call {PHONE}"),
            ("assistant", f"Noted: {OTHER.upper()} is not you, {MAIL} is, +1 415-867-2291"),
        ]
    )
    kept, ledger = outcome(STAGE, frame)
    assert [message["content"] for message in kept["messages"][0]] == [
        "I am [EMAIL_1], not [EMAIL_2]; call [PHONE_1]",
        "Noted: [EMAIL_2] is not you, [EMAIL_1] is, [PHONE_1]",
    ]
    assert ledger.select("reason", "value").rows() == [("email", 4.0), ("phone", 2.0)]
    assert orjson.loads(ledger["detail"][1]) == {
        "found": [
            {"message": 0, "placeholder": "[PHONE_1]", "length": 14},
            {"message": 1, "placeholder": "[PHONE_1]", "length": 15},
        ]
    }


def test_prompt_id_follows_the_prompt_and_stays_where_only_the_answer_changed():
    changed, same = answer("Fine.", prompt=f"I am {MAIL}"), answer(f"Ask {MAIL}")
    frame = rows(changed, same)
    kept, _ = outcome(STAGE, frame)
    assert kept["prompt_id"][0] == prompt_id_of(prompt_of(kept["messages"][0]))
    assert kept["prompt_id"][0] != frame["prompt_id"][0]
    assert kept["prompt_id"][1] == frame["prompt_id"][1]


def test_tool_calls_and_metadata_are_parsed_and_stay_json():
    arguments = {"to": MAIL, "cc": [OTHER], "body": f'He said "{MAIL}"\n', "n": 3}
    call = {"tool_calls": [{"function": {"name": "send", "arguments": canonical_json(arguments).decode()}}]}
    frame = with_extra(
        rows(answer("Sent.", prompt=f"Mail {MAIL}")), [{"name": "mira"}, call], {"author": OTHER, MAIL: True, "k": 1.5}
    )
    kept, ledger = outcome(STAGE, frame)
    extra = orjson.loads(kept["messages"][0][1]["extra"])
    assert kept["messages"][0][0]["extra"] == '{"name":"mira"}'
    assert orjson.loads(extra["tool_calls"][0]["function"]["arguments"]) == {
        "to": "[EMAIL_1]",
        "cc": ["[EMAIL_2]"],
        "body": 'He said "[EMAIL_1]"\n',
        "n": 3,
    }
    assert orjson.loads(kept["metadata"][0]) == {"author": "[EMAIL_2]", "[EMAIL_1]": True, "k": 1.5}
    places = [(entry.get("in"), entry.get("message")) for entry in orjson.loads(ledger["detail"][0])["found"]]
    assert sorted(places, key=str) == sorted(
        [(None, 0), ("extra", 1), ("extra", 1), ("extra", 1), ("metadata", None), ("metadata", None)], key=str
    )


def test_the_key_of_a_value_is_its_context_and_whole_numbers_are_read():
    extra = {"tool_calls": [{"ssn": "457382916", "card_number": 4539578763621486, "id": "457382917"}]}
    kept, _ = outcome(STAGE, with_extra(rows(answer("Ok.")), [None, extra]))
    assert orjson.loads(kept["messages"][0][1]["extra"]) == {
        "tool_calls": [{"ssn": "[SSN_1]", "card_number": "[CREDIT_CARD_1]", "id": "457382917"}]
    }


def test_a_value_known_by_its_context_is_found_again_without_it():
    frame = rows([("user", "My SSN is 457382916."), ("assistant", "So 457382916 it is, not 4573829160.")])
    kept, _ = outcome(STAGE, frame)
    assert kept["messages"][0][1]["content"] == "So [SSN_1] it is, not 4573829160."


def test_placeholders_that_stand_there_keep_their_numbers():
    kept, _ = outcome(STAGE, rows(answer(f"[EMAIL_3] and {MAIL}")))
    assert kept["messages"][0][1]["content"] == "[EMAIL_3] and [EMAIL_4]"


def test_a_second_run_changes_nothing():
    frame = rows(*(answer(text) for text, _ in SAMPLES.values()))
    once, ledger = outcome(STAGE, frame)
    assert ledger.height == len(SAMPLES)
    twice, ledger = outcome(STAGE, once)
    assert twice.equals(once)
    assert ledger.height == 0


def test_texts_that_are_null_empty_or_no_json_are_left():
    frame = rows([("user", None), ("assistant", "")], [])
    broken = rows(answer(MAIL)).to_dicts()[0]
    broken["row_id"], broken["messages"][0]["extra"] = "t:000009", f"{{not json {MAIL}"
    frame = pl.concat([frame, pl.DataFrame([broken], schema=frame.schema)])
    kept, _ = outcome(STAGE, frame)
    assert kept["messages"].to_list()[:2] == frame["messages"].to_list()[:2]
    assert kept["messages"][2][0]["extra"] == "{not json [EMAIL_1]"


@pytest.mark.parametrize("kind", personal_data.KINDS)
@pytest.mark.parametrize("action", ["redact", "drop", "keep"])
def test_no_value_gets_into_ledger_facts_or_log(kind: str, action: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    text, value = SAMPLES[kind]
    frame = with_extra(rows(answer(text, prompt=text)), [{"note": text}, None], {"note": text})
    config = personal_data.Config(actions={kind: action})
    result = personal_data.run(frame.lazy(), config, Context())
    told = orjson.dumps(result.facts).decode() + caplog.text
    for part in (result.dropped, result.edited, result.flagged):
        told += part.drop("row_id", "prompt_id").collect().write_json()  # type: ignore[union-attr]
    pieces = {piece for piece in re.split(r"[^0-9A-Za-z가-힣]+", value) if len(piece) >= 3}
    assert pieces
    assert not [piece for piece in {*pieces, value} if piece in told]
    assert result.facts["values"] == {kind: 4}
    assert result.facts["rows"] == {kind: 1}


def test_what_no_library_can_read_is_nothing_and_raises_nothing():
    for text in ("+999999999999999 +1 +0000000 999-99-9999 GB00NWBK60161331926819", "00000000000000000", "+" * 50):
        assert [span for span in personal_data.find(text) if not span.example] == []


def test_detail_shows_twenty_places_and_counts_the_rest():
    _, ledger = outcome(STAGE, rows(answer(" ".join(f"a{n}@postbox.ch" for n in range(25)))))
    detail = orjson.loads(ledger["detail"][0])
    assert (len(detail["found"]), detail["more"], ledger["value"][0]) == (20, 5, 25.0)
