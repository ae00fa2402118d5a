"""Regexes of refusals in English and Korean, for Polars' engine.

The English ones expect straight apostrophes and ignore case; the opening ones are anchored at the start of the answer.
"""

from __future__ import annotations

from typing import Final

_AI = (
    r"an? (?:AI|artificial intelligence|(?:large )?language model|chat ?bot|virtual assistant|computer program)"
    r"(?: (?:language model|model|assistant|chat ?bot|system))?(?: \(\w+\))?"
)
_LEAD = r"(?:(?:no|oh|uh|ah|hmm?|well|hi|hello|ok|okay|thank you|thanks|i understand|i see)\b[^.!?\n]{0,60}[,.!]\s+)?"
_SORRY = (
    r"(?:(?:i'm|i am)(?: (?:very|so|really|truly|terribly))? (?:sorry|afraid)|(?:no, |oh, )?sorry"
    r"|(?:my )?apologies|i apologi[sz]e|unfortunately|regrettably)(?: about that)?"
    r"[,.;:!]?\s+(?:(?:but|that|and|however),?\s+)?"
)
_UNABLE = (
    r"(?:cannot|can't|can not|could not|couldn't|won't|will not"
    r"|(?:am|'m) (?:not able to|unable to|not allowed to|not programmed to|not designed to|not going to))"
    r"(?: (?:really|possibly|directly|currently|in good conscience|legally|ethically))?"
)
_THIS = r"(?:that|this|such|any|your)"
# What an assistant is asked to do, with its object where the verb alone is too common ("I can't help but feel",
# "I cannot recommend this book enough", "I can't answer the phone right now").
_ACT = (
    r"(?:help (?:you|with|plan)|help[.!]|assist|aid you|comply|participate in|engage in|browse"
    rf"|(?:do|support|discuss|fulfil+|say|answer) {_THIS}\b|answer the question|recommend that"
    rf"|provide (?:you|{_THIS}|information|instructions|advice|guidance|assistance|support|an answer|a response|content"
    r"|personal|medical|legal|financial)"
    rf"|(?:generate|create|produce|write|draw|display|show|play|record) (?:{_THIS}|images|pictures|content|visual"
    r"|harmful|explicit|an? (?:image|picture|photo|video|drawing|logo|graphic))"
    rf"|(?:share|disclose|reveal) (?:{_THIS}|personal|private|confidential)"
    rf"|give (?:you (?:{_THIS}|advice|instructions|information)|{_THIS}|advice|out|instructions)"
    r"|tell you (?:that|how|this)|advise (?:you|on)|access (?:the internet|real-time|external|websites))"
)

REFUSES: Final = (
    rf"(?i)\A\s*{_LEAD}(?:{_SORRY})?(?:as {_AI},?\s+)?i\b ?"
    rf"(?:{_UNABLE} {_ACT}|(?:am|'m) {_AI}[^.!?\n]{{0,60}} (?:cannot|can't|unable to)\b)"
)
# The refusing sentence goes on with a "but", or the answer with something of use.
TURNS: Final = rf"{REFUSES}[^.!?\n]*\b(?:but|however|although|instead)\b"
GOES_ON: Final = (
    r"(?i)\b(?:in general|generally|typically|for example|for instance|here (?:is|are)|here's)\b"
    r"|[.!?>]\s*(?:그러나|하지만|다만|일반적으로|예를 들어|대신|그럼에도)"
)
# "This task requires a visual output": counts where BY_MODEL is near.
TASK: Final = (
    r"(?i)\A\s*(?:sorry,? )?(?:no output because )?(?:this|the|such an?)(?: type of)?"
    r" (?:task|instruction|request|prompt)\b[^.!?\n]{0,100}"
    r"\b(?:cannot|can't|can not|could not|requires?|involves|does not meet|is (?:not|beyond|outside))\b"
)
BY_MODEL: Final = r"(?i)\b(?:GPT|language model|AI model|AI assistant|the model|by a human|visual output|text-based)\b"
BOILERPLATE: Final = (
    rf"(?i)\bas {_AI},? (?:i|my)\b[^.!?\n]{{0,40}}(?:n't|\bnot\b|cannot|\bno\b|unable|lack|limited)"
    rf"|\b(?:i'm|i am) (?:just |only |merely |simply )?{_AI}[^.!?\n]{{0,60}}(?:n't|\bnot\b|cannot|unable)"
    r"|\bmy (?:knowledge|training)(?: data)? (?:cut-?off|only goes)|\bas of my last (?:knowledge )?update"
    r"|\bi (?:don't|do not) have (?:personal (?:opinions|beliefs|experiences|feelings|preferences)|real-time)"
)

_KO_SORRY = r"(?:죄송(?:합니다|하지만|합니다만|스럽지만)|미안(?:합니다|하지만|해요)|유감스럽게도|아쉽게도|안타깝게도)"
_KO_AI = (
    r"(?:AI|인공 ?지능|언어 모델|챗봇)(?: ?(?:기반|언어|모델|비서|어시스턴트|챗봇|프로그램))*"
    r"(?:로서|으로서|이므로|이기 때문에|라서|이라서)"
)
# 없지만 and 없으나, which turn to an answer, are left out.
_KO_UNABLE = (
    r"(?:도와 ?드릴|도움을? ?드릴|도울|답변(?:을|해)? ?드릴|답변할|대답할|대답해 ?드릴|제공할|제공해 ?드릴|알려 ?드릴"
    r"|작성할|작성해 ?드릴|생성할|그려 ?드릴|수행할|말씀 ?드릴|응답할|찾을|접근할|실행할)"
    r" ?수(?:는|가)? ?(?:없습니다|없어요|없네요|없음|없으며|없고)"
    r"|(?:제공하는|도와드리는|작성하는|답변하는|알려드리는) 것(?:은|이) (?:부적절|적절하지 않|불가능|어렵)"
)
KO_REFUSES: Final = (
    rf"\A\s*(?:{_KO_SORRY}[^\n]{{0,100}}?|(?:저는|제가) [^.\n]{{0,60}}?|{_KO_AI}[^.\n]{{0,60}}?)(?:{_KO_UNABLE})"
)
KO_BOILERPLATE: Final = rf"(?:저는|제가)? ?{_KO_AI},? [^.\n]{{0,80}}(?:없|않|못)"

ASKS_FOR_IT: Final = (
    r"(?i)refus|declin|apolog|reject|turn(?:ing)? (?:it |them |him |her )?down|excuse|say(?:ing)? no\b|rude"
    r"|거절|사과|거부|핑계|변명|사양"
)
STRUCTURE: Final = r"```|(?m)^\s*(?:[-*•]|\d{1,2}[.)])\s+\S"
