"""Answers that were cut off, and answers that merely end without a full stop."""

from __future__ import annotations

import pytest

from tests.helpers import answer, outcome, reasons, rows

CUT = [
    ("It united the country and encouraged everyone to support the", "truncated_mid_sentence"),
    ("The aurora is named after the Roman goddess of the dawn,", "truncated_mid_sentence"),
    ("He studied law in Paris, worked as a clerk and", "truncated_mid_sentence"),
    ("By meeting the requirements of this scenario, your", "truncated_mid_sentence"),
    ("- Mix the flour.\n- Then heat the pan and add a", "truncated_mid_sentence"),
    ("우리 눈이 어둠에 적응하는 시간은 개인에 따라 다르지만, 대부분의 경우 보통 8분에서", "truncated_mid_sentence"),
    ("1. 구글 지도에서 검색하고자 하는", "truncated_mid_sentence"),
    ("전자 상거래를 위한 데이터베이스 설계 및", "truncated_mid_sentence"),
    ("하지만 가스 제품의 설치가 위험할 수 있으며,", "truncated_mid_sentence"),
    ("별이 빛을 냅니다. 이 별의 크기는 태양의 170배에", "truncated_mid_sentence"),
    ("이 게임을 소개합니다. 주인공은", "truncated_mid_sentence"),
    ("여러 방향으로 반사되는 빛이 있습니다. 대부분이 자외선일 수도 있고", "truncated_mid_sentence"),
    ("Sure:\n```python\nprint(1)\n", "open_code_fence"),
    ("```\na\n```\nand\n```\nb", "open_code_fence"),
    ("~~~\nx = 1", "open_code_fence"),
    ("Films: The Informer (John Ford, Warner B", "open_bracket"),
    ("생약 볶음 (두부, 채소, 홍 파", "open_bracket"),
    ("It got faster.[", "open_bracket"),
    ('He looked up and said, "I think that we', "open_quote"),
    ('책을 추천합니다.\n2. "위대한 개츠비', "open_quote"),
    ("그는 “올해에는 10원짜리 동전을 만든다", "open_quote"),
    ("Er sagte: „Ich möchte diese Schuhe gegen", "open_quote"),
    ("They went to the super-", "truncated_mid_word"),
    ("The tide turns twice a day. Sailors who wait for it at the pier can", "truncated_mid_sentence"),
    ("Soak the beans first. Change the water after some hours, and by", "truncated_mid_sentence"),
    ("The river was low that year. The mills stood still, and after a while", "truncated_mid_sentence"),
    ("1. Sand the table well.\n2. Let the oil dry on a rack that you made for", "truncated_mid_sentence"),
    ("물은 위에서부터 식습니다. 그래서 깊은 호수에서는", "truncated_mid_sentence"),
]

WHOLE = [
    "Paris",
    "Say: „Ich möchte diese Schuhe umtauschen“",
    "42",
    "#### 72",
    "A mile has exactly 63360 inches in it",
    "Stayin' Alive, Y.M.C.A, Let's Get it On, I'll be there and Let it be",
    "edit, here, the, this, a",
    "    return b, a",
    "Titles: The Sea, Plan A",
    "Vitamins: A, B and vitamin A",
    "5. Measurable goals for the company to strive for",
    "Dear Professor [last name],",
    "I look forward to it.\n\nWith heartfelt gratitude,",
    "Thank you for reading.\nBest regards,\nAnna",
    "Roses are red, violets and\nsugar and the\nmoon and the\nlight of the",
    "Peaceful waves rolling in the\nquiet of the\nnight of the\nyear, and the",
    "I miss you :(",
    "This is the house I grew up in",
    "What we hope for and what we work at",
    "It is late. See you",
    "Sleep well. Tomorrow is a day like no other one",
    "Three titles:\n1. The Road They Came By\n2. What Friends Are For",
    'It is 5\'10" tall and 12" wide',
    '"Yes," she said. "No," he said',
    "f(x) = (x + 1)",
    "x lies in [0, 1)",
    "1) first 2) second",
    "```\ncode\n```",
    "````markdown\n```\ncode\n```\n````",
    "Use `a[0` carefully: `b]",
    "apples, pears, plums, figs,",
    "#EcoFriendly #SaveMoney",
    "킁킁",
    "환승은 30분 안에",
    "5. 정기 회의",
    "- LED 램프 회로",
    "- 소유자의 리스크 감소 및 목표 달성 여부 평가",
    "### 구문 검색 결과",
    "좋은 하루 보내세요",
    "오늘은 비가 온다고 하는데",
    "그러게요. 조금만 더 쉬면 좋겠지만",
    "가을은 참 아름다운 마을",
    "또 하나가 먼지를\n헤이, 나도 널 위해\n그리고 또 다른 하나를\n잡을 거야 너를",
    "감사합니다.\n고객 서비스팀 드림",
    "",
    "   ",
]


@pytest.mark.parametrize(("text", "reason"), CUT)
def test_cut_off(text: str, reason: str):
    _, ledger = outcome("filter.truncation", rows(answer(text)))
    assert ledger.select("reason", "detail").rows() == [(reason, text.rstrip()[-60:])]


@pytest.mark.parametrize("text", WHOLE)
def test_whole(text: str):
    assert outcome("filter.truncation", rows(answer(text)))[1]["reason"].to_list() == []


@pytest.mark.parametrize("end", [".", "!", "?", "…", "。", ":", '"', "”", ")", "]", "`", "*", "😀", "👍🏽", "♥️", "|"])
def test_final_punctuation_ends_a_text(end: str):
    assert outcome("filter.truncation", rows(answer("He saw (or did he) that “it was the" + end)))[0].height == 1


def test_the_order_of_reasons_and_which_turn_is_judged():
    frame = rows(
        answer('```\nHe said (and then "the'),
        answer('He then said (and meant it) "of the'),
        answer('He (who said "of it'),
        [("user", "Go on and the"), ("assistant", "It is done."), ("user", "and then he went to the")],
        [("user", "a"), ("assistant", "and then he went to the"), ("user", "b"), ("assistant", "Done.")],
        answer(None),
        [("user", "and then he went to the")],
        [],
    )
    assert reasons(outcome("filter.truncation", frame)[1]) == {
        1: "open_code_fence",
        2: "truncated_mid_sentence",
        3: "open_bracket",
    }
