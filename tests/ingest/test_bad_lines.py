"""Framing, encoding, JSON and schema: cases 1 to 64 of bad input, each by its number.

A case is a line between two good ones. What it must get is its reason in the quarantine, at its own line and byte, with
the good lines kept; or, where it is accepted, that it is kept as written.
"""

from __future__ import annotations

import json

import pytest

from tests.ingest.helpers import GOOD, facts, line, metadata, put, read, reasons, refused, run, texts

PAIR = ["Name a colour.", "Red."]


def raw(value: str, key: str = "extra") -> bytes:
    """A good line with one more key, its value written as given."""
    return b'{"instruction": "Name a colour.", "output": "Red.", "%s": %s}\n' % (key.encode(), value.encode())


def field(text: bytes) -> bytes:
    """A good line with these bytes inside its answer's quotes."""
    return b'{"instruction": "Name a colour.", "output": "Red%s"}\n' % text


def messages(*turns: tuple[str, object]) -> bytes:
    return json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]}).encode() + b"\n"


BAD_LINES = {
    "01_torn_line": (b'{"instruction": "Name a colour.", "outp\n', "torn_line"),
    "07_bom_in_the_middle": (b"\xef\xbb\xbf" + GOOD, "byte_order_mark"),
    "08_two_objects_on_a_line": (GOOD[:-1] + GOOD, "several_values"),
    "12_a_block_of_nuls": (b"\0" * 4096 + b"\n", "nul_bytes"),
    "18_latin_1_byte": (field(b"caf\xe9"), "invalid_utf8"),
    "19_overlong_c0_af": (field(b"\xc0\xaf"), "invalid_utf8"),
    "20_cesu_8_ed_a0_80": (field(b"\xed\xa0\x80"), "invalid_utf8"),
    "21_lone_surrogate": (field(rb"\ud800"), "lone_surrogate"),
    "22_split_surrogate_halves": (field(rb"\ud83d and \ude00"), "lone_surrogate"),
    "22_swapped_surrogate_halves": (field(rb"\ude00\ud83d"), "lone_surrogate"),
    "23_escaped_nul": (field(rb"\u0000"), "nul_character"),
    "24_raw_tab_in_a_string": (field(b"\t"), "control_character"),
    "26_nan": (raw("NaN"), "not_finite"),
    "27_infinity": (raw("Infinity"), "not_finite"),
    "27_minus_infinity": (raw("-Infinity"), "not_finite"),
    "28_number_without_a_leading_digit": (raw(".1"), "invalid_json"),
    "29_1e999": (raw("1e999"), "number_too_large"),
    "30_integer_of_400_digits": (raw("9" * 400), "integer_out_of_range"),
    "31_integer_of_5000_digits": (raw("9" * 5000), "integer_out_of_range"),
    "32_two_to_the_63": (raw("9223372036854775808"), "integer_out_of_range"),
    "32_two_to_the_63_nested": (raw('{"a": [9223372036854775808]}'), "integer_out_of_range"),
    "32_two_to_the_70": (raw("1180591620717411303424"), "integer_out_of_range"),
    "33_two_to_the_53_plus_one_as_a_float": (raw("9007199254740993.0"), "number_not_exact"),
    "34_duplicate_keys": (raw('1, "extra": 2'), "duplicate_key"),
    "34_duplicate_keys_spaced": (raw('1, "extra" : 2'), "duplicate_key"),
    "34_duplicate_keys_nested": (raw('{"a": 1, "a": 2}'), "duplicate_key"),
    "34_duplicate_keys_behind_a_backslash": (raw(r'{"a\\": 1, "b": 2, "b": 3}'), "duplicate_key"),
    "34_duplicate_keys_beside_a_quoted_colon": (raw(r'"\": ", "extra": 2'), "duplicate_key"),
    "35_trailing_comma": (raw("1,"), "invalid_json"),
    "36_single_quotes": (b"{'instruction': 'Name a colour.', 'output': 'Red.'}\n", "invalid_json"),
    "37_a_comment": (raw("1 /* one */"), "invalid_json"),
    "38_null": (b"null\n", "not_an_object"),
    "39_a_scalar": (b"42\n", "not_an_object"),
    "40_an_array": (b'["Name a colour.", "Red."]\n', "not_an_object"),
    "41_depth_1000": (raw("[" * 1000 + "]" * 1000), "too_deep"),
    "42_depth_100000": (raw("[" * 100_000 + "]" * 100_000), "too_deep"),
    "43_a_1_mb_key": (raw("1", key="k" * 1_000_000), "key_too_long"),
    "44_100000_keys": (raw(json.dumps({str(i): i for i in range(100_000)})), "too_many_keys"),
    "45_missing_text": (b'{"instruction": "Name a colour."}\n', "missing_text"),
    "46_empty_object": (b"{}\n", "empty_object"),
    "49_text_null": (line(output=None), "text_is_null"),
    "50_text_a_number": (line(output=7), "text_is_number"),
    "50_text_a_boolean": (line(output=True), "text_is_boolean"),
    "51_text_an_object": (line(output={"text": "Red."}), "text_is_object"),
    "52_text_a_list": (line(output=["Red."]), "text_is_list"),
    "53_text_empty": (line(output=""), "text_empty"),
    "54_white_space_only": (line(output=" \n\u00a0\u3000"), "text_invisible"),
    "54_invisible_characters_only": (line(output="\u200b\u2060\ufeff\u00ad\u3164\u2800"), "text_invisible"),
    "55_a_score_as_text": (line(score="1.5"), "score_not_number"),
    "62_an_id_that_climbs": (line(id="../../x"), "unsafe_id"),
    "62_an_absolute_id": (line(id="/etc/passwd"), "unsafe_id"),
    "62_a_drive": (line(id="C:/x"), "unsafe_id"),
    "62_a_backslash": (line(id="a\\b"), "unsafe_id"),
    "62_a_control_character": (line(id="a\nb"), "unsafe_id"),
    "63_prompt_equals_response": (line(output=" Name a colour.\n"), "prompt_equals_response"),
    "64_reserved_row_id": (line(row_id="x"), "reserved_key"),
    "64_reserved_prompt_id": (line(prompt_id="x"), "reserved_key"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_bad_line(case, tmp_path):
    bad, reason = BAD_LINES[case]
    done = read(GOOD + bad + GOOD, tmp_path)
    assert reasons(done) == [(2, reason)]
    assert texts(done) == [PAIR, PAIR]
    assert done.scan().collect()["row_id"].to_list() == ["s:000001", "s:000003"]
    record = refused(done).row(0, named=True)
    assert record["byte_offset"] == len(GOOD)
    assert record["row_id"] == "s:000002"
    assert record["file"] == "raw.jsonl"
    assert record["file_sha256"] == facts(done)["sha256"]


CHAT = messages(("user", "Name a colour."), ("assistant", "Red."))

BAD_CHATS = {
    "45_message_without_content": (b'{"messages": [{"role": "user"}]}\n', "missing_text"),
    "49_content_null": (messages(("user", "Hi."), ("assistant", None)), "text_is_null"),
    "50_content_a_number": (messages(("user", 7), ("assistant", "Red.")), "text_is_number"),
    "52_content_a_list": (messages(("user", ["Hi."]), ("assistant", "Red.")), "text_is_list"),
    "53_content_empty": (messages(("user", "Hi."), ("assistant", "")), "text_empty"),
    "57_unknown_role": (messages(("user", "Hi."), ("narrator", "Red.")), "unknown_role"),
    "58_user_after_user": (messages(("user", "Hi."), ("user", "Hi?"), ("assistant", "Red.")), "role_repeated"),
    "59_no_assistant_turn": (messages(("user", "Hi.")), "no_assistant_turn"),
    "60_no_messages": (b'{"messages": []}\n', "no_messages"),
    "60_messages_not_a_list": (b'{"messages": "Hi."}\n', "messages_not_a_list"),
    "60_message_not_an_object": (b'{"messages": ["Hi."]}\n', "message_not_an_object"),
    "63_answer_repeats_the_question": (messages(("user", "Hi."), ("assistant", "Hi.")), "prompt_equals_response"),
}


@pytest.mark.parametrize("case", BAD_CHATS)
def test_bad_chat(case, tmp_path):
    bad, reason = BAD_CHATS[case]
    done = read(CHAT + bad + CHAT, tmp_path)
    assert reasons(done) == [(2, reason)]
    assert texts(done) == [PAIR, PAIR]


def test_01_torn_last_line(tmp_path):
    done = read(GOOD + b'{"instruction": "Name a colour.", "output": "Re', tmp_path)
    assert reasons(done) == [(2, "torn_line")]
    assert texts(done) == [PAIR]


def test_01_torn_inside_a_character(tmp_path):
    whole = line(output="빨강")[:-1]
    torn = whole[: whole.index("강".encode()) + 2]
    assert reasons(read(GOOD + torn, tmp_path)) == [(2, "torn_line")]


def test_02_no_final_newline(tmp_path):
    assert texts(read(GOOD + GOOD[:-1], tmp_path)) == [PAIR, PAIR]


def test_03_blank_lines_are_not_rows(tmp_path):
    done = read(b"\n" + GOOD + b" \t\n\r\n" + GOOD + b"\n", tmp_path)
    assert texts(done) == [PAIR, PAIR]
    assert done.manifest.counts["in"] == 2
    assert facts(done)["blank"] == 4
    assert done.scan().collect()["row_id"].to_list() == ["s:000002", "s:000005"]


def test_04_crlf(tmp_path):
    done = read((GOOD + GOOD).replace(b"\n", b"\r\n"), tmp_path)
    assert texts(done) == [PAIR, PAIR]


def test_05_cr_only(tmp_path):
    done = read((GOOD + GOOD).replace(b"\n", b"\r"), tmp_path)
    assert reasons(done) == [(None, "cr_only")]
    assert done.manifest.counts["kept"] == 0


def test_06_leading_bom_is_stripped_once(tmp_path):
    done = read(b"\xef\xbb\xbf" + GOOD, tmp_path)
    assert texts(done) == [PAIR]
    assert facts(done)["warnings"] == ["a byte order mark, left out"]
    assert reasons(read(b"\xef\xbb\xbf" * 2 + GOOD, tmp_path)) == [(1, "byte_order_mark")]


def test_07_the_same_character_inside_a_text_is_kept(tmp_path):
    done = read(line(output="Red\ufeff."), tmp_path)
    assert texts(done) == [["Name a colour.", "Red\ufeff."]]


def test_09_an_array_in_a_jsonl_file_is_read_as_the_array_it_is(tmp_path):
    done = read(b"[" + GOOD[:-1] + b",\n" + GOOD + b"]", tmp_path)
    assert texts(done) == [PAIR, PAIR]
    assert facts(done)["format"] == "json array"
    assert facts(done)["warnings"] == ["named .jsonl, but it is a JSON array; read as that"]


def test_10_pretty_printed_json(tmp_path):
    printed = json.dumps(json.loads(GOOD), indent=2).encode()
    done = read(printed + b"\n" + printed, tmp_path)
    assert reasons(done) == [(None, "pretty_printed")]


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u0085", "\u000b", "\u000c", "\u001c"])
def test_11_other_line_ends_inside_a_text(mark, tmp_path):
    # The last three are control characters, which JSON wants escaped; the first three may stand as they are.
    record = json.dumps({"instruction": "Name a colour.", "output": f"Red{mark}."}, ensure_ascii=ord(mark) < 0x20)
    done = read(record.encode() + b"\n" + GOOD, tmp_path)
    assert texts(done) == [["Name a colour.", f"Red{mark}."], PAIR]


def test_13_a_line_over_the_limit(tmp_path):
    # 1 MiB allowed; the line has 1 MiB and some. It is one record, and its neighbours keep their numbers.
    long = line(output="x" * (1 << 20))
    done = read(GOOD + long + GOOD, tmp_path, max_line_mb=1)
    assert reasons(done) == [(2, "line_too_long")]
    assert done.scan().collect()["row_id"].to_list() == ["s:000001", "s:000003"]
    assert refused(done)["byte_offset"].to_list() == [len(GOOD)]
    assert refused(done)["excerpt"][0].startswith('{"instruction": "Name a colour."')


def test_14_an_empty_file(tmp_path):
    done = read(b"", tmp_path)
    assert done.manifest.counts == {"in": 0, "kept": 0, "dropped": 0, "quarantined": 0}
    assert facts(done)["warnings"] == ["empty file"]


@pytest.mark.parametrize(("encoding", "reason"), [("utf-16", "utf16"), ("utf-16-le", "utf16"), ("utf-16-be", "utf16")])
def test_16_utf_16(encoding, reason, tmp_path):
    assert reasons(read(GOOD.decode().encode(encoding), tmp_path)) == [(None, reason)]


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "utf-32-be"])
def test_17_utf_32(encoding, tmp_path):
    assert reasons(read(GOOD.decode().encode(encoding), tmp_path)) == [(None, "utf32")]


