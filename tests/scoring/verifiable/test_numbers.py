"""Numbers as they are written, and the final answers that a text states."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.scoring.verifiable.answers import last_number, stated_in, whole_number
from curation.scoring.verifiable.numbers import NUMBER, plain, value_of

READ = {
    "18": "18",
    "18.0": "18",
    "007": "7",
    "1,000": "1000",
    "1\u00a0000": "1000",
    "-3.50": "-7/2",
    "−7": "-7",
    "minus 5": "-5",
    "$-5": "-5",
    "-$5": "-5",
    "$1,234.50.": "2469/2",
    ".5": "1/2",
    "18%": "18",
    "3/4 cup": "3/4",
    "1 3/4": "7/4",
    "½": "1/2",
    "-½": "-1/2",
    "3½": "7/2",
    r"\frac{3}{4}": "3/4",
    r"-\dfrac34": "-3/4",
    r"1\frac{1}{2}": "3/2",
    r"18\text{ eggs}": "18",
    r"\$18": "18",
    "1.5e3": "1500",
    r"1.5 \times 10^3": "1500",
    "2.5 million": "2500000",
    "**18**": "18",
    "１８": "18",
    "18개": "18",
    "3천": "3000",
    "5만 3천원": "53000",
    "2천5백만": "25000000",
    "1억 2,000만원": "120000000",
    "18만큼": "18",
    "3조각": "3",
}
UNREAD = ["1,00", "18,5", "1 000", "10:30", "3-5", "3.5.1", "10²", "10^5", "3x4", "3/0", "--5", "A-5", "9" * 70]


@pytest.mark.parametrize(("text", "value"), READ.items())
def test_a_number_is_read_exactly(text: str, value: str):
    match = NUMBER.match(plain(text).strip())
    assert match
    assert value_of(match) == Fraction(value)


@pytest.mark.parametrize("text", UNREAD)
def test_what_could_be_misread_is_not_read(text: str):
    match = NUMBER.match(plain(text).strip())
    assert match is None or value_of(match) is None


@given(st.integers(-(10**15), 10**15), st.integers(0, 6))
def test_what_python_writes_is_read_back(units: int, places: int):
    value = Fraction(units, 10**places)
    digits = f"{abs(units) // 10**places:,}" + (f".{abs(units) % 10**places:0{places}d}" if places else "")
    sign = "-" if units < 0 else ""
    for text in (
        f"#### {sign}{digits}",
        f"A: {sign}${digits} dollars.",
        f"정답은 {sign}{digits}입니다.",
        f"\\boxed{{{sign}{digits}}}",
    ):
        assert stated_in(text).values == (value,), text


STATED = {
    "#### 18": ["18"],
    "#### 1,000": ["1000"],
    "A: 18": ["18"],
    "\\boxed{18}": ["18"],
    "\\boxed{x=\\frac{3}{4}}": ["3/4"],
    "The answer is 18.": ["18"],
    "The final answer is **18**.": ["18"],
    "THE ANSWER IS 18": ["18"],
    "answer: -3.50": ["-7/2"],
    "answer: ½": ["1/2"],
    "**Answer:** 18 eggs": ["18"],
    "Answer:\n18": ["18"],
    "Answer:\n\n- 18": ["18"],
    "A: -5": ["-5"],
    "A: 9*2=18": ["18"],
    "A: 9*2 = <<9*2=18>>18": ["18"],
    "A: She has 18 eggs": ["18"],
    "The answer is \\(18\\).": ["18"],
    "<answer>18 eggs</answer> 20": ["18"],
    "<think>The answer is 20. No.</think>The answer is 18.": ["18"],
    "<think>The answer is 20.": [],
    "정답은 18": ["18"],
    "답: 18": ["18"],
    "최종 답은 1,800원입니다.": ["1800"],
    "#### 18\n#### 20": ["18", "20"],
    "A: 18\nThe answer is 20.": ["18", "20"],
    "\\boxed{18}\n#### 20": ["18", "20"],
    "The answer was 9 before.\n#### 18": ["18"],
    "A: 18 or 20": ["18", "20"],
    "A: 18 (or 20)": ["18", "20"],
    "The answers are 3 and 4": ["3", "4"],
    "답: 18 또는 20": ["18", "20"],
    "The answer is 5 feet 3 inches": ["5", "3"],
    "A: In 2 days she has 18": ["2", "18"],
    # Headings, options, negations and words that contain the marks state nothing.
    "#### 1. Simplify": [],
    "#### Step 1": [],
    "##### 18": [],
    "A: 5\nB: 18": [],
    "The answer is not 18": [],
    "답은 18이 아니다": [],
    "대답은 18": [],
    "A: ": [],
    "A: B": [],
    "She has 18": [],
}


@pytest.mark.parametrize(("text", "values"), STATED.items())
def test_what_a_text_states(text: str, values: list[str]):
    assert [str(value) for value in stated_in(text).values] == values
    assert not stated_in(text).unread


@pytest.mark.parametrize(
    "text", ["A: 9 * 2", "A: 18 - 3", "A: 10:30", "#### 1,00", "A: 18/0", "The answer is 3-5.", "A: Eighteen."]
)
def test_numbers_that_cannot_be_read_are_told(text: str):
    assert stated_in(text).values == ()
    assert stated_in(text).unread


def test_a_text_that_is_nothing_but_a_number():
    assert [whole_number(text) for text in ("18", "$18.00", "18 eggs", "72.", "18개입니다", "50%")] == [
        18,
        18,
        18,
        72,
        18,
        50,
    ]
    assert [whole_number(text) for text in ("she has 18", "18 20", "", "18 of the 20 that she had")] == [None] * 4


def test_the_last_number_of_a_text():
    assert last_number("2 and 3\n= 5 eggs\nDone.") == 5
    assert last_number("none") is None


@given(st.text(alphabet="0123456789,.-/ $%#A:\\{}boxedfrac=x^*()\n½만억 answeris또는", max_size=300))
def test_no_text_is_an_error(text: str):
    stated_in(text)
    whole_number(text)
    last_number(text)
