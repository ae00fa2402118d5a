"""Numbers as people and models write them, as exact fractions. Nothing is evaluated and nothing passes through a float.

Read are: signs, thousands separators, decimals, currency before and units behind (a percent sign is a unit: 50% is 50),
fractions (3/4, ½, 1 3/4, LaTeX), scientific notation, "2.5 million", and Korean powers (1억 2,000만, 3천). Not read are
expressions (3 + 4), ratios and times (10:30), ranges (3-5), digits grouped in another way (1,00), and numbers in words.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

# Longer numbers are not read: nobody states an answer so, and arithmetic on them is slow.
_MOST_CHARACTERS: Final = 60
_VULGAR: Final = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5"} | {
    "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
}  # fmt: skip
_CHARACTERS: Final = str.maketrans(
    {chr(0xFF01 + at): chr(0x21 + at) for at in range(94)}
    | {sign: f" {value} " for sign, value in _VULGAR.items()}
    | dict.fromkeys("\u2212\u2013\ufe63", "-")
    | {"\u2044": "/", "\u3000": " ", "×": "x", "·": "x"}
)
_GROUPING_SPACE: Final = re.compile(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
_SIGN_BEFORE_VULGAR: Final = re.compile(r"(?<![0-9])- (?=[0-9]/[0-9] )")
_LATEX: Final = (
    (re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"(?<=[0-9])\s*\\[dtc]?frac"), r" \\frac"),
    (re.compile(r"\\[dtc]?frac\s*\{\s*([^{}]*?)\s*\}\s*\{\s*([^{}]*?)\s*\}"), r"\1/\2"),
    (re.compile(r"\\[dtc]?frac\s*([0-9])\s*([0-9])"), r"\1/\2"),
    (re.compile(r"\\(?:times|cdot)"), "x"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\^\s*\{?\\circ\}?|\\(?:left|right|boxed|fbox)(?![a-z])|\\[,!;:]"), ""),
    (re.compile(r"\\[()\[\]]|\\ |[{}~]"), " "),
    (re.compile(r"\\([$%#&])"), r"\1"),
    (re.compile(r"(?<=[0-9])\s*x\s*10\s*\^\s*(-?[0-9]{1,3})(?![0-9])"), r"e\1"),
)
_EMPHASIS: Final = re.compile(r"(?<![0-9])\*\*|\*\*(?![0-9])|__|`+|<<[^<>\n]*>>")
_DECIMAL: Final = r"(?>(?>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
# "as much as 18" (18만큼), "full marks" (만점) and "pieces" (조각) begin like a power.
_POWER: Final = r"(?:[백천]?(?:[만억](?!큼|점)|조(?!각))|[백천])"
_KOREAN: Final = re.compile(rf"({_DECIMAL})\ ?([백천])?([만억조])?")
NUMBER: Final = re.compile(
    rf"""
    (?<![\w.,:/^+)-])(?<![0-9]\ )
    (?P<sign>-\ ?|\+|(?:minus|negative)\ |마이너스\ ?)?
    (?:(?:US\$|[$€£¥₩]|USD|EUR|KRW|Rs\.?)\ ?)?
    (?P<sign2>-)?
    (?:
        (?P<whole>[0-9]+)\ +(?P<part>[0-9]+)\ ?/\ ?(?P<of>[0-9]+)
      | (?P<korean>{_DECIMAL}\ ?{_POWER}(?:\ ?{_DECIMAL}\ ?{_POWER})*(?:\ ?[0-9]+(?![0-9,.]*[0-9,]))?)
      | (?P<top>{_DECIMAL})
        (?:(?P<power>[eE][+-]?[0-9]{{1,2}})|\ ?/\ ?(?P<bottom>{_DECIMAL}))?
        (?P<scale>\ ?(?:hundred|thousand|million|billion|trillion)\b)?
    )
    (?! [.,]?[0-9] | [¹²³⁰-⁹] | \ [0-9]{{3}}(?![0-9]) | \ ?[:^*+=/x]\ ?[0-9] | -\ ?\$?[0-9] | \ -\ ?\$?[0-9] )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SCALES: Final = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_POWERS: Final = {"": 1, "백": 10**2, "천": 10**3, "만": 10**4, "억": 10**8, "조": 10**12}


def plain(text: str) -> str:
    """A text with its numbers in one notation: ASCII digits and signs, no LaTeX, no emphasis, no GSM8K annotations."""
    if not text.isascii():
        text = _GROUPING_SPACE.sub("", text).translate(_CHARACTERS)
        text = _SIGN_BEFORE_VULGAR.sub("-", text)
    if "\\" in text or "{" in text:
        for pattern, replacement in _LATEX:
            text = pattern.sub(replacement, text)
    return _EMPHASIS.sub("", text)


def value_of(match: re.Match[str]) -> Fraction | None:
    """The number that NUMBER matched; None for what is none (3/0, --5) or is longer than any answer."""
    if len(match[0]) > _MOST_CHARACTERS:
        return None
    try:
        value = _unsigned(match)
    except ZeroDivisionError:
        return None
    if match["sign"] and match["sign2"]:
        return None
    return -value if (match["sign"] or match["sign2"] or "+") != "+" else value


def _unsigned(match: re.Match[str]) -> Fraction:
    if match["whole"]:
        return int(match["whole"]) + Fraction(int(match["part"]), int(match["of"]))
    if match["korean"]:
        return _korean(match["korean"])
    value = _decimal(match["top"] + (match["power"] or ""))
    if match["bottom"]:
        value /= _decimal(match["bottom"])
    return value * _SCALES[match["scale"].strip().lower()] if match["scale"] else value


def _korean(digits: str) -> Fraction:
    """2천 5백만 is (2 x 1000 + 5 x 100) x 10000."""
    total = section = Fraction(0)
    for number, small, large in _KOREAN.findall(digits):
        section += _decimal(number) * _POWERS[small]
        if large:
            total, section = total + section * _POWERS[large], Fraction(0)
    return total + section


def _decimal(digits: str) -> Fraction:
    return Fraction(digits.replace(",", ""))