def test_25_mojibake_is_accepted_and_flagged(tmp_path):
    broken = "Le café est très fort, déjà.".encode().decode("latin-1")
    done = read(GOOD + line(output=broken) + line(output="Le café est très fort, déjà."), tmp_path)
    assert [answer for _, answer in texts(done)] == ["Red.", broken, "Le café est très fort, déjà."]
    assert facts(done)["mojibake"] == 1
    assert facts(done)["warnings"] == ["1 row looks like UTF-8 read as Latin-1; the first is 2"]


def test_25_mojibake_written_as_escapes(tmp_path):
    broken = "Le café est très fort, déjà.".encode().decode("latin-1")
    record = json.dumps({"instruction": "Name a drink.", "output": broken}).encode()
    assert facts(read(record, tmp_path))["mojibake"] == 1


def test_47_an_extra_key_is_metadata(tmp_path):
    done = read(line(topic="art", nested={"b": [1, None], "a": 0.5}) + GOOD, tmp_path)
    assert metadata(done) == [{"topic": "art", "nested": {"a": 0.5, "b": [1, None]}}, {}]
    assert done.scan().collect()["metadata"].to_list() == ['{"nested":{"a":0.5,"b":[1,null]},"topic":"art"}', "{}"]


def test_48_a_key_first_seen_at_row_101(tmp_path):
    done = read(GOOD * 100 + line(topic="art"), tmp_path)
    assert metadata(done)[99:] == [{}, {"topic": "art"}]


