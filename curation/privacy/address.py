"""Postal addresses, conservatively: Korean road-name and lot addresses, addresses in English.

A Korean address has a city, county or district (all names of the administrative standard code), a road or a
neighbourhood, and a number. An address in English has a number, a street and a state, a ZIP code, or a British or
Canadian postcode; without these, it counts only after words such as "I live at". Examples, which identify nobody:
123 Main Street, Anytown, the White House.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curation.privacy.spans import Span, before

_SIDO = (
    r"(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주)(?:특별자치시|"
    r"특별자치도|특별시|광역시|시|도)?|"
    r"(?:충청|전라|경상)[남북]도"
)
# Cities (si), counties (gun) and districts (gu), without their last syllable.
_SI = (
    "수원 성남 의정부 안양 부천 광명 평택 동두천 안산 고양 과천 구리 남양주 오산 시흥 군포 의왕 하남 용인 파주 이천 "
    "안성 김포 화성 광주 양주 포천 여주 춘천 원주 "
    "강릉 동해 태백 속초 삼척 청주 충주 제천 천안 공주 보령 아산 서산 논산 계룡 당진 전주 군산 익산 정읍 남원 김제 "
    "목포 여수 순천 나주 광양 포항 경주 김천 안동 "
    "구미 영주 영천 상주 문경 경산 창원 진주 통영 사천 김해 밀양 거제 양산 제주 서귀포 서울 부산 대구 인천 대전 울산 "
    "세종"
)
_GUN = (
    "기장 달성 강화 옹진 울주 연천 가평 양평 홍천 횡성 영월 평창 정선 철원 화천 양구 인제 고성 양양 보은 옥천 영동 "
    "증평 진천 괴산 음성 단양 금산 부여 서천 청양 홍성 "
    "예산 태안 완주 진안 무주 장수 임실 순창 고창 부안 담양 곡성 구례 고흥 보성 화순 장흥 강진 해남 영암 무안 함평 "
    "영광 장성 완도 진도 신안 군위 의성 청송 영양 "
    "영덕 청도 고령 성주 칠곡 예천 봉화 울진 울릉 의령 함안 창녕 남해 하동 산청 함양 거창 합천"
)
_GU = (
    "종로 중 용산 성동 광진 동대문 중랑 성북 강북 도봉 노원 은평 서대문 마포 양천 강서 구로 금천 영등포 동작 관악 "
    "서초 강남 송파 강동 서 동 영도 부산진 동래 남 북 "
    "해운대 사하 금정 연제 수영 사상 수성 달서 미추홀 연수 남동 부평 계양 광산 유성 대덕 장안 권선 팔달 영통 수정 "
    "중원 분당 만안 동안 상록 단원 덕양 일산동 일산서 "
    "처인 기흥 수지 상당 서원 흥덕 청원 동남 서북 완산 덕진 의창 성산 마산합포 마산회원 진해 원미 소사 오정"
)


def _any(names: str, last: str) -> str:
    return f"(?:{'|'.join(sorted(names.split(), key=len, reverse=True))}){last}"


_AREA = f"(?:{_any(_SI, '시')}|{_any(_GUN, '군')}|{_any(_GU, '구')})"
_COUNTED = (
    r"(?!\d)(?!-\d)(?!\s?(?:년|월|일|시(?!장)|분|초|명|개|원|위|등|회|차|번(?!지|길)|호선|가지|여|만|억|천|백|"
    r"대(?!문)|km|m\b|미터|킬로|"
    r"%|곳|동네|살|세|배|점|종|편|권|마리|층짜리|가구|세대|인|석|평|[.]\d|~|,\d{3}))"
)
_NUMBER = rf"\d{{1,5}}(?:-\d{{1,4}})?{_COUNTED}"
_DETAIL = (
    r"(?:\s?\([가-힣0-9., ]{1,20}\))?(?:,?\s?(?:[가-힣A-Za-z0-9]{1,14}(?:아파트|빌라|오피스텔|타워|빌딩|맨션|주택|"
    r"하우스|캐슬)\s?)?"
    r"(?:\d{1,4}동\s?)?(?:[A-Za-z]?\d{1,4}호|(?:지하\s?)?\d{1,3}층))?"
)
_ROAD = r"[가-힣A-Za-z0-9·.]{1,14}(?:대로|로|길)(?:\s?\d{1,4}(?:번|가)?[가-힣]?길|\d가)?"
_LOT = r"[가-힣]{1,6}\d?(?:동|리|가)\s?(?:산\s?)?"
_KOREAN = re.compile(
    rf"(?<![가-힣])(?:(?:{_SIDO})\s)?(?:{_AREA}\s){{1,2}}(?:[가-힣]{{1,6}}(?:읍|면)\s)?(?:[가-힣]{{1,5}}\d?동\s)?"
    rf"(?:{_ROAD}\s?(?:지하\s?)?{_NUMBER}|{_LOT}(?:\d{{1,4}}-\d{{1,4}}(?:\s?번지)?{_COUNTED}|"
    rf"\d{{1,4}}(?:\s?번지|{_COUNTED})))"
    rf"{_DETAIL}"
    rf"|(?<![가-힣])세종(?:특별자치시|시)?\s{_ROAD}\s?{_NUMBER}{_DETAIL}"
)

_KOREAN_NUMBER = re.compile(r"(?:시|군|구|세종)\s[^\n]{0,40}(?:로|길|동|리|가)\s?(?:산\s?)?(?:지하\s?)?\d")
_ENGLISH_NUMBER = re.compile(r"\d[A-Z]? (?:[A-Z]|\d{1,3}(?:st|nd|rd|th))|Box \d")

_STATES = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK "
    "OR PA RI SC SD TN "
    "TX UT VT VA WA WV WI WY PR"
)
_STATE_NAMES = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|"
    "Indiana|Iowa|"
    "Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|"
    "Nevada|"
    "New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|"
    "Rhode Island|"
    "South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming"
)
_STATE = rf"(?:(?:{'|'.join(_STATES.split())})\b|{_STATE_NAMES})"
_TYPES = (
    "Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way|Terrace|Ter|Circle|Cir|"
    "Parkway|Pkwy|"
    "Highway|Hwy|Square|Sq|Trail|Trl|Loop|Alley|Row|Pike|Crescent|Cove|Plaza|Walk|Run|Path"
)
_STREET = (
    rf"(?<![\w.,$#-])\d{{1,6}}[A-Z]?(?: [NSEW]{{1,2}}\.?| North| South| East| West)?(?: (?:[A-Z][A-Za-z'.]+|"
    rf"\d{{1,3}}(?:st|nd|rd|th))){{0,4}}"
    rf" (?:(?:St|Ave|Rd|Blvd|Ln|Dr|Ct|Pl|Ter|Cir|Pkwy|Hwy|Sq|Trl)\.|(?:{_TYPES})\b)(?: (?:[NSEW]{{1,2}}|North|South|"
    rf"East|West)\b)?"
)
_UNIT = r"(?:,? ?(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|Rm|Bldg)\.? ?#?[\w-]{1,6}|,? ?#\w{1,6})?"
_CITY = r"(?:,? ?\n{1,2} ?|, ?| )(?:[A-Z][A-Za-z.'-]+ ?){1,4}"
_ZIP = r"\d{5}(?:-\d{4})?(?!\d)"
_AMERICAN = re.compile(
    rf"(?:{_STREET}{_UNIT}|(?<!\w)P\.? ?O\.? Box \d{{1,6}}){_CITY}(?:,|\b)[ \n]{{0,2}}{_STATE}(?:\.?,? {{1,2}}{_ZIP})?"
    rf"|{_STREET}{_UNIT}(?:{_CITY})?,? {_ZIP}"
    rf"|{_STREET}{_UNIT}{_CITY}(?:,? ?\n?)(?:[A-Z]{{1,2}}\d[A-Z\d]? \d[A-Z]{{2}}|(?:[A-Z]{{2}}\b,? "
    rf")?[A-Z]\d[A-Z] ?\d[A-Z]\d)\b"
)
_AT_HOME = re.compile(rf"{_STREET}{_UNIT}")
_HOME = re.compile(
    r"(?:\blive[sd]?|\bliving|\breside[sd]?|\bresiding|\bstay(?:ing|s)?|\bhome|\bmoved|\baddress(?: is| was)?:?|"
    r"\bship|\bdeliver"
    r"(?:ed)?|\bmail|\bsent?d?)(?: (?:at|is|to|on|it to))? ?$",
    re.IGNORECASE,
)
_NOWHERE = re.compile(
    r"^(?:123|1234|111) (?:Main|Elm|Oak|Any|Anywhere|Fake|Example|Sample|Your)\b|Any ?town|Any ?city|Your ?(?:Street|"
    r"City|Town)|"
    r"^1600 Penn",
    re.IGNORECASE,
)


def addresses(text: str) -> Iterator[Span]:
    """Postal addresses; `value` without spaces and punctuation."""
    if _KOREAN_NUMBER.search(text):
        yield from map(_address, _KOREAN.finditer(text))
    if not _ENGLISH_NUMBER.search(text):
        return
    yield from map(_address, _AMERICAN.finditer(text))
    for match in _AT_HOME.finditer(text):
        if _HOME.search(before(text, match.start(), 30)):
            yield _address(match)


def _address(match: re.Match[str]) -> Span:
    value = "".join(character for character in match[0].lower() if character.isalnum())
    return Span(match.start(), match.end(), "postal_address", value, bool(_NOWHERE.search(match[0])))
