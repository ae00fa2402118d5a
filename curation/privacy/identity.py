"""Numbers of identity and of payment: most have check digits, and those without one need a word beside them.

Korean resident and foreigner registration numbers: six digits of the date of birth, a digit for sex, century and
nationality, and six more. The check digit is (11 - s mod 11) mod 10 for citizens and (13 - s mod 11) mod 10 for
foreigners, with s the sum weighted 2..9, 2..5 (python-stdnum's `kr.rrn` has the first; Presidio's KR_FRN the second).
Numbers given out since 5 October 2020, to the new-born and to whoever changed theirs, end in random digits. So with a
hyphen a number counts if its check digit is right, or the date of birth is October 2020 or later, or a word for the
number stands beside it; without a hyphen, only with such a word, for milliseconds since 1970 have thirteen digits too.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from stdnum import iban, luhn
from stdnum.kr import rrn
from stdnum.us import ssn

from curation.privacy.spans import Span, before, beside, digits

_START, _END = r"(?<![0-9A-Za-z_])(?<![0-9][-.,])", r"(?![0-9A-Za-z_])(?![-.]\d)"

_RESIDENT = re.compile(rf"{_START}(\d{{6}})( ?- ?| ?)([0-9]\d{{6}}){_END}")
_RESIDENT_WORDS = re.compile(
    r"주민\s?(?:등록)?\s?번호|주민\s?(?:등록증|번)|외국인\s?등록|거소신고|본인\s?인증|실명|resident(?:ial)? "
    r"(?:registration|id)|"
    r"\brrn\b|\bjumin|(?:alien|foreigner) registration|\barc\b|national id|identification number",
    re.IGNORECASE,
)
_RANDOM_SINCE = datetime.date(2020, 10, 1)
_LAST_YEAR = 2035  # no clock decides what is found; a later year of birth is a number of another sort
_MADE_UP_TAILS = ("1234567", "2345678", "1111111", "2222222", "3333333", "4444444")

_SSN = re.compile(rf"{_START}(\d{{3}})([- ]?)(\d{{2}})\2(\d{{4}}){_END}")
_SSN_WORDS = re.compile(r"\bssns?\b|social\s+security|\bss ?#|\btax(?:payer)? id|사회\s?보장", re.IGNORECASE)
# Specimens that were printed on cards and leaflets (078-05-1120, 219-09-9999: the SSA's own list of misused numbers).
_SSN_SPECIMENS = frozenset({"123456789", "078051120", "219099999"})

_OTHER_NUMBER = re.compile(
    r"\b(?:order|part|model|item|sku|serial|invoice|tracking|product|case|ticket|isbn|ref(?:erence)?|po|batch|lot|"
    r"imei|uuid|"
    r"seed|shipment|confirmation|transaction)\b[^\n]{0,24}$|(?:주문|송장|운송장|상품|제품|부품|품목|모델|관리|접수|"
    r"일련|시리얼|문서|사건)"
    r"[^\n]{0,10}$",
    re.IGNORECASE,
)

_CARD = re.compile(
    rf"{_START}(?:\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{4}}(?:\1\d{{1,3}})?|3\d{{3}}([ -])\d{{6}}\2\d{{4,5}}|"
    rf"\d{{13,19}}){_END}"
)
_CARD_WORDS = re.compile(
    r"\bcards?\b|\bvisa\b|master ?card|\bamex\b|american express|\bjcb\b|\bcredit\b|\bdebit\b|\bpayment|\bpan\b|"
    r"\bcc\b|\bcvc|\bcvv|"
    r"\bnumber\b|\bcharged?\b|\bexp(?:ir\w+)?\b|카드|결제|할부|한도|아멕스|비자",
    re.IGNORECASE,
)
# Prefix and lengths by issuer: ISO/IEC 7812 ranges as listed by stripe/card-type and Presidio's CREDIT_CARD; 9 is the
# first digit of Korean domestic cards (94, 95).
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|"
    r"3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|6(?:011|5\d\d|4[4-9]\d)\d{12}|62\d{14,17}|9[45]\d{14}"
)
# Test numbers that Stripe, PayPal, Braintree and Adyen publish.
_TEST_CARDS = (
    "4111111111111111 4242424242424242 4012888888881881 4222222222222 4000056655665556 4000000000000002 "
    "4000002500003155 "
    "4000000000009995 4000000000003220 5555555555554444 5105105105105100 5200828282828210 5454545454545454 "
    "2223003122003222 2223000048400011 378282246310005 371449635398431 378734493671000 6011111111111117 "
    "6011000990139424 3530111333300000 3566002020360505 30569309025904 38520000023237 6200000000000005 "
    "4444333322221111 4917610000000000 5500000000000004 340000000000009 30000000000004 6011000000000004"
)

_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![0-9A-Za-z])")
# Of the SWIFT registry of IBAN formats and of Wikipedia's article.
_SPECIMEN_IBANS = (
    "GB29NWBK60161331926819 GB33BUKB20201555555555 GB82WEST12345698765432 DE89370400440532013000 NL91ABNA0417164300 "
    "FR1420041010050500013M02606 CH9300762011623852957 ES9121000418450200051332 IT60X0542811101000000123456 "
    "BE68539007547034 AT611904300234573201 PL61109010140000071219812874 SE4550000000058398257466 "
    "IE29AIBK93115212345678 DK5000400440116243 NO9386011117947 FI2112345600000785 PT50000201231234567890154"
)

_PASSPORT = re.compile(r"(?<![0-9A-Za-z])(?:[MSRGDO](?:\d{8}|\d{3}[A-Z]\d{4})|P[MSRGDO]\d{7})(?![0-9A-Za-z])")
_PASSPORT_WORDS = re.compile(r"passport|여권", re.IGNORECASE)
# Region 11 to 26 or 28, year, serial, check: the form is rare enough to stand alone.
_LICENCE = re.compile(rf"{_START}(?:1[1-9]|2[0-68])[- ]\d{{2}}[- ]\d{{6}}[- ]\d{{2}}{_END}")


def resident_numbers(text: str) -> Iterator[Span]:
    """Korean registration numbers, of citizens and of foreigners."""
    for match in _RESIDENT.finditer(text):
        number, hyphen = match[1] + match[3], "-" in match[2]
        born = _born(number)
        if born is None:
            continue
        foreign = number[6] in "5678"
        checks = _foreigner_checks(number) or rrn.is_valid(number) if foreign else rrn.is_valid(number)
        named = beside(_RESIDENT_WORDS, text, *match.span(), tail=24)
        if named or (hyphen and (checks or born >= _RANDOM_SINCE)):
            kind = "foreigner_number" if foreign else "resident_number"
            yield Span(match.start(), match.end(), kind, number, match[3] in _MADE_UP_TAILS)


def _born(number: str) -> datetime.date | None:
    """Date of birth, None where there is no such date or it is before 1900 or implausibly late."""
    century = {"1": 1900, "2": 1900, "5": 1900, "6": 1900, "3": 2000, "4": 2000, "7": 2000, "8": 2000}.get(number[6])
    if century is None:
        return None
    try:
        born = datetime.date(century + int(number[:2]), int(number[2:4]), int(number[4:6]))
    except ValueError:
        return None
    return born if born.year <= _LAST_YEAR else None


def _foreigner_checks(number: str) -> bool:
    total = sum(int(digit) * weight for digit, weight in zip(number, (*range(2, 10), *range(2, 6)), strict=False))
    return int(number[12]) == (13 - total % 11) % 10


def ssns(text: str) -> Iterator[Span]:
    """US social security numbers in a plausible range; without hyphens only beside a word for them."""
    for match in _SSN.finditer(text):
        number = match[1] + match[3] + match[4]
        plausible = match[1] not in ("000", "666") and match[1] < "900" and match[3] != "00" and match[4] != "0000"
        example = number in _SSN_SPECIMENS or len(set(number)) == 1
        if not plausible or not (example or ssn.is_valid(number)):
            continue
        named = beside(_SSN_WORDS, text, *match.span(), lead=60)
        if named or (match[2] == "-" and not _OTHER_NUMBER.search(before(text, match.start(), 40))):
            yield Span(match.start(), match.end(), "ssn", number, example)


def credit_cards(text: str) -> Iterator[Span]:
    """Card numbers: an issuer's prefix and length, and Luhn; as bare digits only beside a word for them."""
    for match in _CARD.finditer(text):
        number = digits(match[0])
        if not _ISSUERS.fullmatch(number) or not luhn.is_valid(number):
            continue
        grouped = number != match[0]
        named = beside(_CARD_WORDS, text, *match.span())
        if (named or grouped) and not _OTHER_NUMBER.search(before(text, match.start(), 40)):
            yield Span(match.start(), match.end(), "credit_card", number, number in _TEST_CARDS.split())


def ibans(text: str) -> Iterator[Span]:
    """International bank account numbers with the right length, structure and check digits (ISO 13616)."""
    for match in _IBAN.finditer(text):
        # What follows in capitals may be a word (`... 00 BIC`): shorten at a gap until it is valid.
        start, gaps = match.start(), [gap.start() for gap in re.finditer(" ", match[0])]
        for length in [len(match[0]), *reversed(gaps)]:
            number = match[0][:length].replace(" ", "")
            if len(number) > 14 and iban.is_valid(number):
                yield Span(start, start + length, "iban", number, number in _SPECIMEN_IBANS.split())
                break


def passports(text: str) -> Iterator[Span]:
    """Korean passport numbers, of both forms (M12345678; since December 2021 M123A4567), beside the word."""
    for match in _PASSPORT.finditer(text):
        if beside(_PASSPORT_WORDS, text, *match.span()):
            yield Span(match.start(), match.end(), "passport_number", match[0])


def licences(text: str) -> Iterator[Span]:
    """Korean driver's licence numbers: region, year, serial and check, in four groups."""
    for match in _LICENCE.finditer(text):
        yield Span(match.start(), match.end(), "driver_licence", digits(match[0]))