def test_48_a_key_first_seen_after_the_sample(tmp_path):
    done = read(GOOD * 300 + line(topic="art", input="of the sky"), tmp_path)
    assert metadata(done)[300] == {"topic": "art"}
    assert texts(done)[300] == ["Name a colour.\n\nof the sky", "Red."]


def test_56_a_type_that_changes_at_row_201(tmp_path):
    done = read(line(level=1) * 200 + line(level="one") + line(level=None) + line(level=2.5), tmp_path)
    assert reasons(done) == [(201, "type_changed")]
    assert [row["level"] for row in metadata(done)[200:]] == [None, 2.5]


def test_56_few_values_bind_nobody(tmp_path):
    # Of 19 values, 18 numbers are too few to hold the text to; of 20, 19 numbers (95 %) are enough.
    assert reasons(read(line(level=1) * 18 + line(level="one"), tmp_path)) == []
    assert reasons(read(line(level=1) * 19 + line(level="one"), tmp_path, "more.jsonl")) == [(20, "type_changed")]


def test_56_a_text_that_becomes_a_number_at_row_201(tmp_path):
    assert reasons(read(GOOD * 200 + line(output=5), tmp_path)) == [(201, "text_is_number")]


def test_61_one_id_two_contents(tmp_path):
    done = read(line(id="a") + line(id="b") + line(id="a", output="Blue.") + line(id="a"), tmp_path)
    assert reasons(done) == [(3, "id_conflict")]
    assert done.scan().collect()["row_id"].to_list() == ["s:000001", "s:000002", "s:000004"]
    decision = done.table("decisions").collect().row(0, named=True)
    assert decision["kept_id"] == "s:000001"
    assert "Blue." in refused(done)["excerpt"][0]
    assert refused(done)["byte_offset"][0] == len(line(id="a") + line(id="b"))


