"""The 25 verifiable instructions of IFEval (Zhou et al. 2023, arXiv 2311.07911, table 1), by their ids.

Each is a pure function of a text and the instruction's own arguments, which have the names that the data set has.
Where the definition leaves room, the functions say what they take; docs/verifiable.md lists where they differ from the
evaluator that came with the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from curation.scoring.verifiable.instructions import forms, languages, lengths, places, words

# These are given `language_of` after the text.
BY_LANGUAGE: Final[Mapping[str, Callable[..., bool]]] = {
    "change_case:english_capital": languages.english_capital,
    "change_case:english_lowercase": languages.english_lowercase,
    "language:response_language": languages.response_language,
}
BY_TEXT: Final[Mapping[str, Callable[..., bool]]] = {
    "change_case:capital_word_frequency": languages.capital_word_frequency,
    "combination:repeat_prompt": places.repeat_prompt,
    "combination:two_responses": places.two_responses,
    "detectable_content:number_placeholders": forms.number_placeholders,
    "detectable_content:postscript": forms.postscript,
    "detectable_format:constrained_response": forms.constrained_response,
    "detectable_format:json_format": forms.json_format,
    "detectable_format:multiple_sections": forms.multiple_sections,
    "detectable_format:number_bullet_lists": forms.number_bullet_lists,
    "detectable_format:number_highlighted_sections": forms.number_highlighted_sections,
    "detectable_format:title": forms.title,
    "keywords:existence": words.existence,
    "keywords:forbidden_words": words.forbidden_words,
    "keywords:frequency": words.frequency,
    "keywords:letter_frequency": words.letter_frequency,
    "length_constraints:nth_paragraph_first_word": lengths.nth_paragraph_first_word,
    "length_constraints:number_paragraphs": lengths.number_paragraphs,
    "length_constraints:number_sentences": lengths.number_sentences,
    "length_constraints:number_words": lengths.number_words,
    "punctuation:no_comma": words.no_comma,
    "startend:end_checker": places.end_checker,
    "startend:quotation": places.quotation,
}
INSTRUCTIONS: Final[Mapping[str, Callable[..., bool]]] = {**BY_TEXT, **BY_LANGUAGE}
