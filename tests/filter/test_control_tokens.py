"""Control tokens of chat templates, and prompt formats that ran on into an answer."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from curation.filter import control_tokens
from curation.stage import Context
from tests.generation.tokenizers import word_tokenizer
from tests.helpers import answer, outcome, reasons, rows

TOKENS = [
    ("Hello<|im_end|>", "<|im_end|>"),
    ("<|endoftext|>", "<|endoftext|>"),
    ("a<|start_header_id|>system<|end_header_id|>", "<|start_header_id|>"),
    ("<|reserved_special_token_0|>", "<|reserved_special_token_0|>"),
    ("<s>[INST] Hi [/INST]", "<s>[INST]"),
    ("Hi [/INST]", "[/INST]"),
    ("<<SYS>>Be good<</SYS>>", "<<SYS>>"),
    ("<start_of_turn>model", "<start_of_turn>"),
    ("안녕하세요<eos>", "<eos>"),
    ("[|endofturn|]", "[|endofturn|]"),
    ("<｜Assistant｜>", "<|Assistant|>"),
    ("<｜end▁of▁sentence｜>", "<|end▁of▁sentence|>"),
    ("＜|im_start|＞", "<|im_start|>"),
    ("<|im\u200b_start|>", "<|im_start|>"),
    ("Done.</s>", "</s>"),
    ("<extra_id_0>", "<extra_id_0>"),
]


@pytest.mark.parametrize(("text", "token"), TOKENS)
def test_tokens_in_an_answer(text: str, token: str):
    _, ledger = outcome("filter.control_tokens", rows(answer(text)))
    assert ledger.select("reason", "detail").rows() == [("control_token", token)]


@pytest.mark.parametrize(
    "text",
    [
        "x |> f <| y",
        "<s>old price</s>",
        'He wrote <s class="x">this</s>',
        "Replace the <mask> token.",
        "p(|x|>2), <|v|>",
        "<start> of the <end>",
        "if (a <| b) { }",
        "List: [INSTALL], [INST.]",
        "1 << 2 >> 1",
        "시작<시작>",
    ],
)
def test_texts_that_only_resemble_tokens(text: str):
    assert outcome("filter.control_tokens", rows(answer(text)))[0].height == 1


def test_every_message_and_its_extra_is_looked_at():
    frame = rows(
        [("system", "<|im_start|>"), ("user", "Hi"), ("assistant", "Hello")],
        [("user", "[INST]"), ("assistant", "a"), ("user", "b"), ("assistant", "c")],
        [("user", "Hi"), ("assistant", None), ("tool", "ok"), ("assistant", "done")],
        [],
    )
    messages = frame["messages"].to_list()
    messages[2][1]["extra"] = '{"tool_calls":[{"arguments":"<|eot_id|>"}]}'
    frame = frame.with_columns(pl.Series("messages", messages, frame.schema["messages"]))
    kept, ledger = outcome("filter.control_tokens", frame)
    assert ledger["detail"].to_list() == ["<|im_start|>", "[INST]", "<|eot_id|>"]
    assert kept["row_id"].to_list() == ["t:000004"]


def test_further_tokens_are_literal_and_folded():
    frame = rows(answer("a ①END* b"), answer("a 1END* b"), answer("1ENDD"), answer("fine"))
    _, ledger = outcome("filter.control_tokens", frame, tokens=("①END*", "(x"))
    # NFKC folds the circled digit, of the token as of the text.
    assert ledger.select("row_id", "detail").rows() == [("t:000001", "①END*"), ("t:000002", "1END*")]
    with pytest.raises(ValidationError):
        control_tokens.Config(tokens=("",))


def test_rows_about_tokens_may_be_kept():
    frame = rows(answer("It ends with <|im_end|>."), answer("fine"), answer("＜|im_end|＞"))
    kept, ledger = outcome("filter.control_tokens", frame, action="flag")
    assert kept.equals(frame)
    assert ledger.select("row_id", "kind", "reason", "detail").rows() == [
        ("t:000001", "flagged", "control_token", "<|im_end|>"),
        ("t:000003", "flagged", "control_token", "<|im_end|>"),
    ]


def test_tokens_of_a_tokenizer_count(tmp_path: Path):
    """Its special tokens, and added ones in the form of a marker; its digest changes with them."""
    frame = rows(answer("Say [EVE] twice."), answer("a <pause> b"), answer("a plainword b"), answer("fine [PAD]"))
    digests = []
    for added in ([], ["[EVE]"]):
        folder = tmp_path / f"model{len(added)}"
        tokenizer = word_tokenizer(["fine", "a"])
        tokenizer.add_tokens(added, special_tokens=True)
        tokenizer.add_tokens(["<pause>", "plainword"])
        tokenizer.save_pretrained(folder)
        (folder / "config.json").write_text("{}")
        config = control_tokens.Config(tokenizers=(str(folder),))
        digests.append(control_tokens.fingerprint(config, Context()))
    _, ledger = outcome("filter.control_tokens", frame, tokenizers=(str(folder),))
    assert reasons(ledger) == {1: "control_token", 2: "control_token", 4: "control_token"}
    assert ledger["detail"].to_list() == ["[EVE]", "<pause>", "[PAD]"]
    assert digests[0] != digests[1]


def test_a_template_that_runs_on_into_the_answer():
    frame = rows(
        answer("Paris.\n11. Instruction: Define it.\n11. Input:\n<noinput>\n11. Output:\nA city."),
        answer("Paris.\n\n### Instruction:\nDefine it.\n\n### Response:\nA city."),
        answer("1. Input: a number\n2. Process: add one"),
        answer("### Response:\nParis."),
        answer("Paris.", prompt="### Instruction:\nWhere?\n### Response:"),
    )
    _, ledger = outcome("filter.control_tokens", frame)
    assert reasons(ledger) == {1: "template_leak", 2: "template_leak"}
    assert [detail.strip() for detail in ledger["detail"]] == ["11. Instruction:", "### Instruction:"]