def test_64_a_reserved_key_that_is_ignored(tmp_path):
    done = read(line(row_id="x", prompt_id="y", topic="art"), tmp_path, columns={"ignore": ["row_id", "prompt_id"]})
    assert metadata(done) == [{"topic": "art"}]


def test_every_bad_line_at_once_and_twice(tmp_path):
    """Bad lines do not change the verdict on each other, whichever way the batch is read."""
    bad = b"".join(data for data, _ in BAD_LINES.values())
    done = read(GOOD + bad + GOOD + bad + GOOD, tmp_path)
    each = [reason for _, reason in BAD_LINES.values()]
    # The 1 MiB array and object lines are one line each: case n is line n + 2.
    first = [(at, reason) for at, reason in enumerate(each, start=2)]
    second = [(at + len(each) + 1, reason) for at, reason in first]
    assert sorted(reasons(done)) == first + second
    assert texts(done) == [PAIR] * 3


def test_excerpts_are_escaped_and_short(tmp_path):
    done = read(GOOD + b'{"a": "\xe9\x01\xe2\x80\xae"' + b"x" * 300 + b"\n" + "가".encode() * 100 + b"\n", tmp_path)
    first, second = refused(done)["excerpt"]
    # 6 bytes, then \xe9 and \x01 (4 each), \u202e (6), a quote; the rest up to 200 is x.
    assert first == r'{"a": "\xe9\x01\u202e"' + "x" * (200 - 22)
    assert second == "가" * 66


def test_the_file_is_named_in_the_quarantine_relative_to_its_source(tmp_path):
    put(tmp_path / "raw", "in/b.jsonl", b"null\n" + GOOD)
    put(tmp_path / "raw", "a.jsonl", GOOD)
    done = run(tmp_path / "raw", tmp_path)
    assert refused(done)["file"].to_list() == ["in/b.jsonl"]
    assert refused(done)["row_id"].to_list() == ["s/in/b.jsonl:000001"]
    assert done.scan().collect()["row_id"].to_list() == ["s/a.jsonl:000001", "s/in/b.jsonl:000002"]
    assert str(tmp_path) not in (done.path / "manifest.json").read_text()
