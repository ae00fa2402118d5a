"""What a prompt says of languages: which it names, whether it asks for a translation, which it asks an answer in."""

from __future__ import annotations

import re
from typing import Final

# Names in English and Korean, and what else speaks of a language: learning it, tests of it, texts by its speakers.
NAMES: Final = {
    "en": r"english|영어|영문|영작|영단어|영한|한영|영시|영미|알파벳|로마자|토익|토플|텝스|오픽|toeic|toefl|ielts|팝송"
    r"|팝 ?가사|미국인|영국인|원어민|해외|외국|바이어"
    r"|약자|약어",
    "ko": r"korea|hangul|hangeul|한국|한글|국어|우리말|k-?pop|k-?drama|seoul|hanja",
    "ja": r"japan|일본|일어|일문|日本|히라가나|가타카나|kanji|hiragana|haiku|anime",
    "zh": r"chinese|mandarin|cantonese|china|중국|중문|한자|中文|汉语|漢語|pinyin|사자성어|classical",
    "fr": r"french|français|francais|franz|프랑스|불어|불문|france|francés|paris",
    "es": r"spanish|español|espanol|espagnol|스페인|서반아|spain|mexic|latin americ",
    "de": r"german|deutsch|독일|독어|allemand|austria",
    "ru": r"russia|러시아|노어|русск",
    "it": r"italian|이탈리아|italia",
    "pt": r"portug|포르투갈|brazil|브라질",
    "nl": r"dutch|netherlands|네덜란드|화란",
    "pl": r"polish|polsk|폴란드",
    "vi": r"vietnam|베트남|월남|tiếng việt",
    "th": r"\bthai|태국|타이어",
    "id": r"indonesia|인도네시아|bahasa",
    "tr": r"turkish|türk|튀르키예|터키",
    "ar": r"arab|아랍|العربية",
    "hi": r"hindi|힌디|india",
    "el": r"greek|그리스",
    "la": r"\blatin|라틴",
    "sv": r"swedish|스웨덴",
    "uk": r"ukrain|우크라",
}
_NAMES: Final = {code: re.compile(names) for code, names in NAMES.items()}
_ANY: Final = re.compile(
    r"translat|번역|통역|옮겨|옮기|해석|traduc|traduis|tradu|übersetz|перевед|翻译|翻譯|翻訳|訳して"
    r"|foreign|bilingual|multilingual|외국어|languages?\b|어느 나라 말|원문|원어|원서|original|transliterat"
    r"|pronounc|발음|phrase"
    r"|idiom|proverb|속담"
)
_TARGET: Final = {
    "en": re.compile(r"\b(?:in|into|to) english\b|영어로|영문으로"),
    "ko": re.compile(r"\b(?:in|into|to) korean\b|한국어로|한글로|우리말로|국문으로"),
}


def asks_for(prompt: str, language: str) -> bool:
    """Whether a prompt gives cause for an answer in a language: names it, or speaks of translating or of languages.

    A prompt that asks for an answer in another language than this one gives none.
    """
    if asks_for_another(prompt, language):
        return False
    text = prompt.lower()
    names = _NAMES.get(language)
    return bool(_ANY.search(text) or (names and names.search(text)))


def asks_for_another(prompt: str, language: str) -> bool:
    """Whether a prompt asks outright for an answer in English or Korean, and not in this language."""
    text = prompt.lower()
    wanted = {code for code, target in _TARGET.items() if target.search(text)}
    return bool(wanted) and language not in wanted
