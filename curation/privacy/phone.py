"""Telephone numbers that may belong to a person, validated with the numbering plans in `phonenumbers`.

A number with `+` and a country code is found wherever it is valid. Without one, Korean and North American numbers are
found by their usual punctuation; in other forms, and for the plans of `LOCAL_REGIONS`, only beside a word such as
"call" or 전화.

Some identify no person and so are examples in the sense of `Span`: those of businesses by their very range (toll-free,
premium and shared-cost numbers such as 080 and 1-800, Korean nationwide numbers such as 1588-0000), ranges set aside
for fiction and documentation (NANP 555-0100 to 555-0199, Ofcom's numbers for drama), and what stands for any number
(123-456-7890, 555-1234, 555-555-5555, 010-0000-0000). Area code 555 is nobody's, but who writes such a number means a
person: it is found like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from curation.privacy.spans import Span, before, beside, digits

# Of numbers without a country code that stand beside a word for telephone.
LOCAL_REGIONS = ("GB", "DE", "FR", "AU", "JP", "IN")

_START = r"(?<![0-9A-Za-z_+])(?<![0-9][-./,:])(?<![#$€£₩=-])"
_END = r"(?![0-9A-Za-z_])(?![-.,:/]\d)"
_GAP = r" ?[-./]? ?"
_MOBILE_KR = re.compile(rf"{_START}\(?(?:82[-. ]0?|0)1[016789](?:\) ?-?|{_GAP})\d{{3,4}}{_GAP}\d{{4}}{_END}")
_FIXED_KR = re.compile(
    rf"{_START}\(?0(?:2|3[1-3]|4[1-4]|5[1-5]|6[1-4]|70|"
    rf"50\d)(?: ?\) ?-?|{_GAP})(?!1[568]\d\d[-. ])\d{{3,4}}{_GAP}\d{{4}}{_END}"
)
_NANP = re.compile(
    rf"{_START}(?:\+?\(?1\)?[-. ]{{0,3}})?(?:\([1-9]\d{{2}}\)|"
    rf"[1-9]\d{{2}})(?:[-. /]{{0,3}})\d{{3}}(?:[-. ]{{1,3}})\d{{4}}{_END}"
)
_COMPACT = re.compile(rf"{_START}(?:1?[2-9]\d{{9}}|0\d{{8,10}}){_END}")
_LOCAL = re.compile(rf"{_START}\(?0\d{{1,5}}\)?(?:[ -]\d{{2,8}}){{1,5}}{_END}")
_SEVEN = re.compile(rf"{_START}[2-9]\d{{2}}[-.]\d{{4}}{_END}")
# The ranges in use for nationwide numbers of businesses; 1592-1598 is a war.
_SERVICE_KR = re.compile(
    rf"{_START}1(?:5(?:22|44|66|77|88|99)|6(?:00|44|61|66|70|88|99)|8(?:00|11|33|55|77|99))[- ]\d{{4}}{_END}"
)
_GAPS = re.compile(r"[-. /()]+")
_INTERNATIONAL = re.compile(rf"(?<![0-9A-Za-z+])\+ ?[1-9](?:[-. /()]{{0,3}}\d){{6,14}}{_END}")

_WORDS = re.compile(
    r"\b(?:tele)?phones?\b|\btel(?:ephone)?\b|\btel[.:]|\bmobile\b|\bcell(?:ular|phone)?\b|\bcall(?:s|ed|ing)?\b|"
    r"\bdial\b|"
    r"\btext(?:ed|ing)?\b|\bsms\b|\bfax\b|\bwhatsapp\b|\bcontact\b|\bhotline\b|\bring\b|\breach(?:ed|able)?\b|"
    r"\bh\.?p\b|"
    r"\bnumber (?:is|was)\b|\bvoicemail\b|\blandline\b|téléphone|\btelefon|電話|전화|연락|핸드폰|휴대|팩스|문자|직통|"
    r"카톡|폰번호|폰 번호|통화|문의|내선",
    re.IGNORECASE,
)
_SERVICE_WORDS = re.compile(r"전화|연락|문의|대표|고객|상담|센터|콜|팩스|신고|접수|번호|\btel|\bcall", re.IGNORECASE)
_DIALLED = re.compile(
    r"(?:phone(?: number)?|telephone|tel|mobile|cell|call(?: (?:me|us|him|her|them|now|back))?|dial|text(?: me| us)?|"
    r"fax|"
    r"number is)(?: (?:at|on|is|number))?[:.]? ?$",
    re.IGNORECASE,
)
_OTHER_NUMBER = re.compile(
    r"(?:\b(?:orders?|parts?|models?|items?|skus?|serials?|invoices?|tracking|product|case|ticket|isbn|issn|account|"
    r"routing|aba|bank|ref(?:erence)?|po|version|batch|lot|patent|docket|doi|zip|imei|score|id|code)\b(?: ?(?:no\.?|"
    r"numbers?|num|id|"
    r"code))? ?[:#]? ?"
    r"(?:is |was )?|(?:주문|송장|운송장|상품|제품|부품|품목|모델|관리|접수|계좌|사업자|등록|일련|시리얼|특허|문서|"
    r"사건|학번|사번|예약|코드)"
    r"\s?(?:번호|no\.?)(?:는|은|가)?[ :]{0,2}|코드[ :]{0,2})$",
    re.IGNORECASE,
)
_BUSINESS = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
    }
)
_OFCOM = re.compile(r"\+44(?:2079460\d{3}|7700900\d{3}|1632960\d{3})")


def phones(text: str) -> Iterator[Span]:
    """Numbers of persons, and examples; `value` in E.164 form."""
    yield from _international(text)
    for pattern, region in ((_MOBILE_KR, "KR"), (_FIXED_KR, "KR"), (_NANP, "US")):
        for match in pattern.finditer(text):
            if _is_punctuated(match[0], region) or beside(_WORDS, text, *match.span()):
                yield from _valid(text, match, (region,))
    for pattern, regions in ((_COMPACT, ("US", "KR", *LOCAL_REGIONS)), (_LOCAL, LOCAL_REGIONS)):
        for match in pattern.finditer(text):
            if beside(_WORDS, text, *match.span(), lead=30):
                yield from _valid(text, match, regions)
    for match in _SERVICE_KR.finditer(text):
        if beside(_SERVICE_WORDS, text, *match.span()):
            yield from _valid(text, match, ("KR",))
    for match in _SEVEN.finditer(text):
        if _DIALLED.search(before(text, match.start(), 30)):
            local = digits(match[0])
            yield Span(match.start(), match.end(), "phone", local, local.startswith("555"))


def _is_punctuated(number: str, region: str) -> bool:
    """Whether the form alone says telephone: hyphens or brackets, or a Korean mobile prefix and its eleven digits."""
    if region == "KR" and number.lstrip("(").startswith(("01", "82")):
        return True
    if region == "KR":
        return "-" in number or ")" in number
    return ")" in number or number.count("-") > 1 or (number.count(".") > 1 and " " not in number)


def _international(text: str) -> Iterator[Span]:
    if "+" not in text:
        return
    for match in _INTERNATIONAL.finditer(text):
        start = match.start()
        # What follows a number may be another: shorten at a gap until it is valid.
        for end in [match.end(), *(start + gap.start() for gap in reversed(list(_GAPS.finditer(match[0]))))]:
            number = _parsed(text[start:end], None)
            if number is not None:
                yield from _judged(start, end, number)
                break


def _valid(text: str, match: re.Match[str], regions: tuple[str, ...]) -> Iterator[Span]:
    start, end = match.span()
    if "(" not in match[0] and _OTHER_NUMBER.search(before(text, start, 30)):
        return
    start += match[0].startswith("(") and ")" not in match[0]
    for region in regions:
        number = _parsed(text[start:end], region)
        if number is not None:
            yield from _judged(start, end, number)
            return
    national = digits(text[start:end])[-10:]
    if "US" in regions and len(national) == 10 and (_stands_for_any(national) or national.startswith("555")):
        yield Span(start, end, "phone", f"+1{national}", _stands_for_any(national))


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _judged(start: int, end: int, number: phonenumbers.PhoneNumber) -> Iterator[Span]:
    value = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    business = phonenumbers.number_type(number) in _BUSINESS
    yield Span(start, end, "phone", value, business or _is_example(value), business)


def _is_example(value: str) -> bool:
    if value.startswith("+1"):
        return _stands_for_any(value[2:])
    return bool(_OFCOM.fullmatch(value)) or value.endswith("00000000")


def _stands_for_any(national: str) -> bool:
    """Whether ten digits are what people write for any number: in order, one digit repeated, 555-0100 to 555-0199."""
    ordered = national in "01234567890123456789" or national.endswith("1234567")
    return len(national) == 10 and (ordered or len(set(national)) == 1 or national[3:8] == "55501")
